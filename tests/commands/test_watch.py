"""``ablate watch``: what is in the store, while sweeps on this and other machines work."""

import json
import os
import socket
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ablate.commands import watch
from ablate.commands.studies import named, order
from ablate.commands.watch_page import page, server
from ablate.execute.interim import InterimFile
from ablate.store import Owner, open_store
from ablate.task.checkpoint import write_checkpoint

PROJECT = """
[tool.ablate.tasks.mine]
kind = "function"
function = "mine:train"
defaults = { lr = 0.1 }
metrics.loss = { goal = "min", low = 0 }
"""
PROGRAM = "def train(config, seed, report):\n    report(1, {'loss': 1 - config['lr'] + (seed * 7 % 5) / 1000})\n"
STUDY = """
study:
  task: mine
  factors: {lr: [0.1, 0.3]}
  seeds: 6
  claims:
    - {id: faster, text: "<b>Faster</b> is better.", kind: better, factor: lr, metric: loss, levels: [0.3, 0.1]}
"""


@pytest.fixture
def study(results):
    folder = results().parent
    (folder / "mine.py").write_text(PROGRAM)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "sweeps").mkdir()
    (folder / "sweeps" / "fast.yaml").write_text(STUDY)
    return folder


def look(ablate):
    return json.loads(ablate("watch", "fast", "--json"))


def test_before_during_and_after_a_sweep(study, ablate):
    found = look(ablate)
    assert found["runs"] == dict(planned=12, complete=0, diverged=0, failed=0, training=0, waiting=12)
    assert (found["hosts"], found["standings"], found["seconds_left"], found["last"]) == ({}, [], None, None)
    ablate("sweep", "fast", "workers=1", "study.seeds=3")
    runs = order(named(["fast"], [])).plan.runs
    with open_store("results/ablate.db") as store:
        known = store.status_of(run.digest for run in runs)
        here, there = Owner.current(), replace(Owner.current(), name="other", machine="node7 boot namespace")
        lacking = [run.digest for run in runs if run.digest not in known]
        store.lease(lacking[:1], here)
        store.lease(lacking[1:4], there)
        found = look(ablate)
        assert found["runs"] == dict(planned=12, complete=6, diverged=0, failed=0, training=4, waiting=2)
        assert found["hosts"]["node7"] == {"training": 3, "trained": 0}
        (own,) = set(found["hosts"]) - {"node7"}
        assert found["hosts"][own] == {"training": 1, "trained": 6}
        assert found["runs_per_hour"] > 0
        assert found["seconds_left"] == round(6 / found["runs_per_hour"] * 3600)
        assert found["standings"][0]["standing"] == "undecided"
        for owner in (here, there):
            store.release(owner)
    ablate("sweep", "fast", "workers=1")
    found = look(ablate)
    assert found["runs"]["complete"] == 12
    (standing,) = found["standings"]
    assert (standing["level"], standing["n"], standing["standing"]) == ("0.3", 6, "better")
    assert standing["difference"] == pytest.approx(-0.2)
    assert found["verdicts"] == [
        {"study": "fast", "id": "faster", "text": "<b>Faster</b> is better.", "outcome": "supported"}
    ]
    lines = ablate("watch", "fast").splitlines()
    assert lines[0].startswith("12/12 runs, 12 complete, ")
    assert "fast: lr = 0.3: -0.2 in loss, 6 seeds: better" in lines


def test_checkpoints_of_cohorts_in_training_are_shown_where_they_are_in_reach(study, ablate):
    runs = order(named(["fast"], [])).plan.runs
    folder = study / "results" / "checkpoints"
    folder.mkdir(parents=True)
    digests = [run.digest for run in runs[:2]]
    for step, members in ((7, digests), (3, ["0" * 64])):  # the second is of another study
        write_checkpoint(folder / f"{step}.checkpoint", {"runs": members, "step": step}, b"")
    (found,) = look(ablate)["checkpoints"]
    assert (found["runs"], found["step"], found["host"]) == (2, 7, socket.gethostname())
    assert datetime.now(UTC) - datetime.fromisoformat(found["written"]) < timedelta(minutes=5)
    assert look(ablate)["step"] == "step"
    assert f"<td>{found['written'][:19]}</td>" in page("fast", look(ablate))
    said = watch.lines_of(look(ablate))
    assert f"a cohort of 2 runs: checkpoint after step 7, {found['written'][:19]} UTC, {found['host']}" in said
    ablate("sweep", "fast", "workers=1")
    assert look(ablate)["checkpoints"] == []


