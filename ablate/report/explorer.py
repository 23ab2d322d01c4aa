"""The data behind the page's interactive curves: every run, compact, as JSON."""

import json
import math
from typing import Any

import pandas as pd

from ablate.report.figure_style import colors
from ablate.report.view import StudyView
from ablate.task.printable import printable

MOST_VALUES = 400_000
"""Numbers that a page holds at most (about 3 MB); beyond it later seeds are left out, and the page says so."""


def explorer_data(view: StudyView, runs: pd.DataFrame, curves: pd.DataFrame) -> dict[str, Any]:
    """Curves of all runs, where any run has more than one step.

    Args:
        view: The study.
        runs: The frame of runs.
        curves: The frame of curves.

    Returns:
        ``metrics``, ``factors`` (with levels and their colours), ``runs`` (places as ``[factor, level]``, seed, status,
        which of ``steps`` it has, and a list of values a metric), and ``left_out``: how many runs did not fit.
    """
    places: dict[str, list[list[int]]] = {}
    heads: dict[str, tuple[int, str]] = {}
    for f, factor in enumerate(view.factors):
        order = {level.label: i for i, level in enumerate(factor.levels)}
        of_factor = runs[runs["factor"] == factor.path]
        for digest, label, seed, status in of_factor[["digest", "label", "seed", "status"]].itertuples(index=False):
            if label in order:
                places.setdefault(digest, []).append([f, order[label]])
                heads[digest] = (int(seed), str(status))
    metrics = [m for m in view.names if m in curves and curves[m].notna().any()]
    counts = curves["digest"].value_counts()
    drawn = counts.index if counts.max() > 1 else ()
    wanted = sorted((str(d) for d in drawn if d in places), key=lambda d: (heads[d][0], places[d]))
    used, kept = 0, []
    for digest in wanted:
        used += int(counts[digest]) * len(metrics)
        if used > MOST_VALUES:
            break
        kept.append(digest)
    rows_of = dict(iter(curves[curves["digest"].isin(kept)].sort_values("step").groupby("digest", sort=False)))
    listed, steps = [], dict[tuple[int, ...], int]()
    for digest in kept:
        rows = rows_of[digest]
        seed, status = heads[digest]
        listed.append(
            {
                "p": places[digest],
                "s": seed,
                "st": status,
                "d": digest[:10],
                "e": steps.setdefault(tuple(map(int, rows["step"])), len(steps)),
                "v": [[_short(value) for value in rows[m]] for m in metrics],
            }
        )
    data = {
        "metrics": [view.title(m) for m in metrics],
        "primary": metrics.index(view.metric.name) if view.metric.name in metrics else 0,
        "step": view.step,
        "steps": [list(numbers) for numbers in steps],
        "factors": [
            {
                "name": factor.name,
                "levels": [
                    {"label": level.label, "color": color}
                    for level, color in zip(
                        factor.levels, colors(len(factor.levels), ordered=factor.ordered), strict=True
                    )
                ],
            }
            for factor in view.factors
        ],
        "runs": listed,
        "left_out": len(wanted) - len(kept),
    }
    fit: dict[str, Any] = _printable(data)
    return fit


def script_json(data: Any) -> str:
    """JSON that may stand inside a ``<script>`` element: nothing in it can end the element or start another."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _printable(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _printable(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_printable(value) for value in data]
    return printable(data) if isinstance(data, str) else data


def _short(value: float) -> float | None:
    """Five significant digits, which is more than a screen shows; None for what is no finite number."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
