import csv
import json
import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.images.config import SGD, Adam, AlexNet, FashionMNIST, Train
from ablate.images.metrics import measured_epoch
from ablate.images.run import RunConfig
from ablate.images.task import IMAGES
from ablate.store import open_store
from ablate.store.columns import FIRST_METRICS
from ablate.store.frames import read_folder, to_frames, write_folder
from ablate.task.errors import ConfigError
from ablate.task.identity import digest_of
from ablate.task.metric import problem_of_name
from ablate.task.record import Guess, Measurement, Record, Result

RESULTS = Path(__file__).parents[2] / "results"

RUNS = [
    RunConfig(),
    RunConfig(optimizer=Adam(lr=1e-7), seed=2**31 - 1, train=Train(epochs=3)),
    RunConfig(model=AlexNet(), data=FashionMNIST(train_size=77, protocol="holdout", val_size=5)),
    RunConfig(optimizer=SGD(lr=0.1 + 0.2)),
]

text = st.text(st.characters(), max_size=12) | st.sampled_from(["=1+1", "-2", "@x", "+", "\t=", "\0\ud800", "1e3"])
word = st.text("abcxyz_.\\=é", min_size=1, max_size=5)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text | st.just("nan") | st.just("1")
metric = st.floats(allow_nan=True, allow_infinity=True)
maybe = st.none() | metric
epochs = st.lists(st.tuples(metric, metric, maybe, maybe, maybe, maybe, metric), max_size=3)
results = st.builds(
    lambda status, curves, error, notes: Result(
        status, tuple(measured_epoch(n + 1, *c) for n, c in enumerate(curves)), error, notes
    ),
    st.sampled_from(["diverged", "failed", "stopped"]),
    epochs,
    st.none() | text,
    st.dictionaries(text, plain, max_size=3),
)
provenance = st.dictionaries(word, plain | st.dictionaries(word, plain, max_size=2), max_size=3)


