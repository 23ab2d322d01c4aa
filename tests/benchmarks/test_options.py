"""Values on the command lines of benchmarks that cannot be used."""

import argparse

import pytest

from benchmarks.options import positive, target


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_a_number_of_something_is_whole_and_at_least_one(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be a whole number from 1 up"):
        positive(text)
    assert positive("12") == 12


def test_where_results_go_can_be_written_or_made(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "new" / "folder", tmp_path / "file"):
        assert target(str(place)) == place
    for text in (str(tmp_path / "file" / "below"), "/proc/below"):
        with pytest.raises(argparse.ArgumentTypeError, match="cannot be written"):
            target(text)
