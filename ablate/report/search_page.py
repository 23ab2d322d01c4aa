"""The page of a search: what was found, what of it was luck, what mattered, how the budget was spent."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ablate.report import figure_style as look
from ablate.report.files import write_csv, write_text
from ablate.report.pictures import picture_of, write_pictures
from ablate.report.rendering import render, template_text
from ablate.report.search_figures import search_drawings
from ablate.task.numbers import MINUS, NONE

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study

PAGE = "search.html"
_NUMBER = re.compile(rf"[+{MINUS}-]?\d[\d,]*(\.\d+)?( %)?")


@dataclass(frozen=True)
class Grid:
    """A table of the page: printed cells only."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """What the proof of a search says, a claim with its verdict or a sentence alone."""

    text: str
    outcome: str = ""
    """The verdict on a claim: supported, refuted or undecided."""
    evidence: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.outcome.capitalize()}: {self.evidence}" if self.outcome else self.text


@dataclass(frozen=True)
class SearchView:
    """A search as its page shows it; built by whoever ran it."""

    name: str
    question: str
    facts: tuple[str, ...]
    """Short items: sampler, budget, counts."""
    found: Grid
    proof: Grid | None
    """Search value against confirmed value; None: not confirmed yet."""
    findings: tuple[Finding, ...]
    """Verdicts, and whether changes add up."""
    importance: Grid
    disagreement: str
    interactions: Grid | None
    spending: Grid
    warnings: tuple[str, ...]
    measures: tuple[str, ...]
    """Names of the objectives."""
    factors: tuple[str, ...]
    """Optuna's parameter names, the most important first."""
    reports: Mapping[str, str]
    """Pages of the proof, relative to this one: title to file."""
    command: str
    answer: tuple[str, ...] = ()
    """What was found and whether a start won, in sentences that stand first."""
    best: Grid | None = None
    """The best setting: a row a factor."""
    yaml: str = ""
    """The best setting as a study file has it."""
    run: str = ""
    """The command that trains it; empty: there is none."""
    starts: Grid | None = None
    """What became of the settings that the search was given."""
    starting: Mapping[int, str] = field(default_factory=dict)
    """The names of those settings, by number of trial."""


@dataclass(frozen=True)
class Column:
    """The head of a column, and how its cells are set and sorted."""

    head: str
    kind: Literal["text", "number"]


def write_search(
    view: SearchView,
    study: "Study",
    trials: "pd.DataFrame",
    dump: str,
    out: Path,
    *,
    with_pdf: bool = False,
) -> list[Path]:
    """Write a search's page, figures and trials; the same input gives the same bytes.

    Args:
        view: What the page says.
        study: Its trials, in memory, for the figures.
        trials: The same as a table.
        dump: The same as JSON, from which they can be restored.
        out: The study's folder, made where needed.
        with_pdf: Write each figure as PDF, too; those that are there are kept up to date in any case.

    Returns:
        The files; the page comes last.

    Raises:
        OSError: ``out`` cannot be written.
    """
    from markupsafe import Markup

    files = [write_csv(out / "trials.csv", trials), write_text(out / "trials.json", dump)]
    pictures = []
    with look.styled():
        for drawing in search_drawings(study, view.factors, view.measures, view.starting):
            is_there = (out / "figures" / f"{drawing.name}.pdf").exists()
            picture = picture_of(drawing, with_pdf=with_pdf or is_there)
            pictures.append(replace(picture, svg=Markup(picture.svg)))
    files += write_pictures(pictures, out / "figures")
    page = render(
        "search.html",
        view=view,
        pictures=pictures,
        tables=_tables(view),
        columns=_columns,
        sortable=_sortable,
        script=Markup(template_text("page.js")),
    )
    files.append(write_text(out / PAGE, page))
    return files


def _tables(view: SearchView) -> Sequence[Grid]:
    tables = [view.proof, view.starts, view.found, view.importance, view.interactions, view.spending]
    return [table for table in tables if table is not None and table.rows]


def _columns(table: Grid) -> list[Column]:
    cells = list(zip(*table.rows, strict=True))
    numbers = [all(_NUMBER.fullmatch(cell) or cell in (NONE, "") for cell in column) for column in cells]
    return [
        Column(head, "number" if is_number else "text") for head, is_number in zip(table.heads, numbers, strict=True)
    ]


def _sortable(cell: str) -> str:
    """A printed number as a script reads it; nothing where there is none."""
    plain = cell.replace(MINUS, "-").replace(",", "").removesuffix(" %")
    return plain if _NUMBER.fullmatch(cell) else ""
