"""A study's records and tables are the same wherever it is trained, bit by bit; of every door."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.store import open_store
from benchmarks.executors import what_counts

ROOT = Path(__file__).parents[2]

PROJECT = {
    "ablate.toml": """
[tasks.square]
kind = "function"
function = "square:train"
defaults = { x = 1.0 }
metrics.loss = { goal = "min", low = 0 }

[tasks.program]
kind = "program"
command = ["python3", "program.py", "{x}", "{seed}"]
defaults = { x = 1.0 }
metrics.loss = { goal = "min", low = 0 }
read = { kind = "pattern", pattern = "loss=(?P<loss>.*)" }
""",
    "square.py": """
import random
def train(config, seed, report):
    report(1, {"loss": config["x"] ** 2 + random.Random(seed).random() / 10})
""",
    "program.py": """
import random, sys
print("loss=%r" % (float(sys.argv[1]) ** 2 + random.Random(int(sys.argv[2])).random() / 10))
""",
    "sweeps/f.yaml": "study: {task: square, factors: {x: [1.0, 2.0]}, seeds: 6}\n",
    "sweeps/p.yaml": "study: {task: program, factors: {x: [1.0, 2.0]}, seeds: 6}\n",
}

SMALL = "data.train_size=400 data.test_size=200 train.epochs=2 study.seeds=2 cohort_size=2"


def sweep(folder, words):
    command = [sys.executable, "-m", "ablate", "sweep", *words.split(), "workers=2", "device=cpu"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    results = next(word for word in words.split() if word.startswith("results=")).partition("=")[2]
    with open_store(str(folder / results / "ablate.db"), read_only=True) as store:
        records = {record.digest: what_counts(record) for record in store.all()}
    return records, [line for line in done.stdout.splitlines() if " ± " in line or " [" in line]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def here(project):
    """By study, what there is when it was trained by processes of this machine."""
    words = {"pooling": SMALL, "f": "", "p": ""}
    return {name: sweep(project, f"{name} {more} results=here-{name}") for name, more in words.items()}


@pytest.mark.parametrize("study", ["pooling", "f", "p"])
@pytest.mark.parametrize("place", ["slurm", "ray"])
def test_records_and_table_are_those_of_this_machine(request, project, here, place, study):
    if place == "slurm":
        request.getfixturevalue("slurm")
        words = "executor=slurm"
    else:
        words = f"executor=ray executor.address={request.getfixturevalue('ray_address')}"
    more = SMALL if study == "pooling" else ""
    records, table = sweep(project, f"{study} {more} {words} results={place}-{study}")
    assert len(records) == (4 if study == "pooling" else 12)
    assert records == here[study][0]
    assert len(table) >= 2
    assert table == here[study][1]


def test_bad_input_is_one_message_with_exit_code_2(slurm, project):
    def message(words):
        done = subprocess.run(
            [sys.executable, "-m", "ablate", *words.split()],
            cwd=project,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("ablate: ")]
        assert "Traceback" not in done.stderr
        return line

    sweep_f = "sweep f results=none device=cpu workers=1"
    assert "executor.partition = 'gpu': there is no such partition" in message(
        f"{sweep_f} executor=slurm executor.partition=gpu"
    )
    assert "cannot be reached" in message(f"{sweep_f} executor=ray executor.address=127.0.0.1:1")
    assert "executor.gpu: executor slurm has no such option" in message(f"{sweep_f} executor=slurm executor.gpu=1")
    assert "workers: is missing" in message("plan f executor=slurm")
