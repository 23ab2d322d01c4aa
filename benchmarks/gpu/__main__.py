"""Measure on a GPU how fast small networks train, alone and together, and what bounds them: ``make bench-gpu``.

Keeps to its time: each measurement has a share of it, one that takes too long is ended, and what is not reached is
named as left out. The page is written after every measurement, so that a run which is cut short leaves what it had.
Where there are no files of Fashion-MNIST, pictures are noise of its shape, and the page says so.

    python -m benchmarks.gpu                                            # cuda:0, 7 minutes
    python -m benchmarks.gpu --device cpu --seconds 40 --sizes small    # only to try whether it works
"""

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contenders import COPY, PEAK
from benchmarks.gpu.cells import SIZES, STEPS, Cell, Sizes, first_cells, further_cells, limits, measure
from benchmarks.gpu.process import AskedInVainError, DeviceProcess, clocks
from benchmarks.gpu.study import parts, probe, train_part
from benchmarks.gpu.table import Found, file_name, write
from benchmarks.options import amount, positive, target
from benchmarks.two_numbers import count_work

STUDY_SHARE = 0.3
"""Of all the time, for the whole study."""
PROBE_SECONDS = 0.3
SLACK = 2.0
"""So many times its share may a measurement take before it is ended, and no less than ``--patience``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; exit code 1 where there is no such device.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    options = _options(arguments)
    sizes, on_gpu = SIZES[options.sizes], options.device.startswith("cuda")
    measuring = _Measuring(options, sizes)
    try:
        measuring.process.start()
    except AskedInVainError as error:
        print(f"{options.device}: {error}", file=sys.stderr)
        return 1
    given = sys.argv[1:] if arguments is None else arguments
    measuring.describe(shlex.join(["python", "-m", "benchmarks.gpu", *given]))
    first, further = first_cells(sizes, on_gpu=on_gpu), further_cells(sizes, on_gpu=on_gpu)
    try:
        measuring.cells(limits(), keep=options.seconds * STUDY_SHARE)
        measuring.cells(first, keep=options.seconds * STUDY_SHARE, after=further)
        measuring.study(min(options.seconds * STUDY_SHARE, measuring.left))
        measuring.cells(further)
    finally:
        measuring.end()
    print(f"wrote {measuring.out} and {measuring.out.with_suffix('.json')}")
    return 0


class _Measuring:
    """A run of the benchmark, and the time that it has."""

    def __init__(self, options: argparse.Namespace, sizes: Sizes) -> None:
        self._options, self._sizes = options, sizes
        self._end = time.monotonic() + options.seconds
        self.process = DeviceProcess(options.device, options.data, sizes.train_size)
        self.found = Found({})
        self.out: Path = options.out or Path()

    @property
    def left(self) -> float:
        """Seconds."""
        return self._end - time.monotonic()

    def describe(self, command: str) -> None:
        """Say what it is measured on."""
        facts = self.process.facts
        date = datetime.now(UTC).isoformat(timespec="seconds")
        self.found.facts = facts | {"date": date, "clocks before": clocks(), "command": command}
        if self._options.out is None:
            self.out = Path("results/benchmarks") / f"gpu-{file_name(facts)}.md"
        self._write()

    def cells(self, cells: Sequence[Cell], *, keep: float = 0.0, after: Sequence[Cell] = ()) -> None:
        """Measure cells one after the other.

        Args:
            cells: In this order.
            keep: Seconds that are not for them, nor for what comes after them.
            after: What comes after them, and has its share of the time.
        """
        for position, cell in enumerate(cells):
            left, waiting = self.left - keep, [*cells[position:], *after]
            share = max(self._options.patience, SLACK * left * cell.seconds / sum(c.seconds for c in waiting))
            if left < SLACK * cell.seconds:
                self.found.left_out.append(cell)
                continue
            self._measure(cell, min(share, self.left))
            self._write()

    def study(self, seconds: float) -> None:
        """Probe every shape of cohort of the study, then run a tenth of it, the shortest first."""
        study, end = self.found.study, time.monotonic() + seconds
        try:
            self.process.start(max(seconds, STEPS))
            study.parts = parts(self._sizes.study)
        except Exception as error:
            study.failed["plan"] = f"It could not be begun: {error}"
            return
        for part in study.parts:
            left = end - time.monotonic()
            if part.shape in study.speeds or left < 1.0 or part.title in study.failed:
                continue
            try:
                speed = self.process.ask(probe, part.runs, min(PROBE_SECONDS, self._sizes.seconds), seconds=left)
                study.speeds[part.shape] = speed
            except AskedInVainError as error:
                study.failed[part.title] = str(error)
            self._say(f"study: {part.title}")
        costs = {k: cost for k, part in enumerate(study.parts) if (cost := study.tenth_seconds(part)) is not None}
        for k, cost in sorted(costs.items(), key=lambda item: item[1]):
            left = end - time.monotonic()
            if cost <= left:
                try:
                    study.taken[k] = self.process.ask(train_part, study.parts[k].tenth, seconds=left)
                except AskedInVainError as error:
                    study.failed[f"a tenth of {study.parts[k].title}"] = str(error)
                self._say(f"study, a tenth: {study.parts[k].title}")
                self._write()

    def end(self) -> None:
        """Write the last page and end the process."""
        self.found.facts["clocks after"] = clocks()
        self._write()
        self.process.end(patience=10.0)

    def _measure(self, cell: Cell, seconds: float) -> None:
        contender = cell.contender
        key = (contender.network, "bf16" if contender.precision == "bf16" else "fp32")
        self._say(f"{contender.network}, {contender.precision}: {contender.loop}, {contender.models} models")
        try:
            self.process.start(max(self.left, STEPS))
            if contender.loop not in (PEAK, COPY) and key not in self.found.work:
                count = (contender.network, contender.batch, key[1])
                self.found.work[key] = self.process.ask(count_work, *count, seconds=seconds)
            arguments = (contender, self._sizes.seconds, self._options.repeats)
            self.found.cells[cell] = self.process.ask(measure, *arguments, seconds=min(seconds, max(self.left, STEPS)))
        except AskedInVainError as error:
            self.found.cells[cell] = str(error)
            self._say(f"  failed: {error}")

    def _say(self, line: str) -> None:
        print(f"{self.left:5.0f} s left  {line}", file=sys.stderr, flush=True)

    def _write(self) -> None:
        write(self.found, self.out)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0", help="cuda:N or cpu (default: cuda:0)")
    parser.add_argument("--seconds", type=amount, default=420.0, help="for everything (default: 420)")
    parser.add_argument("--sizes", choices=list(SIZES), default="full", help="small: only to try whether it works")
    parser.add_argument("--repeats", type=positive, default=3, help="of every measurement (default: 3)")
    parser.add_argument(
        "--patience", type=float, default=20.0, metavar="S", help="seconds that any of them may take (default: 20)"
    )
    parser.add_argument("--data", type=Path, help="folder with Fashion-MNIST's files (default: where they are found)")
    parser.add_argument("--out", type=target, help="page (default: results/benchmarks/gpu-CARD.md)")
    options = parser.parse_args(arguments)
    if options.seconds <= 0.0 or options.repeats < 1:
        parser.error("seconds and repeats must be above 0")
    if options.data is not None:
        options.data = options.data.absolute()
    return options


if __name__ == "__main__":
    sys.exit(main())