@given(data=st.lists(st.tuples(results, provenance), min_size=1, max_size=4))
def test_csv_gives_back_the_same_records(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("csv")
    records = [Record(r.digest, r.identity, *d) for r, d in zip(RUNS, data, strict=False)]
    write_folder(folder, records)
    found = read_folder(folder)
    assert [repr(r.result) for r in found] == [repr(r.result) for r in records]
    assert [(r.digest, r.provenance) for r in found] == [(r.digest, r.provenance) for r in records]
    assert [r.config for r in found] == [r.config for r in records]
    assert repr(found[0].config["optimizer"]["lr"]) == repr(records[0].config["optimizer"]["lr"])


def some():
    curve = (
        measured_epoch(1, 0.1 + 0.2, 0.5, None, None, 2.5, 0.25, 1.5),
        measured_epoch(2, math.nan, 0.5, None, None, math.inf, 0.1, 1.0),
    )
    return [
        Record(
            RUNS[1].digest,
            RUNS[1].identity,
            Result("diverged", curve, None, {"cohort": 3}),
            {"versions": {"torch": "2"}},
        ),
        Record(RUNS[3].digest, RUNS[3].identity, Result("failed", (), 'Traceback\n  a, "b"\nValueError: no')),
    ]


def test_frames_for_the_analysis():
    runs, curves = to_frames(some())
    assert list(runs["status"]) == ["diverged", "failed"]
    assert runs.loc[0, "config.optimizer.name"] == "adam"
    assert runs.loc[0, "config.optimizer.lr"] == 1e-7
    assert runs.loc[1, "config.model.channels"] == [6, 16]
    assert runs.loc[1, "config.optimizer.beta1"] is None
    assert list(runs["epochs"]) == [2, 0]
    assert list(runs["engine"]) == [1, 1]
    assert runs.loc[0, "seconds"] == 2.5
    assert runs.loc[0, "test_loss"] == math.inf
    assert runs.loc[0, "provenance.versions.torch"] == "2"
    assert runs[list(FIRST_METRICS)].dtypes.eq("float64").all()
    assert list(curves["epoch"]) == [1, 2]
    assert curves["val_loss"].isna().all()
    empty, no_curves = to_frames([])
    assert len(empty) == len(no_curves) == 0
    assert set(FIRST_METRICS) <= set(empty.columns)


def test_further_columns_and_second_rows_do_no_harm(tmp_path):
    write_folder(tmp_path, some())
    runs = pd.read_csv(tmp_path / "runs.csv", dtype=str, keep_default_na=False)
    runs.insert(0, "study", "lr")
    pd.concat([runs, runs]).to_csv(tmp_path / "runs.csv", index=False)
    assert repr(read_folder(tmp_path)[1].result) == repr(some()[1].result)


def edit(path, old, new):
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


DAMAGE = {
    "a missing file": (lambda f: (f / "curves.csv").unlink(), "curves.csv: No such file"),
    "a missing column": (
        lambda f: edit(f / "curves.csv", "epoch", "era"),
        "curves.csv, line 1: no column epoch or step",
    ),
    "a missing metric's column": (
        lambda f: edit(f / "curves.csv", "train_loss", "loss"),
        "runs.csv, line 2, column train_loss = 'nan': curves.csv has none of this run",
    ),
    "a column twice": (lambda f: edit(f / "runs.csv", "status", "digest"), "line 1: no column status"),
    "a word for a number": (
        lambda f: edit(f / "curves.csv", "2.5", "two"),
        "curves.csv, line 2, column test_loss = 'two': should be a number",
    ),
    "a missing metric": (
        lambda f: edit(f / "curves.csv", ",nan,", ",,"),
        "runs.csv, line 2, column train_loss = 'nan': curves.csv has 0.30000000000000004 as the last of this run",
    ),
    "a cut line": (
        lambda f: edit(f / "curves.csv", ",inf,0.1,1.0", ""),
        "curves.csv, line 3: 6 cells, the header has 9",
    ),
    "a lost epoch": (lambda f: edit(f / "curves.csv", ",1,0.3", ",3,0.3"), "line 2, column epoch = '3': 1 is next"),
    "a changed configuration": (lambda f: edit(f / "runs.csv", "1e-07", "1e-06"), "runs.csv, line 2, column digest"),
    "an unknown status": (lambda f: edit(f / "runs.csv", "diverged", "lost"), "line 2, column status = 'lost'"),
    "a wrong number of epochs": (
        lambda f: edit(f / "runs.csv", ",2,nan", ",3,nan"),
        "column epochs = '3': curves.csv has 2",
    ),
    "a run cut short": (
        lambda f: edit(f / "runs.csv", ",diverged,", ",complete,"),
        "runs.csv, line 2: is complete, but has 2 of its 3 steps",
    ),
    "a foreign curve": (lambda f: edit(f / "curves.csv", RUNS[1].digest, "f" * 64), "column epoch = '2': 1 is next"),
    "no text": (lambda f: (f / "runs.csv").write_bytes(b"digest,status,epochs\n\xff\xfe"), "runs.csv: 'utf-8' codec"),
    "an open quote": (lambda f: edit(f / "runs.csv", "digest", '"digest'), "runs.csv, line 2: ',' expected after"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_files_are_named_with_line_and_column(tmp_path, kind):
    write_folder(tmp_path, some())
    damage, message = DAMAGE[kind]
    damage(tmp_path)
    with pytest.raises(ConfigError) as caught:
        read_folder(tmp_path)
    (problem,) = caught.value.problems
    assert str(tmp_path) in problem
    assert message in problem
    assert "\n" not in problem


# Records of other tasks


FOREIGN = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8).filter(
    lambda name: problem_of_name(name) is None
)
json_value = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2), max_leaves=5
)


