"""Digests of runs of somebody's own code stay what they were in the first commit that had all doors (146894b)."""

import pytest

from ablate.task.finding import find_task

PROGRAM = """
[tool.ablate.tasks.t]
kind = "program"
command = ["python", "train.py", "--seed", "{seed}", "--out", "{folder}"]
flags = "--{dashed} {value}"
switches = "value"
environment = {LR = "{lr}"}
cwd = "work"
defaults = {lr = 0.1, nesterov = false, steps = 20}
steps = "steps"
timeout = 120
retries = {codes = [75], times = 2}
keep = "kept"
read = [{kind = "jsonl", file = "log", step = "epoch", names = {acc = "val/acc"}}, {kind = "csv", file = "t.csv"}]
metrics.loss = {goal = "min"}
metrics.acc = {goal = "max"}
"""
PLAIN_PROGRAM = """
[tool.ablate.tasks.t]
kind = "program"
command = ["python", "train.py", "{seed}", "{lr}"]
cwd = "work"
defaults = {lr = 0.1}
read = {kind = "jsonl", file = "log"}
metrics.loss = {goal = "min"}
"""
FUNCTION = """
[tool.ablate.tasks.t]
kind = "function"
function = "trainer:train"
defaults = {lr = 0.1, model = {width = 3}}
steps = "model.width"
shorter_is_prefix = true
metrics.loss = {goal = "min"}
"""
HYDRA = """
[tool.ablate.tasks.t]
kind = "hydra"
script = "work/app.py"
config_path = "configs"
config_name = "train"
ignore = ["paths.logs", "nowhere.at.all"]
environment = {WANDB_MODE = "offline"}
returns = "loss"
read = {kind = "jsonl", file = "log"}
metrics.loss = {goal = "min"}
metrics.acc = {goal = "max"}
"""
FILES = {
    "work/train.py": "print(1)\n",
    "trainer.py": "def train(config, seed, report):\n    return {'loss': 1.0}\n",
    "work/app.py": "import hydra\n\n"
    "@hydra.main(version_base='1.3', config_path=None)\ndef main(cfg):\n    return 1\n\nmain()\n",
    "configs/train.yaml": "seed: 0\nlr: 0.1\npaths: {data: here, logs: there}\n",
}


@pytest.fixture
def task(write):
    def declare(table):
        for name, text in FILES.items():
            write(name, text)
        write("pyproject.toml", table)
        return find_task("t")

    return declare


@pytest.mark.parametrize(
    ("table", "values", "digest"),
    [
        (PROGRAM, {"lr": 0.5}, "978ca97a848e"),
        (PLAIN_PROGRAM, {}, "350c22007528"),
        (FUNCTION, {"lr": 1}, "0751f50c0b2b"),
    ],
)
def test_runs_of_programs_and_functions(task, table, values, digest):
    assert task(table).parse({**values, "seed": 3}).digest[:12] == digest


def test_a_shorter_run_has_the_trajectory_of_a_longer_one(task):
    short, long = (task(FUNCTION).parse({"model": {"width": width}}) for width in (2, 3))
    assert short.trajectory == long.trajectory
    assert short.trajectory[:12] == "fabf331ed0cb"
    assert short.digest != long.digest


def test_runs_of_an_application(task):
    assert task(HYDRA).configure(["lr=0.5"]).with_seed(3).digest[:12] == "54ded55fbc82"
