"""A store that the program of version 1 wrote is planned with, listed, reported, and resumed from by the commands."""

import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest

from ablate.store import open_store
from ablate.store.frames import read_folder
from ablate.store.schema import REVISION

DUMP = Path(__file__).parents[1] / "store" / "version_1.sql"
ROOT = Path(__file__).parents[2]
TINY = "data.train_size: 300, train.epochs: 1, train.compile: off"

# The three complete records of the store are the baseline's seeds 0 to 2.
STUDY = f"""
study:
  factors:
    train: {{all of it: {{}}, little: {{{TINY}}}}}
  seeds: 3
model: {{activation: relu, activation_c5: relu, activation_f6: relu}}
optimizer: {{lr: 0.03}}
train: {{epochs: 3}}
"""
# One record of the store is of a run that diverged at its baseline, and one of a run that failed at seed 77.
OTHERS = """
study:
  factors: {optimizer.lr: [30.0, 0.9]}
  seeds: [0, 77]
optimizer: {lr: 30.0}
"""


@pytest.fixture
def store(results):
    folder = results()
    folder.mkdir()
    path = folder / "ablate.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(DUMP.read_text())
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    for name, text in {"old": STUDY, "others": OTHERS}.items():
        file = folder.parent / "sweeps" / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return path


def all_records(path):
    with open_store(str(path), read_only=True) as store:
        return {record.digest: record for record in store.all()}


def version(path):
    connection = sqlite3.connect(path)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    (number,) = connection.execute("SELECT version FROM ablate_store").fetchone()
    revision = connection.execute("SELECT version_num FROM ablate_revision").fetchall() if number > 1 else []
    connection.close()
    return number, revision, {"records", "epochs"} <= tables


def test_what_only_looks_leaves_it_byte_by_byte_as_it_was(store, ablate):
    before = store.read_bytes()
    found = json.loads(ablate("plan", "old", "--json"))
    assert (found["runs_distinct"], found["in_store"], found["to_train"]) == (6, 3, 3)
    found = json.loads(ablate("plan", "others", "--json"))
    assert (found["runs_distinct"], found["in_store"], found["to_train"]) == (4, 1, 3), "a failed run is tried again"
    rows = [json.loads(line) for line in ablate("runs", "--json").splitlines()]
    assert [row["status"] for row in rows] == ["complete"] * 3 + ["diverged", "failed"]
    quickstart = {record.digest: record for record in read_folder(ROOT / "results" / "quickstart")}
    for row in rows[:3]:
        assert row["test_acc"] == quickstart[row["digest"]].result.last("test_acc")
        assert row["config"] == quickstart[row["digest"]].config
    listed = list(csv.DictReader(io.StringIO(ablate("runs", "--csv"), newline="")))
    assert [row["digest"] for row in listed] == [row["digest"] for row in rows]
    ablate("report", "old")
    reported = read_folder(store.parent / "old")
    assert repr(reported) == repr([quickstart[record.digest] for record in reported])
    assert len(reported) == 3
    assert store.read_bytes() == before
    assert version(store) == (1, [], True)


def test_a_sweep_migrates_it_and_trains_only_what_it_lacks(store, ablate):
    old = all_records(store)
    said = ablate("sweep", "old", "device=cpu", "workers=1")
    assert "3 trained" in said
    assert "3 already in the store" in said
    assert version(store) == (2, [(REVISION,)], False)
    new = all_records(store)
    assert {digest: repr(new[digest]) for digest in old} == {digest: repr(record) for digest, record in old.items()}
    trained = [record for digest, record in new.items() if digest not in old]
    assert sorted(record.config["seed"] for record in trained) == [0, 1, 2]
    assert {record.result.status for record in trained} == {"complete"}
    assert {len(record.result.curves) for record in trained} == {1}

    assert "0 trained" in ablate("sweep", "old", "device=cpu", "workers=1")
    assert {digest: repr(record) for digest, record in all_records(store).items()} == {
        digest: repr(record) for digest, record in new.items()
    }
    assert "nothing to train" in ablate("plan", "old")
    ablate("report", "old")
    assert {record.digest for record in read_folder(store.parent / "old")} == {
        record.digest for record in new.values() if record.result.status == "complete"
    }
