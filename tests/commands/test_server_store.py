"""Commands on a PostgreSQL store: from an empty database on, with bad addresses, and while it goes away."""

import json
import os
import re
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from ablate.store import open_store
from ablate.task.identity import lookup
from benchmarks.cluster import Link

ROOT = Path(__file__).parents[2]
PASSWORD = "s3cret"

PROJECT = """
[tasks.square]
kind = "function"
function = "square:train"
defaults = { x = 1.0 }
metrics.loss = { goal = "min", low = 0 }
"""
# Each run is written down; that of seed 2 at x = 1 says that it is at work, and waits for leave to end.
CODE = """
import os
import time


def train(config, seed, report):
    with open("trained", "a") as file:
        file.write(f"{config['x']} {seed}\\n")
    if (config["x"], seed) == (1.0, 2) and os.environ.get("WAIT_FOR"):
        open("at_work", "w").close()
        while not os.path.exists(os.environ["WAIT_FOR"]):
            time.sleep(0.01)
    report(1, {"loss": config["x"] ** 2 + seed / 10})
"""
STUDY = "study: {task: square, factors: {x: [1.0, 2.0]}, seeds: 6}\n"


@pytest.fixture
def url(server):
    return server.url(f"commands_{uuid.uuid4().hex[:12]}")


@pytest.fixture
def work(write, folder, monkeypatch):
    write("ablate.toml", PROJECT)
    write("square.py", CODE)
    write("sweeps/x.yaml", STUDY)
    monkeypatch.setenv("COLUMNS", "200")
    return folder


def sweep(*words, **variables):
    """Start one in a process of its own; what it says goes into the file ``log``."""
    command = [sys.executable, "-m", "ablate", "sweep", "x", "workers=1", "cohort_size=1", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    with open("log", "w") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def wait_for(condition, process):
    while not condition():
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            raise AssertionError(Path("log").read_text())


def told(text):
    return text in Path("log").read_text()


def test_commands_from_an_empty_database_on(work, ablate, url, monkeypatch):
    monkeypatch.setenv("ABLATE_STORE", url)
    found = json.loads(ablate("plan", "x", "--json"))
    assert (found["runs_distinct"], found["in_store"], found["to_train"]) == (12, 0, 12)
    assert found["store"] == url.replace(PASSWORD, "***")
    assert "0 runs" in ablate("runs")
    assert "there is no record of it" in ablate("report", "x", code=2)
    assert json.loads(ablate("watch", "x", "--json"))["runs"]["waiting"] == 12
    assert "12 trained" in ablate("sweep", "x", "workers=1")
    assert "0 trained" in ablate("sweep", "x", "workers=1")
    assert len((work / "trained").read_text().splitlines()) == 12
    assert len(ablate("runs", "--json").splitlines()) == 12
    ablate("report", "x")
    assert not (work / "results" / "ablate.db").exists()
    written = [path for path in work.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert written == []
    with open_store(url, read_only=True) as store:
        assert PASSWORD not in repr(store.all())


def test_a_store_is_named_once_outside_study_files(work, ablate, url, write, monkeypatch):
    def store_of(*words):
        return json.loads(ablate("plan", "x", *words, "--json"))["store"]

    assert store_of() == "results/ablate.db"
    write("ablate.toml", f"store = 'project.db'\n{PROJECT}")
    assert store_of() == store_of("results=elsewhere") == "project.db"
    monkeypatch.setenv("ABLATE_STORE", url)
    assert store_of() == url.replace(PASSWORD, "***")
    assert store_of("store=mine.db") == store_of("launch.store=mine.db") == "mine.db"
    assert store_of("store=null") == "results/ablate.db"
    monkeypatch.setenv("ABLATE_STORE", "")
    assert store_of() == "project.db"
    write("ablate.toml", f"store = 3\n{PROJECT}")
    assert "ablate.toml: store = 3: must be a text" in ablate("plan", "x", code=2)
    monkeypatch.setenv("ABLATE_STORE", "no/such/folder/runs.db")
    assert "store = no/such/folder/runs.db: there is no folder no/such/folder" in ablate("runs", code=2)


def test_a_password_may_lie_where_postgresql_looks_for_it(work, ablate, url, write, server, monkeypatch):
    file = write("pgpass", f"127.0.0.1:{server.port}:*:ablate:{PASSWORD}\n")
    bare = url.replace(f":{PASSWORD}", "")
    monkeypatch.setenv("ABLATE_STORE", bare)
    assert "no password supplied" in ablate("plan", "x", code=2)
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    assert json.loads(ablate("plan", "x", "--json"))["store"] == bare


@pytest.mark.parametrize("command", [["plan", "x"], ["sweep", "x", "workers=1"], ["runs"], ["report", "x"]])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda url: url.replace(PASSWORD, "s3cret-not"), r"password authentication failed for user \"ablate\""),
        (lambda url: re.sub("/commands_.*", "/nowhere", url), r"database \"nowhere\" does not exist"),
        (lambda url: re.sub(r":\d+/", ":1/", url), "port 1 failed: Connection refused"),
        (lambda url: url.replace("127.0.0.1", "no.such.host.invalid"), "failed to resolve host"),
        (
            lambda url: url.replace("psycopg", "psycopg2"),
            r"No module named 'psycopg2'.* pip install 'ablate\[postgres\]'",
        ),
        (lambda url: url.replace("+psycopg", "+nothing"), "nothing"),
    ],
    ids=["password", "database", "port", "host", "driver", "unknown driver"],
)
def test_a_bad_address_is_one_message_before_anything_is_trained(work, ablate, url, command, change, reason):
    said = ablate(*command, f"store={change(url)}", code=2, output="output")
    assert re.fullmatch(rf"ablate: error: store = postgresql\+\w+://ablate:\*\*\*@.*{reason}.*\n", said)
    assert PASSWORD not in said
    assert not (work / "trained").exists()
    assert not (work / "results" / "x").exists()


