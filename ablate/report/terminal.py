"""The tables of a study in a terminal: the full sheets where it is wide enough, else the same numbers stacked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ablate.report.answer import study_answer
from ablate.report.console import add_column, add_row, output, plain, table
from ablate.report.findings import published_line
from ablate.report.summary import analyse_study, summarise
from ablate.report.tables import BETTER, Sheet, by_level, counted, explanation, heads, p_cell, published_cell, sheets
from ablate.report.view import FactorView, StudyView
from ablate.report.warnings import warnings
from ablate.task import numbers
from ablate.task.metric import Metric

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ablate.analyse import StudyAnalysis

FULL = 80
"""Columns that one metric takes in a full sheet."""
STACKED, LEVEL = 20, 24
"""Columns that one metric takes in a stacked table, and those that the level and its runs take."""


def print_report(
    view: StudyView,
    runs: pd.DataFrame,
    console: "Console | None" = None,
    *,
    analysis: "StudyAnalysis | None" = None,
) -> None:
    """Print a study's warnings, verdicts and tables, and its answer last.

    Args:
        view: The study.
        runs: The frame of runs.
        console: None: standard output.
        analysis: The analysis of ``runs``, where the caller has it already; None: made here.
    """
    from rich.text import Text

    analysis = analysis or analyse_study(view, runs)
    levels = summarise(view, runs, analysis)
    console = console or output()
    for text in (*view.notices, *(f"Warning: {warning}" for warning in warnings(view, analysis))):
        console.print(plain(text, "yellow"))
    for verdict in analysis.verdicts:
        style = {"supported": "bold blue", "refuted": "bold red"}.get(verdict.outcome, "bold")
        console.print(Text.assemble((verdict.outcome, style), "  ", plain(verdict.claim.text)))
        for line in (f"{verdict.evidence} {verdict.needed}".rstrip(), *verdict.part_lines):
            console.print(plain(f"  {line}", "dim"))
    wide = console.width >= 24 + FULL * len(view.metrics)
    printed = map(sheet_table, sheets(view, levels)) if wide else _stacked(view, levels, console.width)
    for one in printed:
        console.print(one)
    if analysis.published:
        console.print(plain(published_line(analysis)))
    console.print(plain(explanation(view, levels), "dim"))
    console.print()
    for sentence in study_answer(view, levels, analysis):
        console.print(plain(sentence, "bold"))


def sheet_table(sheet: Sheet) -> "Table":
    """One sheet as a table for the terminal."""
    made = _table(sheet.title)
    for i, (group, column) in enumerate(heads(sheet)):
        add_column(made, f"{group}\n{column}" if group else column, left=i == 0)
    for i, row in enumerate(sheet.rows):
        add_row(made, *row, style="bold" if i in sheet.emphasised else None)
    return made


def _stacked(view: StudyView, levels: pd.DataFrame, width: int) -> "list[Table]":
    """One column a metric: mean, interval, difference from the baseline and published number below each other.

    As many metrics as fit stand side by side, the others in tables below.
    """
    fitting = max(1, (width - LEVEL) // STACKED)
    result = []
    for factor in view.factors:
        rows = levels[levels["factor"] == factor.path]
        if len(rows):
            parts = (view.metrics[i : i + fitting] for i in range(0, len(view.metrics), fitting))
            result += [_stacked_factor(factor, metrics, rows) for metrics in parts]
    return result


def _stacked_factor(factor: FactorView, metrics: Sequence[Metric], rows: pd.DataFrame) -> "Table":
    made = _table(factor.title)
    add_column(made, factor.axis.replace(" ", "\n"), left=True)
    add_column(made, "runs")
    for metric in metrics:
        add_column(made, metric.title)
    for level in by_level(rows):
        first = level[metrics[0].name]
        runs = counted(level)
        cells = [str(first["label"]), "\n".join([numbers.count_runs(runs).partition(" (")[0], *numbers.losses(runs)])]
        for metric in metrics:
            row = level[metric.name]
            digits = int(row["digits"])
            lines = [numbers.spread(row["mean"], row["sd"], digits)]
            if pd.notna(row["interval_low"]):
                lines.append(numbers.interval(row["interval_low"], row["interval_high"], digits))
            if row["uneven"]:
                lines.append(row["uneven"])
            if pd.notna(row.get("difference")):
                lines.append(" ".join(["Δ", numbers.signed(row["difference"], digits), str(row["standing"] or "")]))
                if row["standing"] != "exact":
                    lines.append(f"p {p_cell(row)}")
                    lines.append(f"{BETTER} {numbers.number(row['p_better'], 2)}")
            if pd.notna(row["published"]):
                lines.append(f"published {published_cell(row)}")
            cells.append("\n".join(lines))
        add_row(made, *cells, style="bold" if first["is_baseline"] else None)
    return made


def _table(title: str) -> "Table":
    from rich import box

    return table(title, box=box.SIMPLE_HEAD, pad_edge=False)
