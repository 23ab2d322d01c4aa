"""A diagnosis on the disk: its page, figures and numbers, and where pages of studies find it again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.report import figure_style as look
from ablate.report.files import write_bytes, write_text
from ablate.task.errors import ConfigError
from ablate.task.plain_json import loads

if TYPE_CHECKING:
    from ablate.report.drawings import Drawing
    from ablate.report.pictures import Picture

FOLDER = "diagnoses"
"""The diagnoses' folder in the folder of results."""
NUMBERS, PAGE = "diagnosis.json", "diagnosis.html"
SHOWN = 12
"""Characters of a digest in the name of a folder."""


@dataclass(frozen=True)
class Found:
    """A diagnosis that lies on the disk, as a page of a study shows it."""

    href: str
    """The address of its own page, from the folder of a study."""
    title: str
    sentences: tuple[str, ...]
    pictures: "tuple[Picture, ...]"


def folder_of(results: Path, digest: str) -> Path:
    """Where the diagnosis of a run belongs."""
    return results / FOLDER / digest[:SHOWN]


def write_diagnosis(
    out: Path,
    numbers: Mapping[str, Any],
    drawings: "Sequence[Drawing]",
    *,
    title: str,
    facts: Sequence[str],
    sentences: Sequence[str],
    classes: Sequence[Mapping[str, Any]],
) -> list[Path]:
    """Write a diagnosis; the page comes last.

    Args:
        out: Its folder.
        numbers: All of it as JSON data.
        drawings: Made within :func:`ablate.report.figure_style.styled`.
        title: The title of the page.
        facts: The facts of the run.
        sentences: What was found.
        classes: A row a class: ``name``, ``support`` and, as text, ``precision``, ``recall`` and ``f1``.
    """
    from ablate.report.pictures import picture_of
    from ablate.report.rendering import render

    files, pictures = [], []
    with look.styled():
        for drawing in drawings:
            picture = picture_of(drawing)
            pictures.append(picture)
            files.append(write_bytes(out / "figures" / f"{picture.name}.svg", picture.vector))
            files.append(write_bytes(out / "figures" / f"{picture.name}.png", picture.pixels))
    figures = [{"name": d.name, "title": d.title, "alt": d.alt} for d in drawings]
    kept = {**numbers, "title": title, "sentences": list(sentences), "figures": figures}
    files.append(write_text(out / NUMBERS, json.dumps(kept, indent=2, ensure_ascii=False, allow_nan=False) + "\n"))
    page = render(
        "diagnosis.html", title=title, facts=facts, sentences=sentences, pictures=_marked(pictures), classes=classes
    )
    return [*files, write_text(out / PAGE, page)]


def found_diagnoses(results: Path, study: Path, digests: Sequence[str]) -> list[Found]:
    """The diagnoses of runs that lie on the disk.

    Args:
        results: Folder of results.
        study: The folder of a study's report, from which pages are linked.
        digests: The digests of its runs, in order.

    Raises:
        ConfigError: One is damaged.
    """
    from ablate.report.pictures import Picture

    found = []
    for digest in digests:
        folder = folder_of(results, digest)
        if not (folder / NUMBERS).exists():
            continue
        try:
            kept = loads((folder / NUMBERS).read_text(encoding="utf-8"))
            if kept["run"] != digest:
                continue
            pictures = []
            for figure in kept["figures"]:
                vector = (folder / "figures" / f"{figure['name']}.svg").read_bytes()
                inline = look.inline_svg(vector, f"{digest[:SHOWN]}-{figure['name']}", figure["alt"])
                pictures.append(Picture(figure["name"], "", figure["title"], figure["alt"], inline, vector, b""))
            up = "../" * len(study.relative_to(results).parts)
            href = f"{up}{FOLDER}/{digest[:SHOWN]}/{PAGE}"
            found.append(Found(href, kept["title"], tuple(kept["sentences"]), tuple(_marked(pictures))))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{folder}: is no diagnosis ({type(error).__name__}: {error}); write it anew with ablate diagnose, or "
                "take the folder away"
            ) from None
    return found


def _marked(pictures: "Sequence[Picture]") -> "list[Picture]":
    from dataclasses import replace

    from markupsafe import Markup

    return [replace(picture, svg=Markup(picture.svg)) for picture in pictures]
