"""A study as a notebook shows it: where it comes from, its answer, a table of its levels, its verdicts."""

from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from ablate.report.answer import study_answer
from ablate.report.view import StudyView
from ablate.task.numbers import NONE, count_runs, interval, number, signed

if TYPE_CHECKING:
    from ablate.analyse import StudyAnalysis


def study_html(view: StudyView, levels: pd.DataFrame, analysis: "StudyAnalysis", origin: str) -> str:
    """A study in its primary metric, as HTML.

    Args:
        view: The study.
        levels: As :func:`ablate.report.summary.summarise` returns it.
        analysis: The analysis of the same runs.
        origin: One line that says how many runs there are and where they were looked for.

    Returns:
        HTML without styles of its own.
    """
    parts = [f"<p><b>{escape(view.question or view.name)}</b><br>{escape(origin)}</p>"]
    parts += [f"<p>{escape(sentence)}</p>" for sentence in study_answer(view, levels, analysis)]
    parts.append(_table(view, levels).to_html(index=False))
    verdicts = [
        f"<li><b>{v.outcome}</b>: {escape(' '.join([v.claim.text, v.evidence, *v.part_lines]))}</li>"
        for v in analysis.verdicts
    ]
    if verdicts:
        parts.append(f"<ul>{''.join(verdicts)}</ul>")
    return "\n".join(parts)


def _table(view: StudyView, levels: pd.DataFrame) -> pd.DataFrame:
    """The levels in the primary metric; the table of all metrics is ``levels``."""
    rows = []
    for row in levels[levels["metric"] == view.metric.name].to_dict("records"):
        digits = int(row["digits"])
        paired = pd.notna(row.get("difference"))
        rows.append(
            {
                "factor": view.factor(row["factor"]).name,
                "level": row["label"],
                "runs": count_runs(row),
                f"mean {view.metric.title}": number(row["mean"], digits),
                "95 % interval": interval(row["interval_low"], row["interval_high"], digits),
                "difference": signed(row["difference"], digits) if paired else NONE,
                "its interval": interval(row["difference_low"], row["difference_high"], digits) if paired else NONE,
                "verdict": "baseline" if row["is_baseline"] else row.get("standing") or NONE,
            }
        )
    return pd.DataFrame(rows)
