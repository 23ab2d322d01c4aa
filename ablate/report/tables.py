"""Tables of a study: the tidy CSV frame, and two sheets a factor that Markdown, LaTeX and the terminal print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablate.report.answer import study_answer
from ablate.report.evidence import other_samples
from ablate.report.findings import published_line
from ablate.report.view import FactorView, StudyView
from ablate.report.warnings import warnings
from ablate.task import numbers
from ablate.task.printable import one_line

if TYPE_CHECKING:
    from ablate.analyse import StudyAnalysis, Verdict

CORRECTIONS = {"max-t": "joint sign flips, step-down max-T", "holm": "Holm's correction"}
BETTER = "P(better)"
"""Heads the column of the probability of improvement."""
OUTSIDE = "†"
"""The mark of a published number outside the prediction interval."""

WIDE = {
    "n": "n",
    "mean": "mean",
    "median": "median",
    "iqm": "iqm",
    "iqm_interval_low": "iqm_low",
    "iqm_interval_high": "iqm_high",
    "apart": "apart",
    "sd": "sd",
    "interval_low": "low",
    "interval_high": "high",
    "pairs": "pairs",
    "difference": "difference",
    "difference_low": "difference_low",
    "difference_high": "difference_high",
    "with_samples_low": "with_samples_low",
    "with_samples_high": "with_samples_high",
    "p": "p",
    "p_corrected": "p_corrected",
    "p_t": "p_t",
    "effect": "effect",
    "p_better": "p_better",
    "p_better_low": "p_better_low",
    "p_better_high": "p_better_high",
    "e": "e",
    "standing": "standing",
    "published": "published",
    "prediction_low": "prediction_low",
    "prediction_high": "prediction_high",
    "inside": "inside",
}
"""Columns of the summary that a wide table has once a metric, and what is put behind the metric's name."""


