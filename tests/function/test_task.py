"""Function tasks: settings are checked before anything is trained, and code is part of the identity."""

import sys

import pytest
from scipy import stats

from ablate.analyse import describe
from ablate.plan.design import Setting
from ablate.plan.plan import Plan, Point
from ablate.plan.study import Study
from ablate.report.joined_runs import frame_of_runs
from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.record import Measurement, Record, Result

DECLARED = """
[tool.ablate.tasks.digits]
kind = "function"
function = "trainer:train"
metrics.loss = {goal = "min"}
metrics.acc = {goal = "max", unit = "fraction", low = 0, high = 1, split = "val"}
"""
UNTYPED = "def train(config, seed, report):\n    return {'acc': 1.0, 'loss': 0.0}\n"
DATACLASS = """
from dataclasses import dataclass, field
from enum import Enum

class Kernel(str, Enum):
    rbf = "rbf"
    linear = "linear"

@dataclass(frozen=True)
class Model:
    width: int = 8
    kernel: Kernel = Kernel.rbf
    sizes: tuple[int, ...] = (1, 2)

@dataclass
class Config:
    lr: float
    model: Model = field(default_factory=Model)

def train(config: Config, seed: int, report):
    assert isinstance(config.model, Model)
"""
PYDANTIC = """
from __future__ import annotations
from pydantic import BaseModel, Field, model_validator

class Model(BaseModel):
    width: int = Field(8, ge=1)

class Config(BaseModel):
    lr: float = Field(0.1, gt=0)
    momentum: float | None = None
    model: Model = Model()

    @model_validator(mode="after")
    def check(self):
        if self.lr > 1 and self.model.width > 100:
            raise ValueError("lr and model.width: too much of both")
        return self

def train(config: Config, seed, report): ...
"""


@pytest.fixture
def task(write):
    def declare(source, more="", declared=DECLARED):
        write("pyproject.toml", declared + more)
        write("trainer.py", source)
        return find_task("digits")

    return declare


def test_what_a_task_says_of_itself(task):
    found = task(UNTYPED, 'step = "epoch"\ndefaults = {lr = 0.1, model = {width = 3}}\nsteps = "model.width"\n')
    assert list(found.metrics) == ["loss", "acc"]
    assert found.default_metrics[-1] == "acc"
    assert found.metrics["acc"].high == 1.0
    assert found.step == "epoch"
    assert found.configuration.defaults == {"lr": 0.1, "model": {"width": 3}}
    run = found.parse({"lr": 0.1, "model": {"width": 4}, "seed": 3})
    assert (run.seed, run.length, run.samples, run.task) == (3, 4, 4, "digits")
    assert run.engine == "ablate.function.engine:FunctionEngine"
    assert "trainer" not in sys.modules  # an untyped function is not imported to plan


def test_what_guessing_scores_is_declared_and_marks_runs_that_always_say_one_class(task):
    sharp = 'metrics.test_acc = {goal = "max", low = 0, high = 1, split = "test", guess = 0.5, samples = 100}\n'
    size = 'metrics.size = {goal = "min", cost = true, exact = true}\ndefaults = {lr = 0.1}\n'
    found = task(UNTYPED, sharp + size)
    assert (found.metrics["size"].cost, found.metrics["size"].exact) == (True, True)
    shares = {0.1: [0.9, 0.88, 0.91], 0.5: [0.5, 0.5, 0.5], 0.7: [0.72, 0.66, 0.64]}
    points, records = [], {}
    study = Study(name="s", task="digits", factors={"lr": tuple(shares)}, metrics=("test_acc",), seeds=(0, 1, 2))
    for order, (lr, values) in enumerate(shares.items()):
        setting = Setting("lr", lr, str(lr), order, lr == 0.1, found.parse({"lr": lr}))
        for seed, value in enumerate(values):
            run = found.parse({"lr": lr, "seed": seed})
            points.append(Point(study, setting, run))
            result = Result("complete", (Measurement(1, {"test_acc": value, "size": 10.0 * order}, 1.0),))
            records[run.digest] = Record(run.digest, run.identity, result)
    runs = frame_of_runs(Plan((study,), tuple(points)), records)
    metrics = [found.metrics[name] for name in ("test_acc", "size")]
    levels = {(entry.label, entry.metric): entry for entry in describe(runs, metrics=metrics).levels}
    luck = stats.binom.ppf(0.999, 100, 0.5) / 100
    expected = [sum(value <= luck for value in values) for values in shares.values()]
    assert [levels[str(lr), "test_acc"].at_chance for lr in shares] == expected == [0, 3, 1]
    assert levels["0.5", "size"].at_chance is None


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("guess = 1.5", r"guess = 1.5: must lie from low to high, 0 to 1"),
        ("samples = 10", r"samples = 10: says how far guessing strays; give guess, too"),
        ("guess = 0.5, samples = 0", r"metrics.f1.samples = 0: input should be greater than or equal to 1"),
    ],
)
def test_guessing_that_cannot_be_is_refused(task, keys, message):
    with pytest.raises(ConfigError, match=message):
        task(UNTYPED, f'metrics.f1 = {{goal = "max", low = 0, high = 1, {keys}}}\n')


def test_defaults_from_a_file(task, write):
    write("base.yaml", "lr: 1e-3\nname: sgd\n")
    assert task(UNTYPED, 'defaults = "base.yaml"\n').defaults == {"lr": 0.001, "name": "sgd"}
    write("base.yaml", "- 1\n")
    with pytest.raises(ConfigError, match=r"defaults = 'base.yaml': the file must be a mapping"):
        _ = task(UNTYPED, 'defaults = "base.yaml"\n\n').defaults


