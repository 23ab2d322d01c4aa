"""What the soak has counted, part by part: kept in a CSV file, so that parts may run at different times."""

import csv
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

HEADS = {
    "database": "database",
    "name": "part",
    "seconds": "seconds",
    "events": "kills or faults",
    "records": "records acknowledged",
    "reads": "reads",
    "read": "records read",
    "half": "half records",
    "lost": "lost",
    "doubled": "doubled",
    "wrong_exits": "wrong exit codes",
    "rescued": "rescued and taken up",
}
"""Columns of the first table."""
VAIN = {
    "database": "database",
    "name": "part",
    "events": "kills or faults",
    "in_vain": "trainings in vain",
    "lost_mean": "seconds of training lost to each, mean",
    "lost_worst": "worst",
    "killed": "by what was killed: number (mean seconds lost, worst)",
}
"""Columns of the table of what was lost to kills."""
LATENCIES = {
    "database": "database",
    "name": "part",
    "records": "rows",
    "errors": "errors",
    "statements": "statements a second",
    "write_median": "a write takes, median ms",
    "write_worst": "worst ms",
    "read_median": "a read takes, median ms",
    "read_worst": "worst ms",
}
"""Columns of the table of latencies."""


@dataclass
class Part:
    """One part of the soak; what is half, lost, doubled or a wrong exit must be 0."""

    name: str
    database: str
    seconds: float = 0.0
    events: int = 0
    records: int = 0
    """That the store has acknowledged."""
    reads: int = 0
    read: int = 0
    """Records in them."""
    rescued: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """Reads that ended with a message, by its text."""
    half: int = 0
    lost: int = 0
    doubled: int = 0
    """Records that are there twice, or runs that were trained again though the store had them."""
    wrong_exits: int = 0
    in_vain: int | None = None
    """Trainings that were in flight when something was killed, and of which nothing is left; None: not counted."""
    lost_mean: float | None = None
    """Seconds of such trainings, over all kills."""
    lost_worst: float | None = None
    killed: str = ""
    errors: int | None = None
    """Of reads and writes."""
    statements: float | None = None
    """A second, all processes together."""
    write_median: float | None = None
    """Milliseconds from asking for a transaction to its end, as the three after it."""
    write_worst: float | None = None
    read_median: float | None = None
    read_worst: float | None = None
    machine: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether something happened that must not."""
        return bool(self.half or self.lost or self.doubled or self.wrong_exits or self.errors)


def keep(folder: Path, part: Part) -> None:
    """Put a part into ``soak.csv``, in place of an earlier one of its name, and write ``soak.md`` anew."""
    part.machine = machine()
    path = folder / "soak.csv"
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    if path.exists():
        with path.open(newline="") as file:
            rows = {(row["database"], row["name"]): row for row in csv.DictReader(file)}
    refused = "; ".join(f"{count} x {text}" for text, count in part.refused.items())
    rounded = {name: round(value, 2) for name, value in asdict(part).items() if isinstance(value, float)}
    rows[part.database, part.name] = asdict(part) | rounded | {"seconds": f"{part.seconds:.0f}", "refused": refused}
    ordered = [rows[key] for key in sorted(rows, reverse=True)]
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Part)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(ordered)
    (folder / "soak.md").write_text(_page(ordered))


def machine() -> str:
    """Where it ran, and how busy that was."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    load = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores, load average {load:.1f}, Python {platform.python_version()}"


def _page(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "# Soak",
        "",
        "Written by `python -m benchmarks.soak`; its first lines say what each part does. Half records, lost, doubled",
        "and wrong exit codes must be 0. A part that was run again takes the place of its row.",
        "",
        *_table(HEADS, rows),
        "",
        "What was in training when something was killed, and has to be trained again:",
        "",
        *_table(VAIN, [row for row in rows if row.get("killed")]),
        "",
        "Many processes at once; a statement is one that a driver was given, and a write is one record with its curve:",
        "",
        *_table(LATENCIES, [row for row in rows if row.get("statements")]),
        "",
        *(f"- {row['database']}, {row['name']}: {row['machine']}" for row in rows),
        *(
            f"- {row['database']}, {row['name']}: reads refused in one line: {row['refused']}"
            for row in rows
            if row["refused"]
        ),
    ]
    return "\n".join(lines) + "\n"


def _table(heads: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["| " + " | ".join(str(row[name]) for name in heads) + " |" for row in rows]
    return ["| " + " | ".join(heads.values()) + " |", "|" + " --- |" * len(heads), *lines]
