"""However a run of somebody's own code ends, its record says so, and the sweep goes on: for each door, as a sweep."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ablate.cli import main
from ablate.execute import ledger
from ablate.store import open_store
from ablate.task.output import HEAD, TAIL

MISBEHAVE = """
import json, os, signal, subprocess, sys, time

def misbehave(how):
    if how == "exits": sys.exit(3)
    if how == "dies": os._exit(3)
    if how == "crashes": os.kill(os.getpid(), signal.SIGSEGV)
    if how == "prints":
        for _ in range(3_000): os.write(1, b"x" * 10_239 + b"\\n")
    if how == "floods":
        while True: os.write(2, b"y" * 1_000_000)
    if how == "hangs":
        while True: time.sleep(60)
    if how == "leaves":
        code = "import time; time.sleep(1000)"
        left = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        open("left", "w").write(str(left.pid))

def write(file, how):
    lines = [json.dumps({"step": step, "acc": step / 4}) for step in (1, 2)]
    file.write(lines[0] + "\\n" + (lines[1][:14] if how == "half" else lines[1] + "\\n"))
"""
TABLES = """
[tasks.function]
kind = "function"
function = "trainer:train"
defaults = { how = "well" }
metrics.acc = { goal = "max" }

[tasks.program]
kind = "program"
command = ["python", "program.py", "{seed}", "{how}", "{folder}"]
defaults = { how = "well" }
read = { kind = "jsonl", file = "log" }
metrics.acc = { goal = "max" }

[tasks.hydra]
kind = "hydra"
script = "application.py"
read = { kind = "jsonl", file = "log" }
overrides = ["hydra.job.chdir=false"]
metrics.acc = { goal = "max" }
"""
FILES = {
    "misbehave.py": MISBEHAVE,
    "trainer.py": """
from misbehave import misbehave

def train(config, seed, report):
    if config.how == "nothing": return
    if config.how == "undeclared": report(1, accuracy=0.25)
    report(1, acc=0.25)
    if config.how == "swallows":
        import signal, time
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        time.sleep(1000)
    misbehave(config.how)
    report(2, acc=0.5)
""",
    "program.py": """
import os, sys
from misbehave import misbehave, write

_, seed, how, folder = sys.argv
misbehave(how)
if how != "nothing":
    write(open(os.path.join(folder, "log"), "w"), how)
""",
    "application.py": """
import hydra, os
from hydra.core.hydra_config import HydraConfig
from misbehave import misbehave, write

@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(config):
    misbehave(config.how)
    if config.how != "nothing":
        write(open(os.path.join(HydraConfig.get().runtime.output_dir, "log"), "w"), config.how)

if __name__ == "__main__":
    main()
""",
    "config.yaml": "{how: well, seed: 0}",
}
DOORS = ("function", "program", "hydra")
PROCESSES = ("program", "hydra")


@pytest.fixture
def sweep(write):
    """Sweeps one run for each way of a run to end; returns the records by that, and what was said on standard error."""
    for name, text in FILES.items():
        write(name, text)

    def sweep(door, *hows, more="", code=1):
        write("ablate.toml", TABLES.replace(f"[tasks.{door}]\n", f"[tasks.{door}]\n{more}\n"))
        given = ", ".join(hows)
        write("sweeps/s.yaml", f"study: {{task: {door}, factors: {{how: [{given}]}}, seeds: 1}}\nhow: {hows[0]}\n")
        done = CliRunner().invoke(main, ["sweep", "s", "workers=2"], catch_exceptions=False)
        assert done.exit_code == code, done.output
        with open_store("results/ablate.db", read_only=True) as store:
            return {record.config["config"]["how"]: record.result for record in store.all()}, done.stderr

    return sweep


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("door", DOORS)
def test_each_ending_is_a_record_that_says_so_and_the_sweep_goes_on(sweep, folder, door):
    sweep(door, "well", code=0)
    hows = ["exits", "dies", "crashes", "nothing", "prints", "leaves"] + ["half"] * (door in PROCESSES)
    found, said = sweep(door, "well", *hows)
    assert found.keys() == {"well", *hows}
    assert {how for how, result in found.items() if result.status == "complete"} == {"well", "prints", "leaves"}
    ends = "the worker process exited with code 3" if door == "function" else "exit code 3"
    crashes = "the worker process was ended by SIGSEGV" if door == "function" else "was ended by SIGSEGV"
    assert found["dies"].error.startswith(ends)
    assert found["crashes"].error.startswith(crashes)
    assert ("SystemExit: 3" if door == "function" else "exit code 3") in found["exits"].error
    assert found["nothing"].error.startswith("metric 'acc' ")
    assert found["nothing"].notes["lacks"] == ["acc"]
    if door in PROCESSES:
        assert found["half"].error.startswith('log:2: is no JSON, or is cut off: \'{"step": 2, "a')
        assert [measured.step for measured in found["half"].curves] == [1]
    assert found["prints"].last("acc") == 0.5
    assert len(found["prints"].notes["output"]) <= HEAD + TAIL + 200
    assert "bytes are left out" in found["prints"].notes["output"]
    assert found["leaves"].notes["left_behind"] in (
        [Path(sys.executable).name[:15]],
        [Path(sys.executable).resolve().name[:15]],
    ), "the name that the kernel has of it"
    assert not is_alive(int((folder / "left").read_text()))
    assert "failed: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize("door", DOORS)
def test_a_time_limit_ends_what_hangs_and_what_prints_without_end(sweep, door):
    found, _ = sweep(door, "hangs", "floods", more="timeout = 1")
    for result in found.values():
        assert result.status == "failed"
        assert result.error.startswith("took longer than its limit of 1 s")
        assert len(result.notes.get("output", "") + result.notes.get("errors", "")) <= 2 * (HEAD + TAIL + 200)
    if door == "function":
        assert [measured.step for measured in found["hangs"].curves] == [1]
        assert "misbehave.py" in found["hangs"].error, "where it was"


def test_a_function_that_does_not_heed_its_limit_is_ended_with_its_worker(sweep, monkeypatch):
    monkeypatch.setattr(ledger, "LATE_SECONDS", 5.0)
    found, _ = sweep("function", "swallows", "well", more="timeout = 0.5")
    assert found["well"].status == "complete"
    assert found["swallows"].status == "failed"
    assert found["swallows"].error == "took longer than its limit of 0.5 s, and ended only with its worker process"


@pytest.mark.parametrize("door", DOORS)
def test_where_no_run_has_ever_measured_a_metric_the_sweep_leaves_off(sweep, door):
    found, said = sweep(door, "nothing", code=2)
    assert found == {}
    (message,) = [line for line in said.splitlines() if line.startswith("ablate: error: ")]
    assert message.startswith(f"ablate: error: task {door}: metric 'acc' ")
    assert "Traceback" not in said
    if door == "function":
        found, said = sweep(door, "undeclared", code=2)
        assert (found, said.count("report: 'accuracy' is no metric of this task; metrics are acc")) == ({}, 1)
    sweep(door, "well", code=0)
    assert sweep(door, "nothing", "well")[0]["nothing"].status == "failed", "now one has"
    found, said = sweep(door, "nothing", "well", "prints", more='metrics.f1 = { goal = "max" }', code=2)
    assert "metric 'f1' " in said, "a metric that was declared since"