def test_without_its_driver_a_server_is_one_message_that_says_how_to_get_it(work, ablate, url, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = ablate("plan", "x", f"store={url.replace('+psycopg', '')}", code=2)
    assert "psycopg" in said
    assert "pip install 'ablate[postgres]'" in said
    assert PASSWORD not in said


def check(url):
    """Everything is there, and was trained once."""
    with open_store(url, read_only=True) as store:
        records = store.all()
    assert len(records) == 12
    for record in records:
        assert record.result.status == "complete"
        assert record.result.last("loss") == lookup(record.config, "config.x") ** 2 + record.config["seed"] / 10
    trained = Path("trained").read_text().splitlines()
    assert len(trained) == len(set(trained)) == 12
    assert PASSWORD not in Path("log").read_text()


@pytest.mark.slow
def test_a_sweep_outlasts_a_server_that_restarts(work, server, url):
    process = sweep(ABLATE_STORE=url, WAIT_FOR="go")
    wait_for(Path("at_work").exists, process)
    server.stop()
    Path("go").touch()
    wait_for(lambda: told("trying again for 600 s"), process)
    server.start()
    assert process.wait() == 0
    check(url)


def test_a_sweep_outlasts_a_network_that_is_cut(work, server, url):
    link = Link(server)
    process = sweep(ABLATE_STORE=url.replace(str(server.port), str(link.port)), WAIT_FOR="go")
    wait_for(Path("at_work").exists, process)
    link.cut()
    Path("go").touch()
    wait_for(lambda: told("trying again for 600 s"), process)
    link.mend()
    assert process.wait() == 0
    check(url)
    link.close()


def test_what_was_trained_is_kept_when_somebody_does_not_want_to_wait_for_the_server(work, server, url):
    link = Link(server)
    through = url.replace(str(server.port), str(link.port))
    process = sweep(ABLATE_STORE=through, WAIT_FOR="go")
    wait_for(Path("at_work").exists, process)
    link.cut()
    Path("go").touch()
    wait_for(lambda: told("trying again for 600 s"), process)
    process.terminate()
    assert process.wait() == 2
    assert told("1 result in training then are kept in")
    link.mend()
    assert sweep(ABLATE_STORE=through).wait() == 0
    assert told("1 results of an earlier sweep taken up")
    check(url)
    link.close()
