"""Metrics are read from what programs write: whole, growing, half, wrong."""

import csv
import json
import math
import random

import pytest
from pydantic import ValidationError

from ablate.program.curves import Curves
from ablate.program.reading import ReadTable, open_source

METRICS = ("loss", "acc")


def follow(folder, **table):
    curves = Curves(METRICS)
    return open_source(ReadTable(**table), folder, METRICS, curves), curves


def values(curves):
    return {m.step: dict(m.values) for m in curves.measurements()}


def test_json_lines_as_they_grow(tmp_path):
    file = tmp_path / "log.jsonl"
    source, curves = follow(tmp_path, kind="jsonl", file="log.jsonl", names={"acc": "val.acc"})
    source.poll()
    with file.open("w") as opened:
        opened.write('{"epoch": 1, "loss": 0.5, "val": {"acc": 0.1}}\n{"epoch": 2, "lo')
        opened.flush()
        source.poll()
        assert values(curves) == {1: {"loss": 0.5, "acc": 0.1}}
        opened.write('ss": 0.25}\n{"other": 1}\n\n{"epoch": 3.0, "loss": null, "acc": 7}\n')
    assert source.finish() == []
    assert values(curves) == {1: {"loss": 0.5, "acc": 0.1}, 2: {"loss": 0.25}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"step": 1, "loss": 1}\n{"step": 2, "lo', "log:2: is no JSON, or is cut off: "),
        ('nonsense\n{"step": 1, "loss": 1}\n', "log:1: is no JSON, or is cut off: 'nonsense'"),
        ('{"step": 1, "loss": "low"}\n', "log:1: loss = 'low': is no number"),
        ('{"step": 1, "loss": true}\n', "log:1: loss = True: is no number"),
        ('{"step": 1.5, "loss": 1}\n', "log:1: the step: is no whole number of at least 0"),
        ('{"step": -1, "loss": 1}\n', "log:1: the step: is no whole number of at least 0"),
    ],
)
def test_json_lines_that_are_wrong(tmp_path, text, problem):
    (tmp_path / "log").write_text(text)
    source, _ = follow(tmp_path, kind="jsonl", file="log")
    source.poll()
    (found,) = source.finish()
    assert found.startswith(problem)


def test_a_step_that_is_named_must_be_there(tmp_path):
    (tmp_path / "log").write_text('{"step": 1, "loss": 1}\n')
    source, _ = follow(tmp_path, kind="jsonl", file="log", step="batch")
    assert source.finish() == ["log:1: batch: is no whole number of at least 0"]


def test_a_last_line_without_an_end_of_line_counts(tmp_path):
    (tmp_path / "log").write_text('{"step": 1, "loss": 1}')
    source, curves = follow(tmp_path, kind="jsonl", file="log")
    source.poll()
    assert values(curves) == {}
    assert source.finish() == []
    assert values(curves) == {1: {"loss": 1.0}}


def test_final_values_and_counted_ones(tmp_path):
    (tmp_path / "log").write_text('{"loss": 2}\n{"loss": 1}\n')
    source, curves = follow(tmp_path, kind="jsonl", file="log")
    assert source.finish() == []
    assert values(curves) == {0: {"loss": 1.0}}
    source, curves = follow(tmp_path, kind="jsonl", file="log", step="count")
    assert source.finish() == []
    assert values(curves) == {1: {"loss": 2.0}, 2: {"loss": 1.0}}


def test_standard_output_may_hold_anything_else():
    source, curves = follow(None, kind="jsonl")
    for line in (b"hello", b"{no json", b"[1]", b'{"step": 1, "loss": 1}', b"\xff\xfe", b'  {"step": 2, "loss": 0.5} '):
        source.take(line)
    assert values(curves) == {1: {"loss": 1.0}, 2: {"loss": 0.5}}


def test_a_pattern(tmp_path):
    pattern = r"epoch (?P<step>\d+).*loss[ =](?P<loss>\S+)(?: accuracy (?P<acc>[\d.]+)%)?"
    source, curves = follow(None, kind="pattern", pattern=pattern)
    for line in (b"start", b"epoch 1: loss 0.5 accuracy 90.0%", b"[epoch 2] loss=nan"):
        source.take(line)
    assert source.finish() == []
    found = values(curves)
    assert found[1] == {"loss": 0.5, "acc": 90.0}
    assert math.isnan(found[2]["loss"])


def test_a_pattern_that_finds_no_number():
    source, _ = follow(None, kind="pattern", pattern=r"loss (?P<loss>\S+)")
    source.take(b"loss high")
    assert source.finish() == ["its output: loss = 'high': is no number"]


def test_a_pattern_looks_through_colours_and_knows_shares():
    source, curves = follow(None, kind="pattern", pattern=r"loss (?P<loss>[\d.]+), accuracy (?P<acc>\d+/\d+)")
    source.take(b"\x1b[32mloss\x1b[0m 0.5, accuracy \x1b[1m9847/10000\x1b[0m (98%)")
    assert source.finish() == []
    assert values(curves) == {0: {"loss": 0.5, "acc": 0.9847}}
    source.take(b"loss 0.5, accuracy 0/0")
    assert source.finish() == ["its output: acc = '0/0': is no number"]


