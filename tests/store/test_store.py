import dataclasses
import sqlite3
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.images.config import SGD, Cosine, OneCycle, Step, Train, WarmUp
from ablate.images.metrics import measured_epoch
from ablate.images.run import RunConfig
from ablate.store import SCHEMA_VERSION, Speed, StoreUnavailable, open_store
from ablate.store.database import open_database
from ablate.store.schema import info
from ablate.store.tasks import Tasks
from ablate.task.errors import ConfigError
from ablate.task.record import Record, Result

metric = st.floats(allow_nan=True, allow_infinity=True)
maybe = st.none() | metric


def record(run=None, status="complete", epochs=2, error=None, notes=None, loss=0.5):
    run = run or RunConfig()
    curves = tuple(measured_epoch(n, loss, 0.25, None, None, loss / n, 0.1 * n, 0.01) for n in range(1, epochs + 1))
    return Record(run.digest, run.identity, Result(status, curves, error, notes or {}), {"host": "here"})


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "new" / "runs.db")) as store:
        yield store


def same(one, other):
    """Equal field by field, NaN with NaN, and floats bit by bit."""
    return repr(one) == repr(other)


def test_records_come_back_as_they_were(store):
    records = [record(RunConfig(seed=s), notes={"reason": None, "sizes": [1, 2.5]}) for s in range(1200)]
    assert store.add(*records) == 1200
    wanted = [r.digest for r in records[::2]]
    found = store.get([*wanted, "unknown"])
    assert set(found) == set(wanted)
    assert all(same(found[r.digest], r) for r in records[::2])
    assert same(store.all(), records)
    assert store.status_of(wanted) == dict.fromkeys(wanted, "complete")
    assert store.count() == {"complete": 1200}
    assert store.get(wanted, curves=False)[wanted[0]].result.curves == ()


@settings(max_examples=30, deadline=None)
@given(curves=st.lists(st.tuples(metric, metric, maybe, maybe, maybe, maybe, metric), max_size=4))
def test_every_float_survives(curves, tmp_path_factory):
    run = RunConfig()
    epochs = tuple(measured_epoch(n, *values) for n, values in enumerate(curves, start=1))
    given = Record(run.digest, run.identity, Result("diverged", epochs), {"seconds": 0.1 + 0.2})
    with open_store(str(tmp_path_factory.mktemp("float") / "runs.db")) as store:
        store.add(given)
        (found,) = store.all()
    assert dataclasses.replace(found, result=None) == dataclasses.replace(given, result=None)
    assert [(point.step, point.seconds.hex(), bits(point)) for point in found.result.curves] == [
        (point.step, point.seconds.hex(), bits(point)) for point in given.result.curves
    ]


def bits(point):
    return {name: value.hex() for name, value in point.values.items()}


def test_a_final_record_is_never_changed(store):
    first = record(loss=0.25)
    store.add(first)
    assert store.add(record(loss=0.75), record(status="failed", error="late")) == 0
    assert same(store.all(), [first])


def test_a_failed_record_is_replaced(store):
    mark = store.mark()
    store.add(record(status="failed", epochs=5, error="first"))
    second = record(status="failed", epochs=1, error="second")
    assert store.add(second) == 1
    assert same(store.all(status="failed"), [second])
    assert store.status_of([second.digest]) == {second.digest: "failed"}
    assert store.status_of([second.digest], since=mark) == {second.digest: "failed"}
    assert store.status_of([second.digest], since=store.mark()) == {}
    final = record(status="diverged", epochs=3)
    store.add(final)
    assert same(store.all(), [final])
    assert store.status_of([final.digest], since=store.mark()) == {final.digest: "diverged"}


def test_within_one_addition_a_final_record_wins(store):
    assert store.add(record(status="failed"), record(loss=0.125), record(status="failed")) == 1
    assert same(store.all(), [record(loss=0.125)])


