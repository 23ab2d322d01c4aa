"""The sheets of a study as LaTeX tables (packages booktabs and, for wide ones, graphicx)."""

from collections.abc import Sequence

import pandas as pd

from ablate.report.printable import one_line
from ablate.report.tables import Sheet, explanation, sheets
from ablate.report.view import StudyView

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
    "\u03c3": r"$\sigma$",
}


def latex(view: StudyView, levels: pd.DataFrame, printed: Sequence[Sheet] | None = None) -> str:
    """Every sheet (``printed``, where they are made already) as a floating table, to be read in by a paper."""
    head = "% needs \\usepackage{booktabs,graphicx}"
    note = explanation(view, levels)
    return (
        "\n\n".join(
            [head, *(_table(view, sheet, i, note) for i, sheet in enumerate(printed or sheets(view, levels), 1))]
        )
        + "\n"
    )


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    safe = "".join(SPECIAL.get(c, c) for c in one_line(text))
    return "{}" + safe if safe.startswith(("[", "*")) else safe


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
