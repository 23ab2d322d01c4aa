"""What is known of a file is not found out again, and never believed of a file that changed."""

import os

import pytest
from PIL import Image

from ablate.images.data import inspection, known_files
from ablate.images.data.inspection import inspect

PATHS = ["a.png", "b.png"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    for shade, path in enumerate(PATHS):
        Image.new("RGB", (9, 9), (shade, 0, 0)).save(tmp_path / path, "BMP")
    monkeypatch.setattr(known_files, "SETTLED_SECONDS", -10.0)  # what was written just now counts as settled
    return tmp_path


@pytest.fixture
def read(monkeypatch):
    """Names of the files that were read."""
    names, really = [], inspection.inspect_file

    def inspect_file(path, *more, **named):
        names.append(path.name)
        return really(path, *more, **named)

    monkeypatch.setattr(inspection, "inspect_file", inspect_file)
    return names


def test_an_unchanged_file_is_read_once_to_know_and_once_to_decode(root, read):
    first = inspect(root, PATHS, "white", decode=False)
    assert inspect(root, PATHS, "white", decode=False) == first
    assert read == PATHS
    decoded = inspect(root, PATHS, "white", decode=True)
    assert all(one.decoded for one in decoded.values())
    assert inspect(root, PATHS, "white", decode=True) == inspect(root, PATHS, "white", decode=False) == decoded
    assert read == PATHS * 2
    inspect(root, PATHS, "black", decode=True)
    assert read == PATHS * 3


def test_a_file_that_changed_is_read_again_whatever_its_size_and_date(root, read):
    before = inspect(root, PATHS, "white", decode=True)
    status = os.stat(root / "a.png")
    content = (root / "b.png").read_bytes()
    assert len(content) == status.st_size
    while os.stat(root / "a.png").st_ctime_ns == status.st_ctime_ns:  # until the file system's clock ticks
        (root / "a.png").write_bytes(content)
        os.utime(root / "a.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    after = inspect(root, PATHS, "white", decode=True)
    assert after["a.png"].sha256 == before["b.png"].sha256
    assert read == [*PATHS, "a.png"]


def test_what_changed_just_now_is_not_remembered(root, read, monkeypatch):
    monkeypatch.setattr(known_files, "SETTLED_SECONDS", 3.0)
    for _ in range(2):
        inspect(root, PATHS, "white", decode=True)
    assert read == PATHS * 2


def test_damage_is_remembered_as_such(root, read):
    (root / "a.png").write_bytes((root / "a.png").read_bytes()[:50])
    first = inspect(root, PATHS, "white", decode=True)
    assert first["a.png"].problem is not None
    assert inspect(root, PATHS, "white", decode=True) == first
    assert read == PATHS


@pytest.mark.parametrize("garbage", [b"", b"longer than the header of a database" * 9, None])
def test_a_cache_that_is_garbled_or_in_the_way_is_done_without(root, cache, read, garbage):
    first = inspect(root, PATHS, "white", decode=True)
    place = cache / "pictures.db"
    if garbage is None:
        place.unlink()
        place.mkdir()
    else:
        place.write_bytes(garbage)
    for _ in range(2):
        assert inspect(root, PATHS, "white", decode=True) == first
    # An empty file is a database; a garbled one is begun anew; a folder in its place is never one.
    assert read == PATHS * (2 if garbage == b"" else 3)
