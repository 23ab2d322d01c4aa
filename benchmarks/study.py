"""What a whole study costs end to end, through the command line, in a fresh store."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
