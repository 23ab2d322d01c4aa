"""Printing measurements and writing them down."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ablate.report.files import write_text
from benchmarks.contenders import PEAK, Contender
from benchmarks.machine import described
from benchmarks.rows import Goal, Row
from benchmarks.study import StudyCost
from benchmarks.workers import Measured

WIDTH = 150
"""Columns of a table that goes to a file or a pipe."""
HEADER = (
    "loop",
    "models",
    "T x P",
    "samples/s",
    "min - max",
    "x textbook",
    "x eager",
    "of peak",
    "first steps",
)

EXPLANATION = (
    "The article's LeNet, plain SGD with learning rate 0.9, fp32. T x P: threads of a process times processes. "
    "samples/s: median over the repeats of training samples times models a second, all processes together. "
    "x textbook: to the faster of the textbook loops; x eager: to the eager loop in memory on as many processes; both "
    "are medians of the repeats' own ratios. of peak: share of the fp32 matrix product's rate on as many cores, at "
    "{mflop:.2f} MFLOP a training sample. first steps: seconds to build and compile, nothing having been compiled "
    "before; not part of the samples/s. Only the row train() contains test passes, one after each pass over the "
    "training images, at the full data set's ratio; its samples are the training samples alone."
)


def terminal() -> Console:
    """Standard output; wide enough for the tables where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else WIDTH)


def print_rows(console: Console, found: Sequence[Row]) -> None:
    """One table for each batch size."""
    for batch in dict.fromkeys(r.batch for r in found):
        table = Table(title=f"batch {batch}", title_justify="left")
        for position, name in enumerate(HEADER):
            table.add_column(name, justify="left" if position == 0 else "right", overflow="fold")
        for row in found:
            if row.batch == batch:
                table.add_row(*_cells(row), style="bold" if row.loop.startswith("ablate") else None)
        console.print(table)


def print_goals(console: Console, found: Sequence[Goal]) -> None:
    """What was asked and what was measured, a line each."""
    for goal in found:
        asked, measured = _goal(goal)
        console.print(f"{goal.text}: {measured} (asked: at least {asked})", highlight=False)


def print_study(console: Console, cost: StudyCost) -> None:
    """The cost of a whole study."""
    for line in _study(cost):
        console.print(line, highlight=False)


def write(
    folder: Path,
    found: Sequence[Row],
    measured: Sequence[Measured],
    machine: dict[str, Any],
    asked: Sequence[Goal],
    cost: StudyCost | None,
) -> list[Path]:
    """Write ``throughput.csv``, ``repeats.csv`` (every rate), ``throughput.md`` and ``machine.json``.

    Args:
        folder: Where to.
        found: Rows of all batch sizes.
        measured: What they were made of.
        machine: Hardware, versions and options.
        asked: Goals.
        cost: Of a whole study, where it was measured.
    """
    names = [field.name for field in fields(Row)]
    repeats = [
        [*asdict(m.contender).values(), repeat, rate] for m in measured for repeat, rate in enumerate(m.rates, 1)
    ]
    notes = [asdict(m.contender) | {"notes": m.notes} for m in measured if m.notes]
    facts = machine | {"study": asdict(cost) if cost is not None else None, "notes": notes}
    return [
        write_text(folder / "throughput.csv", _csv(names, ([getattr(r, n) for n in names] for r in found))),
        write_text(
            folder / "repeats.csv", _csv([*(field.name for field in fields(Contender)), "repeat", "rate"], repeats)
        ),
        write_text(folder / "throughput.md", _markdown(found, machine, asked, cost)),
        write_text(folder / "machine.json", json.dumps(facts, indent=2) + "\n"),
    ]


def _cells(row: Row) -> list[str]:
    layout = [row.loop, str(row.models) if row.loop != PEAK else "", f"{row.threads} x {row.processes}"]
    if row.failure is not None:
        return [*layout, f"failed: {row.failure}", "", "", "", "", ""]
    scale, unit = (1e-9, " GFLOP/s") if row.loop == PEAK else (1.0, "")
    return [
        *layout,
        f"{row.median * scale:,.0f}{unit}",
        f"{row.low * scale:,.0f} - {row.high * scale:,.0f}",
        _figure(row.to_textbook, "{:.2f}"),
        _figure(row.to_eager, "{:.2f}"),
        _figure(row.peak_share, "{:.0%}"),
        f"{row.first_seconds:.1f} s",
    ]


def _goal(goal: Goal) -> tuple[str, str]:
    form = "{:.2f}x" if goal.unit == "x" else "{:.0%}"
    return form.format(goal.asked), _figure(goal.measured, form) or "not measured"


def _study(cost: StudyCost) -> list[str]:
    command = f"ablate sweep {' '.join(cost.arguments)}"
    if cost.failure is not None:
        return [f"{command}: failed after {cost.seconds:.1f} s: {cost.failure}"]
    lines = [
        f"{command}: {cost.complete} of {cost.runs} runs complete, {cost.samples:,} training samples, cohorts of "
        f"{', '.join(map(str, cost.cohorts))}, in {cost.seconds:.1f} s end to end "
        f"({cost.samples / cost.seconds:,.0f} samples/s; start, planning, kernels, test passes, store and table "
        f"included; `ablate plan` alone: {cost.plan_seconds:.1f} s)."
    ]
    if cost.textbook_seconds is not None:
        lines.append(
            f"The textbook loop would take {cost.textbook_seconds:,.0f} s, "
            f"{cost.textbook_seconds / cost.seconds:.2f} times as long: extrapolated from its samples/s at batch 256 "
            "above, its test passes not counted."
        )
    return lines


def _markdown(found: Sequence[Row], machine: dict[str, Any], asked: Sequence[Goal], cost: StudyCost | None) -> str:
    lines = [
        "# Throughput",
        "",
        described(machine),
        f"Made by `{machine['command']}`: {machine['repeats']} repeats of {machine['seconds']} s each, all loops of a "
        "batch size in turn.",
        "",
        EXPLANATION.format(mflop=machine["flop_per_sample"] / 1e6),
    ]
    for batch in dict.fromkeys(r.batch for r in found):
        lines += ["", f"## Batch {batch}", "", _line(HEADER), _line(["---", *["---:"] * (len(HEADER) - 1)])]
        lines += [_line(_cells(row)) for row in found if row.batch == batch]
    if asked:
        lines += ["", "## Asked and measured", "", _line(["", "asked", "measured"]), _line(["---", "---:", "---:"])]
        lines += [_line([goal.text, *_goal(goal)]) for goal in asked]
    if cost is not None:
        lines += ["", "## A whole study", "", *_study(cost)]
    return "\n".join(lines) + "\n"


def _figure(value: float | None, form: str) -> str:
    return form.format(value) if value is not None else ""


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _csv(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()
