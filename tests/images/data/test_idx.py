import gzip
import hashlib
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from ablate.images.data.idx import IdxFile, read_idx
from ablate.task.errors import ConfigError

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = struct.pack(">4I", 0x0803, 2, 3, 4) + ARRAY.tobytes()
FILE = IdxFile("images", (2, 3, 4), hashlib.sha256(CONTENT).hexdigest())
LARGE = IdxFile("images", (1, 4, 24_996), "")
"""100,000 bytes."""


def write(folder, content, name="images"):
    path = folder / name
    path.write_bytes(content)
    return path


def problem(path, file=FILE):
    with pytest.raises(ConfigError) as caught:
        read_idx(path, file, "do this")
    (line,) = caught.value.problems
    assert line.startswith(f"{path}: ")
    assert line.endswith("; do this")
    assert "\n" not in line
    return line


def test_plain_and_compressed_files_hold_the_same(tmp_path):
    plain = read_idx(write(tmp_path, CONTENT), FILE, "")
    packed = read_idx(write(tmp_path, gzip.compress(CONTENT), "images.gz"), FILE, "")
    assert plain.dtype == packed.dtype == np.uint8
    assert np.array_equal(plain, ARRAY)
    assert np.array_equal(packed, ARRAY)


def test_missing(tmp_path):
    assert "No such file" in problem(tmp_path / "images")


@pytest.mark.parametrize("kept", [0, 3, 15, 16, 39])
def test_truncated(tmp_path, kept):
    assert "is truncated" in problem(write(tmp_path, CONTENT[:kept]))


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated_while_compressed(tmp_path, kept):
    content = np.random.default_rng(0).bytes(100_000)
    packed = gzip.compress(content)
    assert "is truncated" in problem(write(tmp_path, packed[: int(kept * len(packed))], "images.gz"), LARGE)


def test_too_long(tmp_path):
    assert "is too long (41 of 40 bytes, or more)" in problem(write(tmp_path, CONTENT + b"!"))


def test_one_bit_flipped(tmp_path):
    assert "is corrupt (its content's SHA-256 is " in problem(write(tmp_path, CONTENT[:-1] + b"\x16"))


def test_one_bit_flipped_while_compressed(tmp_path):
    packed = bytearray(gzip.compress(np.random.default_rng(0).bytes(100_000)))
    packed[50_000] ^= 1
    assert "cannot be decompressed" in problem(write(tmp_path, bytes(packed), "images.gz"), LARGE)


def test_not_compressed_despite_its_name(tmp_path):
    assert "cannot be decompressed (Not a gzipped file" in problem(write(tmp_path, CONTENT, "images.gz"))


def test_an_empty_compressed_file(tmp_path):
    assert "is truncated" in problem(write(tmp_path, b"", "images.gz"))


def test_another_format(tmp_path):
    assert "is no IDX file of 2x3x4 unsigned bytes" in problem(write(tmp_path, b"<html>" + bytes(60)))


def test_other_counts(tmp_path):
    other = struct.pack(">4I", 0x0803, 1, 3, 4) + bytes(12)
    assert "holds 1x3x4 bytes, not the 2x3x4 that were published" in problem(write(tmp_path, other))


def test_a_folder_in_its_place(tmp_path):
    (tmp_path / "images").mkdir()
    assert "cannot be read" in problem(tmp_path / "images")


def memory_of(action):
    """The greatest size that Python's memory reached, in bytes."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("counts", [(8, 1_000, 1_000_000), (2**32 - 1,) * 3])
def test_a_header_that_promises_more_than_there_is(tmp_path, counts):
    path = write(tmp_path, struct.pack(">4I", 0x0803, *counts) + ARRAY.tobytes())
    assert memory_of(lambda: problem(path)) < 2**20
    assert "not the 2x3x4 that were published" in problem(path)


def test_eight_gigabytes_are_not_read(tmp_path):
    path = write(tmp_path, CONTENT)
    os.truncate(path, 2**33)
    assert memory_of(lambda: problem(path)) < 2**20
    assert f"is too long ({2**33} of 40 bytes, or more)" in problem(path)


def test_what_a_small_file_unpacks_to_is_not_kept(tmp_path):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = [packer.compress(CONTENT), *(packer.compress(bytes(2**22)) for _ in range(64)), packer.flush()]
    path = write(tmp_path, b"".join(packed), "images.gz")
    assert path.stat().st_size < 2**19
    assert memory_of(lambda: problem(path)) < 2**21
    assert "is too long (41 of 40 bytes, or more)" in problem(path)


@pytest.mark.parametrize(
    ("more", "accepted"),
    [(b"trailing", False), (gzip.compress(b"!", mtime=0), False), (bytes(9), True)],
    ids=["text", "second member", "zeros"],
)
def test_what_follows_the_compressed_data(tmp_path, more, accepted):
    path = write(tmp_path, gzip.compress(CONTENT) + more, "images.gz")
    if accepted:  # padding, as tapes leave it
        assert np.array_equal(read_idx(path, FILE, ""), ARRAY)
    else:
        problem(path)


def test_a_wrong_check_sum_of_gzip(tmp_path):
    packed = bytearray(gzip.compress(CONTENT))
    packed[-8] ^= 1
    assert "cannot be decompressed" in problem(write(tmp_path, bytes(packed), "images.gz"))
