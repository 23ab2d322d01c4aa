"""The numbers of a study as LaTeX tables that fit one column of a paper (packages booktabs and array)."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ablate.report.file_names import unique_names
from ablate.report.tables import OUTSIDE, by_level, outside, published_cell
from ablate.report.view import FactorView, StudyView
from ablate.task import numbers
from ablate.task.metric import Metric
from ablate.task.printable import one_line

SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "\u2212": "$-$",
    "±": r"$\pm$",
    "\u00d7": r"$\times$",
    "∞": r"$\infty$",
    "†": r"$^\dagger$",
    "\u2013": "--",
    "—": "---",
    "→": r"$\rightarrow$",
    "µ": r"$\mu$",
}
ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")
"""Combining marks that every font encoding of LaTeX can put on a letter."""
LETTERS = frozenset("ßøØæÆœŒåÅ")
GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega".split()
)
HEAD = r"% needs \usepackage{booktabs,array}"
LONGEST, NARROW = 14, "1.5cm"
"""Letters of a level's name up to which it stands on one line, and the width of the column where it does not."""
COLUMN = 56
"""Letters of a row that fit a column of 3.3 inches, in ``\\footnotesize`` of a paper at 10 pt."""
LOST = ("diverged", "failed", "missing")
ANY = r'\providecommand{\anychar}[1]{\ifdefined\Umathchar\char"#1\relax\else U+#1\fi}'
"""A character that pdfLaTeX does not know is printed by its number there, by itself in XeLaTeX and LuaLaTeX."""


def latex_tables(view: StudyView, levels: pd.DataFrame) -> dict[str, str]:
    """Floating tables that fit a column of a paper (3.3 inches at 9 pt), a file a metric, to be read in by a paper.

    Args:
        view: The study.
        levels: The levels from :func:`ablate.report.summary.summarise`.

    Returns:
        LaTeX by the name of the file without its ending: ``table`` holds the primary metric, ``table-NAME`` another.
    """
    others = unique_names([metric.name for metric in view.metrics])
    factors = {factor.path: by_level(levels[levels["factor"] == factor.path]) for factor in view.factors}
    return {
        "table" if metric == view.metric else f"table-{others[metric.name]}": _file(view, factors, metric)
        for metric in sorted(view.metrics, key=lambda metric: metric != view.metric)
    }


def _file(view: StudyView, factors: Mapping[str, Sequence[Mapping[str, Any]]], metric: Metric) -> str:
    tables = [
        _table(view, factor, metric, own, index)
        for index, factor in enumerate(view.factors, 1)
        if (own := [level[metric.name] for level in factors[factor.path] if metric.name in level])
    ]
    head = [HEAD, ANY] if any(r"\anychar" in text for text in tables) else [HEAD]
    return "\n\n".join([*head, *tables]) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    safe = "".join(map(_letter, one_line(text)))
    return "{}" + safe if safe.startswith(("[", "*")) else safe


def _letter(c: str) -> str:
    if c in SPECIAL or c.isascii() or c in LETTERS:
        return SPECIAL.get(c, c)
    parts = unicodedata.normalize("NFD", c)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in ACCENTS:
        return c
    name = unicodedata.name(c, "").removeprefix("GREEK SMALL LETTER ").lower().replace("lamda", "lambda")
    return rf"$\{name}$" if name in GREEK else rf"\anychar{{{ord(c):04X}}}"