def test_untyped_settings_are_checked_against_the_defaults(task):
    found = task(UNTYPED, "defaults = {lr = 0.1, model = {width = 3}, options = {}}\n")
    assert found.parse({"lr": 1}).digest == found.parse({"lr": 1.0}).digest
    options = found.parse({"options": {"any": 1}})
    assert options.config == {"lr": 0.1, "model": {"width": 3}, "options": {"any": 1}}
    with pytest.raises(ConfigError) as caught:
        found.parse({"lrr": 1, "model": {"widht": 2}, "seed": -1})
    assert caught.value.problems[0].startswith("seed = -1: must be")
    with pytest.raises(ConfigError) as caught:
        found.parse({"lrr": 1, "model": {"widht": 2}})
    assert caught.value.problems == [
        "lrr: there is no such field; did you mean lr?",
        "model.widht: there is no such field; did you mean model.width?",
    ]


def test_settings_are_plain_data(task):
    with pytest.raises(ConfigError, match=r"a.b.1 = nan: must be a number"):
        task(UNTYPED).parse({"a": {"b": [1, float("nan")]}})
    with pytest.raises(ConfigError, match=r"a = <object object"):
        task(UNTYPED).parse({"a": object()})


def test_a_dataclass(task):
    found = task(DATACLASS, "defaults = {lr = 0.5}\n")
    assert found.defaults == {"lr": 0.5, "model": {"width": 8, "kernel": "rbf", "sizes": [1, 2]}}
    run = found.parse({"lr": 1, "model": {"kernel": "linear"}})
    assert run.config == {"lr": 1.0, "model": {"width": 8, "kernel": "linear", "sizes": [1, 2]}}
    with pytest.raises(ConfigError) as caught:
        found.parse({"model": {"width": "8", "kernel": "cubic"}})
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "model.width = '8'",
        "model.kernel = 'cubic'",
    ]
    with pytest.raises(ConfigError, match="lr: is missing"):
        task(DATACLASS, "\n").parse({})
    with pytest.raises(ConfigError, match=r"model.depth: there is no such field"):
        found.parse({"lr": 1.0, "model": {"depth": 3}})


def test_a_pydantic_model(task):
    found = task(PYDANTIC)
    assert found.defaults == {"lr": 0.1, "momentum": None, "model": {"width": 8}}
    assert found.parse({}).digest == found.parse({"lr": 0.1, "momentum": None}).digest
    with pytest.raises(ConfigError) as caught:
        found.parse({"lr": -1.0, "model": {"width": 0}})
    assert len(caught.value.problems) == 2
    with pytest.raises(ConfigError, match=r"lr and model.width: too much of both"):
        found.parse({"lr": 2.0, "model": {"width": 200}})
    with pytest.raises(ConfigError, match="beta: there is no such field"):
        found.parse({"beta": 1})


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("train = 3\n", "function = 'trainer:train': is of type int, no function; it must be called as train"),
        ("class train:\n    def __init__(self, a, b, c): ...\n", "is a class, no function"),
        ("def train(config): ...\n", r"takes \(config\); it must be called as train\(config, seed, report\)"),
        ("def train(config, *, seed, report): ...\n", r"takes \(config, \*, seed, report\)"),
        ("def train(config: 'Nowhere', seed, report): ...\n", "annotation 'Nowhere'"),
        ("import nowhere\ndef train(config, seed, report): ...\n", "trainer:train: cannot be loaded: ModuleNotFound"),
        ("def other(config, seed, report): ...\n", "trainer has no 'train'"),
        ("def train(:\n", "trainer:train: cannot be loaded: SyntaxError"),
    ],
)
def test_a_function_that_is_none_is_refused_before_anything_is_trained(task, source, message):
    found = task(source)
    with pytest.raises(ConfigError, match=message):
        found.provide([] if "Nowhere" not in source else [found.parse({})])


def test_a_module_that_is_not_there(task):
    with pytest.raises(ConfigError, match=r"function = 'elsewhere:train': there is no module elsewhere in"):
        task(UNTYPED, declared=DECLARED.replace("trainer:", "elsewhere:"))


def test_steps_must_be_a_field_with_a_number(task):
    found = task(UNTYPED, 'steps = "epochs"\n')
    with pytest.raises(ConfigError, match=r"tasks.digits.steps = 'epochs': there is no such field"):
        found.parse({})
    with pytest.raises(ConfigError, match=r"epochs = 0: must be a whole number of at least 1"):
        found.parse({"epochs": 0})


def test_changed_code_is_another_run_and_says_what_changed(task, write):
    from ablate.task.record import Record, Result

    before = task(UNTYPED)
    run = before.parse({"lr": 1})
    record = Record(run.digest, run.identity, Result("complete", notes={"code": run.details["code"]}))
    assert before.changed_code(record) is None
    write("unrelated.py", "x = 1\n")
    after = task(UNTYPED.replace("1.0", "0.5"), "\n")
    assert after.parse({"lr": 1}).digest != run.digest
    assert after.changed_code(record).startswith("trainer (was ")


def test_an_authors_version_keeps_the_digest_and_tells_of_the_change(task):
    from ablate.task.record import Record, Result

    run = task(UNTYPED, 'version = "1"\n').parse({})
    after = task(UNTYPED.replace("1.0", "0.5"), 'version = "1"\n\n')
    assert after.parse({}).digest == run.digest
    record = Record(run.digest, run.identity, Result("complete", notes={"code": run.details["code"]}))
    assert after.changed_code(record).startswith("trainer (was ")
    assert task(UNTYPED, 'version = "2"\n').parse({}).digest != run.digest
