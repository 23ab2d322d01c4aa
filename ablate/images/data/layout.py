"""Which class and which part every picture of a folder belongs to."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ablate.images.data.listing import LeftOut, Listing, list_folder
from ablate.images.data.picture_names import ENDINGS, shown
from ablate.task.errors import ConfigError

PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""Names, in any case, of folders that hold a part of a data set which is split already."""

_SPLIT_SEED = "ablate test split 1"
"""Fixed: the test part is the same for every run."""

Picture = tuple[str, str]
"""Class, and path relative to the root."""


@dataclass(frozen=True)
class Layout:
    """A folder's classes and parts."""

    classes: tuple[str, ...]
    """The classes in the order of their labels."""
    parts: Mapping[str, tuple[Picture, ...]]
    """``train``, ``val`` and ``test``, each where there is one: pictures by class, then by path."""
    split: bool
    """Whether the folder itself is split into parts."""
    left_out: tuple[LeftOut, ...] = ()
    """Pictures that lie beside the class folders."""

    @property
    def used(self) -> list[str]:
        """Paths of all its pictures."""
        return [path for pictures in self.parts.values() for _, path in pictures]

    def counts(self, part: str) -> tuple[int, ...]:
        """The number of pictures of each class in a part."""
        totals = dict.fromkeys(self.classes, 0)
        for name, _ in self.parts[part]:
            totals[name] += 1
        return tuple(totals.values())

    def with_test_part(self, fraction: float) -> "Layout":
        """The same with a test part, which is drawn from the training part where the folder does not hold one.

        Args:
            fraction: The fraction of the test part, between 0 and 1.

        Raises:
            ConfigError: A class would have no image in one of the parts.
        """
        if "test" in self.parts:
            return self
        train, test = draw_test_part(self.parts["train"], fraction)
        return replace(self, parts={**self.parts, "train": train, "test": test})


def checked_layout(root: Path, fraction: float | None = None) -> Layout:
    """List a folder and sort its pictures into classes and parts.

    Args:
        root: The folder.
        fraction: The fraction of a test part that the folder does not hold itself; None: no test part is drawn.

    Raises:
        ConfigError: Also where something cannot be listed; see :func:`layout_of`.
    """
    listing = list_folder(root)
    problems = list(listing.problems)
    try:
        layout = layout_of(listing)
        if fraction is not None:
            layout = layout.with_test_part(fraction)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return layout


def layout_of(listing: Listing) -> Layout:
    """Sort a folder's pictures into classes and parts.

    Args:
        listing: What lies below it.

    Raises:
        ConfigError: Lists all that is wrong: fewer than two classes, a class without a picture
            in one of the parts, folders that may be parts as well as classes.
    """
    top = sorted(folder for folder in listing.folders if "/" not in folder)
    parts = {name: part for name in top for part, names in PARTS.items() if name.lower() in names}
    if "train" in parts.values() and len(set(parts.values())) > 1:
        return _split_already(listing, top, parts)
    if len(parts) == len(top) > 1:
        raise ConfigError(f"{_root(listing)}: holds {_names(top)} but no train folder; which part is trained on?")
    return _classes(listing, top)


def _classes(listing: Listing, classes: list[str]) -> Layout:
    files: dict[str, list[str]] = {name: [] for name in classes}
    loose = []
    for path in listing.files:
        name, below, _ = path.partition("/")
        if below:
            files[name].append(path)
        else:
            loose.append(LeftOut(path, "lies beside the class folders"))
    if len(classes) < 2:
        hint = ""
        if classes:
            inner = sum(folder.count("/") == 1 for folder in listing.folders)
            hint = (
                f" (is {shown(repr(classes[0]))}, with {inner} folders in it, the folder of the classes?)"
                if inner
                else ""
            )
        raise ConfigError(
            f"{_root(listing)}: holds {len(classes)} folders; at least two, one a class, are needed{hint}"
        )
    _none_empty(listing, {name: (name, files[name]) for name in classes})
    pictures = tuple((name, path) for name in classes for path in files[name])
    return Layout(tuple(classes), {"train": pictures}, split=False, left_out=tuple(loose))