LIGHTNING = """epoch,loss,step,acc
0,0.7,49,
0,0.6,99,
0,,99,0.5
1,0.4,149,
1,,199,0.75
"""


def test_a_table_with_holes_as_lightning_writes_it(tmp_path):
    (tmp_path / "lightning_logs" / "version_0").mkdir(parents=True)
    (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").write_text(LIGHTNING)
    source, curves = follow(tmp_path, kind="csv", file="**/metrics.csv")
    source.poll()
    assert source.finish() == []
    assert values(curves) == {49: {"loss": 0.7}, 99: {"loss": 0.6, "acc": 0.5}, 149: {"loss": 0.4}, 199: {"acc": 0.75}}
    source, curves = follow(tmp_path, kind="csv", file="**/metrics.csv", step="epoch")
    assert source.finish() == []
    assert values(curves) == {0: {"loss": 0.6, "acc": 0.5}, 1: {"loss": 0.4, "acc": 0.75}}


def test_a_table_whose_header_changes_while_it_grows(tmp_path):
    file = tmp_path / "t.csv"
    source, curves = follow(tmp_path, kind="csv", file="t.csv")
    file.write_text("step,loss\n1,0.5\n2,0.")
    source.poll()
    assert values(curves) == {1: {"loss": 0.5}}
    file.write_text("step,acc,loss\n1,,0.5\n2,0.9,0.4\n")
    assert source.finish() == []
    assert values(curves) == {1: {"loss": 0.5}, 2: {"loss": 0.4, "acc": 0.9}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("step,loss\n1,0.5\n2", "t.csv:3: has 1 cells below a header of 2: is it cut off?"),
        ("step,loss\n1,low\n", "t.csv:2: loss = 'low': is no number"),
        ("step,loss\nx,1\n", "t.csv:2: the step: is no whole number of at least 0"),
    ],
)
def test_tables_that_are_wrong(tmp_path, text, problem):
    (tmp_path / "t.csv").write_text(text)
    source, _ = follow(tmp_path, kind="csv", file="t.csv")
    source.poll()
    assert source.finish() == [problem]


def test_event_files(tmp_path):
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(tmp_path / "run"))
    source, curves = follow(tmp_path, kind="tensorboard", names={"acc": "Accuracy/val"})
    for step in (10, 20):
        for tag, value in (("loss", 1 / step), ("Accuracy/val", step / 100), ("other", 3)):
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(Event(step=step, summary=summary))
        writer.flush()
        source.poll()
        assert curves.steps == list(range(10, step + 1, 10))
    writer.close()
    assert source.finish() == []
    assert values(curves)[20] == pytest.approx({"loss": 0.05, "acc": 0.2}, rel=1e-6)
    (file,) = (tmp_path / "run").iterdir()
    whole = file.read_bytes()
    for cut in (3, 10, 20):
        file.write_bytes(whole[:-cut])
        assert source.finish() == [f"{file.name}: its last record is cut off"]


def test_event_files_of_the_second_kind(tmp_path):
    """TensorFlow 2 and newer writers keep scalars as tensors."""
    from tensorboard.summary import Writer

    writer = Writer(str(tmp_path))
    writer.add_scalar("loss", 0.5, 1)
    writer.close()
    source, curves = follow(tmp_path, kind="tensorboard")
    assert source.finish() == []
    assert values(curves) == {1: {"loss": 0.5}}


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_however_a_file_grows_the_end_is_the_same(tmp_path, kind):
    draw = random.Random(1)
    rows = [{"step": step, "loss": draw.random(), "acc": draw.random()} for step in range(1, 30)]
    file = tmp_path / "log"
    with file.open("w", newline="") as opened:
        if kind == "csv":
            writer = csv.DictWriter(opened, ["step", "loss", "acc"])
            writer.writeheader()
            writer.writerows(rows)
        else:
            opened.writelines(json.dumps(row) + "\n" for row in rows)
    text = file.read_bytes()
    for _ in range(20):
        file.write_bytes(b"")
        source, curves = follow(tmp_path, kind=kind, file="log")
        for cut in sorted(draw.sample(range(len(text)), 5)):
            file.write_bytes(text[:cut])
            source.poll()
        file.write_bytes(text)
        assert source.finish() == []
        assert values(curves) == {row["step"]: {"loss": row["loss"], "acc": row["acc"]} for row in rows}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"kind": "csv"}, "file: is missing; a CSV table is read from a file"),
        ({"kind": "pattern"}, "pattern: belongs to kind = 'pattern'"),
        ({"kind": "jsonl", "pattern": "x"}, "pattern: belongs to kind = 'pattern'"),
        ({"kind": "pattern", "pattern": "("}, "is no regular expression"),
        ({"kind": "pattern", "pattern": "x"}, "names no group"),
        ({"kind": "csv", "file": "/etc/passwd"}, "must be in the run's folder"),
        ({"kind": "csv", "file": "../x.csv"}, "must be in the run's folder"),
    ],
)
def test_declarations_that_are_wrong(table, message):
    with pytest.raises(ValidationError, match=message):
        ReadTable(**table)
