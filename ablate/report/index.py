"""The page over all studies, from the summary that each report leaves beside its page."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.report.view import StudyView
from ablate.task.plain_json import loads
from ablate.task.printable import printable

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import StudyAnalysis

SUMMARY, SEARCH = "summary.json", "search.html"
ROOM = 260
"""Characters of an answer that the index shows."""
MOST_SENTENCES = 2
"""Sentences of a study's answer that the index repeats."""
HEADS = (
    ("study", "text"),
    ("question", "text"),
    ("runs", "number"),
    ("supported", "number"),
    ("refuted", "number"),
    ("undecided", "number"),
    ("published inside", "number"),
    ("cost", "number"),
)


def write_index(out: Path) -> Path:
    """Write ``index.html`` over every study below ``out`` that has a report.

    Args:
        out: The folder of results; a study is a folder in it with ``summary.json``, below another one where its name
            has a ``/``.

    Returns:
        The page.
    """
    from urllib.parse import quote

    from markupsafe import Markup

    from ablate.report.files import write_text
    from ablate.report.rendering import render, template_text

    studies = []
    for path in sorted(file for depth in ("*", "*/*") for file in out.glob(f"{depth}/{SUMMARY}")):
        summary = loads(path.read_text(encoding="utf-8"))
        studies.append(_entry(summary, path.parent.relative_to(out).as_posix()))
    pages = sorted(file for depth in ("*", "*/*") for file in out.glob(f"{depth}/{SEARCH}"))
    searches = {path.parent.relative_to(out).as_posix(): quote(path.relative_to(out).as_posix()) for path in pages}
    page = render(
        "index.html", studies=studies, searches=searches, heads=HEADS, script=Markup(template_text("page.js"))
    )
    return write_text(out / "index.html", page)


def study_summary(
    view: StudyView,
    runs: "pd.DataFrame",
    records: "tuple[pd.DataFrame, pd.DataFrame]",
    levels: "pd.DataFrame",
    analysis: "StudyAnalysis",
) -> str:
    """A study in a few lines of JSON: answer, counts, verdicts, published numbers, cost."""
    from ablate.report.answer import study_answer
    from ablate.report.warnings import warnings

    statuses = Counter(runs.drop_duplicates("digest")["status"])
    data = {
        "study": view.name,
        "question": " ".join([view.question, *view.notices]).strip(),
        "answer": study_answer(view, levels, analysis),
        "runs": {status: statuses[status] for status in ("complete", "diverged", "failed", "missing")},
        "verdicts": [
            {
                "id": verdict.claim.id,
                "text": verdict.claim.text,
                "outcome": verdict.outcome,
                "evidence": verdict.evidence,
                "needed": verdict.needed,
            }
            for verdict in analysis.verdicts
        ],
        "published": {
            "inside": sum(check.inside is True for check in analysis.published),
            "outside": sum(check.inside is False for check in analysis.published),
            "unknown": sum(check.inside is None for check in analysis.published),
        },
        "seconds": view.actual if view.actual is not None else float(records[0]["seconds"].sum()),
        "warnings": warnings(view, analysis),
    }
    return printable(json.dumps(data, indent=1, ensure_ascii=False)) + "\n"


def _entry(summary: dict[str, Any], folder: str) -> dict[str, Any]:
    """A row of the table."""
    from urllib.parse import quote

    from ablate.task.numbers import NONE, count_runs, duration, losses

    runs, published = summary["runs"], summary["published"]
    checked = published["inside"] + published["outside"]
    return {
        "name": folder,
        "href": f"{quote(folder)}/report.html",
        "question": summary["question"],
        "answer": [_in_short(text) for text in summary.get("answer", [])[:MOST_SENTENCES]],
        "further": max(0, len(summary.get("answer", [])) - MOST_SENTENCES),
        "count": count_runs(runs).partition(" (")[0],
        "losses": losses(runs),
        "complete": runs["complete"],
        "verdicts": Counter(verdict["outcome"] for verdict in summary["verdicts"]),
        "published": f"{published['inside']} of {checked}" if checked else NONE,
        "inside_share": published["inside"] / checked if checked else "",
        "cost": duration(summary["seconds"]),
        "seconds": summary["seconds"],
    }


def _in_short(text: str) -> str:
    """The first sentences of an answer, as many as a row has room for: the study's page has all of it."""
    sentences = text.split(". ")
    lengths = [len(". ".join(sentences[:count])) for count in range(1, len(sentences) + 1)]
    kept = max(1, sum(length <= ROOM for length in lengths))
    return text if kept == len(sentences) else f"{'. '.join(sentences[:kept])}. …"
