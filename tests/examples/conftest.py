"""Examples are worked with as their readers do: copied, and from the command line."""

import contextlib
import csv
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.store import open_store

ROOT = Path(__file__).parents[2]

FORBIDDEN = """
import os, sys
with open(os.environ["IMPORTED"], "a") as log: print(__name__, sys.orig_argv, file=log)
raise ImportError(__name__ + " is not wanted here")
"""


class Example:
    """A copy of an example in a folder of its own."""

    def __init__(self, folder, outside):
        self.folder, self.log = folder, outside / "imported"
        for name in ("torch", "torchvision"):
            (outside / "forbidden" / name).mkdir(parents=True)
            (outside / "forbidden" / name / "__init__.py").write_text(FORBIDDEN)
        self.environment = os.environ | {"PYTHONPATH": f"{outside / 'forbidden'}{os.pathsep}{ROOT}"}
        self.environment |= {"IMPORTED": str(self.log)}

    def ablate(self, *arguments, code=0):
        done = subprocess.run(self._command(arguments), **self._where, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def killed(self, *arguments, records):
        """A command of ours that is killed, with its workers, once so many records are there; returns them."""
        return self.stopped(self._command(arguments), signal.SIGKILL, records=records)[1]

    def stopped(self, command, sent, *, records, to_group=True):
        """A command that is sent a signal, by default with all of its group, once so many records are there.

        Returns its exit code, and the records that are there then.
        """
        with (self.folder / "log").open("w") as log:
            running = subprocess.Popen(command, **self._where, stdout=log, stderr=log, start_new_session=True)
        while len(self.records()) < records:
            try:
                running.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError((self.folder / "log").read_text())
        (os.killpg if to_group else os.kill)(running.pid, sent)
        return running.wait(), self.records()

    def uses_torch(self):
        """As this one may."""
        self.environment["PYTHONPATH"] = str(ROOT)

    def processes(self):
        """Of this copy that are still there, by what they were given in their environment."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if str(self.log).encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
        return found

    def python(self, *arguments):
        """Python in the copy, as its reader calls it; returns what it prints."""
        done = subprocess.run([sys.executable, *arguments], **self._where, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write(self, name, old, new):
        """Replace a text in a file of the copy."""
        file = self.folder / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    def records(self):
        file = self.folder / "results" / "ablate.db"
        if not file.exists():
            return {}
        with open_store(str(file), read_only=True) as store:
            return {record.digest: record.provenance["ended"] for record in store.all()}

    def leases(self):
        """How many runs are held by sweeps."""
        with contextlib.closing(sqlite3.connect(self.folder / "results" / "ablate.db")) as database:
            return database.execute("SELECT count(*) FROM ablate_leases").fetchone()[0]

    def counts(self):
        """How many records the store has of each status."""
        with open_store(str(self.folder / "results" / "ablate.db"), read_only=True) as store:
            return store.count()

    def rows(self, name):
        return list(csv.DictReader((self.folder / "results" / name).read_text().splitlines()))

    def _command(self, arguments):
        return [sys.executable, "-m", "ablate", *arguments]

    @property
    def _where(self):
        return {"cwd": self.folder, "env": self.environment}


@pytest.fixture
def example(tmp_path):
    def copied(name):
        folder = tmp_path / name
        shutil.copytree(ROOT / "examples" / name, folder)
        return Example(folder, tmp_path / "outside")

    return copied
