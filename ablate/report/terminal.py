"""The tables of a study in a terminal: the full sheets where it is wide enough, else the same numbers stacked."""

from typing import TYPE_CHECKING

import pandas as pd

from ablate.report import numbers
from ablate.report.findings import published_line
from ablate.report.summary import analyse_study, summarise
from ablate.report.tables import Sheet, by_level, explanation, heads, published_cell, sheets
from ablate.report.view import FactorView, StudyView, metric_name
from ablate.report.warnings import warnings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ablate.analyse import StudyAnalysis

FULL = 62
"""Columns that one metric takes in a full sheet."""


def print_report(
    view: StudyView,
    runs: pd.DataFrame,
    console: "Console | None" = None,
    *,
    analysis: "StudyAnalysis | None" = None,
) -> None:
    """Print a study's warnings, verdicts and tables.

    Args:
        view: The study.
        runs: The frame of runs.
        console: None: standard output.
        analysis: Of ``runs``, where the caller has it already; None: made here.
    """
    from rich.console import Console
    from rich.text import Text

    analysis = analysis or analyse_study(view, runs, resamples=0)
    levels = summarise(view, runs, analysis)
    console = console or Console()
    for warning in warnings(view, analysis):
        console.print(Text(f"Warning: {warning}", style="yellow"))
    for verdict in analysis.verdicts:
        style = {"supported": "bold blue", "refuted": "bold red"}.get(verdict.outcome, "bold")
        console.print(Text.assemble((verdict.outcome, style), ("  " + verdict.claim.text, "")))
        console.print(Text(f"  {verdict.evidence} {verdict.needed}".rstrip(), style="dim"))
    wide = console.width >= 24 + FULL * len(view.metrics)
    for table in [sheet_table(sheet) for sheet in sheets(view, levels)] if wide else _stacked(view, levels):
        console.print(table)
    if analysis.published:
        console.print(Text(published_line(analysis)))
    console.print(Text(explanation(view, levels), style="dim"))


def sheet_table(sheet: Sheet) -> "Table":
    """One sheet as a table for the terminal."""
    table = _table(sheet.title)
    for i, (group, column) in enumerate(heads(sheet)):
        _column(table, f"{group}\n{column}" if group else column, left=i == 0, wrap=True)
    for i, row in enumerate(sheet.rows):
        _add(table, row, bold=i in sheet.emphasised)
    return table


def _stacked(view: StudyView, levels: pd.DataFrame) -> "list[Table]":
    """One column a metric: mean, interval, difference from the baseline and published number below each other."""
    result = []
    for factor in view.factors:
        rows = levels[levels["factor"] == factor.path]
        if len(rows):
            result.append(_stacked_factor(view, factor, rows))
    return result


def _stacked_factor(view: StudyView, factor: FactorView, rows: pd.DataFrame) -> "Table":
    table = _table(f"{factor.name[:1].upper()}{factor.name[1:]}")
    _column(table, factor.axis.replace(" ", "\n"), left=True)
    _column(table, "runs")
    for metric in view.metrics:
        _column(table, metric_name(metric))
    for level in by_level(rows):
        first = level[view.metrics[0]]
        cells = [str(first["label"]), "\n".join([numbers.count_runs(first).partition(" (")[0], *numbers.losses(first)])]
        for metric in view.metrics:
            row = level[metric]
            lines = [numbers.spread(row["mean"], row["sd"])]
            if pd.notna(row["interval_low"]):
                lines.append(numbers.interval(row["interval_low"], row["interval_high"]))
            if pd.notna(row.get("difference")):
                lines.append(f"Δ {numbers.signed(row['difference'])}")
                lines.append(f"p {numbers.probability(row['p_holm'])}")
            if pd.notna(row["published"]):
                lines.append(f"published {published_cell(row)}")
            cells.append("\n".join(lines))
        _add(table, cells, bold=bool(first["is_baseline"]))
    return table


def _table(title: str) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    return Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)


def _column(table: "Table", heading: str, *, left: bool = False, wrap: bool = False) -> None:
    from rich.text import Text

    table.add_column(Text(heading), justify="left" if left else "right", no_wrap=not wrap, overflow="fold")


def _add(table: "Table", cells: "list[str] | tuple[str, ...]", *, bold: bool) -> None:
    """A row of plain text (what a user named is never read as markup)."""
    from rich.text import Text

    table.add_row(*(Text(cell) for cell in cells), style="bold" if bold else None)
