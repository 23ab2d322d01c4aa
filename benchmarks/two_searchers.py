"""Two searchers on one store: ``python benchmarks/two_searchers.py --minutes 10``; exit code 1 where a check failed."""

import argparse
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __package__ in (None, "") and str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
# Run as a script, this folder comes first, and profile.py would hide the standard library's module of that name.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT / "benchmarks"]

SEARCHERS = 2
SMALL = (
    "data.train_size=12000",
    "data.val_size=2000",
    "study.seeds=2",
    "study.search.budget.samples=null",
    "++study.search.confirm={top: 1, protocols: [holdout_test], additive: false}",
)
"""The packaged search on fewer images, and a short proof."""
ERROR = re.compile(r"Traceback|[Ee]rror|[Ww]arning|\b[1-9]\d* failed")
TRAINED = re.compile(r"a cohort of (\d+) runs ended|(a run) ended")
"""What a sweep says of each on stderr."""


@dataclass(frozen=True)
class Shared:
    """What searchers on one store have left behind."""

    exit_codes: list[int]
    errors: list[str]
    """Lines that speak of one, of both searchers."""
    trials: Counter[str]
    """By state."""
    trained: list[int]
    """Runs by searcher."""
    duplicates: int
    """Runs trained less records; or numbers that the store has given to records less records, if that is more."""
    leases: int
    """Left behind."""
    spent: float
    """Of the budget, in its unit."""
    reported: int
    """Trials in the report."""

    @property
    def problems(self) -> list[str]:
        """Checks that failed."""
        running = self.trials["RUNNING"] + self.trials["WAITING"]
        checks = {
            f"exit codes {self.exit_codes}": any(self.exit_codes),
            f"errors: {self.errors}": bool(self.errors),
            f"{running} trials left open": running > 0,
            f"{self.duplicates} runs trained twice": self.duplicates > 0,
            f"{self.leases} leases left": self.leases > 0,
            f"runs by searcher: {self.trained}": not all(self.trained),
            f"the report has {self.reported} of {self.trials.total()} trials": self.reported < self.trials.total(),
        }
        return [text for text, failed in checks.items() if failed]


def share(folder: Path, study: str, overrides: Sequence[str]) -> Shared:
    """Let searchers of a study, started in ``folder`` with a worker each, run to their end."""
    command = [sys.executable, "-m", "ablate", "search", study, "workers=1", *overrides]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    logs = [folder / f"searcher-{number}.log" for number in range(SEARCHERS)]
    processes = []
    for path in logs:
        with path.open("w") as log:
            processes.append(subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log))
    codes = [process.wait() for process in processes]
    return _left_behind(folder / "results", study, codes, [path.read_text() for path in logs])


def _left_behind(results: Path, study: str, codes: list[int], logs: Sequence[str]) -> Shared:
    import optuna

    from ablate.search.trials import read_trials
    from ablate.store import open_store

    location = str(results / "ablate.db")
    with open_store(location, read_only=True) as store:
        records, mark = sum(store.count().values()), store.mark()
    with closing(sqlite3.connect(location)) as connection:
        (leases,) = connection.execute("SELECT count(*) FROM ablate_leases").fetchone()
    trials = optuna.load_study(study_name=None, storage=f"sqlite:///{location}").trials
    trained = [sum(int(runs or 1) for runs, _ in TRAINED.findall(log)) for log in logs]
    return Shared(
        exit_codes=codes,
        errors=[line for log in logs for line in log.splitlines() if ERROR.search(line)],
        trials=Counter(trial.state.name for trial in trials),
        trained=trained,
        duplicates=max(mark, sum(trained)) - records,
        leases=leases,
        spent=sum(trial.user_attrs.get("spent", 0.0) for trial in trials),
        reported=len(read_trials(results / study / "trials.json").trials),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Search and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, by both together (default: 10)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ablate-bench-") as folder:
        found = share(Path(folder), "search", [*SMALL, f"study.search.budget.minutes={options.minutes}"])
    print(f"trials: {', '.join(f'{n} {state}' for state, n in sorted(found.trials.items()))}")
    print(f"runs trained: {sum(found.trained)}, by searcher {found.trained}; twice: {found.duplicates}")
    print(f"spent: {found.spent:.0f} of {60 * options.minutes:.0f} s; exit codes {found.exit_codes}")
    print(f"left open: {found.trials['RUNNING'] + found.trials['WAITING']}; errors: {len(found.errors)}")
    print("\n".join(f"FAILED: {problem}" for problem in found.problems) or "all checks passed")
    return int(bool(found.problems))


if __name__ == "__main__":
    sys.exit(main())
