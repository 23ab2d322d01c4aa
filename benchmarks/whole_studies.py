"""Whole studies beside the bare step, and where the rest of their time goes."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from ablate.store import open_store
from ablate.task.record import Record
from benchmarks.contenders import OURS, OURS_TESTS, Contender
from benchmarks.machine import described, machine
from benchmarks.markdown import lines_of
from benchmarks.study import ROOT, planned
from benchmarks.workers import caches, measure

STUDY, LEVELS, SEEDS = "lr", 18, 2
LONG_SECONDS = 300.0
ASKED_LONG, ASKED_SHORT = 0.9, 0.75
"""Shares of the bare step's throughput that are asked of studies of more than :data:`LONG_SECONDS`, and of shorter."""
FIRST_LOOK = "first look"
"""How the line begins that says what runs have measured so far."""


@dataclass(frozen=True)
class Rates:
    """Of the bare step, all processes together."""

    train: float
    """Training samples times models a second."""
    test: float
    """Test samples times models a second."""


@dataclass(frozen=True)
class StudyRun:
    """One study from the command to its table."""

    words: tuple[str, ...]
    state: str
    begun: float
    """Unix time."""
    ended: float
    records: Sequence[Record]
    first_look: float | None
    """Seconds until something that runs have measured was shown; None: it was not."""

    @property
    def seconds(self) -> float:
        """Wall time."""
        return self.ended - self.begun

    @property
    def is_complete(self) -> bool:
        """Whether every run has a result."""
        return bool(self.records) and all(record.result.status == "complete" for record in self.records)


def measure_studies(options: argparse.Namespace, command: str) -> int:
    """Measure and write; returns the exit code.

    Args:
        options: Of the command line of :mod:`benchmarks.study`.
        command: That command line.
    """
    facts = machine() | {"command": command}
    size = [] if options.train_size is None else [f"data.train_size={options.train_size}"]
    images = options.train_size or 60_000
    rates = _rates(options)
    found: list[tuple[StudyRun, Rates, Rates, int]] = []
    look = None
    with tempfile.TemporaryDirectory(prefix="ablate-bench-", ignore_cleanup_errors=True) as folder, caches(folder):
        for number, minutes in enumerate(options.minutes):
            epochs = max(1, round(minutes * 60 * 0.85 * rates.train / (images * LEVELS * SEEDS)))
            words = (STUDY, f"study.seeds={SEEDS}", f"train.epochs={epochs}", *size)
            samples = images * epochs * LEVELS * SEEDS
            for state in ("empty cache", "warm") if number == 0 else ("warm",):
                print(f"ablate sweep {' '.join(words)} ({state})", file=sys.stderr, flush=True)
                run = _run(words, state, options.workers)
                before, rates = rates, _rates(options)
                found.append((run, before, rates, samples))
    with tempfile.TemporaryDirectory(prefix="ablate-bench-", ignore_cleanup_errors=True) as folder, caches(folder):
        look = first_look(("quickstart", *size), options.workers)
    text = _page(facts, options, found, look)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text, encoding="utf-8")
    print(text)
    return int(not all(run.is_complete for run, *_ in found))


def spent(run: StudyRun, workers: int, rates: Rates) -> dict[str, float]:
    """Where a study's time went, in seconds of one worker; the sum is its wall time times workers.

    Args:
        run: It, with its records.
        workers: Processes.
        rates: Of the bare step during the study.
    """
    flights = {(_time(r.provenance["started"]), _time(r.provenance["ended"])) for r in run.records}
    begun, ended = min(begun for begun, _ in flights), max(ended for _, ended in flights)
    under_way = sum(ended - begun for begun, ended in flights)
    epochs = sum(point.seconds for record in run.records for point in record.result.curves)
    samples = sum(_samples(record, "train_acc") for record in run.records)
    tests = sum(_samples(record, "test_acc") for record in run.records) * workers / rates.test
    pure = samples * workers / rates.train
    return {
        "the bare step": pure,
        "test passes": tests,
        "steps beside the bare ones (slower than it, orders, batches)": epochs - pure - tests,
        "until a first cohort is handed out (start, imports, planning, data checked, store)": workers
        * (begun - run.begun),
        "in cohorts, outside of epochs (workers' imports, data, compilation, networks, results)": under_way - epochs,
        "workers that wait (between cohorts, and for the last one)": workers * (ended - begun) - under_way,
        "after the last record (workers' end, table)": workers * (run.ended - ended),
    }


