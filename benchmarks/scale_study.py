"""Made-up studies and a store that holds a record of each of their runs: what :mod:`benchmarks.scale` measures."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ablate.commands.studies import StudyRequest, named, order
from ablate.report.files import write_text
from ablate.store import open_store
from ablate.task.identity import lookup
from ablate.task.record import Measurement, Record, Result
from ablate.task.run import Run

GRID, PART = "grid", "part"
"""The studies: all of the store, and the factors one at a time."""
FACTORS = ("optimizer.lr", "optimizer.momentum", "optimizer.weight_decay", "train.label_smoothing")
DISTANCES = (0.1, 0.09, 0.0001, 0.05)
"""Between the levels of each factor, which start at the baseline's."""
STARTS = (0.1, 0.0, 0.0, 0.0)
EPOCHS = 3
"""Of the built-in task, with its own three metrics."""
BATCH = 1000
"""Records a transaction."""

FUNCTION = """
def train(config, seed, report):
    raise NotImplementedError("its records are made up")
"""


def make_studies(levels: Sequence[int], seeds: int, metrics: int, steps: int) -> StudyRequest:
    """Write the study files into the working folder and plan the grid.

    Args:
        levels: Of each factor; those beyond are left out.
        seeds: Their number.
        metrics: Of a function of one's own; 0: the built-in task.
        steps: Measured of each metric.
    """
    given = zip(FACTORS, STARTS, DISTANCES, levels, strict=False)
    factors = {path: [round(start + step * i, 6) for i in range(count)] for path, start, step, count in given}
    study: dict[str, object] = {"factors": factors, "seeds": seeds}
    baseline: dict[str, object] = {"train": {"epochs": EPOCHS}, "optimizer": {"lr": 0.1}}
    if metrics:
        study["task"] = "made_up"
        baseline = {}
        _declare(metrics, steps)
    for name, design in ((GRID, "grid"), (PART, "one-at-a-time")):
        write_text(Path("sweeps") / f"{name}.yaml", json.dumps({"study": study | {"design": design}, **baseline}))
    return order(named([GRID], []))


def _declare(metrics: int, steps: int) -> None:
    """A function as a task, in the working folder's project file."""
    defaults: dict[str, dict[str, object]] = {"train": {"steps": steps}}
    for path, start in zip(FACTORS, STARTS, strict=True):
        group, _, name = path.partition(".")
        defaults.setdefault(group, {})[name] = start
    lines = [
        "[tool.ablate.tasks.made_up]",
        'kind = "function"',
        'function = "made_up:train"',
        'step = "step"',
        'steps = "train.steps"',
        *(f'metrics.m{i:02} = {{ goal = "max", split = "val" }}' for i in range(metrics)),
        *(f"defaults.{group}.{name} = {value}" for group, fields in defaults.items() for name, value in fields.items()),
    ]
    write_text(Path("pyproject.toml"), "\n".join(lines) + "\n")
    write_text(Path("made_up.py"), FUNCTION)


def make_store(wanted: StudyRequest, metrics: int, steps: int) -> None:
    """Put a made-up record of every run into the store: the learning rate helps, seeds scatter.

    Args:
        wanted: The study.
        metrics: See :func:`make_studies`.
        steps: The same.
    """
    generator = np.random.default_rng(0)
    with open_store(wanted.launch.store_location) as store:
        for start in range(0, len(wanted.plan.runs), BATCH):
            runs = wanted.plan.runs[start : start + BATCH]
            store.add(*(_record(run, generator, metrics, steps) for run in runs))


def _record(run: Run, generator: np.random.Generator, metrics: int, steps: int) -> Record:
    names = [f"m{i:02}" for i in range(metrics)] or ["train_loss", "train_acc", "test_acc"]
    count = steps if metrics else EPOCHS
    reached = 0.5 + 0.05 * lookup(run.config, FACTORS[0]) + np.linspace(0.0, 0.1, count)
    values = (reached[:, None] + generator.normal(0.0, 0.01, (count, len(names)))).tolist()
    curve = tuple(Measurement(i, dict(zip(names, row, strict=True)), 1.0) for i, row in enumerate(values, start=1))
    return Record(run.digest, run.identity, Result("complete", curve), {"commit": "none"})
