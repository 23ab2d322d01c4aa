"""The sheets of a study as LaTeX tables (packages booktabs and, for wide ones, graphicx)."""

import unicodedata
from collections.abc import Sequence

import pandas as pd

from ablate.report.tables import Sheet, explanation, sheets
from ablate.report.view import StudyView
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
HEAD = r"% needs \usepackage{booktabs,graphicx}"
ANY = r'\providecommand{\anychar}[1]{\ifdefined\Umathchar\char"#1\relax\else U+#1\fi}'
"""A character that pdfLaTeX does not know is printed by its number there, by itself in XeLaTeX and LuaLaTeX."""


def latex(view: StudyView, levels: pd.DataFrame, printed: Sequence[Sheet] | None = None) -> str:
    """Every sheet (``printed``, where they are made already) as a floating table, to be read in by a paper."""
    note = explanation(view, levels)
    tables = [_table(view, sheet, i, note) for i, sheet in enumerate(printed or sheets(view, levels), 1)]
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


def _table(view: StudyView, sheet: Sheet, index: int, note: str) -> str:
    lines = [
        r"\begin{table}",
        r"  \centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"  \caption{{Study {escape(view.name)}. {escape(sheet.title)}.{' ' + escape(note) if index == 1 else ''}}}",
        rf"  \label{{tab:{''.join(c if c.isalnum() and c.isascii() else '-' for c in view.name)}-{index}}}",
        r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"  \begin{{tabular}}{{l{'r' * (len(sheet.columns) - 1)}}}",
        r"    \toprule",
        "    " + _groups(sheet),
        "    " + _row(sheet.columns),
        r"    \midrule",
    ]
    for i, row in enumerate(sheet.rows):
        cells = [escape(cell) for cell in row]
        lines.append(
            "    " + " & ".join([rf"\textbf{{{cells[0]}}}", *cells[1:]] if i in sheet.emphasised else cells) + r" \\"
        )
    lines += [r"    \bottomrule", r"  \end{tabular}}", r"\end{table}"]
    return "\n".join(lines)


def _groups(sheet: Sheet) -> str:
    """The row of headings that span columns, with a rule below each."""
    cells, rules, column = [], [], 1
    for heading, span in sheet.groups:
        cells.append(rf"\multicolumn{{{span}}}{{c}}{{{escape(heading)}}}" if heading else "&" * (span - 1))
        if heading:
            rules.append(rf"\cmidrule(lr){{{column}-{column + span - 1}}}")
        column += span
    return " & ".join(cells) + r" \\ " + " ".join(rules)


def _row(cells: tuple[str, ...]) -> str:
    return " & ".join(escape(cell) for cell in cells) + r" \\"
