"""A store on a PostgreSQL server: set up on first use, whole after crashes, cuts and clients that are gone."""

import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path
from threading import Timer

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError

from ablate.images.run import RunConfig
from ablate.store import SCHEMA_VERSION, Owner, Speed, StoreUnavailable, database, leases, open_store, version1
from ablate.store import server as server_module
from ablate.store.database import open_database
from ablate.store.location import url_of
from ablate.store.schema import info, metadata
from ablate.store.server import connect_options, server_engine
from ablate.task.errors import ConfigError
from ablate.task.record import Guess, Measurement, Record, Result
from benchmarks.cluster import Link

DUMP = Path(__file__).with_name("version_1.sql")
INF, NAN = float("inf"), float("nan")


@pytest.fixture
def url(server):
    return server.url(f"test_{uuid.uuid4().hex[:12]}")


@pytest.fixture
def link(server):
    link = Link(server)
    yield link
    link.close()


def record(seed=0, **result):
    run = RunConfig(seed=seed)
    given = {"status": "complete", "curves": (Measurement(1, {"test_acc": 0.5}, 0.1),)} | result
    return Record(run.digest, run.identity, Result(**given), {"host": "here"})


HOSTILE = [
    record(1, error="NUL \0, half a pair \ud800, é, 'quotes' \"\\ %s :name", status="failed", curves=()),
    record(2, status="diverged", curves=(Measurement(1, {"a": NAN, "b": -INF, "é\0": 5e-324}, INF),)),
    record(3, curves=(Measurement(2**40, {"a": 0.1 + 0.2}, 0.0), Measurement(2**40 + 7, {"b": -0.0}, 0.0))),
    record(4, notes={"why": None, "sizes": [1, 2.5], "\0": "\udfff"}, guesses={"f1": Guess(0.1, 10), "x": Guess(0.0)}),
]


