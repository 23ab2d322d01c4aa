"""Everything that there is to say about a folder of pictures, at once."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ablate.images.config import ImageFolder
from ablate.images.data.inspection import inspect
from ablate.images.data.known_files import Inspection
from ablate.images.data.layout import PARTS, Layout, layout_of
from ablate.images.data.listing import Listing, list_folder
from ablate.images.data.picture_names import shown
from ablate.task.errors import ConfigError

DIM = 16
"""Pictures of more than 8 bits of which none reaches this grey value (of 255) after scaling are refused: they were
scaled by another range than their own, and next to nothing of them is left."""

CHANGES = {
    "turned": "turned the way up that their EXIF data say",
    "transparent": "partly transparent, put on a {background} ground (data.background)",
    "sixteen bits": "of 16 bits, scaled by their full range to 8",
    "float": "of floating-point numbers, scaled from 0 (black) to 1 (white)",
}


@dataclass(frozen=True)
class Finding:
    """One thing to say, and of which files."""

    text: str
    paths: tuple[str, ...]
    """Relative to the root; empty: of the folder as a whole."""

    def lines(self) -> list[str]:
        """The finding for people, with the number of files, then each of them."""
        if not self.paths:
            return [self.text]
        return [f"{self.text}: {len(self.paths):,}", *(f"  {shown(path)}" for path in self.paths)]


@dataclass(frozen=True)
class Survey:
    """What is known of a folder."""

    listing: Listing
    layout: Layout | None
    """The layout with a test part; None where the folder cannot be used."""
    inspections: Mapping[str, Inspection] = field(repr=False)
    """The inspections of every picture file, by path."""
    refused: tuple[str, ...]
    """Why it cannot be trained on: whole messages, each file named; empty: it can."""
    left_out: tuple[Finding, ...]
    converted: tuple[Finding, ...]
    """What is read otherwise than it is stored."""
    remarks: tuple[Finding, ...]

    def warnings(self) -> list[str]:
        """What is left out, converted or remarkable, a line each, for those who are about to train on it."""
        groups = {"left out": self.left_out, "converted": self.converted, "note": self.remarks}
        return [
            f"{name}: " + "; ".join(finding.lines()[0] for finding in findings)
            for name, findings in groups.items()
            if findings
        ]


def survey(config: ImageFolder, root: Path, *, decode: bool = True) -> Survey:
    """Look at everything below a folder.

    Args:
        config: Its test fraction, background and sizes.
        root: The folder.
        decode: Whether to decode every picture, which finds all damage.

    Returns:
        All findings; it raises for none of them.

    Raises:
        ConfigError: There is no such folder.
    """
    listing = list_folder(root)
    refused = list(listing.problems)
    layout = None
    try:
        layout = layout_of(listing)
        layout = layout.with_test_part(config.test_fraction)
    except ConfigError as error:
        refused += error.problems
    used = layout.used if layout is not None else listing.files
    inspections = inspect(root, used, config.background, decode=decode)
    refused += refusals(root, inspections)
    left_out = [(entry.path, entry.reason) for entry in (*listing.left_out, *(layout.left_out if layout else ()))]
    return Survey(
        listing,
        layout,
        inspections,
        tuple(refused),
        _grouped(left_out),
        _converted(inspections, config.background),
        (*_remarks(inspections), *_about_folders(listing, layout), *_duplicates(inspections, layout)),
    )


def refusals(root: Path, inspections: Mapping[str, Inspection]) -> list[str]:
    """Every picture that cannot be read, and whether those of more than 8 bits are all but black.

    Args:
        root: The folder.
        inspections: The inspections by path.
    """
    found = [
        f"{shown(root / path)}: {inspection.problem}; repair or remove it"
        for path, inspection in inspections.items()
        if inspection.problem is not None
    ]
    deep = {
        path: inspection.picture
        for path, inspection in inspections.items()
        if inspection.picture is not None and inspection.picture.brightest is not None
    }
    brightest = max((picture.brightest or 0 for picture in deep.values()), default=None)
    if brightest is not None and brightest < DIM:
        found.append(
            f"data.root = {shown(repr(str(root)))}: {len(deep)} pictures have more than 8 bits, and none of them"
            f" reaches more than {brightest} of 255 when scaled by its full range ({shown(next(iter(deep)))}, ...);"
            " save them with values that use the range"
        )
    return found


def _converted(inspections: Mapping[str, Inspection], background: str) -> tuple[Finding, ...]:
    pairs = [
        (path, CHANGES[change].format(background=background))
        for path, inspection in inspections.items()
        if inspection.picture is not None and inspection.problem is None
        for change in inspection.picture.changed
    ]
    return _grouped(pairs)


def _remarks(inspections: Mapping[str, Inspection]) -> tuple[Finding, ...]:
    pairs = [
        (path, remark)
        for path, inspection in inspections.items()
        if inspection.picture is not None
        for remark in inspection.picture.remarks
    ]
    return _grouped(pairs)


def _about_folders(listing: Listing, layout: Layout | None) -> list[Finding]:
    found = []
    if listing.links:
        found.append(Finding("reached through links out of data.root", tuple(listing.links)))
    if layout is None:
        return found
    if layout.split:
        parts = ", ".join(f"{len(pictures):,} to {_USES[part]}" for part, pictures in layout.parts.items())
        found.append(Finding(f"split already: the folder holds its parts ({parts})", ()))
    alike: dict[str, list[str]] = {}
    for name in layout.classes:
        alike.setdefault(unicodedata.normalize("NFC", name).casefold(), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            found.append(Finding("classes whose names differ in nothing but case or accents' spelling", tuple(names)))
    inner = [
        folder
        for folder in listing.folders
        if folder.rpartition("/")[2].lower() in {name for names in PARTS.values() for name in names}
        and (folder.count("/") > 1 or (not layout.split and "/" in folder))
    ]
    if inner:
        found.append(
            Finding("named like parts inside classes: their pictures are used as those of the class", tuple(inner))
        )
    return found


_USES = {"train": "train on", "val": "validate on", "test": "test on"}


def _duplicates(inspections: Mapping[str, Inspection], layout: Layout | None) -> list[Finding]:
    """Files of the same bytes: under two labels one of them is wrong, in two parts the test is not unseen."""
    if layout is None:
        return []
    places = {path: (part, name) for part, pictures in layout.parts.items() for name, path in pictures}
    same: dict[str, list[str]] = {}
    for path, inspection in inspections.items():
        if path in places and inspection.sha256:
            same.setdefault(inspection.sha256, []).append(path)
    groups = [sorted(paths) for paths in same.values() if len(paths) > 1]

    def those(differ: int) -> tuple[str, ...]:
        return tuple(path for paths in groups if len({places[p][differ] for p in paths}) > 1 for path in paths)

    found = [
        Finding("the same picture in several classes: one of the labels is wrong", those(1)),
        Finding("the same picture in several parts (train, val, test): what is measured was learned", those(0)),
    ]
    return [finding for finding in found if finding.paths]


def _grouped(pairs: Iterable[tuple[str, str]]) -> tuple[Finding, ...]:
    """The texts with their paths."""
    groups: dict[str, list[str]] = {}
    for path, text in pairs:
        groups.setdefault(text, []).append(path)
    return tuple(Finding(text, tuple(paths)) for text, paths in groups.items())
