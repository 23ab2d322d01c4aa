"""Which samples a run gets right, on the disk: read as written, and not at all where anything does not fit."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from ablate.task.correctness import load_correctness, save_correctness

RIGHT = np.random.default_rng(0).random(1003) < 0.7
SHARE = float(RIGHT.mean())


def load(folder, share=SHARE, digest="ab"):
    return load_correctness(folder, [digest, "other"], lambda digest, metric: share if metric == "acc" else None)


def test_what_is_read_is_what_was_written(tmp_path):
    file = save_correctness(tmp_path / "kept", "ab", "acc", "these", RIGHT)
    assert file.stat().st_size < 600
    assert [entry.name for entry in file.parent.iterdir()] == ["ab.safetensors"]
    found, faults = load(file.parent)
    assert (list(found), faults) == (["ab"], ())
    assert (found["ab"].right == RIGHT).all()
    assert (found["ab"].share, found["ab"].count, found["ab"].samples) == (SHARE, 1003, "these")


def flip(file):
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 64]))


@pytest.mark.parametrize(
    ("damage", "share", "said"),
    [
        (flip, SHARE, "is damaged"),
        (lambda file: file.write_bytes(file.read_bytes()[:-20]), SHARE, "is damaged"),
        (lambda file: file.write_bytes(b""), SHARE, "is damaged"),
        (lambda file: save_file({"right": np.zeros(1, np.uint8)}, file), SHARE, "is damaged: 'run'"),
        (lambda file: save_correctness(file.parent, "cd", "acc", "these", RIGHT).replace(file), SHARE, "is of run cd"),
        (lambda file: None, SHARE + 0.001, "its record says acc = "),
        (lambda file: None, None, "its record says acc = None"),
    ],
)
def test_what_does_not_fit_is_left_out_and_named(tmp_path, damage, share, said):
    file = save_correctness(tmp_path, "ab", "acc", "these", RIGHT)
    damage(file)
    found, (fault,) = load(tmp_path, share)
    assert not found
    assert fault.startswith(f"{file}: is left out (")
    assert said in fault


def test_nothing_kept_is_nothing_wrong(tmp_path):
    assert load(tmp_path / "nowhere") == ({}, ())
