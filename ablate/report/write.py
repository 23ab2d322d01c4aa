"""Writing the report of a study into its folder: tables, figures, page. The only writer of ``results/``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.report.view import StudyView

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import StudyAnalysis
    from ablate.report.diagnosis import Found
    from ablate.report.drawings import Drawing
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
    drawn: "dict[str, list[Picture]] | None" = None,
    diagnoses: "Sequence[Found]" = (),
) -> list[Path]:
    """Write everything that a study shows; the same input gives the same bytes.

    Args:
        view: The study.
        runs: The frame of runs: a row a (factor, level, seed).
        curves: The frame of curves: a row a run and step.
        out: The study's folder, made where needed.
        records: The study's records as frames: a row a record (with ``error`` and ``provenance.*``), a row a step.
        save_records: Writes ``runs.csv`` and ``curves.csv`` into an empty folder, from where they are moved into
            place, in a form from which records can be restored; None: the frames of ``records`` are written.
        analysis: The analysis of ``runs``, where the caller has it already; None: made here.
        drawn: Figures by what they show; those of other studies are taken from here and new ones put in. A study and
            a union that includes it share most of theirs, and drawing is what takes the time. None: nothing is shared.
        diagnoses: The diagnoses of runs of the study, from :func:`ablate.report.diagnosis.found_diagnoses`.

    Returns:
        The files, in the order in which they were written; ``report.html`` and ``summary.json`` come last.

    Raises:
        AnalysisError: The study file claims something about a level that the study does not have.
        OSError: ``out`` cannot be written.
    """
    from ablate.report.files import write_bytes, write_csv, write_folder, write_text
    from ablate.report.index import study_summary
    from ablate.report.latex import latex_tables
    from ablate.report.methods import methods_files
    from ablate.report.page import render_page
    from ablate.report.summary import analyse_study, summarise
    from ablate.report.tables import markdown, sheets, wide

    analysis = analysis or analyse_study(view, runs)
    levels = summarise(view, runs, analysis)
    printed = sheets(view, levels)
    files = [
        *write_folder(out, save_records or (lambda folder: _save_frames(folder, records))),
        write_csv(out / "table.csv", wide(view, levels)),
        write_text(out / "table.md", markdown(view, levels, analysis, printed)),
        *(write_text(out / f"{name}.tex", text) for name, text in latex_tables(view, levels).items()),
        *(write_text(out / name, text) for name, text in methods_files(view, runs, records[0], analysis).items()),
    ]
    names = [path.name for path in files]
    pictures = _pictures(view, levels, runs, curves, {} if drawn is None else drawn)
    for picture in pictures:
        files.append(write_bytes(out / "figures" / f"{picture.name}.svg", picture.vector))
        files.append(write_bytes(out / "figures" / f"{picture.name}.pdf", picture.printed))
        files.append(write_bytes(out / "figures" / f"{picture.name}.png", picture.pixels))
    page = render_page(view, runs, curves, records, levels, analysis, pictures, names, diagnoses)
    files.append(write_text(out / "report.html", page))
    files.append(write_text(out / "summary.json", study_summary(view, runs, records, levels, analysis)))
    return files


def _pictures(
    view: StudyView,
    levels: "pd.DataFrame",
    runs: "pd.DataFrame",
    curves: "pd.DataFrame",
    drawn: "dict[str, list[Picture]]",
) -> "list[Picture]":
    """The figures of the study, then those of each factor that are not drawn yet or were drawn for another study."""
    from ablate.report import figure_style as look
    from ablate.report.drawings import factor_drawings, study_drawings
    from ablate.report.factor_figures_data import subjects

    with look.styled():
        pictures = [picture_of(drawing) for drawing in study_drawings(view, levels)]
        for subject in subjects(view, levels, runs, curves):
            if subject.key not in drawn:
                drawn[subject.key] = [picture_of(drawing) for drawing in factor_drawings(subject)]
            pictures += drawn[subject.key]
    return pictures


def picture_of(drawing: "Drawing") -> "Picture":
    """A drawing in all its forms; call it within :func:`ablate.report.figure_style.styled`."""
    from ablate.report import figure_style as look
    from ablate.report.page import Picture

    look.settle(drawing.figure)
    vector = look.svg(drawing.figure, drawing.name)
    inline = look.inline_svg(vector, drawing.name, drawing.alt)
    forms = vector, look.pdf(drawing.figure), look.png(drawing.figure)
    return Picture(drawing.name, drawing.factor, drawing.title, inline, *forms)


def _save_frames(folder: Path, records: "tuple[pd.DataFrame, pd.DataFrame]") -> None:
    from ablate.report.files import write_csv

    write_csv(folder / "runs.csv", records[0])
    write_csv(folder / "curves.csv", records[1])
