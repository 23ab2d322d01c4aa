"""A sweep that is killed at random moments ends as an undisturbed one, with nothing trained twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablate.store import open_store

ROOT = Path(__file__).parents[1]
SWEEP = [
    "sweep", "lr", "optimizer.lr=0.1,0.3,0.5", "study.seeds=4", "data.train_size=2000", "train.epochs=6",
    "train.batch_size=16", "model.activation=relu", "model.activation_c5=relu", "model.activation_f6=relu",
    "optimizer.momentum=0.5", "cohort_size=2", "workers=2",
]  # fmt: skip


def start(folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ablate", *SWEEP]
    with (folder / "log").open("a") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)


def records(folder):
    if not (folder / "results" / "ablate.db").exists():
        return {}
    with open_store(str(folder / "results" / "ablate.db"), read_only=True) as store:
        return {record.digest: record for record in store.all()}


@pytest.mark.parametrize("times", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed(tmp_path, times):
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    calm.mkdir()
    killed.mkdir()
    assert start(calm).wait() == 0
    expected = records(calm)
    assert len(expected) == 16

    moments = random.Random(20261122)
    seen, kills = {}, 0
    while kills < times:
        sweep = start(killed)
        try:
            sweep.wait(moments.uniform(0.5, 9.0))
        except subprocess.TimeoutExpired:
            os.killpg(sweep.pid, signal.SIGKILL)
            sweep.wait()
        kills += 1
        now = records(killed)
        assert seen.items() <= {digest: _stamp(record) for digest, record in now.items()}.items(), (
            "lost or trained again"
        )
        for record in now.values():
            assert record.result.status == "complete"
            assert [epoch.step for epoch in record.result.curves] == [1, 2, 3, 4, 5, 6], "half-written"
        seen = {digest: _stamp(record) for digest, record in now.items()}
    assert start(killed).wait() == 0
    final = records(killed)
    assert seen.items() <= {digest: _stamp(record) for digest, record in final.items()}.items()
    assert final.keys() == expected.keys()
    for digest, record in final.items():
        ours, theirs = record.result.curves[-1], expected[digest].result.curves[-1]
        # Company differs after a restart, so equal up to float rounding.
        assert ours.values["train_loss"] == pytest.approx(theirs.values["train_loss"], rel=1e-3)
        assert ours.values["test_acc"] == pytest.approx(theirs.values["test_acc"], abs=2e-3)
    _nothing_left_behind()


def _stamp(record):
    return json.dumps([record.provenance["started"], record.provenance["ended"], record.provenance.get("pid")])


def _nothing_left_behind():
    """The workers of a killed parent end by themselves."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = subprocess.run(["pgrep", "-f", "data.train_size=2000"], capture_output=True, text=True).stdout.split()
        if not found:
            return
    raise AssertionError(found)
