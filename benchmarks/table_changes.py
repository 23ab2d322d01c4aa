"""What changed between two folders of reports: the numbers of their tables, the verdicts and the warnings.

Published numbers must not change without a reason that somebody wrote down. This lists what did::

    git worktree add /tmp/before COMMIT
    python -m benchmarks.table_changes /tmp/before/results results
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

KEYS = ["factor", "label"]
SAME = 1e-12
"""Relative difference up to which two floats are the same number, written by different versions of a library."""


def main() -> None:
    """Print the differences; none is said in one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="folder with STUDY/table.csv")
    parser.add_argument("after", type=Path, help="the same, later")
    given = parser.parse_args()
    lines = list(changes(given.before, given.after))
    print("\n".join(lines) if lines else "no number, verdict or warning has changed")


def changes(before: Path, after: Path) -> Iterator[str]:
    """Every difference as a line, study by study.

    Args:
        before: Holds ``STUDY/table.csv`` and ``STUDY/summary.json``.
        after: The same.
    """
    names = sorted({file.parent.name for folder in (before, after) for file in folder.glob("*/table.csv")})
    for name in names:
        files = [folder / name / "table.csv" for folder in (before, after)]
        if not all(file.exists() for file in files):
            yield f"{name}: only {'before' if files[0].exists() else 'after'}"
            continue
        old, new = (pd.read_csv(file, dtype={"label": str}).set_index(KEYS) for file in files)
        yield from (f"{name}: {line}" for line in _table(old, new))
        yield from (f"{name}: {line}" for line in _summary(before / name, after / name))


def _table(old: pd.DataFrame, new: pd.DataFrame) -> Iterator[str]:
    for word, rows in (("gone", old.index.difference(new.index)), ("new", new.index.difference(old.index))):
        yield from (f"level {word}: {' '.join(map(str, row))}" for row in rows)
    for word, columns in (
        ("gone", [c for c in old if c not in new and old[c].notna().any()]),
        ("new", [c for c in new if c not in old and new[c].notna().any()]),
    ):
        if columns:
            yield f"columns {word}: {', '.join(columns)}"
    rows = old.index.intersection(new.index)
    for column in [c for c in old if c in new]:
        found = [
            (row, a, b)
            for row, a, b in zip(rows, old.loc[rows, column], new.loc[rows, column], strict=True)
            if not same(a, b)
        ]
        if found:
            row, a, b = max(found, key=lambda one: _size(*one[1:]))
            yield f"{column}: {len(found)} of {len(rows)} levels, the most at {row[1]}: {_shown(a)} to {_shown(b)}"


def _summary(old: Path, new: Path) -> Iterator[str]:
    a, b = (json.loads((folder / "summary.json").read_text(encoding="utf-8")) for folder in (old, new))
    yield from (f"{key}: {a.get(key)} to {b.get(key)}" for key in ("runs", "published") if a.get(key) != b.get(key))
    before, after = ({v["id"]: v for v in summary["verdicts"]} for summary in (a, b))
    for name in [*before, *(name for name in after if name not in before)]:
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            yield f"claim {name} only {'after' if one is None else 'before'}"
            continue
        yield from (
            f"claim {name}, {key}: {one[key]!r} to {other[key]!r}"
            for key in ("outcome", "evidence", "needed")
            if one[key] != other[key]
        )
    yield from (f"no longer warns: {text}" for text in a["warnings"] if text not in b["warnings"])
    yield from (f"warns: {text}" for text in b["warnings"] if text not in a["warnings"])


def same(a: object, b: object) -> bool:
    """Whether two cells say the same."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=SAME, abs_tol=SAME)
    return a == b


def _size(a: object, b: object) -> float:
    """How far two cells are apart; what is no number, or was none, comes last."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        distance = abs(float(a) - float(b))
        return distance if math.isfinite(distance) else -1.0
    return 0.0


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
