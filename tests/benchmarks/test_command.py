"""The whole command with tiny sizes, in processes of its own."""

import csv
from multiprocessing import Pipe
from threading import Thread

import pytest

from benchmarks.__main__ import _beside_textbook, main
from benchmarks.contenders import TEXTBOOK, TEXTBOOK_WORKERS, Contender
from benchmarks.rows import rows
from benchmarks.study import LR_STUDY, StudyCost, planned
from benchmarks.workers import Measured, _serve


@pytest.mark.slow
def test_measures_in_turn_and_writes_results(tmp_path, capsys):
    assert main(["--quick", "--no-study", "--workers", "1", "--out", str(tmp_path)]) == 0
    with (tmp_path / "throughput.csv").open() as file:
        found = list(csv.DictReader(file))
    assert len(found) == 11
    assert all(float(row["median"]) > 0.0 and row["failure"] == "" for row in found)
    assert "x textbook" in capsys.readouterr().out


def test_a_contender_that_fails_says_why(monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *ignored: None)  # only a main thread may set handlers
    ours, theirs = Pipe()
    serving = Thread(target=_serve, args=(theirs, False, 0.01, 64))
    serving.start()
    ours.send(("prepare", Contender("other", 16)))
    assert ours.recv() == ("failed", "ValueError: no loop 'other'")
    ours.close()
    serving.join(60)
    assert not serving.is_alive()


def test_the_study_that_is_timed_is_planned_as_announced():
    plan, seconds = planned(LR_STUDY)
    assert (plan["runs_distinct"], plan["samples"], plan["in_store"]) == (36, 36 * 60_000, 0)
    assert seconds > 0.0


def test_the_textbook_loops_cost_is_its_fastest_rate_at_batch_256():
    cost = StudyCost(("lr",), 36, 36, 1_000, (9,), 1.0, 2.0)
    measured = [
        Measured(Contender(TEXTBOOK, 256), [100.0]),
        Measured(Contender(TEXTBOOK_WORKERS, 256), [125.0]),
        Measured(Contender(TEXTBOOK, 16), [500.0]),
    ]
    assert _beside_textbook(cost, rows(measured, 1.0)).textbook_seconds == 8.0
    assert _beside_textbook(cost, rows(measured[2:], 1.0)).textbook_seconds is None