def tables(url):
    engine = server_engine(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


def test_an_empty_database_is_an_empty_store_until_the_first_that_writes(url):
    with open_store(url, read_only=True) as store:
        assert store.all() == []
        assert store.held(["f" * 64]) == {}
    assert tables(url) == set()
    with open_store(url) as store:
        assert store.add(record()) == 1
    assert tables(url) == set(metadata.tables)
    with open_store(url, read_only=True) as store:
        assert repr(store.all()) == repr([record()])
        with pytest.raises(DBAPIError, match="read-only"):
            store._database.read(lambda connection: connection.execute(text("DELETE FROM ablate_records")))


AT_ONCE = """
import sys
import ablate.store as s
sys.stdin.read()
with s.open_store(sys.argv[1]) as store:
    print(store.count())
"""


def test_several_that_set_it_up_at_once(url):
    command = [sys.executable, "-c", AT_ONCE, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    assert [process.communicate("go") for process in processes] == [("{}\n", "")] * 3
    with open_store(url) as store:
        assert store.mark() == 0


def test_what_it_is_given_is_what_a_file_gives_back(url, tmp_path):
    speed = Speed("here", "cpu", "k", 10, True, 1000.5, "2026-01-01")
    for place in (url, str(tmp_path / "runs.db")):
        with open_store(place) as store:
            assert store.add(*HOSTILE) == 4
            assert store.merge(HOSTILE) == 1, "a failed one is replaced"
            store.add_speeds([speed])
            assert sorted(map(repr, store.all())) == sorted(map(repr, HOSTILE))
            assert store.speeds("here") == [speed]
            assert store.count() == {"failed": 1, "diverged": 1, "complete": 2}
            assert store.lease(["f" * 64, HOSTILE[0].digest, HOSTILE[1].digest], Owner.current()) == {
                "f" * 64,
                HOSTILE[0].digest,
            }


def test_a_store_of_version_1_is_migrated(url, tmp_path):
    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    old.executescript(DUMP.read_text())
    old.row_factory = sqlite3.Row
    engine = server_engine(url)
    with engine.begin() as connection:
        info.create(connection)
        version1.metadata.create_all(connection)
        for table in (info, *version1.metadata.sorted_tables):
            rows = [dict(row) for row in old.execute(f"SELECT * FROM {table.name}")]
            names = ", ".join(rows[0])
            values = ", ".join(f":{name}" for name in rows[0])
            for row in rows:
                row |= {"shared": bool(row["shared"])} if "shared" in row else {}
            connection.execute(text(f"INSERT INTO {table.name} ({names}) VALUES ({values})"), rows)
    engine.dispose()
    old.close()
    with open_store(str(path), read_only=True) as store:
        expected = store.all()
    assert len(expected) == 5
    with open_store(url, read_only=True) as store:
        assert repr(store.all()) == repr(expected)
    with open_store(url) as store:
        assert repr(store.all()) == repr(expected)
    assert tables(url) == set(metadata.tables)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_database_that_is_not_ours_or_newer_is_left_alone(url, read_only):
    engine = server_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE ablate_records (id INTEGER)"))
    with pytest.raises(ConfigError, match="is a database, but not a run store"):
        open_store(url, read_only=read_only)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE ablate_records"))
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    open_store(url).close()
    database = open_database(url)
    database.write(lambda connection, _: connection.execute(info.update().values(version=SCHEMA_VERSION + 1)))
    database.close()
    with pytest.raises(ConfigError, match=f"schema version {SCHEMA_VERSION + 1}, this program knows"):
        open_store(url, read_only=read_only)
    assert "theirs" in tables(url)
    engine.dispose()


def test_a_user_who_may_not_make_tables_is_told(server, url):
    engine = server_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS guest"))
        connection.execute(text("CREATE ROLE guest LOGIN PASSWORD 'guest'"))
    with pytest.raises(ConfigError, match="permission denied for schema public"):
        open_store(url.replace("ablate:s3cret", "guest:guest"))
    with open_store(url.replace("ablate:s3cret", "guest:guest"), read_only=True) as store:
        assert store.all() == []
    with engine.begin() as connection:
        connection.execute(text("DROP ROLE guest"))
    engine.dispose()


def test_a_server_that_crashes_loses_nothing_and_is_waited_for(server, url, caplog):
    with open_store(url) as store:
        store.add(record(1))
        server.restart()
        store.add(record(2))
        server.stop()
        starts = iter([lambda: None, server.start])
        store.wait_only_while(lambda: next(starts, lambda: None)() is None)
        assert repr(store.all()) == repr([record(1), record(2)])
    assert "trying again for 600 s" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_network_that_is_cut_is_waited_for_and_nothing_is_doubled(server, url, link, caplog):
    through = url.replace(str(server.port), str(link.port))
    with open_store(through) as store:
        store.add(record(1))
        link.cut()
        store.wait_only_while(lambda: link.mend() is None)
        assert store.add(record(2)) == 1
        link.cut()
        store.wait_only_while(lambda: False)
        with pytest.raises(StoreUnavailable) as caught:
            store.add(record(3))
        link.mend()
        assert repr(store.all()) == repr([record(1), record(2)])
    assert "s3cret" not in str(caught.value) + caplog.text
    assert "***" in str(caught.value)


def test_a_network_that_swallows_everything_is_waited_for(server, url, link, monkeypatch):
    through = f"{url.replace(str(server.port), str(link.port))}?connect_timeout=2"
    with open_store(through) as store:
        link.cut(silently=True)
        store.wait_only_while(lambda: store._database.outages == 0 or link.mend() is None)
        assert store.add(record(1)) == 1
        assert repr(store.all()) == repr([record(1)])
    link.cut(silently=True)
    monkeypatch.setattr("ablate.store.database._ANSWERED", set())
    with pytest.raises(ConfigError, match="connection timeout expired"):
        open_store(through)


def test_one_that_has_answered_before_is_waited_for_when_it_is_opened_again(server, url, link):
    through = url.replace(str(server.port), str(link.port))
    open_store(through).close()
    link.cut()
    mend = Timer(0.3, link.mend)
    mend.start()
    open_store(through).close()
    mend.join()


def test_one_that_is_starting_up_is_waited_for_and_people_are_told(url, monkeypatch, caplog):
    tries, look = [], database._table_names

    def starting(engine):
        tries.append(None)
        if len(tries) < 4:
            raise OperationalError(None, None, Exception("FATAL:  the database system is starting up"))
        return look(engine)

    monkeypatch.setattr(database, "_table_names", starting)
    monkeypatch.setattr(database, "_TOLD_PAUSE", 0.06)
    open_store(url).close()
    assert len(tries) == 4
    assert "the database system is starting up; trying again for 600 s" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_lease_elsewhere_is_watched_anew_after_a_time_in_which_nobody_could_renew_it(server, url, link, monkeypatch):
    """Else the first that is back takes the other's runs."""
    now = [5e4]
    monkeypatch.setattr(leases.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(leases, "clock_of", lambda _: now[0])
    digests = {record(1).digest}
    with open_store(url.replace(str(server.port), str(link.port))) as store:
        there = Owner("theirs", "elsewhere", 1, "1")
        assert store.lease(digests, there) == digests
        assert store.lease(digests, Owner.current()) == set()
        link.cut()
        now[0] += 10 * leases.LEASE
        store.wait_only_while(lambda: link.mend() is None)
        assert store.lease(digests, Owner.current()) == set()
        now[0] += leases.STILL + 1
        assert store.lease(digests, Owner.current()) == digests


def test_a_client_that_is_gone_in_the_middle_of_a_transaction_does_not_keep_others_out(url, monkeypatch):
    open_store(url).close()
    monkeypatch.setattr(server_module, "SESSION", server_module.SESSION.replace("'60s'", "'500ms'"))
    gone = server_engine(url)
    with gone.connect() as connection:
        connection.execute(text("UPDATE ablate_store SET next_id = 100"))  # It holds the lock that all writers take.
        with open_store(url) as store:
            assert store.add(record(1)) == 1
            assert store.mark() == 1
        with pytest.raises(DBAPIError):
            connection.execute(text("SELECT 1"))
        connection.invalidate()
    gone.dispose()


def test_both_ends_notice_when_the_other_is_gone(url):
    with open_store(url) as store:
        connection = store._database._engine.raw_connection()
        with connection.cursor() as cursor:
            said = {}
            for name in ("idle_in_transaction_session_timeout", "tcp_keepalives_idle", "tcp_user_timeout"):
                said[name] = cursor.execute(f"SHOW {name}").fetchone()[0]
        told = connection.driver_connection.info.get_parameters()
        connection.close()
    assert said == {
        "idle_in_transaction_session_timeout": "1min",
        "tcp_keepalives_idle": "20",
        "tcp_user_timeout": "40000",
    }
    assert (told["tcp_user_timeout"], told["connect_timeout"], told["keepalives_idle"]) == ("40000", "10", "20")


def test_what_a_url_says_itself_counts():
    options = connect_options(url_of("postgresql://here/runs?connect_timeout=3&application_name=mine"))
    assert not {"connect_timeout", "application_name"} & options.keys()
    assert options["tcp_user_timeout"] == 40_000
    assert url_of("postgres://here/runs").drivername == url_of("postgresql://here/runs").drivername
    assert url_of("postgresql+psycopg2://here/runs").drivername == "postgresql+psycopg2"
