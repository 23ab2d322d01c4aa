"""Measure how fast studies are trained, beside other ways to train them: ``make bench``.

Samples a second of the article's LeNet at batch 256, 16 and 2, the machine's matrix-product peak and the share of it,
and the cost of a whole study. Takes about ten minutes on two cores; let nothing else run meanwhile.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.contenders import ENSEMBLE, TEXTBOOK, TEXTBOOK_WORKERS, all_contenders
from benchmarks.machine import flop_per_sample, machine
from benchmarks.options import amount, positive, target
from benchmarks.rows import Row, goals, rows
from benchmarks.study import LR_STUDY, QUICK_STUDY, StudyCost, planned, study_cost
from benchmarks.tables import print_goals, print_rows, print_study, terminal, write
from benchmarks.workers import measure

BUSY = 0.5
"""Load average from which on the figures are doubtful."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; exit code 1 where something could not be measured.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    options = _options(arguments)
    console, note = terminal(), Console(stderr=True, highlight=False, soft_wrap=True)
    facts = machine() | {
        "command": shlex.join(["python", "-m", "benchmarks", *(sys.argv[1:] if arguments is None else arguments)]),
        "repeats": options.repeats,
        "seconds": options.seconds,
        "workers": options.workers,
        "flop_per_sample": flop_per_sample(),
    }
    if (facts["load_before"] or 0.0) > BUSY:
        note.print(f"the machine is busy (load average {facts['load_before']}): absolute figures will be too low")
    study = QUICK_STUDY if options.quick else LR_STUDY
    plan, _ = planned(study, options.workers)
    cohort = max(c["members"] for c in plan["cohorts"])

    found: list[Row] = []
    measured = []
    for batch in options.batches:
        note.print(f"batch {batch}")
        contenders = all_contenders(
            batch,
            workers=options.workers,
            models=options.models,
            cohort=cohort,
            compiled=options.compiled,
            rivals=min(ENSEMBLE, max(options.models)),
        )
        these = measure(
            contenders,
            repeats=options.repeats,
            seconds=options.seconds,
            train_size=options.train_size,
            say=lambda text: note.print(f"  {text}"),
        )
        measured += these
        found += rows(these, facts["flop_per_sample"])
        print_rows(console, [row for row in found if row.batch == batch])

    asked = goals(found, cohort, options.workers)
    print_goals(console, asked)
    cost = None
    if options.study:
        note.print(f"ablate sweep {' '.join(study)}")
        cost = _beside_textbook(study_cost(study, options.workers), found)
        print_study(console, cost)
    for path in write(options.out, found, measured, facts, asked, cost):
        note.print(f"wrote {path}")
    failed = any(row.failure for row in found) or (cost is not None and cost.complete < cost.runs)
    return int(failed)


def _beside_textbook(cost: StudyCost, found: Sequence[Row]) -> StudyCost:
    """With the textbook loop's seconds for as many samples, at its fastest of batch 256."""
    rates = [r.median for r in found if r.loop in (TEXTBOOK, TEXTBOOK_WORKERS) and r.batch == 256 and not r.failure]
    return replace(cost, textbook_seconds=cost.samples / max(rates)) if rates else cost


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=positive, default=5, help="of every measurement (default: 5)")
    parser.add_argument("--seconds", type=amount, default=1.0, help="of every measurement (default: 1)")
    parser.add_argument("--batches", type=positive, nargs="+", default=[256, 16, 2], metavar="B", help="images a step")
    parser.add_argument(
        "--models", type=positive, nargs="+", default=[1, 5, 10, 18], metavar="K", help="sizes of cohorts"
    )
    parser.add_argument("--workers", type=positive, default=2, help="processes at the same time (default: 2)")
    parser.add_argument("--train-size", type=positive, default=None, metavar="N", help="training images (default: all)")
    parser.add_argument("--no-compile", dest="compiled", action="store_false", help="leave torch.compile out")
    parser.add_argument("--no-study", dest="study", action="store_false", help="leave the whole study out")
    parser.add_argument("--out", type=target, default=Path("results/benchmarks"), help="folder (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="only try whether it works: figures mean nothing")
    options = parser.parse_args(arguments)
    if options.quick:
        vars(options).update(repeats=1, seconds=0.05, batches=[16], models=[1, 3], train_size=512, compiled=False)
    if min(options.repeats, options.workers, *options.batches, *options.models) < 1 or options.seconds <= 0.0:
        parser.error("repeats, seconds, workers, batches and models must be above 0")
    return options


if __name__ == "__main__":
    sys.exit(main())
