"""Writing the report of a study into its folder: tables, figures, page. The only writer of ``results/``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.report.view import StudyView

if TYPE_CHECKING:
    import pandas as pd


def write_report(
    view: StudyView,
    runs: "pd.DataFrame",
    curves: "pd.DataFrame",
    out: Path,
    *,
    records: "tuple[pd.DataFrame, pd.DataFrame]",
    save_records: Callable[[Path], object] | None = None,
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

    Returns:
        The files, in the order in which they were written.
    """
    from ablate.report import look
    from ablate.report.compose import drawings
    from ablate.report.files import write_bytes, write_csv, write_folder, write_text
    from ablate.report.latex import latex
    from ablate.report.summary import summarise
    from ablate.report.tables import markdown, wide

    levels = summarise(view, runs)
    files = [
        *write_folder(out, save_records or (lambda folder: _save_frames(folder, records))),
        write_csv(out / "table.csv", wide(view, levels)),
        write_text(out / "table.md", markdown(view, levels)),
        write_text(out / "table.tex", latex(view, levels)),
    ]
    for drawing in drawings(view, levels, runs, curves):
        files.append(write_bytes(out / "figures" / f"{drawing.name}.svg", look.svg(drawing.figure, drawing.name)))
        files.append(write_bytes(out / "figures" / f"{drawing.name}.png", look.png(drawing.figure)))
    return files


def _save_frames(folder: Path, records: "tuple[pd.DataFrame, pd.DataFrame]") -> None:
    from ablate.report.files import write_csv

    write_csv(folder / "runs.csv", records[0])
    write_csv(folder / "curves.csv", records[1])
