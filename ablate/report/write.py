"""Writing the report of a study into its folder: tables, figures, page. The only writer of ``results/``."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.report.view import StudyView

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import StudyAnalysis
    from ablate.report.diagnosis import Found
    from ablate.report.pictures import Picture


@dataclass(frozen=True)
class Begun:
    """A report of which all is written but figures, page and summary."""

    view: StudyView
    runs: "pd.DataFrame"
    curves: "pd.DataFrame"
    out: Path
    records: "tuple[pd.DataFrame, pd.DataFrame]"
    analysis: "StudyAnalysis"
    levels: "pd.DataFrame"
    """From :func:`ablate.report.summary.summarise`."""
    files: tuple[Path, ...]
    """Those that are written."""
    drawn: "Mapping[str, Sequence[Picture]]" = field(default_factory=dict)
    """Figures that are drawn already, from :func:`draw_own`."""


def write_report(
    view: StudyView,
    runs: "pd.DataFrame",
    curves: "pd.DataFrame",
    out: Path,
    *,
    records: "tuple[pd.DataFrame, pd.DataFrame]",
    save_records: Callable[[Path], object] | None = None,
    analysis: "StudyAnalysis | None" = None,
    beside: Sequence[Path] = (),
    with_pdf: bool = False,
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
        beside: Folders of studies whose figures may be taken over: a study and a union that includes it share most of
            theirs.
        with_pdf: Write each figure as PDF, too; those that are there are kept up to date in any case.
        diagnoses: The diagnoses of runs of the study, from :func:`ablate.report.diagnosis.found_diagnoses`.

    Returns:
        The files, in the order in which they were written; ``report.html`` and ``summary.json`` come last.

    Raises:
        AnalysisError: The study file claims something about a level that the study does not have.
        OSError: ``out`` cannot be written.
    """
    begun = begin_report(view, runs, curves, out, records=records, save_records=save_records, analysis=analysis)
    return finish_report(begun, beside=beside, with_pdf=with_pdf, diagnoses=diagnoses)


def begin_report(
    view: StudyView,
    runs: "pd.DataFrame",
    curves: "pd.DataFrame",
    out: Path,
    *,
    records: "tuple[pd.DataFrame, pd.DataFrame]",
    save_records: Callable[[Path], object] | None = None,
    analysis: "StudyAnalysis | None" = None,
) -> Begun:
    """Analyse a study and write its records and tables; arguments and errors: see :func:`write_report`."""
    from ablate.report.files import write_csv, write_folder, write_text
    from ablate.report.latex import latex_tables
    from ablate.report.methods import methods_files
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
    return Begun(view, runs, curves, out, records, analysis, levels, tuple(files))


def finish_report(
    begun: Begun, *, beside: Sequence[Path] = (), with_pdf: bool = False, diagnoses: "Sequence[Found]" = ()
) -> list[Path]:
    """Write figures, page and summary of a report; arguments, result and errors: see :func:`write_report`."""
    from ablate.report.files import write_text
    from ablate.report.index import study_summary
    from ablate.report.page import render_page
    from ablate.report.pictures import keep_pictures, study_pictures, write_pictures

    view, runs, levels, files = begun.view, begun.runs, begun.levels, list(begun.files)
    names = [path.name for path in files]
    folders = [folder / "figures" for folder in (begun.out, *beside)]
    drawn = study_pictures(view, levels, runs, begun.curves, folders, with_pdf=with_pdf, drawn=begun.drawn)
    pictures = [picture for of_subject in drawn.values() for picture in of_subject]
    files += write_pictures(pictures, folders[0])
    keep_pictures(drawn, folders[0])
    page = render_page(view, runs, begun.curves, begun.records, levels, begun.analysis, pictures, names, diagnoses)
    files.append(write_text(begun.out / "report.html", page))
    summary = study_summary(view, runs, begun.records, levels, begun.analysis)
    files.append(write_text(begun.out / "summary.json", summary))
    return files


def draw_own(begun: Begun, *, with_pdf: bool = False) -> Begun:
    """Draw ahead what of a report's figures is about the whole study; :func:`finish_report` writes it."""
    from ablate.report.pictures import study_pictures

    folders = [begun.out / "figures"]
    told = (begun.view, begun.levels, begun.runs, begun.curves)
    return replace(begun, drawn=study_pictures(*told, folders, with_pdf=with_pdf, with_factors=False))


@contextmanager
def ready_to_write() -> Iterator[None]:
    """Within it all that reports are computed, drawn and written with is loaded, for copies of this process, too.

    Text in frames is Python's own, whether or not pyarrow is installed: frames are small, and one text after the other
    is taken out of them.
    """
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401
    import pandas as pd

    from ablate.report import drawings, latex, methods, page, pictures, summary, tables  # noqa: F401

    gc.freeze()  # what is loaded is no garbage: copies of this process share it, and none looks through it
    try:
        with pd.option_context("mode.string_storage", "python"):
            yield
    finally:
        gc.unfreeze()


def _save_frames(folder: Path, records: "tuple[pd.DataFrame, pd.DataFrame]") -> None:
    from ablate.report.files import write_csv

    write_csv(folder / "runs.csv", records[0])
    write_csv(folder / "curves.csv", records[1])