@dataclass(frozen=True)
class Sheet:
    """A table ready to be printed."""

    title: str
    groups: tuple[tuple[str, int], ...]
    """Headings above the columns, each with the number of columns it spans; empty headings span without a rule."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    emphasised: tuple[int, ...] = ()
    """Rows of the baseline."""


def wide(view: StudyView, levels: pd.DataFrame) -> pd.DataFrame:
    """A row a level with every number of every metric, in full precision: ``table.csv``.

    Args:
        view: The study.
        levels: The levels from :func:`ablate.report.summary.summarise`.

    Returns:
        Columns ``factor``, ``level``, ``label``, ``is_baseline``, the counts, ``seconds``, and for each metric
        ``<metric>_mean``, ``_sd``, ``_low``, ``_high`` and so on.
    """
    keys = [
        name
        for name in (
            "factor",
            "level",
            "label",
            "is_baseline",
            "complete",
            "diverged",
            "failed",
            "missing",
            "at_chance",
            "seconds",
        )
        if name in levels
    ]
    place = ["factor", "order"]
    base = levels.drop_duplicates(place).set_index(place, drop=False)
    if "at_chance" in levels:
        base["at_chance"] = levels.groupby(place)["at_chance"].first()
    parts = [base[keys]]
    of_metric = {str(name): rows for name, rows in levels.set_index(place).groupby("metric", sort=False)}
    for metric in view.names:
        names = {old: f"{metric}_{new}" for old, new in WIDE.items() if old in levels}
        parts.append(of_metric[metric][list(names)].rename(columns=names).reindex(base.index))
    return pd.concat(parts, axis=1).reset_index(drop=True)


def sheets(view: StudyView, levels: pd.DataFrame) -> list[Sheet]:
    """What is printed of a study: for each factor its means, and where there is a baseline the differences from it."""
    result = []
    for factor in view.factors:
        rows = levels[levels["factor"] == factor.path]
        if rows.empty:
            continue
        result.append(_means(view, factor, rows))
        if "difference" in rows and rows["difference"].notna().any():
            result.append(_differences(view, factor, rows))
    return result


def markdown(
    view: StudyView,
    levels: pd.DataFrame,
    analysis: "StudyAnalysis | None" = None,
    printed: Sequence[Sheet] | None = None,
) -> str:
    """Answer, verdicts and sheets (``printed``, where they are made already), with a line that explains the columns."""
    parts = [f"# {markdown_text(view.name)}"]
    parts += [markdown_text(view.question)] if view.question else []
    if analysis is not None:
        parts += [f"**{markdown_text(sentence)}**" for sentence in study_answer(view, levels, analysis)]
        parts += [f"> **Warning:** {markdown_text(warning)}" for warning in warnings(view, analysis)]
        parts += (
            ["## Verdicts", "\n".join(_verdict(verdict) for verdict in analysis.verdicts)] if analysis.verdicts else []
        )
        parts += [published_line(analysis)] if analysis.published else []
    parts += ["\n".join(f"- {markdown_text(remark)}" for remark in view.remarks)] if view.remarks else []
    parts += [
        f"## {markdown_text(sheet.title)}\n\n{sheet_markdown(sheet)}" for sheet in printed or sheets(view, levels)
    ]
    if analysis is not None:
        parts += [markdown_text(text) for f in view.factors if (text := other_samples(view.metric, f, analysis))]
    parts.append(explanation(view, levels))
    return "\n\n".join(parts) + "\n"


def sheet_markdown(sheet: Sheet) -> str:
    """One sheet as a Markdown table."""
    names = [f"{group}: {column}" if group else column for group, column in heads(sheet)]
    lines = [_md_row(names), "| --- |" + " ---: |" * (len(names) - 1)]
    for i, row in enumerate(sheet.rows):
        cells = [markdown_text(cell) for cell in row]
        lines.append(_md_row([f"**{cells[0]}**", *cells[1:]] if i in sheet.emphasised else cells, escaped=True))
    return "\n".join(lines)


def explanation(view: StudyView, levels: pd.DataFrame) -> str:
    """What the columns mean, in a line or two."""
    text = (
        "Mean ± standard deviation over complete runs; [ ] is the 95 % interval of the mean (Student's t, within what "
        "the metric can be, from 8 runs on within the runs), of other seeds on the same data. The baseline is set off."
    )
    if (levels["uneven"] != "").any():
        text += (
            " Beside levels with runs that stand apart or a long tail is the mean of the middle half of the runs, with "
            "its bootstrap interval, and the share of runs that stand apart, with Wilson's."
        )
    if "difference" in levels and levels["difference"].notna().any():
        text += (
            " Differences are level minus baseline, paired by seed; p and 95 % intervals are of all levels of a study "
        )
        text += (
            f"together ({CORRECTIONS[view.correction]}). {BETTER} is how often a run does better than the baseline's "
            "with the same seed, with Wilson's interval of this level by itself."
        )
        if view.looks is not None:
            text += (
                f" In {view.metrics[-1].title}, by which seeds were added look by look, standings and repeated "
                f"intervals hold for all levels and looks together ({100 * view.looks.alpha:g} % error); a single look "
                "has no p."
            )
        if (levels["standing"] == "exact").any():
            text += " What is exact follows from the setting, not from the seed: there is nothing to test."
        if levels["p_t"].notna().any():
            text += " p (t) is the paired t test's, where so few seeds can decide nothing."
    if levels["published"].notna().any():
        repeats = sorted({str(f.repeats) for f in view.factors if f.repeats})
        text += f" {OUTSIDE} marks a published number outside the 95 % prediction interval"
        text += f" for a mean of {' or '.join(repeats)} runs." if repeats else "."
    return text


def by_level(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of one factor as mappings, level by level in the study's order, each by metric."""
    levels: dict[int, dict[str, Any]] = {}
    for row in rows.sort_values("order", kind="stable").to_dict("records"):
        levels.setdefault(row["order"], {})[str(row["metric"])] = row
    return list(levels.values())


def counted(level: Mapping[str, Any]) -> Any:
    """The row of a level, by metric, that its runs are counted by: the first that tells which of them are at chance."""
    rows = list(level.values())
    return next((row for row in rows if pd.notna(row["at_chance"])), rows[0])


