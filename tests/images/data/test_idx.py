import gzip
import hashlib
import struct

import numpy as np
import pytest

from ablate.images.data.idx import IdxFile, read_idx
from ablate.task.errors import ConfigError

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = struct.pack(">4I", 0x0803, 2, 3, 4) + ARRAY.tobytes()
FILE = IdxFile("images", (2, 3, 4), hashlib.sha256(CONTENT).hexdigest())


def write(folder, content, name="images"):
    path = folder / name
    path.write_bytes(content)
    return path


def problem(path):
    with pytest.raises(ConfigError) as caught:
        read_idx(path, FILE, "do this")
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
    assert "is truncated" in problem(write(tmp_path, packed[: int(kept * len(packed))], "images.gz"))


def test_too_long(tmp_path):
    assert "is too long (41 of 40 bytes)" in problem(write(tmp_path, CONTENT + b"!"))


def test_one_bit_flipped(tmp_path):
    assert "is corrupt (its content's SHA-256 is " in problem(write(tmp_path, CONTENT[:-1] + b"\x16"))


def test_one_bit_flipped_while_compressed(tmp_path):
    packed = bytearray(gzip.compress(np.random.default_rng(0).bytes(100_000)))
    packed[50_000] ^= 1
    assert "cannot be decompressed" in problem(write(tmp_path, bytes(packed), "images.gz"))


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