def test_what_runs_in_training_have_measured_so_far_is_shown_where_it_is_in_reach(study, ablate):
    runs = order(named(["fast"], [])).plan.runs
    folder = study / "results" / ".interim"
    with open_store("results/ablate.db") as store:
        owner, dead = Owner.current(), replace(Owner.current(), process_started="0")
        told, left = InterimFile(folder, store, owner), InterimFile(folder, store, dead)
        told.write({run.digest: ("loss", value) for run, value in zip(runs, (0.5, 0.25, 0.125), strict=False)})
        left.write({runs[0].digest: ("loss", 5.0), runs[3].digest: ("loss", 5.0)})
        (folder / "c.json").write_text('["no such file"]')
        assert look(ablate)["interim"] == []  # nobody trains them any more
        store.lease([run.digest for run in runs[:2]], owner)
        store.lease([runs[3].digest], dead)
        (found,) = look(ablate)["interim"]
        assert found == dict(study="fast", factor="lr", level="0.1", metric="loss", n=2, value=0.375)
        assert "fast: lr = 0.1: 0.375 in loss so far, 2 runs in training" in watch.lines_of(look(ablate))
        assert "<td>0.375</td>" in page("fast", look(ablate))
    told.remove()
    assert look(ablate)["interim"] == []


def test_the_lease_of_a_sweep_that_was_killed_is_no_training(study, ablate):
    runs = order(named(["fast"], [])).plan.runs
    with open_store("results/ablate.db") as store:
        store.lease([runs[0].digest], replace(Owner.current(), process_started="0"))
    assert look(ablate)["runs"]["training"] == 0


def test_lines_come_as_things_change_and_end_with_the_study(study, ablate, monkeypatch, capsys):
    monkeypatch.setattr(watch, "PAUSE_SECONDS", 0.0)
    wanted = order(named(["fast"], ["workers=1"]))
    first = watch.snapshot(wanted)
    ablate("sweep", "fast", "workers=1")
    looks = iter([first, first, watch.snapshot(wanted)])
    watch._lines(lambda: next(looks))
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in lines if "/12" in line] == ["0/12 runs", "12/12 runs"]


def test_the_page_is_this_machines_alone_and_every_text_is_escaped(study, ablate):
    ablate("sweep", "fast", "workers=1")
    wanted = order(named(["fast"], []))
    with server(["fast"], lambda: watch.snapshot(wanted), 0) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        try:
            host, port = served.server_address
            assert host == "127.0.0.1"
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/").read().decode()
            assert "12/12 runs" in text
            assert "&lt;b&gt;Faster&lt;/b&gt; is better." in text
            assert "<b>" not in text
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": "evil.example"})
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(request)
        finally:
            served.shutdown()
            thread.join()
    assert "http-equiv" in page("fast", watch.snapshot(wanted))


def test_of_a_search_it_says_what_tells_how_far_it_is(study, ablate):
    for options in ((), ("--json",)):
        assert "study search: is a search; how far it is says: ablate plan search" in ablate(
            "watch", "search", *options, code=2
        )


def test_what_is_not_there_is_one_message(study, ablate):
    assert "nowhere" in ablate("watch", "nowhere", code=2)
    (study / "results").mkdir()
    (study / "results" / "ablate.db").write_text("no database")
    assert "ablate.db" in ablate("watch", "fast", "--json", code=2)


def test_a_detached_sweep_is_a_session_of_its_own_and_ends_as_any_other(study, ablate):
    said = ablate("sweep", "fast", "workers=1", "--fail-fast", "--detach").splitlines()
    pid = int(said[0].removeprefix("process ").partition(";")[0])
    assert said[0].endswith("; what it says goes into results/fast.log")
    assert said[1:] == ["watch it: ablate watch fast workers=1", f"end it, keeping what is finished: kill {pid}"]
    assert os.getsid(pid) == pid
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert "12 runs: 12 complete" in (study / "results" / "fast.log").read_text()
    assert look(ablate)["runs"]["complete"] == 12


def test_bad_input_of_a_detached_sweep_is_told_at_once(study, ablate):
    assert "nowhere" in ablate("sweep", "nowhere", "--detach", code=2)
    assert not (study / "results").exists()
