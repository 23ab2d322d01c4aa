"""How long planning and the tables take with 100,000 runs in the store.

    python -m benchmarks.scale                   # 10,000 settings x 10 seeds: a minute, 1 GB of temporary files
    python -m benchmarks.scale --levels 4 4 4    # 64 settings x 10 seeds: a try

Makes a grid study of learning rate, momentum, weight decay and label smoothing and a store with a made-up record of
every run (three epochs each) in a temporary folder, then does what ``ablate plan`` and ``ablate report`` do, stage by
stage in one process: plan and outlook, reading the store, the frame of runs, the analysis, ``table.csv``, ``.md`` and
``.tex``. Once for a study of the same factors one at a time, whose few runs are among those in the store, and once for
the whole grid. Figures and page are left out: nobody reads a page of 10,000 levels. Prints seconds of processor time.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import ablate.cli  # noqa: F401 (its settings of the interpreter)
from ablate.commands.plan import outlook
from ablate.commands.studies import StudyRequest, named, order, records_of
from ablate.commands.study_view import view_of
from ablate.images.metrics import measured_epoch
from ablate.images.run import RunConfig
from ablate.report import analyse_study, summarise
from ablate.report.files import write_csv, write_text
from ablate.report.joined_runs import frame_of_runs
from ablate.report.latex import latex
from ablate.report.tables import markdown, sheets, wide
from ablate.store import open_store
from ablate.task.record import Record, Result

GRID, PART = "grid", "part"
"""The studies: all of the store, and the factors one at a time."""
EPOCHS = 3
FACTORS = ("optimizer.lr", "optimizer.momentum", "optimizer.weight_decay", "train.label_smoothing")
STEPS = (0.1, 0.09, 0.0001, 0.05)
"""Between the levels of each factor, which start at the baseline's."""
STARTS = (0.1, 0.0, 0.0, 0.0)


def measure(study: str, folder: Path) -> tuple[int, dict[str, float]]:
    """Plan and tabulate a study of the working folder.

    Args:
        study: Its name.
        folder: Where the tables are written.

    Returns:
        Its runs, and seconds of processor time by stage.
    """
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        seconds[name] = time.process_time() - start

    with stage("plan: runs"):
        wanted = order(named([study], []))
    with stage("plan: outlook against the store"):
        found = outlook(wanted)
    if found["in_store"] != len(wanted.plan.runs):
        raise RuntimeError(f"{found['in_store']} of {len(wanted.plan.runs)} runs are in the store")
    with stage("tables: records from the store"):
        records = records_of(wanted.plan, wanted.launch)
    with stage("tables: frame of runs"):
        view, runs = view_of(wanted.plan.studies[0], wanted.plan, command=""), frame_of_runs(wanted.plan, records)
    with stage("tables: analysis"):
        analysis = analyse_study(view, runs)
        levels = summarise(view, runs, analysis)
    with stage("tables: csv, md, tex"):
        printed = sheets(view, levels)
        write_csv(folder / "table.csv", wide(view, levels))
        write_text(folder / "table.md", markdown(view, levels, analysis, printed))
        write_text(folder / "table.tex", latex(view, levels, printed))
    return len(wanted.plan.runs), seconds


def make_studies(levels: Sequence[int], seeds: int) -> StudyRequest:
    """Write the study files into the working folder and plan the grid.

    Args:
        levels: Of each factor; those beyond are left out.
        seeds: Their number.
    """
    given = zip(FACTORS, STARTS, STEPS, levels, strict=False)
    factors = {path: [round(start + step * i, 6) for i in range(count)] for path, start, step, count in given}
    baseline = {"train": {"epochs": EPOCHS}, "optimizer": {"lr": 0.1}}
    for name, design in ((GRID, "grid"), (PART, "one-at-a-time")):
        study = {"design": design, "factors": factors, "seeds": seeds}
        write_text(Path("sweeps") / f"{name}.yaml", json.dumps({"study": study, **baseline}))
    return order(named([GRID], []))


def make_store(wanted: StudyRequest) -> None:
    """Put a made-up record of every run into the store: the learning rate helps, seeds scatter.

    Args:
        wanted: The study.
    """
    generator = np.random.default_rng(0)
    with open_store(wanted.launch.store_location) as store:
        store.merge(_record(run, generator.normal(0.0, 0.01, EPOCHS)) for run in wanted.plan.runs)


def _record(run: RunConfig, noise: np.ndarray) -> Record:
    accuracies = 0.7 + 0.05 * run.optimizer.lr + np.linspace(0.0, 0.1, EPOCHS) + noise
    curve = [
        measured_epoch(i, 2.0 - a, a - 0.01, test_acc=a, seconds=1.0)
        for i, a in enumerate(map(float, accuracies), start=1)
    ]
    return Record(run.digest, run.identity, Result("complete", tuple(curve)), {"commit": "none"})


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--levels", type=int, nargs="+", default=[10, 10, 10, 10], help="of each factor, at most four")
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    if len(given.levels) > len(FACTORS) or min(given.levels) < 2 or given.seeds < 1:
        parser.error("up to four factors of at least two levels, and at least one seed")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        wanted = make_studies(given.levels, given.seeds)
        make_store(wanted)
        found = [measure(study, Path(folder) / study) for study in (PART, GRID)]
        os.chdir("/")
    for runs, seconds in found:
        print(f"a study of {runs:,} runs, {len(wanted.plan.runs):,} in the store")
        for name, value in (seconds | {"together": sum(seconds.values())}).items():
            print(f"  {name:<34}{value:8.2f} s")


if __name__ == "__main__":
    main()