def p_cell(row: Any) -> str:
    """A corrected p; where so few seeds can decide nothing, that of the t test and its name."""
    text = numbers.probability(row["p_corrected"])
    return text if pd.isna(row["p_t"]) else f"{text}; t: {numbers.probability(row['p_t'])}"


def better_cell(row: Any) -> str:
    """The probability of improvement with its interval."""
    ends = numbers.interval(row["p_better_low"], row["p_better_high"], 2)
    return numbers.NONE if ends == numbers.NONE else f"{numbers.number(row['p_better'], 2)} {ends}"


def published_cell(row: Any) -> str:
    """A published number, marked where it lies outside the prediction interval."""
    text = numbers.printed(row["published"])
    return f"{text} {OUTSIDE}" if outside(row) else text


def outside(row: Any) -> bool:
    """Whether a published number is known to lie outside the prediction interval (unknown is None or NaN)."""
    return row["inside"] in (True, False) and not row["inside"]


def _means(view: StudyView, factor: FactorView, rows: pd.DataFrame) -> Sheet:
    compared, uneven = bool(rows["published"].notna().any()), bool((rows["uneven"] != "").any())
    per_metric = ("mean ± sd", "95 % interval", *["if uneven"] * uneven, *["published"] * compared)
    cells, emphasised = [], []
    for i, level in enumerate(by_level(rows)):
        first = level[view.names[0]]
        line = [str(first["label"]), numbers.count_runs(counted(level))]
        for metric in view.names:
            row = level[metric]
            line += [
                numbers.spread(row["mean"], row["sd"], row["digits"]),
                numbers.interval(row["interval_low"], row["interval_high"], row["digits"]),
            ]
            line += [row["uneven"] or numbers.NONE] if uneven else []
            line += [published_cell(row)] if compared else []
        cells.append(tuple(line))
        emphasised += [i] if first["is_baseline"] else []
    return Sheet(
        title=factor.title,
        groups=(("", 2), *((m.title, len(per_metric)) for m in view.metrics)),
        columns=(factor.axis, "runs", *(per_metric * len(view.metrics))),
        rows=tuple(cells),
        emphasised=tuple(emphasised),
    )


def _differences(view: StudyView, factor: FactorView, rows: pd.DataFrame) -> Sheet:
    cells = []
    for level in by_level(rows[~rows["is_baseline"]]):
        line = [str(level[view.names[0]]["label"])]
        for metric in view.names:
            row = level[metric]
            line += [
                numbers.signed(row["difference"], row["digits"]),
                numbers.interval(row["difference_low"], row["difference_high"], row["digits"]),
                p_cell(row),
                row["standing"] if isinstance(row["standing"], str) else numbers.NONE,
                better_cell(row),
            ]
        cells.append(tuple(line))
    return Sheet(
        title=f"{factor.title}: difference from the baseline",
        groups=(("", 1), *((m.title, 5) for m in view.metrics)),
        columns=(factor.axis, *(("difference", "95 % interval", "p", "standing", BETTER) * len(view.metrics))),
        rows=tuple(cells),
    )


def heads(sheet: Sheet) -> list[tuple[str, str]]:
    """Each column with the heading above it."""
    groups = [group for group, span in sheet.groups for _ in range(span)]
    return list(zip(groups, sheet.columns, strict=True))


def _verdict(verdict: "Verdict") -> str:
    needed = f" {markdown_text(verdict.needed)}" if verdict.needed else ""
    text = f"- **{verdict.outcome}**: {markdown_text(verdict.claim.text)} {markdown_text(verdict.evidence)}{needed}"
    return "\n".join([text, *(f"    - {markdown_text(line)}" for line in verdict.part_lines)])


def _md_row(cells: Sequence[str], *, escaped: bool = False) -> str:
    return "| " + " | ".join(cells if escaped else [markdown_text(cell) for cell in cells]) + " |"


def markdown_text(text: str) -> str:
    """Text that Markdown prints as it is."""
    text = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "\\`*_|[]~#$" else c for c in text)
