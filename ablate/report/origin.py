"""Where a study's numbers come from and what did not become a number: lost runs, cost, provenance."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ablate.report.view import StudyView
from ablate.task.numbers import duration

FIRST = ("project.commit", "commit", "dirty", "cpu", "gpu", "device", "threads", "host")
"""Entries of the provenance that come first, in this order."""
NAMES = {
    **{"project.commit": "commit"},
    **{"commit": "ablate's commit", "dirty": "ablate changed since that commit"},
}
"""What entries are called, where their own names do not say whose they are."""
TIMES = ("started", "ended")


@dataclass(frozen=True)
class LostRun:
    """A run that is in no mean."""

    status: str
    places: str
    """Factors and levels that wanted it."""
    seed: int
    digest: str
    reason: str
    """One line."""
    traceback: str = ""


@dataclass(frozen=True)
class Cost:
    """What a study was planned to cost and what it cost."""

    estimate: str
    actual: str
    runs: int
    steps: int


def lost_runs(view: StudyView, runs: pd.DataFrame, records: pd.DataFrame) -> list[LostRun]:
    """Runs that failed, diverged or are missing, failures first, each once.

    Args:
        view: The study.
        runs: The frame of runs.
        records: A row a record, with ``error`` where a run failed.
    """
    errors = dict(zip(records["digest"], records["error"], strict=True)) if "error" in records else {}
    names = {factor.path: factor.name for factor in view.factors}
    result = []
    for status in ("failed", "diverged", "missing"):
        for digest, rows in runs[runs["status"] == status].groupby("digest", sort=False):
            first = rows.iloc[0]
            places = [f"{names.get(f, f)} {label}" for f, label in zip(rows["factor"], rows["label"], strict=True)]
            error = errors.get(digest)
            traceback = error.strip() if isinstance(error, str) else ""
            reason = {
                "failed": traceback.splitlines()[-1] if traceback else "no traceback was kept",
                "diverged": f"a metric became infinite or not a number in {view.step} {int(first['last_step'])}",
                "missing": "not in the store yet",
            }[status]
            result.append(LostRun(status, ", ".join(places), int(first["seed"]), str(digest), reason, traceback))
    return result


def cost(view: StudyView, records: tuple[pd.DataFrame, pd.DataFrame]) -> Cost:
    """Planned and measured cost; the measured one is the sum over the records unless the view knows better."""
    actual = view.actual if view.actual is not None else float(records[0]["seconds"].sum())
    return Cost(duration(view.estimate), duration(actual), len(records[0]), len(records[1]))


def provenance(records: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Every entry of the provenance with the values it took and, where there are several, the runs behind each.

    Args:
        records: A row a record with columns ``provenance.*`` and ``engine``.
    """
    names = [str(name) for name in records if str(name).startswith("provenance.")]
    columns = {name.removeprefix("provenance."): records[name] for name in names}
    if "engine" in records:
        columns["engine version"] = records["engine"]
    times = {name: columns.pop(name).dropna().astype(str) for name in TIMES if name in columns}
    order = sorted(columns, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    entries = [(NAMES.get(name, name), _values(columns[name])) for name in order if name not in ("prefix_of",)]
    entries += [
        (label, [_minute(str(getattr(times[name], how)()))])
        for label, name, how in (("first start", "started", "min"), ("last end", "ended", "max"))
        if name in times and len(times[name])
    ]
    return [(name, values) for name, values in entries if values]


def _minute(text: str) -> str:
    """A time in UTC as people write it; another text as it is."""
    return f"{text[:10]} {text[11:16]} UTC" if text.endswith("+00:00") and text[10:11] == "T" else text


def _values(column: "pd.Series[Any]") -> list[str]:
    counts = Counter(_text(value) for value in column if not (value is None or value != value))
    if len(counts) == 1:
        return list(counts)
    return [f"{value} ({count} runs)" for value, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def _text(value: Any) -> str:
    if value is True or value is False:
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)