def _split_already(listing: Listing, top: list[str], parts: dict[str, str]) -> Layout:
    folders = {part: [name for name in top if parts.get(name) == part] for part in PARTS}
    problems = [f"{_root(listing)}: {_names(names)} name the same part" for names in folders.values() if len(names) > 1]
    files: dict[str, dict[str, list[str]]] = {name: {} for name in parts}
    for folder in listing.folders:
        name, _, below = folder.partition("/")
        if name in parts and below and "/" not in below:
            files[name][below] = []
    loose: list[LeftOut] = []
    strangers: dict[str, int] = {}
    for path in listing.files:
        name, _, below = path.partition("/")
        kind, deeper, _ = below.partition("/")
        if name not in parts and below:
            strangers[name] = strangers.get(name, 0) + 1
        elif not deeper:
            loose.append(LeftOut(path, "lies beside the class folders"))
        else:
            files[name][kind].append(path)
    problems += [
        f"{_root(listing)}: holds {_names(list(parts))}, which are parts of a data set that is split already, and "
        f"{shown(repr(name))} with {count} pictures, which is none; move it away, or the parts' names"
        for name, count in strangers.items()
    ]
    problems += [
        f"{shown(listing.root / name)}: is a part of a data set that is split already, but holds no class folders"
        for name in parts
        if not files[name]
    ]
    if problems:
        raise ConfigError(problems)
    by_part = {part: (names[0], files[names[0]]) for part, names in folders.items() if names}
    train_folder, train = by_part["train"]
    classes = sorted(train)
    for part, (folder, own) in by_part.items():
        _none_empty(listing, {name: (f"{folder}/{name}", own[name]) for name in sorted(own)}, problems)
        problems += [
            f"{shown(listing.root / folder / name)}: is a class that {shown(train_folder)}/ does not hold"
            for name in sorted(set(own) - set(classes))
        ]
        if part == "test":
            problems += [
                f"{shown(listing.root / folder)}: lacks the class {shown(repr(name))}"
                for name in classes
                if name not in own
            ]
    if len(classes) < 2:
        problems.append(
            f"{shown(listing.root / train_folder)}: holds {len(classes)} folders; at least two, one a class, are needed"
        )
    if problems:
        raise ConfigError(problems)
    chosen = {
        part: tuple((name, path) for name in classes for path in own.get(name, ()))
        for part, (_, own) in by_part.items()
    }
    return Layout(tuple(classes), chosen, split=True, left_out=tuple(loose))


def draw_test_part(pictures: Sequence[Picture], fraction: float) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
    """Split every class.

    The test part is drawn by the order of a seeded hash of each file's relative path: it depends neither on the
    folder's place nor on a library's random generator, and a file that is added moves few others.

    Args:
        pictures: The pictures by class.
        fraction: The fraction of the test part, between 0 and 1.

    Returns:
        The training and the test part, in the order of ``pictures``.

    Raises:
        ConfigError: A class would have no image in one of the parts.
    """
    files: dict[str, list[str]] = {}
    for name, path in pictures:
        files.setdefault(name, []).append(path)
    drawn: set[str] = set()
    problems = []
    for name, paths in files.items():
        count = math.floor(len(paths) * fraction + 0.5)
        if not 1 <= count < len(paths):
            part = "test" if count < 1 else "training"
            problems.append(
                f"data.test_fraction = {fraction}: leaves class {shown(repr(name))} ({len(paths)} images) no {part} "
                "image; every class needs one in each part"
            )
        drawn.update(sorted(paths, key=_rank)[:count])
    if problems:
        raise ConfigError(problems)
    train = tuple(picture for picture in pictures if picture[1] not in drawn)
    return train, tuple(picture for picture in pictures if picture[1] in drawn)


def _rank(path: str) -> str:
    return hashlib.sha256(f"{_SPLIT_SEED}/{path}".encode(errors="surrogateescape")).hexdigest()


def _none_empty(
    listing: Listing, classes: Mapping[str, tuple[str, list[str]]], problems: list[str] | None = None
) -> None:
    """Note each class that holds no picture, with what it holds instead; without a list to note it in, raise."""
    found = [
        f"{shown(listing.root / folder)}: the class holds no image; its files must end in one of {' '.join(ENDINGS)}"
        + _instead(listing, folder)
        for folder, files in classes.values()
        if not files
    ]
    if problems is not None:
        problems += found
    elif found:
        raise ConfigError(found)


def _instead(listing: Listing, folder: str) -> str:
    reasons: dict[str, int] = {}
    for entry in listing.left_out:
        if entry.path.startswith(f"{folder}/"):
            reasons[entry.reason] = reasons.get(entry.reason, 0) + 1
    return f" (it holds {', '.join(f'{n} of {reason}' for reason, n in reasons.items())})" if reasons else ""


def _root(listing: Listing) -> str:
    return f"data.root = {shown(repr(str(listing.root)))}"


def _names(names: list[str]) -> str:
    return " and ".join(f"{shown(name)}/" for name in names)
