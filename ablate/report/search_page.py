"""The page of a search: what was found, what of it was luck, what mattered, how the budget was spent."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.report import figure_style as look
from ablate.report.files import write_bytes, write_csv, write_text
from ablate.report.page import render, template_text
from ablate.report.search_figures import search_drawings

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study

PAGE = "search.html"


@dataclass(frozen=True)
class Grid:
    """A table of the page: printed cells only."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


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
    findings: tuple[str, ...]
    """Whole sentences: verdicts, additivity."""
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


@dataclass(frozen=True)
class _Picture:
    name: str
    alt: str
    source: str


def write_search(view: SearchView, study: "Study", trials: "pd.DataFrame", dump: str, out: Path) -> list[Path]:
    """Write a search's page, figures and trials; the same input gives the same bytes.

    Args:
        view: What the page says.
        study: Its trials, in memory, for the figures.
        trials: The same as a table.
        dump: The same as JSON, from which they can be restored.
        out: The study's folder, made where needed.

    Returns:
        The files; the page comes last.

    Raises:
        OSError: ``out`` cannot be written.
    """
    from markupsafe import Markup

    files = [write_csv(out / "trials.csv", trials), write_text(out / "trials.json", dump)]
    pictures = []
    for drawing in search_drawings(study, view.factors, view.measures):
        vector = look.svg(drawing.figure, drawing.name)
        files.append(write_bytes(out / "figures" / f"{drawing.name}.svg", vector))
        files.append(write_bytes(out / "figures" / f"{drawing.name}.png", look.png(drawing.figure)))
        source = "data:image/svg+xml;base64," + base64.b64encode(vector).decode()
        pictures.append(_Picture(drawing.name, drawing.alt, source))
    page = render(
        "search.html",
        view=view,
        pictures=pictures,
        tables=_tables(view),
        script=Markup(template_text("page.js")),
    )
    files.append(write_text(out / PAGE, page))
    return files


def _tables(view: SearchView) -> Sequence[Grid]:
    tables = [view.found, view.proof, view.importance, view.interactions, view.spending]
    return [table for table in tables if table is not None and table.rows]