def test_a_record_is_written_whole_or_not_at_all(store):
    broken = dataclasses.replace(record().result.curves[0], seconds=None)
    bad = dataclasses.replace(record(), result=Result("complete", (broken,)))
    with pytest.raises(TypeError):
        store.add(record(RunConfig(seed=1)), bad)
    assert store.all() == []


def test_merging_into_an_empty_store(store, tmp_path):
    records = [record(RunConfig(seed=s)) for s in range(3)]
    store.add(*records)
    with open_store(str(tmp_path / "other.db")) as other:
        assert other.merge(store.all()) == 3
        assert other.merge(store.all()) == 0
        assert same(other.all(), records)


@pytest.mark.parametrize("schedule", [Step(), Cosine(), OneCycle(), WarmUp()])
def test_trajectory_from_the_identity(schedule):
    run = RunConfig(schedule=schedule, train=Train(epochs=3))
    assert Tasks().trajectory_of(run.identity, run.digest) == run.trajectory
    assert Tasks().length_of(run.identity) == 3
    for unknown in ({"task": "of another machine"}, {"engine": 1}, {"train": {}}):
        assert Tasks().length_of(unknown) is None
    assert Tasks().trajectory_of({"task": "of another machine"}, run.digest) == run.digest


def test_along_a_trajectory_divergence_says_most_then_length(store):
    lengths = {epochs: RunConfig(train=Train(epochs=epochs)) for epochs in (2, 5, 9)}
    other = RunConfig(optimizer=SGD(lr=0.1))
    store.add(record(lengths[5], epochs=5), record(lengths[2]), record(other, status="failed", error="no"))
    assert same(
        store.along([other.trajectory, lengths[2].trajectory]), {lengths[2].trajectory: record(lengths[5], epochs=5)}
    )
    diverged = RunConfig(optimizer=SGD(lr=3.0), train=Train(epochs=4))
    longer = RunConfig(optimizer=SGD(lr=3.0), train=Train(epochs=7))
    store.add(record(longer, "diverged", 3), record(diverged, "diverged", 3))
    assert store.along([diverged.trajectory])[diverged.trajectory].result.status == "diverged"


def test_speeds_are_replaced_by_shape(store):
    speed = Speed("here", "cpu", "k", 10, True, 1000.0, "2026-01-01")
    other = dataclasses.replace(speed, members=2)
    store.add_speeds([speed, other])
    newer = dataclasses.replace(speed, samples_per_second=2000.0)
    store.add_speeds([newer])
    assert sorted(store.speeds("here"), key=lambda s: s.members) == [other, newer]
    assert store.speeds("there") == []


def test_a_read_only_view_leaves_no_file(tmp_path):
    with open_store(str(tmp_path / "none" / "runs.db"), read_only=True) as store:
        assert store.all() == []
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_view_of_a_closed_and_of_an_open_store(tmp_path):
    path = str(tmp_path / "runs.db")
    with open_store(path) as store:
        store.add(record())
        with open_store(path, read_only=True) as view:
            assert same(view.all(), [record()])
    with open_store(path, read_only=True) as view:
        assert same(view.all(), [record()])
    assert [p.name for p in tmp_path.iterdir()] == ["runs.db"]


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_a_file_whose_maker_was_killed_before_its_tables_were_made_is_an_empty_store(tmp_path, journal_mode):
    path = tmp_path / "runs.db"
    sqlite3.connect(path).execute(f"PRAGMA journal_mode = {journal_mode}").connection.close()
    with open_store(str(path), read_only=True) as view:
        assert view.all() == []
    with open_store(str(path)) as store:
        assert store.all() == []


