"""Writing the report of a study into its folder: tables, figures, page. The only writer of ``results/``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.report.view import StudyView

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import StudyAnalysis
    from ablate.report.page import Picture


def write_report(
    view: StudyView,
    runs: "pd.DataFrame",
    curves: "pd.DataFrame",
    out: Path,
    *,
    records: "tuple[pd.DataFrame, pd.DataFrame]",
    save_records: Callable[[Path], object] | None = None,
    analysis: "StudyAnalysis | None" = None,
) -> list[Path]:
    """Write everything that a study shows; the same input gives the same bytes.

    Args:
        view: The study.
        runs: The frame of runs: a row a (factor, level, seed).
        curves: The frame of curves: a row a run and epoch.
        out: The study's folder, made where needed.
        records: The study's records as frames: a row a record (with ``error`` and ``provenance.*``), a row an epoch.
        save_records: Writes ``runs.csv`` and ``curves.csv`` into an empty folder, from where they are moved into
            place, in a form from which records can be restored; None: the frames of ``records`` are written.
        analysis: Of ``runs``, where the caller has it already; None: made here.

    Returns:
        The files, in the order in which they were written; ``report.html`` and ``summary.json`` come last.

    Raises:
        AnalysisError: The study file claims something about a level that the study does not have.
        OSError: ``out`` cannot be written.
    """
    from ablate.report.files import write_csv, write_folder, write_text
    from ablate.report.index import study_summary
    from ablate.report.latex import latex
    from ablate.report.page import render_page
    from ablate.report.summary import analyse_study, summarise
    from ablate.report.tables import markdown, wide

    analysis = analysis or analyse_study(view, runs)
    levels = summarise(view, runs, analysis)
    files = [
        *write_folder(out, save_records or (lambda folder: _save_frames(folder, records))),
        write_csv(out / "table.csv", wide(view, levels)),
        write_text(out / "table.md", markdown(view, levels, analysis)),
        write_text(out / "table.tex", latex(view, levels)),
    ]
    names = [path.name for path in files]
    pictures, figures = _write_figures(view, levels, runs, curves, out / "figures")
    files += figures
    page = render_page(view, runs, curves, records, levels, analysis, pictures, names)
    files.append(write_text(out / "report.html", page))
    files.append(write_text(out / "summary.json", study_summary(view, runs, records, analysis)))
    return files


def _write_figures(
    view: StudyView, levels: "pd.DataFrame", runs: "pd.DataFrame", curves: "pd.DataFrame", out: Path
) -> "tuple[list[Picture], list[Path]]":
    """Each figure as a vector, as pixels, and as it stands in the page."""
    from ablate.report import look
    from ablate.report.compose import drawings
    from ablate.report.files import write_bytes
    from ablate.report.page import Picture

    pictures, files = [], []
    for drawing in drawings(view, levels, runs, curves):
        look.settle(drawing.figure)
        vector = look.svg(drawing.figure, drawing.name)
        files.append(write_bytes(out / f"{drawing.name}.svg", vector))
        files.append(write_bytes(out / f"{drawing.name}.png", look.png(drawing.figure)))
        inline = look.inline_svg(vector, drawing.name, drawing.alt)
        pictures.append(Picture(drawing.name, drawing.factor, drawing.title, inline))
    return pictures, files


def _save_frames(folder: Path, records: "tuple[pd.DataFrame, pd.DataFrame]") -> None:
    from ablate.report.files import write_csv

    write_csv(folder / "runs.csv", records[0])
    write_csv(folder / "curves.csv", records[1])
