"""The figures of a study in all their forms: drawn where what they show is new, else taken over from the folder.

Drawing is what takes the time of a report. Beside its figures a folder keeps, for each digest of what is drawn and of
the code that draws it, which files were made of it and their own digests: equal content is not drawn twice, whether for
the same study or for a union that includes it, and a file that was changed or lost is drawn again.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.report.processes import in_processes
from ablate.report.view import StudyView
from ablate.task.code_digest import code_digest
from ablate.task.kept_results import keep, read_kept

if TYPE_CHECKING:
    import pandas as pd

    from ablate.report.drawings import Drawing

STAGES, PACKAGES = ("task", "analyse", "report"), ("matplotlib", "numpy", "pandas", "scipy")
"""What draws, and what it computes and draws with."""

KEPT = ".drawn.json"
"""The file that says of what the figures beside it were drawn."""

FOREST = ("factor", "label", "metric", "is_baseline", "difference", "difference_low", "difference_high", "digits")
"""Columns of the summary that the forest plot reads, beside ``standing``."""


@dataclass(frozen=True)
class Picture:
    """A figure in all its forms."""

    name: str
    factor: str
    title: str
    alt: str
    """What it shows, in words."""
    svg: str
    """Markup, as it stands in the page."""
    vector: bytes
    """An SVG file."""
    pixels: bytes
    """A PNG file."""
    printed: bytes | None = None
    """A PDF file, as wide as a column of a paper; None: none was asked for."""


@dataclass(frozen=True)
class _Kept:
    """What a folder's list says of one figure."""

    name: str
    factor: str
    title: str
    alt: str
    vector: str
    """SHA-256 of its SVG file."""
    pixels: str
    """SHA-256 of its PNG file."""


def study_pictures(
    view: StudyView,
    levels: "pd.DataFrame",
    runs: "pd.DataFrame",
    curves: "pd.DataFrame",
    folders: Sequence[Path],
    *,
    with_pdf: bool = False,
    with_factors: bool = True,
    drawn: Mapping[str, Sequence[Picture]] | None = None,
) -> "dict[str, Sequence[Picture]]":
    """The figures of the study, then those of each factor.

    Args:
        view: The study.
        levels: The levels from :func:`ablate.report.summary.summarise`.
        runs: The frame of runs.
        curves: The frame of curves.
        folders: Where figures may lie already: the study's own folder of figures first, then those of other studies.
        with_pdf: Draw PDF, too. Those that lie in the own folder are drawn in any case: none is older than its study.
        with_factors: Whether the figures of factors are wanted, too.
        drawn: What this function has returned of them already.

    Returns:
        Pictures by the digest of what they show, in order.
    """
    from ablate.report import figure_style as look
    from ablate.report.drawings import Drawer, factor_drawers, study_drawers
    from ablate.report.factor_figures_data import subjects

    about: dict[str, Callable[[], list[Drawer]]] = {_forest_key(view, levels): partial(study_drawers, view, levels)}
    for subject in subjects(view, levels, runs, curves) if with_factors else ():
        about[_key("factor", subject.key)] = partial(factor_drawers, subject)
    taken = {key: (drawn or {}).get(key) or _taken(key, folders, with_pdf=with_pdf) for key in about}
    drawers = {key: about[key]() for key, found in taken.items() if found is None}

    def draw(drawer: Drawer) -> Picture:
        with look.styled():
            drawing = drawer()
            return picture_of(drawing, with_pdf=with_pdf or _has_pdf(folders[0], drawing.name))

    done = iter(in_processes([partial(draw, drawer) for of_key in drawers.values() for drawer in of_key]))
    made = {key: [next(done) for _ in of_key] for key, of_key in drawers.items()}
    return {key: made[key] if found is None else found for key, found in taken.items()}


def picture_of(drawing: "Drawing", *, with_pdf: bool = False) -> Picture:
    """A drawing in all its forms; call it within :func:`ablate.report.figure_style.styled`."""
    from ablate.report import figure_style as look

    look.settle(drawing.figure)
    vector = look.svg(drawing.figure, drawing.name)
    return Picture(
        *(drawing.name, drawing.factor, drawing.title, drawing.alt),
        svg=look.inline_svg(vector, drawing.name, drawing.alt),
        vector=vector,
        pixels=look.png(drawing.figure),
        printed=look.pdf(drawing.figure) if with_pdf else None,
    )


def write_pictures(pictures: Iterable[Picture], folder: Path) -> list[Path]:
    """Write figures in all their forms; returns the files.

    Raises:
        OSError: The folder cannot be written.
    """
    from ablate.report.files import write_bytes

    files = []
    for picture in pictures:
        for ending, content in (("svg", picture.vector), ("pdf", picture.printed), ("png", picture.pixels)):
            if content is not None:
                files.append(write_bytes(folder / f"{picture.name}.{ending}", content))
    return files


def keep_pictures(pictures: Mapping[str, Sequence[Picture]], folder: Path) -> None:
    """Keep beside the figures in a folder of what they were drawn; see :func:`study_pictures`."""
    kept = {
        key: [asdict(_Kept(p.name, p.factor, p.title, p.alt, _digest(p.vector), _digest(p.pixels))) for p in of_key]
        for key, of_key in pictures.items()
    }
    keep(folder / KEPT, KEPT, kept)


def _taken(key: str, folders: Sequence[Path], *, with_pdf: bool) -> list[Picture] | None:
    """The figures of a digest as they lie in one of the folders; None: in none, or not in every form."""
    for folder in folders:
        found = _read(folder, key)
        if found is not None and all(
            picture.printed is not None or not (with_pdf or _has_pdf(folders[0], picture.name)) for picture in found
        ):
            return found
    return None


def _has_pdf(folder: Path, name: str) -> bool:
    return (folder / f"{name}.pdf").exists()


def _read(folder: Path, key: str) -> list[Picture] | None:
    from ablate.report.figure_style import inline_svg

    pictures = []
    try:
        kept = [_Kept(**fields) for fields in read_kept(folder / KEPT, KEPT)[key]]
        for one in kept:
            vector, pixels = ((folder / f"{one.name}.{ending}").read_bytes() for ending in ("svg", "png"))
            if (_digest(vector), _digest(pixels)) != (one.vector, one.pixels):
                return None
            printed = folder / f"{one.name}.pdf"
            pictures.append(
                Picture(
                    *(one.name, one.factor, one.title, one.alt),
                    svg=inline_svg(vector, one.name, one.alt),
                    vector=vector,
                    pixels=pixels,
                    printed=printed.read_bytes() if printed.exists() else None,
                )
            )
    except (OSError, ValueError, KeyError, TypeError):  # none, or not one of ours: drawn anew
        return None
    return pictures


def _forest_key(view: StudyView, levels: "pd.DataFrame") -> str:
    own = levels[levels["metric"] == view.metric.name]
    columns = [name for name in (*FOREST, "standing") if name in own]
    words = (view.metric, [(factor.path, factor.name) for factor in view.factors])
    return _key("forest", repr(words), own[columns].to_csv(index=False))


def _key(*words: Any) -> str:
    return _digest(json.dumps([*words, code_digest(STAGES, PACKAGES)]).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