def first_look(words: Sequence[str], workers: int) -> float | None:
    """Seconds until a sweep shows what runs have measured so far; then it is ended. None: it does not."""
    with tempfile.TemporaryDirectory(prefix="ablate-bench-") as folder:
        begun = time.perf_counter()
        process = _start(words, workers, Path(folder), subprocess.DEVNULL)
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if line.startswith(FIRST_LOOK):
                    return time.perf_counter() - begun
        finally:
            process.terminate()
            process.stderr.close()
            process.wait()
    return None


def _run(words: tuple[str, ...], state: str, workers: int) -> StudyRun:
    with tempfile.TemporaryDirectory(prefix="ablate-bench-") as folder:
        begun = time.time()
        process, look = _start(words, workers, Path(folder), subprocess.DEVNULL), None
        assert process.stderr is not None
        with process.stderr as said:
            for line in said:
                print(line, end="", file=sys.stderr, flush=True)
                if look is None and line.startswith(FIRST_LOOK):
                    look = time.time() - begun
        process.wait()
        ended = time.time()
        with open_store(f"{folder}/ablate.db", read_only=True) as store:
            return StudyRun(words, state, begun, ended, list(store.all()), look)


def _start(words: Sequence[str], workers: int, folder: Path, output: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "ablate", "sweep", *words, f"workers={workers}", f"store={folder}/ablate.db"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [*command, f"results={folder}"],
        cwd=ROOT,
        env=environment,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
    )


def _rates(options: argparse.Namespace) -> Rates:
    """The bare step's, in cohorts as the study's."""
    plan, _ = planned((STUDY, f"study.seeds={SEEDS}", "train.epochs=1"), options.workers)
    members, batch = max(cohort["members"] for cohort in plan["cohorts"]), plan["cohorts"][0]["batch_size"]
    measured = measure(
        [Contender(loop, batch, members, processes=options.workers) for loop in (OURS, OURS_TESTS)],
        repeats=options.repeats,
        seconds=options.seconds,
        train_size=options.train_size,
        say=lambda text: print(f"  {text}", file=sys.stderr, flush=True),
    )
    if failures := [m.failure for m in measured if m.failure]:
        raise RuntimeError(f"the bare step cannot be measured: {failures[0]}")
    return Rates(*(median(m.rates) for m in measured))


def _samples(record: Record, metric: str) -> int:
    """On how many samples a complete run has measured it, all epochs together."""
    guess = record.result.guesses.get(metric)
    return (guess.samples or 0) * len(record.result.curves) if guess is not None else 0


def _time(stamp: object) -> float:
    return datetime.fromisoformat(str(stamp)).timestamp()


def _page(
    facts: Mapping[str, object],
    options: argparse.Namespace,
    found: Sequence[tuple[StudyRun, Rates, Rates, int]],
    look: float | None,
) -> str:
    rows, parts = [], []
    for run, before, after, samples in found:
        rates = Rates((before.train + after.train) / 2, (before.test + after.test) / 2)
        rate = samples / run.seconds
        asked = ASKED_LONG if run.seconds > LONG_SECONDS else ASKED_SHORT
        title = f"`ablate sweep {' '.join(run.words)}`"
        seen = "-" if run.first_look is None else f"{run.first_look:.1f} s"
        bare = f"{rates.train:,.0f} ({before.train:,.0f}, {after.train:,.0f})"
        measured = [f"{samples:,}", f"{run.seconds:.1f} s", f"{rate:,.0f}", bare, f"{rate / rates.train:.0%}"]
        rows.append([title, run.state, *measured, f"{asked:.0%}", seen, "" if run.is_complete else "NOT COMPLETE"])
        if run.is_complete:
            went = spent(run, options.workers, rates)
            total = run.seconds * options.workers
            lines = [[what, f"{seconds:.1f}", f"{seconds / total:.1%}"] for what, seconds in went.items()]
            header = ("of its workers' time", "seconds", "share")
            parts.append(f"## {title}, {run.state}\n\n{lines_of(header, lines)}")
    header = ("study", "", "training samples", "command to table", "samples/s", "bare step (before, after)", "share")
    header += ("asked", "first look", "")
    shown = "not shown" if look is None else f"{look:.1f} s"
    how = (
        f"Made by `{facts['command']}`: each study through the command line, {options.workers} workers, in a fresh "
        "store; beside it the bare step of the same shapes in as many processes, the mean of what was measured before "
        f"and after it (medians of {options.repeats} repeats of {options.seconds:g} s). Share: of the bare step's "
        "samples/s, which have no test passes, no start and no table. First look: until something is shown that runs "
        "have measured."
    )
    end = f"`ablate sweep quickstart` where nothing was compiled before: first look after {shown}."
    return "\n\n".join(["# Whole studies", described(facts), how, lines_of(header, rows), *parts, end]) + "\n"
