"""A file is written whole or not at all, and nothing is left beside it."""

import os

import pytest

from ablate.task.whole_files import aside, write_whole


def test_what_is_written_is_there_whole(tmp_path):
    file = tmp_path / "a"
    file.write_text("older")
    write_whole(file, b"one", b"", b"two")
    assert file.read_bytes() == b"onetwo"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_older_file_stays_as_it_was(tmp_path, error):
    file = tmp_path / "a"
    file.write_text("older")

    def fail():
        with aside(file) as place:
            place.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert file.read_text() == "older"
    assert os.listdir(tmp_path) == ["a"]


def test_where_there_is_no_folder_the_reason_is_the_systems(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "none" / "a", b"x")
