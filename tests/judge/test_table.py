"""Files as others write them: dialects of CSV, JSON, Parquet, exports; what can be read in two ways is refused."""

import json
import math

import pandas as pd
import pytest

from ablate.judge.table import read_table
from ablate.task.errors import ConfigError


def table(folder, content, name="runs.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path)


def refused(folder, content, name="runs.csv"):
    with pytest.raises(ConfigError) as caught:
        table(folder, content, name)
    return str(caught.value)


PLAIN = {"lr": ["0.1", "0.2"], "seed": ["0", "1"], "acc": ["0.95", "0.93"]}


@pytest.mark.parametrize(
    "content",
    [
        "lr,seed,acc\n0.1,0,0.95\n0.2,1,0.93\n",
        "lr;seed;acc\r\n0.1;0;0.95\r\n0.2;1;0.93\r\n",
        "lr\tseed\tacc\n0.1\t0\t0.95\n0.2\t1\t0.93",
        "lr|seed|acc\n\n0.1|0|0.95\n0.2|1|0.93\n\n",
        "lr;seed;acc\n0,1;0;0,95\n0,2;1;0,93\n",
        "\ufefflr, seed, acc\n0.1, 0, 0.95\n0.2, 1, 0.93\n",
        "lr,seed,acc\n0.1,0,0.95\n0.2,1,0.93\n".encode("utf-16"),
    ],
)
def test_dialects_of_one_table(tmp_path, content):
    assert dict(table(tmp_path, content).columns) == PLAIN


def test_decimal_commas_are_said(tmp_path):
    found = table(tmp_path, "lr;seed;acc\n0,1;0;0,95\n0,2;1;93\n")
    assert found.columns["acc"] == ["0.95", "93"]
    assert any("'acc' is read with decimal commas" in note for note in found.notes)


def test_places_count_the_lines_of_the_file(tmp_path):
    found = table(tmp_path, 'lr,seed,note\n0.1,0,"two\nlines"\n\n0.2,1,one\n')
    assert found.places == ["line 2", "line 5"]
    assert found.columns["note"] == ["two\nlines", "one"]


def test_an_index_column_without_a_name_is_let_alone(tmp_path):
    frame = pd.DataFrame({"lr": [0.1], "acc": [0.5]})
    assert list(table(tmp_path, frame.to_csv()).columns) == ["column 1", "lr", "acc"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("lr,acc\n", "has no rows"),
        ("lr\n0.1\n", "one column only"),
        ("lr,lr,acc\n1,2,3\n", "'lr' is there more than once"),
        ("0.1,0,0.95\n0.2,1,0.93\n", "the first line holds numbers"),
        ("lr,seed,acc\n0.1,0,0.95\n0,2,1,0,93\n", "line 3: 5 cells, the header has 3 (decimal commas, perhaps?)"),
        ("lr,seed,acc\n0.1,0\n", "line 2: 2 cells, the header has 3"),
        ('lr,seed,acc\n0.1,0,"0.9\n', "line 2: "),
        ("größe,acc\n1,2\n".encode("latin1"), "line 1: is not UTF-8 (byte 0xf6)"),
        (b"lr,acc\n\x00\x01,2\n", "is no text"),
        (b"PK\x03\x04....", "is a spreadsheet or a zip file"),
        (b"\x1f\x8b....", "is compressed"),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path, content, says):
    assert says in refused(tmp_path, content)


def test_no_such_file(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(ConfigError, match="is no file"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('lr,acc\n0.1,"0,95"\n0.2,"0,93"\n', "'0,95' has a comma where others separate columns"),
        ("lr;acc\n0.1;0,95\n0.2;0.93\n", "line 2 has '0,95' and line 3 '0.93': one decimal sign"),
        ("lr;acc\n0.1;1.234,5\n0.2;2.345,5\n", "'1.234,5' has separated thousands"),
        ('lr,acc\n0.1,"1,234,567"\n0.2,"2,345,678"\n', "'1,234,567' has separated thousands"),
    ],
)
def test_numbers_that_can_be_read_in_two_ways_are_refused_where_they_are_used(tmp_path, content, says):
    found = table(tmp_path, content)
    assert found.find("lr") == "lr"
    with pytest.raises(ConfigError) as caught:
        found.find("acc")
    assert says in str(caught.value)


def test_texts_with_commas_are_texts(tmp_path):
    found = table(tmp_path, "lr;note\n0.1;3,5\n0.2;both 3,5 and 4\n")
    assert found.columns["note"] == ["3,5", "both 3,5 and 4"]
    assert found.find("note") == "note"


def test_names_that_are_meant(tmp_path):
    found = table(tmp_path, "params.lr,metrics.acc,params.a,metrics.a\n1,2,3,4\n")
    assert found.find("lr") == "params.lr"
    with pytest.raises(ConfigError, match=r"may be params\.a or metrics\.a"):
        found.find("a")
    with pytest.raises(ConfigError, match=r"has no column 'ac'; did you mean 'metrics\.acc'\?"):
        found.find("ac")


def test_json_lines(tmp_path):
    rows = [{"config": {"lr": 0.1, "widths": [4, 8]}, "acc": math.nan}, {"config": {"lr": 0.2}, "acc": None, "x": True}]
    found = table(tmp_path, "\n".join(map(json.dumps, rows)), "runs.jsonl")
    assert found.columns["config.lr"] == [0.1, 0.2]
    assert found.columns["config.widths"] == ["[4, 8]", None]
    assert math.isnan(found.columns["acc"][0])
    assert found.columns["acc"][1] is None
    assert found.columns["x"] == [None, True]
    assert found.places == ["line 1", "line 2"]
    same = table(tmp_path, json.dumps(rows, indent=1), "runs.json")
    assert same.columns["config.lr"] == [0.1, 0.2]
    assert same.places == ["row 1", "row 2"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"a": 1}\n{"a": \n', "line 2: is no JSON object"),
        ("[1, 2]", "row 1: is no object"),
        ("[{]", "is no JSON"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_json_that_is_no_table(tmp_path, content, says):
    assert says in refused(tmp_path, content, "runs.json")


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"lr": [0.1, 0.2], "seed": [0, 1], "acc": [0.9, None], "loss": [math.nan, 1.0]})
    frame.to_parquet(tmp_path / "runs.parquet")
    found = read_table(tmp_path / "runs.parquet")
    assert found.columns["lr"] == [0.1, 0.2]
    assert found.columns["acc"] == [0.9, None]
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ConfigError, match="cannot be read as Parquet"):
        read_table(tmp_path / "broken.parquet")


