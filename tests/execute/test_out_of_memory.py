"""Cohorts for which there is no memory: smaller from the beginning where that is known, in halves where it shows."""

import math
import os
from dataclasses import replace

import execute_fakes as fakes
import pytest
from execute_fakes import run

from ablate.execute import Progress, execute
from ablate.execute.devices import free_on
from ablate.execute.fitting import Room, fit, memory_of, needs, room_of
from ablate.execute.ledger import Assignment
from ablate.execute.pool import Pool
from ablate.plan.cohorts import Cohort, form_cohorts
from ablate.store import open_store
from ablate.task import memory
from ablate.task.executor import ExecutorChoice, WorkerSettings

OPTIONS = {"workers": 1, "device": "cpu", "engine": "execute_fakes:Engine"}


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "runs.db")) as store:
        yield store


class Lines(Progress):
    """Keeps what is said; ``on`` is called with each line."""

    def __init__(self, on=lambda line: None):
        super().__init__()
        self.lines, self.on = [], on

    def say(self, text):
        self.lines.append(text)
        self.on(text)


def begun(tmp_path, runs):
    """How many cohorts each run was begun in."""
    return [len(list(tmp_path.glob(f"start {run.seed} *"))) for run in runs]


@pytest.mark.parametrize("fault", [fakes.KILLS_CROWDS, fakes.MEMORY_OF_CROWDS], ids=["killed", "MemoryError"])
def test_a_cohort_that_memory_ends_is_tried_again_in_halves(store, tmp_path, fault):
    runs = [run(fault, seed, root=str(tmp_path)) for seed in range(8)]
    said = Lines()
    summary = execute(runs, store, max_members=8, progress=said, **OPTIONS)
    assert summary.complete == 8
    assert begun(tmp_path, runs) == [3] * 8, "of eight, of four, of two"
    found = store.get(r.digest for r in runs)
    for each in runs:
        result = replace(found[each.digest].result, notes={})
        assert repr(result) == repr(fakes.expected(each)), "whatever became of its cohorts"
    if fault == fakes.KILLS_CROWDS:
        assert summary.deaths == 3
        assert "was ended by SIGKILL (out of memory" in said.lines[0]


def test_a_run_that_is_killed_beside_others_is_tried_once_more_with_the_machine_to_itself(store, tmp_path):
    greedy, other = run(fakes.KILLS_ONCE, 1, root=str(tmp_path)), run(fakes.WAITS, 0, root=str(tmp_path))

    def let_go(line):
        if "ended by SIGKILL" in line:
            (tmp_path / "go 0").touch()

    summary = execute([greedy, other], store, progress=Lines(let_go), **OPTIONS | {"workers": 2, "max_members": 1})
    assert (summary.complete, summary.deaths) == (2, 1)
    found = store.get([greedy.digest, other.digest])
    assert found[other.digest].provenance["ended"] <= found[greedy.digest].provenance["started"]


def test_a_run_that_does_not_fit_alone_fails_and_says_what_it_needs(store, tmp_path, monkeypatch):
    monkeypatch.setattr(type(run()), "memory_of", lambda cohorts, device, below=None: [3 * 2**30] * len(cohorts))
    runs = [run(fakes.KILLS, 0), run(0.1, 1)]
    summary = execute(runs, store, max_members=2, **OPTIONS)
    assert (summary.complete, summary.failed) == (1, 1)
    error = summary.failures[0].error
    assert "was ended by SIGKILL (out of memory" in error
    assert "while it trained this run; it needs about 3.0 GiB, and " in error
    assert error.endswith(" are free here")


@pytest.mark.parametrize("is_out_of_memory", [True, False])
def test_what_a_run_needs_is_told_where_memory_ended_it_whatever_words_say_so(store, monkeypatch, is_out_of_memory):
    bury = Pool._bury

    def buried(self, worker):
        bury(self, worker)
        return "left nothing in /studies/memory/log", is_out_of_memory

    monkeypatch.setattr(Pool, "_bury", buried)
    monkeypatch.setattr(type(run()), "memory_of", lambda cohorts, device, below=None: [3 * 2**30] * len(cohorts))
    summary = execute([run(fakes.KILLS, 0)], store, **OPTIONS)
    assert ("it needs about 3.0 GiB" in summary.failures[0].error) == is_out_of_memory


def test_halves_keep_what_was_to_be_read_off():
    runs = [run(seed=seed) for seed in range(3)]
    shorter = {runs[0].digest: (run(epochs=1),)}
    halves = Assignment(Cohort(tuple(runs)), shorter).halves(apart=True)
    assert [(half.cohort.runs, half.is_retry, half.is_apart) for half in halves] == [
        ((runs[0],), True, True),
        ((runs[1], runs[2]), False, False),
    ]
    assert halves[0].shorter == shorter


class Sized:
    """A run of which it is known what it takes: 100 and 10 for each member."""

    def __init__(self, seed, key="a"):
        self.seed, self.cohort_key, self.digest = seed, key, f"{key}{seed}"
        self.data_order, self.length, self.samples = seed, 1, 1
        self.is_bounded = True

    @classmethod
    def memory_of(cls, cohorts, device, below=None):
        sizes = [100 + 10 * len(runs) if runs[0].is_bounded else math.inf for runs in cohorts]
        return [size if below is None or size > below else None for size in sizes]


