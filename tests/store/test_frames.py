import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.images.config import SGD, Adam, AlexNet, FashionMNIST, Train
from ablate.images.metrics import METRICS, measured_epoch
from ablate.images.run import RunConfig
from ablate.store.frames import read_folder, to_frames, write_folder
from ablate.task.errors import ConfigError
from ablate.task.record import Record, Result

RUNS = [
    RunConfig(),
    RunConfig(optimizer=Adam(lr=1e-7), seed=2**31 - 1, train=Train(epochs=2)),
    RunConfig(model=AlexNet(), data=FashionMNIST(train_size=77, protocol="holdout", val_size=5)),
    RunConfig(optimizer=SGD(lr=0.1 + 0.2)),
]

text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
word = st.text("abcxyz_", min_size=1, max_size=5)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text | st.just("nan") | st.just("1")
metric = st.floats(allow_nan=True, allow_infinity=True)
maybe = st.none() | metric
epochs = st.lists(st.tuples(metric, metric, maybe, maybe, maybe, maybe, metric), max_size=3)
results = st.builds(
    lambda status, curves, error, notes: Result(
        status, tuple(measured_epoch(n + 1, *c) for n, c in enumerate(curves)), error, notes
    ),
    st.sampled_from(["complete", "diverged", "failed"]),
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
    assert runs[list(METRICS)].dtypes.eq("float64").all()
    assert list(curves["epoch"]) == [1, 2]
    assert curves["val_loss"].isna().all()
    empty, no_curves = to_frames([])
    assert len(empty) == len(no_curves) == 0
    assert set(METRICS) <= set(empty.columns)


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
        lambda f: edit(f / "curves.csv", "train_loss", "loss"),
        "curves.csv, line 1: no column train_loss",
    ),
    "a word for a number": (
        lambda f: edit(f / "curves.csv", "2.5", "two"),
        "curves.csv, line 2, column test_loss = 'two': should be a number",
    ),
    "a missing metric": (lambda f: edit(f / "curves.csv", ",nan,", ",,"), "line 3, column train_loss = ''"),
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
