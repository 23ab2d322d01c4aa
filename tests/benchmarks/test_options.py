"""Values on the command lines of benchmarks that cannot be used."""

import argparse

import pytest

from benchmarks import commands, memory, searches, study
from benchmarks.options import amount, positive, target


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


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e999", "long", ""])
def test_an_amount_is_finite_and_above_nothing(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be a number above 0"):
        amount(text)
    assert amount("0.5") == 0.5


@pytest.mark.parametrize(
    ("main", "arguments", "message"),
    [
        (memory.main, ["--only", "nothing"], "no case has this in its name; there are "),
        (memory.main, ["--device", "nonsense"], "--device nonsense: must be cpu or cuda:N"),
        (memory.main, ["--device", "cuda:7"], "device = cuda:7"),
        (searches.main, ["--jobs", "0"], "--jobs: 0: must be a whole number from 1 up"),
        (study.main, ["--minutes", "nan"], "--minutes: nan: must be a number above 0"),
        (commands.main, ["--out", "/proc/below"], "--out: /proc/below: cannot be written"),
    ],
)
def test_bad_options_end_with_2_before_anything_is_measured(main, arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_where_there_are_no_searches_no_table_is_written(tmp_path, capsys):
    assert searches.main(["--read", "--folder", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert "there is none of these searches" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