class Unsized:
    def __init__(self, seed):
        self.seed, self.cohort_key, self.digest, self.data_order, self.length, self.samples = seed, "b", "b", 0, 1, 1


@pytest.mark.parametrize(
    ("room", "largest", "smaller"),
    [(None, 10, {}), (200, 10, {}), (150, 5, {"a": 5}), (139, 3, {"a": 3}), (115, 1, {"a": 1}), (50, 1, {"a": 1})],
)
def test_cohorts_are_not_larger_than_the_memory_for_them(room, largest, smaller):
    runs = [Sized(seed) for seed in range(20)]
    fitted = fit(lambda members: form_cohorts(runs, workers=1, members=members), lambda run: 10, room, "cpu")
    assert max(len(cohort.runs) for cohort in fitted.cohorts) == largest
    assert fitted.smaller == smaller
    assert sum(len(cohort.runs) for cohort in fitted.cohorts) == 20


def test_where_there_is_any_amount_of_memory_nothing_is_worked_out():
    runs = [Sized(seed) for seed in range(20)]
    for each in runs:
        each.is_bounded = False
    fitted = fit(lambda members: form_cohorts(runs, workers=1, members=members), lambda run: 10, None, "cpu")
    assert fitted.sizes == [None] * 2


def test_what_is_known_of_some_runs_is_told_of_those():
    assert memory_of([[Sized(0)], [Unsized(0)], [Sized(0), Sized(1)]], "cpu") == [110, None, 120]
    assert needs([Unsized(0)], "cpu") == ""


def test_workers_share_what_is_at_hand(monkeypatch, tmp_path):
    monkeypatch.setattr("ablate.execute.fitting.available", lambda: 1000)
    local, slurm = ExecutorChoice(), ExecutorChoice("slurm", {"memory": "2"})
    cpu = [WorkerSettings("cpu", 1)] * 3
    assert room_of(cpu, local) == Room(1000, 3)
    assert room_of(cpu, local).worker == 300
    assert room_of(cpu, local, held=200) == Room(1200, 3), "idle workers have it, who go on"
    assert room_of(cpu, slurm).worker == int(0.9 * 2 * 2**30), "each job has its own"
    assert room_of(cpu, ExecutorChoice("ray")) == Room(None, 3)
    assert room_of(cpu, ExecutorChoice("ray")).worker is None
    cards(monkeypatch, tmp_path, "0, GPU-ab, NVIDIA H200, [N/A], 1000", "1, GPU-ac, NVIDIA H200, [N/A], 400")
    gpus = [WorkerSettings("cuda:0", 1), WorkerSettings("cuda:1", 1), WorkerSettings("cuda:0", 1)]
    assert room_of(gpus, local) == Room(400 * 2**20, 1), "the GPU that has least for a worker"
    assert room_of(gpus[::2], local) == Room(1000 * 2**20, 2)
    unknown = WorkerSettings("cuda:2", 1)
    assert room_of([unknown, *gpus], local) == Room(400 * 2**20, 1), "a cohort may come to any of them"
    assert room_of([unknown], local) == Room(None, 1)


def cards(monkeypatch, folder, *lines):
    program = folder / "nvidia-smi"
    program.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.mark.parametrize(
    ("visible", "order", "free"),
    [
        (None, None, None),  # of two models PyTorch counts the faster one first, whichever that is
        (None, "PCI_BUS_ID", 1000),
        ("1", "PCI_BUS_ID", 400),
        ("GPU-ac,GPU-ab", None, 400),
        (" GPU-ab", None, 1000),
        ("GPU-a", None, None),  # names two
        ("MIG-GPU-ab/1/0", None, None),
        ("7", "PCI_BUS_ID", None),
        ("", "PCI_BUS_ID", None),
    ],
)
def test_the_memory_of_a_gpu_is_that_of_the_one_that_pytorch_counts_so(visible, order, free, monkeypatch, tmp_path):
    cards(monkeypatch, tmp_path, "0, GPU-ab, NVIDIA H200, Disabled, 1000", "1, GPU-ac, NVIDIA T4, [N/A], 400")
    for name, value in (("CUDA_VISIBLE_DEVICES", visible), ("CUDA_DEVICE_ORDER", order)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert free_on(["cuda:0"]) == {"cuda:0": None if free is None else free * 2**20}


@pytest.mark.parametrize(
    "line", ["[Not Supported]", "0, GPU-ab, H200, Disabled, [N/A]", "0, GPU-ab, H200, Enabled, 1000", ""]
)
def test_of_a_gpu_that_does_not_say_it_nothing_is_known(line, monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    cards(monkeypatch, tmp_path, line)
    assert free_on(["cuda:0"]) == {"cuda:0": None}


def test_what_is_left_is_the_least_of_the_machine_its_groups_and_its_limits(monkeypatch):
    monkeypatch.setattr(memory, "_of_machine", lambda: 500)
    monkeypatch.setattr(memory, "_of_group", lambda: 300)
    monkeypatch.setattr(memory, "_of_process", lambda: None)
    assert memory.available() == 300
    monkeypatch.setattr(memory, "_of_process", lambda: -5)
    assert memory.available() == 0
    assert (memory.in_words(812 * 2**20), memory.in_words(3.42 * 2**30)) == ("812 MiB", "3.4 GiB")
    assert 0 < memory.resident() <= memory.peak_resident()
