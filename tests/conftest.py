"""Fixtures of tests that work in an empty folder with a project in it, and a database server."""

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

# How fast examples are made depends on what else the machine does.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    path, loaded = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    from ablate.task.finding import load_object

    load_object.cache_clear()
    for name in set(sys.modules) - loaded:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if file.startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def write(folder):
    def write(name, text):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return write


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL server that asks for a password; where there is none, CI fails, and others are told.

    CI installs it (``.ci/run``).
    """
    from benchmarks.cluster import cluster

    running = cluster("s3cret")
    try:
        server = running.__enter__()
    except RuntimeError as error:
        message = f"NOT TESTED: PostgreSQL: {error}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    yield server
    running.__exit__(None, None, None)
