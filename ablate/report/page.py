"""The page of a study: one file that needs nothing beside itself and no network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablate.report import page_tables
from ablate.report.answer import study_answer
from ablate.report.evidence import further_evidence
from ablate.report.explorer import explorer_data, script_json
from ablate.report.findings import factor_findings, published_line, tally
from ablate.report.origin import LostRun, cost, lost_runs, provenance
from ablate.report.pictures import Picture
from ablate.report.rendering import render, template_text
from ablate.report.tables import explanation
from ablate.report.view import FactorView, StudyView
from ablate.report.warnings import warnings
from ablate.report.what_matters import what_matters
from ablate.task.claim import JOINED

if TYPE_CHECKING:
    from ablate.analyse import StudyAnalysis
    from ablate.report.diagnosis import Found

MOST_LOST = 200
"""Lost runs that the page lists."""
MOST_TRACEBACKS = 20
"""Different tracebacks that the page shows."""


@dataclass(frozen=True)
class Section:
    """One factor's part of the page."""

    factor: FactorView
    title: str
    findings: list[str]
    drawings: list[Picture]
    tables: list[page_tables.Table]
    evidence: list[str]
    """What a reader asks next."""


@dataclass(frozen=True)
class Traceback:
    """One of the tracebacks of failed runs, with how many runs share it."""

    places: str
    seed: int
    traceback: str
    alike: int


def render_page(
    view: StudyView,
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    records: tuple[pd.DataFrame, pd.DataFrame],
    levels: pd.DataFrame,
    analysis: "StudyAnalysis",
    pictures: Sequence[Picture],
    files: Sequence[str],
    diagnoses: "Sequence[Found]" = (),
) -> str:
    """The page as HTML.

    Args:
        view: The study.
        runs: The frame of runs.
        curves: The frame of curves.
        records: A row a record, a row a record and step.
        levels: The levels from :func:`ablate.report.summary.summarise`.
        analysis: The analysis of the same runs.
        pictures: The figures in order.
        files: Files beside the page, to link to.
        diagnoses: The diagnoses of runs of the study.
    """
    from markupsafe import Markup

    lost = lost_runs(view, runs, records[0])
    explorer = explorer_data(view, runs, curves)
    forest = next((picture for picture in pictures if not picture.factor), None)
    return render(
        "report.html",
        view=view,
        facts=_facts(view, runs),
        warnings=warnings(view, analysis),
        forest=forest and replace(forest, svg=Markup(forest.svg)),
        verdicts=analysis.verdicts,
        tally=tally(analysis),
        published=published_line(analysis),
        answer=study_answer(view, levels, analysis),
        matters=what_matters(view, levels, runs),
        sections=[_section(view, factor, levels, analysis, pictures) for factor in _shown(view, levels)],
        explanation=explanation(view, levels),
        explorer=explorer,
        explorer_json=Markup(script_json(explorer)),
        diagnoses=diagnoses,
        lost=lost[:MOST_LOST],
        lost_more=max(0, len(lost) - MOST_LOST),
        tracebacks=_tracebacks(lost),
        cost=cost(view, records),
        baseline=[(path, str(value)) for path, value in view.baseline.items()],
        provenance=provenance(records[0]),
        files=files,
        script=Markup(template_text("page.js")),
    )


def _shown(view: StudyView, levels: pd.DataFrame) -> list[FactorView]:
    return [factor for factor in view.factors if (levels["factor"] == factor.path).any()]


def _section(
    view: StudyView,
    factor: FactorView,
    levels: pd.DataFrame,
    analysis: "StudyAnalysis",
    pictures: Sequence[Picture],
) -> Section:
    from markupsafe import Markup

    return Section(
        factor=factor,
        title=factor.title,
        findings=factor_findings(view, factor, analysis),
        drawings=[replace(p, svg=Markup(p.svg)) for p in pictures if p.factor == factor.path],
        tables=page_tables.tables(view, factor, levels),
        evidence=further_evidence(factor, view.metric, analysis),
    )


def _facts(view: StudyView, runs: pd.DataFrame) -> list[dict[str, Any]]:
    """The line below the question: design, size, and how the runs ended."""
    unique = runs.drop_duplicates("digest")
    counts = unique["status"].value_counts()
    settings = runs.drop_duplicates(["factor", "order"])
    factors = sum(len(factor.path.split(JOINED)) for factor in view.factors)
    facts = [
        {"text": view.design, "lost": False},
        {"text": _count(factors, "factor"), "lost": False},
        {"text": _count(len(settings), "level" if factors == len(view.factors) else "combination"), "lost": False},
        {"text": _count(runs["seed"].nunique(), "seed"), "lost": False},
        {"text": f"{_count(int(counts.get('complete', 0)), 'run')} complete", "lost": False},
    ]
    facts += [{"text": f"{counts[s]} {s}", "lost": True} for s in ("diverged", "failed", "missing") if counts.get(s, 0)]
    return facts


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _tracebacks(lost: Sequence[LostRun]) -> list[Traceback]:
    """Each different traceback once."""
    groups: dict[str, list[LostRun]] = {}
    for run in lost:
        if run.traceback:
            groups.setdefault(run.traceback, []).append(run)
    return [
        Traceback(same[0].places, same[0].seed, text, len(same) - 1)
        for text, same in list(groups.items())[:MOST_TRACEBACKS]
    ]
