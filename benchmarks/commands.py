"""How long whole commands take, from the command to its end: ``python -m benchmarks.commands``.

In a temporary folder with the article's committed records in a fresh store: planning, a sweep with nothing left to
train, one page and nine, each for the first time (no figures, no tables that were printed before) and again; then the
demo on a machine where nothing was compiled or measured yet, until its first runs train and until its first record.
"""

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from ablate.report.files import write_text
from ablate.store.schema import leases, records
from benchmarks.machine import described, machine
from benchmarks.markdown import markdown
from benchmarks.options import amount, positive, target

ROOT = Path(__file__).resolve().parent.parent
ARTICLE = ("lr", "batch_size", "epochs", "activation", "pooling", "kernel_size", "pool_size", "combination")
DEMO = ("sweep", "quickstart")


@dataclass(frozen=True)
class Command:
    """A command of which the time counts."""

    words: tuple[str, ...]
    state: str
    """In which the folder is: ``first`` or ``again``."""
    asked: float | None = None
    """Seconds that were asked for, on two cores with nothing beside."""

    @property
    def title(self) -> str:
        """As somebody types it."""
        return f"ablate {' '.join(self.words)}"


COMMANDS = (
    Command(("--help",), "again"),
    Command(("plan", "lenet_article"), "again", 1.0),
    Command(("sweep", "lr"), "first"),
    Command(("sweep", "lr"), "again", 1.5),
    Command(("report", "lr"), "first", 2.0),
    Command(("report", "lr"), "again", 2.0),
    Command(("report", "lenet_article"), "first", 6.0),
    Command(("report", "lenet_article"), "again", 6.0),
)


@dataclass(frozen=True)
class Took:
    """What one command took."""

    wall: float
    cpu: float
    """User and system seconds, those of its own processes counted in."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the table.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.commands", description=__doc__)
    parser.add_argument("--repeats", type=positive, default=5, help="of every command (default: 5)")
    parser.add_argument("--no-demo", dest="demo", action="store_false", help="leave the demo's start out")
    parser.add_argument("--patience", type=amount, default=600.0, help="most seconds of that start (default: 600)")
    parser.add_argument("--out", type=target, default=Path("results/benchmarks"), help="folder (default: %(default)s)")
    options = parser.parse_args(arguments)
    facts = machine()
    rows = []
    with prepared() as folder:
        for command in COMMANDS:
            took = [timed(command, folder) for _ in range(options.repeats)]
            rows.append(row(command, took))
            print(json.dumps(rows[-1]), file=sys.stderr)
    facts |= {"load_after": round(os.getloadavg()[0], 2)}
    file, text = options.out / "commands.md", table(rows, {}, facts, options.repeats)
    write_text(file, text)
    if options.demo:
        text = table(rows, demo_start(options.patience), facts, options.repeats, options.patience)
        write_text(file, text)
    print(text)
    print(f"wrote {file}", file=sys.stderr)
    return 0


@contextmanager
def prepared() -> Iterator[Path]:
    """A folder with the article's records in reports and in a store."""
    with tempfile.TemporaryDirectory(prefix="ablate-bench-") as place:
        folder = Path(place)
        for study in ARTICLE:
            out = folder / "results" / study
            out.mkdir(parents=True)
            for name in ("runs.csv", "curves.csv"):
                shutil.copy(ROOT / "results" / study / name, out / name)
        _ablate(folder, "merge", *(f"results/{study}" for study in ARTICLE))
        _ablate(folder, "report", "lr")  # compiles what Python compiles once
        yield folder


def timed(command: Command, folder: Path) -> Took:
    """Run a command once in the state that it names."""
    if command.state == "first":
        for made in [*folder.glob("results/.*.json"), *folder.glob("results/*/figures")]:
            shutil.rmtree(made) if made.is_dir() else made.unlink()
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "ablate", *command.words],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    with process.stderr as said:
        errors = said.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command.title}: {errors.decode()}")
    return Took(time.perf_counter() - start, used.ru_utime + used.ru_stime)


def row(command: Command, took: Sequence[Took]) -> dict[str, Any]:
    """A row of the table: medians, the range of the wall clock, and what was asked."""
    walls = [one.wall for one in took]
    return {
        "command": f"`{command.title}`",
        "": command.state,
        "seconds": round(median(walls), 2),
        "least to most": f"{min(walls):.2f} to {max(walls):.2f}",
        "CPU seconds": round(median(one.cpu for one in took), 2),
        "asked for": "" if command.asked is None else f"{command.asked:g}",
    }


def demo_start(patience: float) -> dict[str, float | None]:
    """Seconds from the demo's command, nothing compiled or measured before, until runs train and until a record.

    Args:
        patience: Seconds after which it is ended; None stands for what did not come so soon.
    """
    with tempfile.TemporaryDirectory(prefix="ablate-bench-") as place:
        store = Path(place) / "results" / "ablate.db"
        cold = {"TORCHINDUCTOR_CACHE_DIR": f"{place}/inductor"}
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "ablate", *DEMO],
            cwd=place,
            env=environment(Path(place)) | cold,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            end = start + patience
            training = _until(lambda: _count(store, leases.name) > 0, process, end)
            record = _until(lambda: _count(store, records.name) > 0, process, end)
        finally:
            process.terminate()
            process.wait()
        times = {"first runs in training": training, "first record": record}
        return {name: None if at is None else at - start for name, at in times.items()}


def _until(is_so: Callable[[], bool], process: "subprocess.Popen[bytes]", end: float) -> float | None:
    while not is_so():
        if process.poll() is not None:
            raise RuntimeError(f"ablate {' '.join(DEMO)} ended with exit code {process.returncode}")
        if time.perf_counter() > end:
            return None
        time.sleep(0.05)
    return time.perf_counter()


def _count(store: Path, table: str) -> int:
    if not store.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
            return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    except sqlite3.OperationalError:  # it is being made
        return 0


def table(
    rows: Sequence[dict[str, Any]],
    start: Mapping[str, float | None],
    facts: Mapping[str, Any],
    repeats: int,
    patience: float = 0.0,
) -> str:
    """The table with the machine and what was measured."""
    parts = [
        "# Whole commands",
        f"`python -m benchmarks.commands`: medians of {repeats}; CPU seconds are user and system together, those of "
        "processes that draw at the same time counted in, and depend less on what else the machine does. `first`: no "
        "figures are there, and nothing that was made or printed before; `again`: nothing has changed since. Asked for "
        "is the wall clock on two cores with nothing beside.",
        markdown(pd.DataFrame(rows), 2),
    ]
    if start:
        said = ", ".join(
            f"{name} after {seconds:.1f} s" if seconds is not None else f"{name} not within {patience:g} s"
            for name, seconds in start.items()
        )
        parts.append(f"`ablate {' '.join(DEMO)}` where nothing was compiled or measured before: {said}.")
    after = f"Load average after the commands: {facts['load_after']}."
    if niceness := os.nice(0):
        others = "waited" if niceness < 0 else "came first"
        after += f" They ran at niceness {niceness}: what else the machine did {others}."
    return "\n\n".join([*parts, f"{described(facts)} {after}"]) + "\n"


def environment(folder: Path) -> dict[str, str]:
    """That of this process, with this source before an installed one and a cache of its own in the folder.

    What Python compiles of a package when it is installed is kept here, too, whatever is said of this process.
    """
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return own | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache")}


def _ablate(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "ablate", *words]
    subprocess.run(command, cwd=folder, env=environment(folder), check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
