"""The function engine: every way in which a function can end is one result."""

import pickle
import subprocess
import sys

import pytest

from ablate.function.engine import FunctionEngine
from ablate.task.finding import find_task
from ablate.task.record import StopRule

DECLARED = """
[tool.ablate.tasks.t]
kind = "function"
function = "trainer:train"
defaults = {how = "well", lr = 0.5}
metrics.loss = {goal = "min"}
metrics.acc = {goal = "max"}
"""
TRAINER = """
import os, subprocess, sys

def train(config, seed, report):
    print("seed", seed)
    how = config["how"]
    assert config.lr == config["lr"]
    if how == "raises": 1 / 0
    if how == "exits": sys.exit(3)
    if how == "unknown": report(1, {"accuracy": 1})
    if how == "swallows":
        try: report(1, {"accuracy": 1})
        except ValueError: pass
        return {"acc": 1.0, "loss": 1.0}
    if how == "returns": return 0.5
    if how == "nothing": return
    if how == "no loss": return {"acc": 0.5}
    if how == "prints":
        os.write(1, b"x" * 30_000_000)
        subprocess.run([sys.executable, "-c", "print('from a child')"])
    for step in range(1, 6):
        loss = float("nan") if how == "nan" and step == 3 else 1 / step
        if report(step, {"acc": step / 10 + seed, "loss": loss}) and how != "goes on":
            return
    return {"acc": 0.9}
"""


@pytest.fixture
def task(write):
    write("pyproject.toml", DECLARED)
    write("trainer.py", TRAINER)
    return find_task("t")


@pytest.fixture
def train(task, monkeypatch):
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    engine = FunctionEngine("cpu", 1)

    def train(*hows, rule=None, on_step=lambda step, members: None, told=None):
        if told is not None:
            engine.tell_interim(lambda metric, values: told.append((metric, dict(values))))
        runs = [pickle.loads(pickle.dumps(task.parse({"how": how, "lr": 1, "seed": 0}))) for how in hows]
        return engine.train(runs, on_step, {0: rule} if rule else {})

    return train


def test_a_run_that_goes_well(train):
    heard = []
    (result,) = train("well", on_step=lambda *what: heard.append(what))
    assert result.status == "complete"
    assert [m.step for m in result.curves] == [1, 2, 3, 4, 5]
    assert result.last("acc") == 0.9
    assert heard == [(step, (0,)) for step in range(1, 6)]
    assert result.notes["output"] == "seed 0"
    assert set(result.notes["code"]["files"]) == {"trainer"}


def test_what_a_run_measures_is_told_while_it_trains_by_its_last_metric(train):
    told = []
    train("well", "nan", "no loss", told=told)
    first = [("acc", {0: step / 10}) for step in range(1, 6)]
    assert told == first + [("acc", {1: step / 10}) for step in range(1, 4)]


def test_faults_are_one_runs_and_keep_what_was_measured(train):
    results = train("well", "raises", "exits", "well")
    assert [result.status for result in results] == ["complete", "failed", "failed", "complete"]
    assert "ZeroDivisionError" in results[1].error
    assert "SystemExit: 3" in results[2].error


def test_members_are_told_by_their_position(train):
    heard = []
    train("raises", "well", on_step=lambda step, members: heard.append(members))
    assert set(heard) == {(1,)}


@pytest.mark.parametrize("how", ["unknown", "swallows"])
def test_an_unknown_metric_fails_with_the_known_ones(train, how):
    (result,) = train(how)
    assert result.status == "failed"
    assert result.error == "report: 'accuracy' is no metric of this task; metrics are loss, acc"
    assert result.notes["lacks"] == (["loss", "acc"] if how == "unknown" else [])


def test_a_return_value_that_is_none(train):
    (result,) = train("returns")
    assert (result.status, result.error[:31]) == ("failed", "the function returned a float: ")


@pytest.mark.parametrize(("how", "names"), [("nothing", ["loss", "acc"]), ("no loss", ["loss"])])
def test_metrics_that_are_never_reported_are_named(train, how, names):
    failed, well = train(how, "well")
    assert (failed.status, well.status) == ("failed", "complete")
    assert failed.notes["lacks"] == names
    assert [line.split("'")[1] for line in failed.error.splitlines()] == names
    assert "declared, but trainer:train never reported it" in failed.error


def test_not_a_number_is_diverged(train):
    (result,) = train("nan")
    assert result.status == "diverged"
    assert [m.step for m in result.curves] == [1, 2, 3]


@pytest.mark.parametrize("how", ["well", "goes on"])
def test_a_race_that_is_lost(train, how):
    (result,) = train(how, rule=StopRule("acc", "max", ((3, 0.5),)))
    assert result.status == "stopped"
    assert [m.step for m in result.curves] == [1, 2, 3]


def test_output_is_bounded_and_that_of_children_is_caught(train, capfd):
    (result,) = train("prints")
    assert len(result.notes["output"]) < 20_000
    assert result.notes["output"].startswith("seed 0\n") or result.notes["output"].startswith("xxx")
    assert "bytes are left out" in result.notes["output"]
    assert "from a child" in result.notes["output"]
    assert capfd.readouterr().out == ""


def test_leaving_off_goes_through_the_function(train):
    class Stopped(BaseException):
        pass

    def stop(step, members):
        raise Stopped

    with pytest.raises(Stopped):
        train("well", on_step=stop)


def test_a_typed_function_gets_its_own_type(write, train):
    write(
        "trainer.py",
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    how: str = ''\n    lr: float = 0.1\n"
        "def train(config: C, seed, report):\n    return {'acc': config.lr, 'loss': 0.0}\n",
    )
    task = find_task("t")
    (result,) = FunctionEngine("cpu", 1).train([task.parse({"lr": 2})], lambda *_: None, {})
    assert result.curves[0].values == {"acc": 2.0, "loss": 0.0}


def test_nothing_heavy_is_imported(task):
    code = (
        "import sys; from ablate.task.finding import find_task; from ablate.function.engine import FunctionEngine;"
        "run = find_task('t').parse({'how': 'well'});"
        "result, = FunctionEngine('cpu', 1).train([run], lambda *_: None, {});"
        "print(result.status, sorted({'torch', 'torchvision', 'hydra', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "complete []"
