"""Everything that is wrong, left out or converted in a folder is said at once."""

import errno
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from ablate.images.config import ImageFolder
from ablate.images.data import content_digest, describe, lines, load, verify
from ablate.images.data.survey import survey
from ablate.task.errors import ConfigError

CPU = torch.device("cpu")
RNG = np.random.default_rng(5)


def save(path, image=None, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = image if image is not None else Image.fromarray(RNG.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    image.save(path, **more)


@pytest.fixture
def root(tmp_path):
    """Two classes of five sound pictures."""
    for name in ("ant", "bee"):
        for i in range(5):
            save(tmp_path / "root" / name / f"{i}.png")
    return tmp_path / "root"


def found(root, **fields):
    return survey(ImageFolder(root=str(root), stored=8, **fields), root)


def texts(findings):
    return {finding.text: finding.paths for finding in findings}


def refused(root, **fields):
    config = ImageFolder(root=str(root), stored=8, **fields)
    with pytest.raises(ConfigError) as verified:
        verify(config)
    with pytest.raises(ConfigError) as loaded:
        load(config, CPU)
    assert sorted(loaded.value.problems) == sorted(verified.value.problems)
    return verified.value.problems


def test_a_sound_folder_has_nothing_to_say(root):
    survey = found(root)
    assert not survey.refused
    assert survey.warnings() == []


def test_every_damaged_picture_is_named_at_once(root):
    (root / "ant" / "0.png").write_bytes(b"")
    (root / "ant" / "1.png").write_bytes((root / "ant" / "1.png").read_bytes()[:80])
    (root / "bee" / "2.png").write_bytes(b"<html>no picture</html>")
    Image.fromarray(np.full((9, 9), 300.0, np.float32)).save(root / "bee" / "3.tif")
    (root / "bee" / "4.png").unlink()
    (root / "bee" / "4.png").symlink_to(root / "gone.png")
    problems = found(root).refused
    assert [problem.split(": ")[0] for problem in problems] == [
        str(root / path) for path in ("bee/4.png", "ant/0.png", "ant/1.png", "bee/2.png", "bee/3.tif")
    ]
    (root / "bee" / "4.png").unlink()
    assert len(refused(root)) == 4


def test_what_is_left_out_is_named_with_its_reason(root, tmp_path):
    for path in ("ant/._0.png", "ant/.x.png", ".ipynb_checkpoints/0.png", "__MACOSX/ant/0.png", "ant/.thumbs/0.png"):
        save(root / path, format="PNG")
    for path in ("ant/Thumbs.db", ".DS_Store", "ant/notes.txt", "labels.csv", "bee/README", "bee/0.HEIC", "bee/1.heic"):
        (root / path).write_text("x")
    save(root / "loose.png")
    os.mkfifo(root / "ant" / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(root / "bee")  # a socket's path is short
        listener.bind("s.png")
        os.chdir(here)
    (root / "ant" / "zero.png").symlink_to("/dev/zero")
    (root / "ant" / "own").symlink_to(root)
    (root / "ant" / "other.png").symlink_to(root / "bee" / "1.png")
    (root / "ant" / "loop.txt").symlink_to(root / "ant" / "loop.txt")
    (root / "up").symlink_to(tmp_path)
    clean = ("ant", "bee")
    survey = found(root)
    assert not survey.refused
    assert survey.layout.classes == clean
    assert sorted(survey.layout.used) == [f"{name}/{i}.png" for name in clean for i in range(5)]
    assert texts(survey.left_out) == {
        "macOS keeps a file's properties in it": ("ant/._0.png",),
        "hidden": (".DS_Store", ".ipynb_checkpoints/", "ant/.thumbs/", "ant/.x.png"),
        "made by an operating system or a tool": ("__MACOSX/", "ant/Thumbs.db"),
        "no picture by its ending (.txt)": ("ant/notes.txt",),
        "no picture by its ending (.csv)": ("labels.csv",),
        "no picture: it has no ending": ("bee/README",),
        "a format that is not read (.heic)": ("bee/0.HEIC", "bee/1.heic"),
        "lies beside the class folders": ("loose.png",),
        "a FIFO, never opened": ("ant/pipe.png",),
        "a socket, never opened": ("bee/s.png",),
        "a link to a device, never opened": ("ant/zero.png",),
        "a link to a folder that is listed already": ("ant/own",),
        "a link to a picture that is listed already": ("ant/other.png",),
        "a link that leads nowhere": ("ant/loop.txt",),
        "a link to a folder that data.root lies in": ("up",),
    }
    (line,) = survey.warnings()
    assert "a format that is not read (.heic): 2" in line


def test_links_out_of_the_folder_are_followed_once_and_said(root, tmp_path):
    for i in range(3):
        save(tmp_path / "elsewhere" / "deep" / f"{i}.png")
    save(tmp_path / "single.png")
    (root / "cat").symlink_to(tmp_path / "elsewhere")
    (root / "dog").symlink_to(tmp_path / "elsewhere" / "deep")
    (root / "ant" / "single.png").symlink_to(tmp_path / "single.png")
    (root / "bee" / "single.png").symlink_to(tmp_path / "single.png")
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    survey = found(root)
    assert survey.layout.classes == ("ant", "bee", "cat")
    assert [path for path in survey.layout.used if path.startswith("cat")] == [f"cat/deep/{i}.png" for i in range(3)]
    assert texts(survey.left_out) == {
        "a link to a folder that is listed already": ("cat/back", "dog"),
        "a link to a picture that is listed already": ("bee/single.png",),
    }
    assert texts(survey.remarks) == {"reached through links out of data.root": ("ant/single.png", "cat")}


def test_pictures_of_further_formats_are_used(root):
    for i, name in enumerate(("a.gif", "b.webp", "c.BMP", "d.tif", "e.avif", "f.jp2", "g.JPeG", "h.pbm")):
        image = Image.new("RGB", (9, 9), (i, i, i))
        save(root / "ant" / name, image.convert("1") if name == "h.pbm" else image)
    survey = found(root)
    assert not survey.refused
    assert len(survey.layout.used) == 18
    assert not survey.left_out


def test_conversions_are_said(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(root / "ant" / "t.jpg", Image.new("RGB", (9, 9), "red"), exif=exif)
    save(root / "ant" / "a.png", Image.new("LA", (9, 9), (10, 100)))
    save(root / "bee" / "s.png", Image.fromarray(np.full((9, 9), 40_000, np.uint16)))
    save(root / "bee" / "f.tif", Image.fromarray(np.full((9, 9), 0.5, np.float32)))
    assert texts(found(root, background="grey").converted) == {
        "partly transparent, put on a grey ground (data.background)": ("ant/a.png",),
        "turned the way up that their EXIF data say": ("ant/t.jpg",),
        "of floating-point numbers, scaled from 0 (black) to 1 (white)": ("bee/f.tif",),
        "of 16 bits, scaled by their full range to 8": ("bee/s.png",),
    }


def test_eight_bits_in_sixteen_are_refused(root):
    for name in ("ant", "bee"):
        for i in range(5):
            save(root / name / f"{i}.png", Image.fromarray(RNG.integers(0, 256, (9, 9)).astype(np.uint16)))
    (problem,) = refused(root)
    assert "10 pictures have more than 8 bits, and none of them reaches more than 1 of 255" in problem


def test_the_same_picture_under_two_labels_or_in_two_parts_is_said(root):
    (root / "ant" / "copy.png").write_bytes((root / "bee" / "1.png").read_bytes())
    for i in range(9):
        (root / "bee" / f"same{i}.png").write_bytes((root / "bee" / "2.png").read_bytes())
    said = texts(found(root).remarks)
    assert said["the same picture in several classes: one of the labels is wrong"] == ("ant/copy.png", "bee/1.png")
    parts = said["the same picture in several parts (train, val, test): what is measured was learned"]
    assert set(parts) >= {"bee/2.png", *(f"bee/same{i}.png" for i in range(9))}


def test_classes_that_differ_in_case_alone_are_said(root):
    for name in ("Ant", "caf\u00e9", "cafe\u0301"):
        for i in range(5):
            save(root / name / f"{i}.png")
    remarks = [f.paths for f in found(root).remarks]
    assert remarks == [("Ant", "ant"), ("cafe\u0301", "caf\u00e9")]


def test_parts_inside_classes_are_said(root):
    save(root / "ant" / "Train" / "0.png")
    assert [f.paths for f in found(root).remarks] == [("ant/Train",)]


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["train/a", "train/b", "test/a", "test/b", "more"], "'more' with 1 pictures, which is none"),
        (["train", "test"], "is a part of a data set that is split already, but holds no class folders"),
        (["train/a", "train/b", "test"], "test: is a part of a data set that is split already, but holds no class"),
        (["test/a", "test/b", "val/a", "val/b"], "but no train folder; which part is trained on?"),
        (["train/a", "train/b", "Training/a", "test/a", "test/b"], "Training/ and train/ name the same part"),
        (["train/a", "train/b", "test/a", "test/b", "test/c"], "test/c: is a class that train/ does not hold"),
        (["train/a", "train/b", "test/a"], "test: lacks the class 'b'"),
        (["train/a", "test/a"], "train: holds 1 folders; at least two"),
        (
            ["photos/a", "photos/b"],
            "one a class, are needed (is 'photos', with 2 folders",
        ),
    ],
)
def test_layouts_that_could_mean_several_things_are_refused(tmp_path, folders, message):
    for folder in folders:
        save(tmp_path / "root" / folder / "0.png")
    problems = found(tmp_path / "root").refused
    assert any(message in problem for problem in problems), problems


def test_names_of_parts_may_be_classes(tmp_path):
    for name in ("train", "bus", "test"):
        for i in range(3):
            save(tmp_path / "root" / name / f"{i}.png")
    assert "which is none" in found(tmp_path / "root").refused[0]
    os.rename(tmp_path / "root" / "test", tmp_path / "root" / "tram")
    survey = found(tmp_path / "root", test_fraction=0.4)
    assert survey.layout.classes == ("bus", "train", "tram")
    assert not survey.layout.split


def test_a_folder_that_cannot_be_used_is_looked_at_to_the_end(tmp_path):
    save(tmp_path / "root" / "ant" / "0.png")
    (tmp_path / "root" / "ant" / "1.png").write_text("x")
    (tmp_path / "root" / "bee").mkdir()
    (tmp_path / "root" / "bee" / "0.heic").write_text("x")
    problems = found(tmp_path / "root").refused
    assert len(problems) == 2
    assert "the class holds no image" in problems[0]
    assert problems[0].endswith("(it holds 1 of a format that is not read (.heic))")
    assert str(tmp_path / "root" / "ant" / "1.png") in problems[1]


def test_names_of_any_bytes(tmp_path):
    root = os.fsencode(tmp_path / "root")
    sound = tmp_path / "sound.png"
    save(sound)
    for name in (b"\xff\xfe", b"new\nline", b"\x1b[31mred", b" blank ", b"[/red]"):
        os.makedirs(root + b"/" + name)
        for i in range(5):
            with open(root + b"/" + name + b"/%d\xe9\n.png" % i, "wb") as file:
                file.write(sound.read_bytes() + bytes([i]))
        with open(root + b"/" + name + b"/bad\xe9.png", "wb") as file:
            file.write(b"x")
    description = describe("image_folder", str(tmp_path / "root"))
    assert len(description["refused"]) == 5
    for text in (*lines(description), *description["refused"]):
        text.encode()
        assert text.isprintable()
    assert len(content_digest(tmp_path / "root")) == 64


def test_a_path_that_is_too_long_is_named(root, monkeypatch):
    monkeypatch.chdir(root / "ant")
    for _ in range(25):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    monkeypatch.chdir(root)
    (problem,) = found(root).refused
    assert problem.endswith("d: cannot be listed (File name too long)")


def test_more_than_anybody_has_is_refused(root, monkeypatch):
    monkeypatch.setattr("ablate.images.data.listing.MOST_ENTRIES", 9)
    with pytest.raises(ConfigError, match="more than 9 files and folders lie below it, links followed"):
        content_digest(root)


def test_what_may_not_be_read_is_named(root, monkeypatch):
    # As the system answers to anybody but root, whom tests may run as.
    locked, listed, opened = {str(root / "bee"), str(root / "ant" / "0.png")}, os.scandir, os.open

    def refuse(path):
        if str(path) in locked:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", lambda path: refuse(path) or listed(path))
    monkeypatch.setattr(os, "open", lambda path, *more, **named: refuse(path) or opened(path, *more, **named))
    problems = found(root).refused
    assert f"{root / 'bee'}: cannot be listed (Permission denied)" in problems
    assert f"{root / 'ant/0.png'}: cannot be read (Permission denied); repair or remove it" in problems
    locked.remove(str(root / "bee"))
    with pytest.raises(ConfigError, match=r"0\.png: cannot be read \(Permission denied\)"):
        content_digest(root)


def test_the_command_lists_everything_and_fails_where_training_would(root):
    (root / "ant" / "0.png").write_bytes(b"")
    (root / "bee" / "0.png").write_bytes(b"x")
    (root / "bee" / "x.gif.txt").write_bytes(b"x")
    command = [sys.executable, "-m", "ablate", "data", "image_folder", f"root={root}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"ablate: error: {root / 'ant/0.png'}: is empty; repair or remove it",
        f"ablate: error: {root / 'bee/0.png'}: is no picture of a format that is read, or its beginning is damaged; "
        "repair or remove it",
    ]
    assert "bee/x.gif.txt" in done.stdout


def test_what_is_left_out_is_logged_before_training(root, caplog):
    (root / "ant" / "x.heic").write_text("x")
    assert verify(ImageFolder(root=str(root), stored=8)) == root
    assert caplog.messages == [f"data.root = {root}: left out: a format that is not read (.heic): 1"]