@st.composite
def foreign_records(draw):
    config = draw(st.dictionaries(text, json_value, max_size=4)) | {"task": "of nobody here"}
    steps = sorted(draw(st.sets(st.integers(-5, 2**60), max_size=4)))
    values = st.dictionaries(FOREIGN, st.floats(), max_size=3)
    curves = tuple(Measurement(step, draw(values), draw(st.floats(0, 10))) for step in steps)
    guesses = draw(st.dictionaries(FOREIGN, st.builds(Guess, st.floats(), st.none() | st.integers(1, 9)), max_size=2))
    status = draw(st.sampled_from(["complete", "diverged", "failed"]))
    result = Result(
        status, curves, draw(st.none() | text), draw(st.dictionaries(text, json_value, max_size=2)), guesses
    )
    return Record(digest_of(config), config, result, draw(st.dictionaries(text, json_value, max_size=2)))


@settings(max_examples=60, deadline=None)
@given(records=st.lists(foreign_records(), min_size=1, max_size=3, unique_by=lambda record: record.digest))
def test_any_metrics_steps_and_words_come_back_from_csv_and_from_a_store(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("csv")
    write_folder(folder, records)
    assert same(read_folder(folder), records)
    with (folder / "runs.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t")) and not is_number(cell)]
    with open_store(str(folder / "runs.db")) as store:
        store.add(*records)
        assert same(store.all(), records)


def is_number(cell):
    try:
        float(cell)
    except ValueError:
        return cell == "-Infinity"
    return True


def same(found, given):
    def plain(record):
        points = [(p.step, p.seconds, sorted(p.values.items())) for p in record.result.curves]
        rest = (record.digest, record.config, record.result.status, record.result.error, record.result.notes)
        return repr((points, sorted(record.result.guesses.items()))), ordered((rest, record.provenance))

    return [plain(record) for record in found] == [plain(record) for record in given]


def ordered(value):
    return json.dumps(value, sort_keys=True)


def test_columns_of_other_tasks_follow_what_was_measured(tmp_path):
    config = {"task": "of nobody here", "lr": 0.1}
    curve = (Measurement(0, {"f1": 0.5}), Measurement(100, {"train_loss": math.inf, "f1": 0.75}))
    record = Record(digest_of(config), config, Result("complete", curve, guesses={"f1": Guess(0.5, 10)}))
    write_folder(tmp_path, [record])
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert lines[0] == "digest,step,f1,train_loss,seconds"
    assert lines[1].endswith(",0,0.5,,0.0")
    runs, curves = to_frames([record])
    assert list(curves["epoch"]) == [0, 100]
    assert runs.loc[0, "f1"] == 0.75


NAMES = ["status", "seconds", "epochs", "step", "config.x", "provenance.a", "=x", "", " a", "a\n"]


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_that_would_be_taken_for_another_column_is_refused(tmp_path, name):
    assert repr(name) in problem_of_name(name)
    config = {"task": "of nobody here"}
    record = Record(digest_of(config), config, Result("complete", (Measurement(0, {name: 0.5}),)))
    with pytest.raises(ConfigError, match="a metric cannot be called"):
        write_folder(tmp_path / "new", [record])
    assert not (tmp_path / "new").exists()


# Records that are committed


@pytest.mark.parametrize("folder", [file.parent for file in sorted(RESULTS.rglob("runs.csv"))], ids=str)
def test_committed_records_are_what_they_always_were(tmp_path, folder):
    records = read_folder(folder)
    assert records
    for record in records:
        assert digest_of(record.config) == record.digest
        run = IMAGES.parse({name: value for name, value in record.config.items() if name != "engine"})
        assert (run.digest, run.identity) == (record.digest, record.config)
    write_folder(tmp_path, records)
    for name in ("runs.csv", "curves.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
    with open_store(str(tmp_path / "runs.db")) as store:
        assert store.merge(records) == len(records)
        assert repr(store.all()) == repr(records)
