"""Commands in one process, in a folder of their own with copies of committed results."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from ablate.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty working folder; called with names, it copies those committed results into ``results``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def copy(*names):
        for name in names:
            shutil.copytree(ROOT / "results" / name, tmp_path / "results" / name)
        return tmp_path / "results"

    return copy


@pytest.fixture
def ablate():
    """Runs a command; gives its standard output, or with another ``code`` its standard error."""

    def run(*arguments, code=0, output=None):
        done = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert done.exit_code == code, done.output
        return getattr(done, output or ("stdout" if code in (0, 3) else "stderr"))

    return run