def bad_places(tmp_path):
    (tmp_path / "text.db").write_text("no database at all, " * 100)
    sqlite3.connect(tmp_path / "other.db").execute("create table records (id)").connection.close()
    with open_store(str(tmp_path / "fine.db")):
        pass
    return {
        str(tmp_path / "text.db"): "file is not a database",
        str(tmp_path / "other.db"): "is a database, but not a run store",
        str(tmp_path): "is a folder; must be a file in a folder that can be written",
        str(tmp_path / "text.db" / "below.db"): "File exists",
        f"sqlite:///file:{tmp_path / 'fine.db'}?mode=ro&uri=true": "takes no options; must be its path",
        "sqlite://": "is in memory, and would be gone at the end; must be a file",
        "sqlite:///": "is in memory",
        "sqlite:///:memory:": "is in memory",
        "sqlite:///file::memory:?uri=true": "is in memory",
        "nosql://here": "sqlalchemy.dialects:nosql",
        "postgresql+nothing://user:secret@here/db": "nothing",
    }


def test_bad_places_are_refused_in_one_line(tmp_path):
    for location, reason in bad_places(tmp_path).items():
        with pytest.raises(ConfigError) as caught:
            open_store(location)
        (problem,) = caught.value.problems
        assert problem.startswith("store = ")
        assert reason in problem
        assert "\n" not in problem
        assert "secret" not in problem


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_schema_is_refused(tmp_path, read_only):
    path = str(tmp_path / "runs.db")
    with open_store(path):
        database = open_database(path)
        database.write(lambda connection, _: connection.execute(info.update().values(version=SCHEMA_VERSION + 1)))
        database.close()
    with pytest.raises(ConfigError, match=f"schema version {SCHEMA_VERSION + 1}, this program knows {SCHEMA_VERSION}"):
        open_store(path, read_only=read_only)


def test_a_store_is_in_wal_mode(store, tmp_path):
    with sqlite3.connect(tmp_path / "new" / "runs.db") as connection:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    connection.close()


MANY = """
import sys
from ablate.images.run import RunConfig
from ablate.task.record import Record, Result
from ablate.store import open_store
with open_store(sys.argv[1]) as store:
    for seed in range(40):
        run = RunConfig(seed=seed)
        store.add(Record(run.digest, run.identity, Result("complete", notes={"by": sys.argv[2]})))
"""


def test_several_processes_create_and_write_one_store(tmp_path):
    path = str(tmp_path / "runs.db")
    processes = [subprocess.Popen([sys.executable, "-c", MANY, path, str(n)]) for n in range(4)]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    with open_store(path) as store:
        assert (
            len(store.all())
            == len(store.count() and store.status_of(RunConfig(seed=s).digest for s in range(40)))
            == 40
        )


# A file that is moved, deleted or replaced while it is in use


def test_a_file_that_is_moved_takes_all_records_with_it(tmp_path):
    """Also those that only its write-ahead log held, which stays where it was."""
    path, moved = tmp_path / "runs.db", tmp_path / "elsewhere" / "mine.db"
    moved.parent.mkdir()
    records = [record(RunConfig(seed=seed)) for seed in range(3)]
    with open_store(str(path)) as store:
        store.add(records[0])
        store.add(records[1])
        assert path.with_name("runs.db-wal").stat().st_size
        path.rename(moved)
        with pytest.raises(StoreUnavailable, match="was moved, deleted or replaced"):
            store.add(records[2])
    with open_store(str(moved)) as store:
        assert same(store.all(), records[:2])


def test_the_log_of_a_file_that_is_replaced_does_not_damage_the_new_one(tmp_path):
    path, other = tmp_path / "runs.db", tmp_path / "other.db"
    theirs = [record(RunConfig(seed=seed)) for seed in range(50, 54)]
    with open_store(str(other)) as store:
        store.add(*theirs)
    with open_store(str(path)) as store:
        for seed in range(20):
            store.add(record(RunConfig(seed=seed)))
        other.replace(path)
        with pytest.raises(StoreUnavailable, match="was moved, deleted or replaced"):
            store.all()
    with open_store(str(path)) as store:
        assert same(store.all(), theirs)
        store.add(record(RunConfig(seed=99)))
        assert len(store.all()) == 5
