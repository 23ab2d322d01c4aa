"""Picture folders of every shape, made at random, and the property that each of them has to have.

Every file below the root is either used as the rule says (its pixels are those that were put in) or named, left out or
refused, with a reason; nothing else happens: no exception but one that lists what is refused, no waiting.
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from ablate.images.config import ImageFolder
from ablate.images.data.facts import facts, prepared
from ablate.images.data.fingerprint import content_digest
from ablate.images.data.image_folder import FolderSource
from ablate.images.data.picture_names import FORMATS
from ablate.images.data.survey import Survey, survey
from ablate.task.errors import ConfigError
from benchmarks.picture_items import ANY, DAMAGED, LEFT_OUT, PICTURES, REFUSED, SIDE, USED, Item, flipped, write

NAMES = (
    *(
        b"ant",
        b"bee",
        b"Cat",
        b"dog 2",
        b"caf\xc3\xa9",
        b"cafe\xcc\x81",
        b"\xff\xfe",
        b"new\nline",
        b"-rf",
        b"[red]x",
    ),
    *(b"%s{0}", b"ANT", b"a" * 200, b"'quote\"", b"\xe2\x80\xae reversed", b"1", b"null", b"train", b"~", b"x.png"),
)
HIDDEN = (
    b".ipynb_checkpoints",
    b".DS_Store",
    b"._a.png",
    b"__MACOSX",
    b"Thumbs.db",
    b"desktop.ini",
    b".hidden.jpg",
    b"@eaDir",
)
OTHER = (
    b"notes.txt",
    b"labels.csv",
    b"README",
    b"a.heic",
    b"b.svg",
    b"c.npy",
    b"png",
    b"d.png.bak",
    b"e.PSD",
    b"f.",
    b"g.tar.gz",
)
ENDINGS = tuple(ending.encode() for endings in FORMATS.values() for ending in endings)
DEEPER = (b"more", b"Test", b"val", b"a b", b"x" * 60)


@dataclass
class Folder:
    """A folder as it was made."""

    root: Path
    items: list[Item] = field(default_factory=list)
    classes: tuple[bytes, ...] = ()
    split: bool = False


def make_folder(random: Random, root: Path, outside: Path) -> Folder:
    """Make a folder that is usable but for the items that are to be refused.

    Args:
        random: Where every choice comes from.
        root: Where; must not exist.
        outside: A folder of its own for what links lead to; must not exist.
    """
    place = os.fsencode(root)
    outside.mkdir()
    (outside / "none").mkdir()
    classes = tuple(random.sample(NAMES, random.randint(2, 4)))
    made = Folder(root, classes=classes, split=random.random() < 0.3)
    parts = [b""]
    if made.split:
        parts = [random.choice([b"train/", b"Training/", b"TRAIN/"]), random.choice([b"test/", b"Testing/"])]
        parts += [random.choice([b"val/", b"Validation/"])] if random.random() < 0.5 else []
    tops = [part + name + b"/" for part in parts for name in classes]
    for top in tops:
        for i in range(1 if made.split else 4):
            _picture(made, random, place, top, b"base%d" % i)
    for i in range(random.randint(0, 25)):
        _more(made, random, place, os.fsencode(outside), random.choice([*tops, *tops, *parts, b""]), i, tops)
    return made


def check(made: Folder) -> Survey:
    """Hold a folder against the property; what is refused is then removed, and the rest must be loadable.

    Raises:
        AssertionError: It has not got it.
    """
    config = ImageFolder(root=str(made.root), stored=SIDE, test_fraction=0.4)
    found = survey(config, made.root)
    _check_outcomes(made, found)
    if found.refused:
        _check_refused(config, found)
        refused = _refused(made, found)
        for path in refused:
            os.unlink(made.root / path)
        made.items = [item for item in made.items if os.fsdecode(item.path) not in refused]
        found = survey(config, made.root)
        assert not found.refused, found.refused
    (ready,) = prepared([config])
    _check_pixels(made, FolderSource(ready), found)
    assert facts(config).train == len(found.layout.parts["train"])
    copy = made.root.parent / "copy"
    unused = {path.rstrip("/") for finding in found.left_out for path in finding.paths}
    shutil.copytree(made.root, copy, symlinks=True, ignore=lambda folder, names: _among(unused, made, folder, names))
    assert content_digest(copy) == ready.content
    return found


def _picture(made: Folder, random: Random, place: bytes, top: bytes, stem: bytes) -> None:
    kind = random.choice(PICTURES)
    content, pixels, tolerance = kind(random)
    ending = random.choice(ENDINGS)
    path = top + stem + (ending.upper() if random.random() < 0.3 else ending)
    write(place, path, content)
    made.items.append(Item(path, USED, pixels, tolerance, kind.__name__))


def _more(
    made: Folder, random: Random, place: bytes, outside: bytes, top: bytes, number: int, tops: list[bytes]
) -> None:
    """One more item of any kind."""
    in_class = top in tops
    deep = b"".join(random.choice(DEEPER) + b"/" for _ in range(random.choice([0, 0, 0, 1, 3]))) if in_class else b""
    stem = b"i%d" % number + random.choice([b"", b"", b"", b" x", b"\xe9", b"\n", b"[b]", b"y" * 150])
    path = top + deep + stem
    os.makedirs(os.path.join(place, top + deep), exist_ok=True)
    kind = random.choice(["picture"] * 3 + ["damaged", "flipped", "hidden", "other", "special", "link", "link"])
    if kind in ("damaged", "flipped", "picture") and not in_class:
        kind = random.choice(["hidden", "other", "special", "link"])
    named = random.choice(ENDINGS)
    if kind == "picture":
        _picture(made, random, place, top + deep, stem)
    elif kind == "damaged":
        how = random.choice(DAMAGED)
        write(place, path + named, how(random))
        made.items.append(Item(path + named, REFUSED, kind=how.__name__))
    elif kind == "flipped":
        write(place, path + named, flipped(random))
        made.items.append(Item(path + named, ANY, kind="flipped"))
    elif kind == "hidden":
        name = random.choice(HIDDEN)
        below = name + random.choice([b"", b"/0.png", b"/deep/0.png"])
        if not os.path.lexists(os.path.join(place, top + deep + name)):
            write(place, top + deep + below, PICTURES[0](random)[0])
            made.items.append(Item(top + deep + below, LEFT_OUT, kind="hidden"))
    elif kind == "other":
        other = random.choice(OTHER)
        path += b"." + other.rpartition(b".")[2] if b"." in other and random.random() < 0.5 else other
        write(place, path, random.choice([b"", b"x", PICTURES[0](random)[0]]))
        made.items.append(Item(path, LEFT_OUT, kind="other"))
    elif kind == "special":
        os.mkfifo(os.path.join(place, path + named))
        made.items.append(Item(path + named, LEFT_OUT, kind="fifo"))
    else:
        _link(made, random, place, outside, path, named, in_class)


def _link(
    made: Folder, random: Random, place: bytes, outside: bytes, path: bytes, named: bytes, in_class: bool
) -> None:
    os.makedirs(os.path.dirname(os.path.join(place, path)), exist_ok=True)
    kind = random.choice(["own", "up", "device", "file", "nowhere", "circle", "outside", "slash"])
    pictures = [item for item in made.items if item.outcome == USED and item.kind != "outside"]
    outcome, target, pixels = LEFT_OUT, place, None
    name = path + (b"" if kind in ("own", "up", "slash") else named)
    if kind == "up":
        target = os.path.dirname(place)
    elif kind == "slash":
        target = b"/"
    elif kind == "device":
        target = random.choice([b"/dev/zero", b"/dev/null", b"/dev/random"])
    elif kind == "file":
        target = os.path.join(place, random.choice(pictures).path)
    elif kind == "nowhere":
        target, outcome = os.path.join(outside, b"none", b"x"), REFUSED
    elif kind == "circle":
        target, outcome = os.path.join(place, name), REFUSED
    elif kind == "outside":
        if not in_class:
            return
        content, pixels, tolerance = random.choice(PICTURES)(random)
        target, outcome = os.path.join(outside, b"%d.png" % len(made.items)), USED
        Path(os.fsdecode(target)).write_bytes(content)
        os.symlink(target, os.path.join(place, name))
        made.items.append(Item(name, outcome, pixels, tolerance, "outside"))
        return
    os.symlink(target, os.path.join(place, name))
    made.items.append(Item(name, outcome, pixels, kind=f"link: {kind}"))


def _refused(made: Folder, found: Survey) -> set[str]:
    """Paths of the items that a refusal names.

    A folder whose pictures of more than 8 bits are all but black is refused as a whole: here only where all of those
    were damaged, as others hold white.
    """
    from ablate.images.data.picture_names import shown

    whole = [problem for problem in found.refused if "none of them reaches more than" in problem]
    assert not whole or not any(item.kind in ("sixteen", "floating") for item in made.items if item.outcome == USED)
    damaged = {os.fsdecode(item.path) for item in made.items if item.outcome == ANY} if whole else set()
    assert damaged or not whole
    named = {f"{shown(made.root / os.fsdecode(item.path))}: ": os.fsdecode(item.path) for item in made.items}
    single = [problem for problem in found.refused if problem not in whole]
    hits = [[path for start, path in named.items() if problem.startswith(start)] for problem in single]
    assert all(len(hit) == 1 for hit in hits), found.refused
    return {path for hit in hits for path in hit} | damaged


def _check_outcomes(made: Folder, found: Survey) -> None:
    left_out = {path for finding in found.left_out for path in finding.paths}
    refused = _refused(made, found)
    assert found.layout is not None, found.refused
    assert {os.fsencode(name) for name in found.layout.classes} == set(made.classes)
    assert found.layout.split == made.split
    used = set(found.layout.used) - refused
    for item in made.items:
        path = os.fsdecode(item.path)
        above = {path[: i + 1] for i, letter in enumerate(path) if letter == "/"}
        outcomes = [
            name
            for name, holds in (
                (USED, path in used),
                (LEFT_OUT, path in left_out or above & left_out),
                (REFUSED, path in refused),
            )
            if holds
        ]
        assert len(outcomes) == 1, (item, outcomes)
        assert item.outcome in (outcomes[0], ANY), (item, outcomes, found.refused)
        if item.outcome == ANY:
            assert outcomes[0] != LEFT_OUT, item
    known = {os.fsdecode(item.path) for item in made.items}
    assert used <= known, used - known


def _check_refused(config: ImageFolder, found: Survey) -> None:
    # A link to nowhere stops the reading before the pictures are opened.
    listed = set(found.listing.problems)
    source = FolderSource(config)
    for action, expected in ((source.verify, set(found.refused)), (source.read, listed or set(found.refused))):
        try:
            action()
            problems = set()
        except ConfigError as error:
            problems = set(error.problems)
        assert problems == expected, (action.__name__, problems ^ expected)


def _check_pixels(made: Folder, source: FolderSource, found: Survey) -> None:
    arrays = source.read()
    assert found.layout is not None
    for part, pixels, labels in (
        ("train", arrays.train_images, arrays.train_labels),
        ("test", arrays.test_images, arrays.test_labels),
        ("val", arrays.val_images, arrays.val_labels),
    ):
        pictures = found.layout.parts.get(part, ())
        assert (pixels is None and not pictures) or len(pixels) == len(pictures)
        items = {os.fsdecode(item.path): item for item in made.items}
        for row, (name, path) in enumerate(pictures):
            assert pixels is not None
            assert labels is not None
            assert arrays.classes[labels[row]] == name
            assert path.split("/")[1 if made.split else 0] == name
            item = items[path]
            if item.pixels is not None:
                difference = np.abs(pixels[row].transpose(1, 2, 0) - item.pixels)
                wrong = difference.mean() if item.tolerance > 1 else difference.max()
                assert wrong <= item.tolerance, (item, wrong)


def _among(paths: set[str], made: Folder, folder: str, names: list[str]) -> list[str]:
    below = os.path.relpath(folder, made.root)
    return [name for name in names if os.path.normpath(os.path.join(below, name)) in paths]