def _table(view: StudyView, factor: FactorView, metric: Metric, levels: Sequence[Mapping[str, Any]], index: int) -> str:
    """One factor in one metric: level, mean ± sd, published, difference with its interval; bold is told apart."""
    compared, published = (any(pd.notna(row[name]) for row in levels) for name in ("difference", "published"))
    runs = len({int(row["n"]) for row in levels}) > 1 or any(row[name] for row in levels for name in LOST)
    longest, exact = max(len(str(row["label"])) for row in levels), _are_exact(levels)
    heads = [
        _head(factor.name, longest),
        *["runs"] * runs,
        "value" if exact else r"mean $\pm$ sd",
        *["publ."] * published,
    ]
    heads += ["difference" if exact else r"difference [95\,\%]"] * compared
    kinds = ("l" if longest <= LONGEST else r">{\raggedright\arraybackslash}p{" + NARROW + "}") + "r" * (len(heads) - 1)
    texts = [_texts(row, runs=runs, published=published) for row in levels]
    changes = [_change(row) if compared else ("", "") for row in levels]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    widths[0] = min(widths[0], LONGEST)
    beside = sum(widths) + max(len(" ".join(change)) for change in changes) <= COLUMN
    lines = [
        r"\begin{table}",
        r"  \centering\footnotesize\setlength{\tabcolsep}{2pt}",
        rf"  \caption{{{_caption(view, factor, metric, levels, compared)}}}",
        rf"  \label{{tab:{_plain(view.name)}-{_plain(metric.name)}-{index}}}",
        r"  \smallskip",
        rf"  \begin{{tabular}}{{@{{}}{kinds}@{{}}}}",
        r"    \toprule",
        "    " + " & ".join(heads) + r" \\",
        r"    \midrule",
    ]
    for row, cells, (change, ends) in zip(levels, texts, changes, strict=True):
        told = isinstance(row["standing"], str) and row["standing"] in ("better", "worse")
        first, last = escape(change), escape(ends).removeprefix("{}")
        shown = [rf"\textbf{{{first}}}" if told else first, last]
        if compared and row["is_baseline"]:
            shown = [r"\multicolumn{1}{c}{(baseline)}", ""]
        line = [*map(escape, cells), *[" ".join(filter(None, shown[: 1 + beside]))] * compared]
        lines.append("    " + " & ".join(line) + r" \\")
        if shown[1] and not beside:
            lines.append("    " + "& " * len(cells) + "{}" + shown[1] + r" \\")
    lines += [r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]
    return "\n".join(lines)


def _are_exact(levels: Sequence[Mapping[str, Any]]) -> bool:
    standings = [row["standing"] for row in levels if not row["is_baseline"]]
    return bool(standings) and set(standings) == {"exact"}


def _head(name: str, longest: int) -> str:
    """The name of the factor, a word a line where it is longer than its levels' names."""
    words = r"\\".join(escape(word) for word in name.split())
    return escape(name) if len(name) <= longest else rf"\shortstack[l]{{{words}}}"


def _texts(row: Mapping[str, Any], *, runs: bool, published: bool) -> list[str]:
    """What stands before the difference."""
    cells = [str(row["label"]), *[numbers.count_runs(row).partition(" (")[0]] * runs]
    return [
        *cells,
        numbers.spread(row["mean"], row["sd"], row["digits"]),
        *[published_cell(row).replace(" ", "")] * published,
    ]


def _change(row: Mapping[str, Any]) -> tuple[str, str]:
    """The difference and its interval, or that it is exact."""
    change = numbers.signed(row["difference"], row["digits"])
    ends = numbers.interval(row["difference_low"], row["difference_high"], row["digits"])
    return change, "(exact)" if row["standing"] == "exact" else ends


def _caption(
    view: StudyView, factor: FactorView, metric: Metric, levels: Sequence[Mapping[str, Any]], compared: bool
) -> str:
    counts = sorted({int(row["n"]) for row in levels})
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    unit = f" ({metric.unit})" if metric.unit_after else ""
    text = f"{metric.title[:1].upper()}{metric.title[1:]}{unit} by {factor.name} (study {view.name})"
    if _are_exact(levels):
        return escape(f"{text}: it follows from the setting, not from the seed; difference from the baseline.")
    text += f": mean and standard deviation over {seeds} seeds"
    if compared:
        text += "; difference from the baseline, paired by seed, with its 95 % interval of all levels together"
        text += "; bold: told from it at 5 %"
    if any(map(outside, levels)):
        text += f"; {OUTSIDE}: published (publ.), outside the 95 % prediction interval"
    return escape(f"{text}.")


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else "-" for c in name)