def test_parquet_without_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "runs.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ConfigError, match=r"needs the package pyarrow: pip install 'ablate\[parquet\]'"):
        read_table(tmp_path / "runs.parquet")


def test_the_runs_table_of_wandbs_own_recipe(tmp_path):
    """``pd.DataFrame({"summary": ..., "config": ..., "name": ...}).to_csv()``, as W&B's documentation has it."""
    frame = pd.DataFrame(
        {
            "summary": [{"acc": 0.9, "_runtime": 12.5}, {"acc": math.nan, "loss": math.inf}],
            "config": [{"lr": 0.1, "opt": {"name": "adam"}, "n": None}, {"lr": 1e-05, "opt": {"name": "sgd"}}],
            "name": ["brave-sun-1", "calm-sea-2"],
        }
    )
    found = table(tmp_path, frame.to_csv())
    assert found.columns["config.lr"] == [0.1, 1e-05]
    assert found.columns["config.opt.name"] == ["adam", "sgd"]
    assert math.isnan(found.columns["summary.acc"][1])
    assert found.columns["summary.loss"] == [None, math.inf]
    assert found.find("acc") == "summary.acc"


def test_a_mapping_in_a_cell_is_data(tmp_path):
    cell = "{'a': __import__('os').system('touch ran')}"
    found = table(tmp_path, f'config,acc\n"{cell}",1\n')
    assert found.columns["config"] == [cell]
    assert not (tmp_path / "ran").exists()
