"""Results that are kept, and what becomes of files that hold something else."""

import json
import os

import pytest

from ablate.task.kept_results import keep, key_of, read_kept
from ablate.task.plain_json import loads

VALUE = {"a": [1, 2.5, "text"], "b": None}


def test_what_was_kept_is_read_with_its_key_alone(tmp_path):
    file = tmp_path / "new" / "kept.json"
    keep(file, key_of("content"), VALUE)
    assert read_kept(file, key_of("content")) == VALUE
    assert read_kept(file, key_of("other content")) is None


def edited(file):
    kept = json.loads(file.read_text())
    kept["value"]["a"][0] = 7
    file.write_text(json.dumps(kept))


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.unlink(),
        lambda file: file.write_text(""),
        lambda file: file.write_bytes(b"\xff\x00"),
        lambda file: file.write_text("[" * 200_000),
        lambda file: file.write_text("[]"),
        lambda file: file.write_text('{"key": 1}'),
        lambda file: file.write_text(file.read_text()[:-20]),
        edited,
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: (file.unlink(), os.mkfifo(file)),
    ],
    ids=["lost", "empty", "binary", "nested", "list", "fields", "cut", "edited", "folder", "pipe"],
)
def test_anything_else_is_nothing_and_may_be_kept_anew(tmp_path, damage):
    file = tmp_path / "kept.json"
    keep(file, "key", VALUE)
    damage(file)
    assert read_kept(file, "key") is None
    keep(file, "key", VALUE)
    assert file.is_dir() or read_kept(file, "key") == VALUE


def test_json_that_is_nested_too_deeply_is_a_wrong_value():
    assert loads('{"a": [1]}') == {"a": [1]}
    with pytest.raises(ValueError, match="nested too deeply"):
        loads("[" * 200_000)
