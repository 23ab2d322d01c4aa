"""What a whole study costs end to end, through the command line, in a fresh store: ``python -m benchmarks.study``.

Studies of about a minute and of more than five, from the command to the table, beside what the bare step does in as
many processes, which is measured before and after each; and where the rest of the time went. Takes about a quarter of
an hour; let nothing else run meanwhile.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.options import amount, positive, target
from benchmarks.workers import empty_caches

ROOT = Path(__file__).resolve().parent.parent
LR_STUDY = ("lr", "study.seeds=2", "train.epochs=1")
"""18 levels, 2 seeds, 1 epoch on all 60,000 images."""
QUICK_STUDY = ("pooling", "study.seeds=2", "train.epochs=1", "data.train_size=256")
"""2 levels, 2 seeds: to try whether it works."""


@dataclass(frozen=True)
class StudyCost:
    """A study's cost, and what the textbook loop would take for the same training samples."""

    arguments: tuple[str, ...]
    runs: int
    complete: int
    samples: int
    """Training samples of all runs."""
    cohorts: tuple[int, ...]
    """Members of each."""
    plan_seconds: float
    """Of ``ablate plan`` alone, a process of its own."""
    seconds: float
    """Of ``ablate sweep``: start, planning, training, a test pass an epoch, store and table."""
    textbook_seconds: float | None = None
    """Extrapolated: ``samples`` at the rate measured of the textbook loop, without test passes."""
    failure: str | None = None


def planned(arguments: tuple[str, ...] = LR_STUDY, workers: int = 2) -> tuple[dict[str, Any], float]:
    """What ``ablate plan`` says of a study in an empty store, and the seconds that it took."""
    with tempfile.TemporaryDirectory(prefix="ablate-bench-") as folder:
        start = time.perf_counter()
        words = ["plan", *arguments, f"workers={workers}", f"store={folder}/ablate.db", "--json"]
        return json.loads(_ablate(*words).stdout), time.perf_counter() - start


def study_cost(arguments: tuple[str, ...] = LR_STUDY, workers: int = 2) -> StudyCost:
    """Train a study in a temporary folder, nothing compiled being in a cache.

    Args:
        arguments: Words of ``ablate sweep``.
        workers: Processes that train at the same time.
    """
    plan, plan_seconds = planned(arguments, workers)
    cost = StudyCost(
        arguments=arguments,
        runs=plan["runs_distinct"],
        complete=0,
        samples=plan["samples"],
        cohorts=tuple(cohort["members"] for cohort in plan["cohorts"]),
        plan_seconds=plan_seconds,
        seconds=0.0,
    )
    with empty_caches(), tempfile.TemporaryDirectory(prefix="ablate-bench-") as folder:
        store, start = f"store={folder}/ablate.db", time.perf_counter()
        done = _ablate("sweep", *arguments, f"workers={workers}", store, check=False)
        seconds = time.perf_counter() - start
        if done.returncode:
            return replace(cost, seconds=seconds, failure=(done.stderr or done.stdout).strip().rsplit("\n", 1)[-1])
        records = _ablate("runs", store, "--json").stdout.splitlines()
    complete = sum(json.loads(record)["status"] == "complete" for record in records)
    return replace(cost, complete=complete, seconds=seconds)


def _ablate(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ablate", *words]
    return subprocess.run(command, cwd=ROOT, check=check, capture_output=True, text=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; exit code 1 where a run is not complete.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    from benchmarks.whole_studies import measure_studies

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=amount, nargs="+", default=[1.0, 5.5], help="of each study (default: 1 5.5)")
    parser.add_argument("--workers", type=positive, default=2, help="processes at the same time (default: 2)")
    parser.add_argument("--repeats", type=positive, default=5, help="of the bare step (default: 5)")
    parser.add_argument("--seconds", type=amount, default=2.0, help="of each of these (default: 2)")
    parser.add_argument("--train-size", type=positive, default=None, metavar="N", help="training images (default: all)")
    parser.add_argument("--out", type=target, default=ROOT / "results/benchmarks/study.md", help="the page")
    options = parser.parse_args(arguments)
    command = shlex.join(["python", "-m", "benchmarks.study", *(sys.argv[1:] if arguments is None else arguments)])
    return measure_studies(options, command)


if __name__ == "__main__":
    sys.exit(main())
