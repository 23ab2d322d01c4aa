"""Sweeps in processes of their own, killed, interrupted and side by side; watched by the lines that workers print."""

import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import execute_fakes as fakes
import pytest
from execute_fakes import run

from ablate.store import Owner, open_store
from ablate.task.record import Record

HERE = Path(__file__).parent


@pytest.fixture
def start(tmp_path):
    """Starts sweeps on one store, each leading a process group of its own."""
    started = []

    def start(levels, seeds=1, epochs=4, workers=2):
        arguments = [str(tmp_path / "runs.db"), workers, ",".join(map(str, levels)), seeds, epochs]
        paths = [str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
        process = subprocess.Popen(
            [sys.executable, str(HERE / "execute_sweep.py"), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def until(process, word, lines=None):
    """Read on until a line begins with ``word``; None: until all processes of the sweep have ended."""
    lines = [] if lines is None else lines
    for line in process.stdout:
        lines.append(line.split())
        if lines[-1][0] == word:
            break
    return lines


def digests(lines):
    return [words[1] for words in lines if words[0] == "start"]


def records(tmp_path):
    with open_store(str(tmp_path / "runs.db")) as store:
        return {record.digest: record for record in store.all()}


def outcome(record):
    """What training gave; not how long the cohort was expected to take, which depends on the machine."""
    assert set(record.result.notes) <= {"estimated_seconds"}
    return repr(replace(record.result, notes={}))


def test_kill_9_at_any_moment_loses_only_the_runs_in_flight(start, tmp_path):
    levels, seeds = [0.1, 0.2, 0.3, 0.4], 8
    runs = {r.digest: r for r in (run(lr, seed) for lr in levels for seed in range(seeds))}
    moments = random.Random(20261122)
    known: dict[str, Record] = {}
    for _ in range(3):
        process = start(levels, seeds)
        lines = until(process, "begin")
        for _ in range(moments.randrange(1, 25)):
            if not (line := process.stdout.readline()):
                break
            lines.append(line.split())
        os.killpg(process.pid, signal.SIGKILL)
        lines += until(process, None)
        process.wait()
        assert not known.keys() & set(digests(lines)), "trained again although it was in the store"
        found = records(tmp_path)
        assert {d: repr(r) for d, r in found.items() if d in known} == {d: repr(r) for d, r in known.items()}, "changed"
        assert {d: outcome(r) for d, r in found.items()} == {d: repr(fakes.expected(runs[d])) for d in found}
        known = found
    process = start(levels, seeds)
    lines = until(process, None)
    assert process.wait() == 0
    assert sorted(digests(lines)) == sorted(runs.keys() - known.keys())
    assert {d: outcome(r) for d, r in records(tmp_path).items()} == {
        d: repr(fakes.expected(r)) for d, r in runs.items()
    }


def test_two_sweeps_on_one_store_train_no_run_twice(start, tmp_path):
    levels, seeds = [0.1, 0.2, 0.3], 6
    processes = [start(levels, seeds, workers=1) for _ in range(2)]
    lines = [until(process, None) for process in processes]
    assert [process.wait() for process in processes] == [0, 0]
    runs = [run(lr, seed) for lr in levels for seed in range(seeds)]
    assert sorted(digests(lines[0]) + digests(lines[1])) == sorted(r.digest for r in runs)
    assert {d: outcome(r) for d, r in records(tmp_path).items()} == {r.digest: repr(fakes.expected(r)) for r in runs}
    for one in lines:
        _, trained, reused, elsewhere, missing = one[-1]
        assert int(trained) + int(reused) + int(elsewhere) == len(runs)
        assert missing == "0"
        assert ["torch", "False"] in one


def test_another_sweep_takes_over_from_a_killed_one(start, tmp_path):
    first = start([fakes.BLOCKS])
    until(first, "blocked")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    with open_store(str(tmp_path / "runs.db")) as store:
        assert store.lease([run(fakes.BLOCKS).digest], Owner.current()) == {run(fakes.BLOCKS).digest}


def test_workers_end_with_a_sweep_that_is_killed(start):
    process = start([fakes.BLOCKS])
    until(process, "blocked")
    os.kill(process.pid, signal.SIGKILL)
    until(process, None)  # Their standard output is closed only when they are gone.
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_sweep_and_a_second_one_at_once(start, tmp_path, number):
    process = start([0.1, fakes.BLOCKS], workers=1)
    lines = until(process, "blocked")
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    heard = ""
    while "stopping" not in heard:
        heard = process.stderr.readline()
    process.send_signal(number)
    lines += until(process, None)
    assert process.wait() == 0
    assert ["interrupted"] in lines
    assert "Traceback" not in process.stderr.read()
    with open_store(str(tmp_path / "runs.db")) as store:
        assert len(store.lease([run(fakes.BLOCKS).digest], Owner.current())) == 1


def test_after_ctrl_c_what_had_finished_is_kept(start, tmp_path):
    process = start([0.1, 0.2, 0.3], seeds=40, epochs=50, workers=1)
    lines = until(process, "epoch")
    for line in process.stdout:
        lines.append(line.split())
        if lines[-1][0] == "start" and len(digests(lines)) > 12:
            break
    os.killpg(process.pid, signal.SIGINT)
    lines += until(process, None)
    assert process.wait() == 0
    _, trained, reused, _, missing = lines[-1]
    found = records(tmp_path)
    assert (len(found), int(reused), int(missing)) == (int(trained), 0, 120 - int(trained))
    assert 0 < len(found) < 120
    assert "Traceback" not in process.stderr.read()
