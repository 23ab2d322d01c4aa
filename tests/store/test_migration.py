"""A store of version 1 (written by the program of that time, see version_1.sql) is read, migrated and gone on with."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.images.metrics import measured_epoch
from ablate.store import Owner, Speed, open_store
from ablate.store.database import open_database
from ablate.store.frames import read_folder
from ablate.store.schema import REVISION, metadata, revision
from ablate.task.errors import ConfigError

DUMP = Path(__file__).with_name("version_1.sql").read_text()
QUICKSTART = Path(__file__).parents[2] / "results" / "quickstart"
INF, NAN = float("inf"), float("nan")
DIVERGED = (
    measured_epoch(1, 2.5, 0.1, None, None, INF, 0.1, 1.0),
    measured_epoch(2, NAN, 0.1, None, None, NAN, 0.1, 0.1 + 0.2),
)


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "runs.db"
    connection = sqlite3.connect(path)
    connection.executescript(DUMP)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return path


def check(store):
    records = store.all()
    quickstart = {record.digest: record for record in read_folder(QUICKSTART)}
    assert repr(records[:3]) == repr([quickstart[record.digest] for record in records[:3]])
    assert repr(records[3].result.curves) == repr(DIVERGED)
    assert records[3].result.notes == {"cohort": 1}
    assert records[4].result.error == "Traceback\n  a, \"b'\nValueError: no é\t"
    assert store.count() == {"complete": 3, "diverged": 1, "failed": 1}
    assert store.mark() == 6
    assert store.speeds("here") == [Speed("here", "cpu", "k", 10, True, 1000.5, "2026-01-01")]
    digests = [record.digest for record in records]
    assert store.status_of(digests, since=6) == dict(zip(digests, ["complete"] * 3 + ["diverged"], strict=False))
    assert repr(store.get(digests)) == repr({record.digest: record for record in records})
    return records


def test_it_is_read_as_it_is(old):
    before = old.read_bytes()
    with open_store(str(old), read_only=True) as store:
        check(store)
    assert old.read_bytes() == before
    assert [path.name for path in old.parent.iterdir()] == ["runs.db"]


def test_it_is_migrated_by_the_first_that_writes(old):
    with open_store(str(old), read_only=True) as store:
        before = check(store)
    with open_store(str(old)) as store:
        after = check(store)
        assert store.add(before[0]) == 0
        assert store.add(before[4]) == 1
        assert store.lease(["f" * 64], Owner.current()) == {"f" * 64}
    assert repr(before) == repr(after)


def test_its_tables_are_those_of_a_new_store(old, tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    for path in (old, tmp_path / "new.db"):
        database = open_database(str(path))
        with database._engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": revision.name})
            assert context.get_current_revision() == REVISION
            assert compare_metadata(context, metadata) == []
        database.close()


def test_a_migration_that_is_broken_off_leaves_it_as_it_was(old, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ablate.store.curves.checksum", fail)
        with pytest.raises(KeyboardInterrupt):
            open_store(str(old))
    with open_store(str(old), read_only=True) as store:
        assert store._database.version == 1
        check(store)
    with open_store(str(old)) as store:
        check(store)


KILLED = """
import os, signal, sys
import ablate.store.curves, ablate.store as s
def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)
ablate.store.curves.checksum = kill
s.open_store(sys.argv[1])
"""


def test_a_process_that_is_killed_while_it_migrates_leaves_it_as_it_was(old):
    assert subprocess.run([sys.executable, "-c", KILLED, str(old)], check=False).returncode == -9
    with open_store(str(old), read_only=True) as store:
        assert store._database.version == 1
        check(store)


AT_ONCE = "import sys, ablate.store as s; sys.stdin.read(); print(len(s.open_store(sys.argv[1]).all()))"


def test_several_processes_that_start_it_at_once(old):
    command = [sys.executable, "-c", AT_ONCE, str(old)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        process.stdin.flush()
    found = [process.communicate("go") for process in processes]
    assert found == [("5\n", "")] * 4
    with open_store(str(old)) as store:
        check(store)


def test_it_is_not_migrated_under_a_sweep_of_the_old_version(old):
    with sqlite3.connect(old) as connection:
        connection.execute("UPDATE leases SET expires = 1e12")
    connection.close()
    with pytest.raises(ConfigError, match="a sweep of an older version of ablate is at work on it"):
        open_store(str(old))
    with open_store(str(old), read_only=True) as store:
        check(store)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM epochs WHERE record = 3 AND epoch = 2", "epoch"),
        ("DELETE FROM epochs WHERE record = 3 AND epoch = 3", "epoch"),
        ("UPDATE records SET config = substr(config, 1, 50)", "delimiter|Expecting|Unterminated"),
        ("ALTER TABLE records DROP COLUMN notes", "no such column"),
    ],
)
def test_one_that_is_not_whole_is_never_taken_for_whole(old, statement, reason):
    with sqlite3.connect(old) as connection:
        connection.execute(statement)
    connection.close()
    for read_only in (True, False):
        with pytest.raises(ConfigError, match=reason) as caught:
            open_store(str(old), read_only=read_only).all()
        assert len(caught.value.problems) == 1
