"""What every executor owes, run against each that is built in."""

import time
from dataclasses import replace

import execute_fakes as fakes
import pytest
from execute_fakes import run

from ablate.execute import KeptCheckpoints, Progress, execute
from ablate.execute.choice import make_executor
from ablate.store import Owner, open_store
from ablate.task.errors import ConfigError
from ablate.task.executor import (
    Died,
    Executor,
    ExecutorChoice,
    MeasureSpeed,
    Raised,
    Ready,
    Refused,
    SpeedMeasured,
    StepEnded,
    TrainCohort,
    Trained,
    WorkerSettings,
)

PATIENCE = 120.0
"""Seconds until a test gives up on a worker."""


class Said(Progress):
    """Remembers what is said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


@pytest.fixture(params=["local", "slurm", "ray"])
def place(request, tmp_path):
    """The executor that is run."""
    if request.param == "local":
        return ExecutorChoice()
    if request.param == "slurm":
        request.getfixturevalue("slurm")
    options = {"address": request.getfixturevalue("ray_address")} if request.param == "ray" else {}
    return ExecutorChoice(request.param, options, tmp_path / "results", "store")


@pytest.fixture
def make(place):
    """Makes an executor of so many workers."""
    made = []

    def make(workers=1, engine="Engine"):
        executor = make_executor(place, [WorkerSettings("cpu", 1, f"execute_fakes:{engine}")] * workers)
        made.append(executor)
        return executor

    yield make
    for executor in made:
        executor.kill()
        assert list(executor.workers) == []


def hear(executor, is_enough):
    """Everything that is said until something is enough."""
    heard = []
    end = time.monotonic() + PATIENCE
    while not any(is_enough(worker, answer) for worker, answer in heard):
        assert time.monotonic() < end, heard
        heard += executor.wait(0.5)
    return heard


def of(kind, *workers):
    return lambda worker, answer: isinstance(answer, kind) and (not workers or worker in workers)


def ready(executor, workers=1):
    """So many workers that have started."""
    started = [executor.start() for _ in range(workers)]
    for worker in started:
        if not worker.is_ready:
            hear(executor, of(Ready, worker))
    return started


def answers(heard, kind):
    return [answer for _, answer in heard if isinstance(answer, kind)]


def test_it_has_what_an_executor_needs(make):
    executor = make(2)
    assert all(hasattr(executor, member) for member in vars(Executor) if not member.startswith("_"))
    assert not executor.is_full
    assert list(executor.workers) == []


def test_a_worker_says_that_it_is_ready_and_what_it_is(make):
    executor = make()
    worker = executor.start()
    assert list(executor.workers) == [worker]
    assert executor.is_full
    assert not worker.is_ready
    (answer,) = answers(hear(executor, of(Ready)), Ready)
    assert worker.is_ready
    assert answer.hardware.items() >= {"device": "cpu", "threads": 1}.items()
    assert worker.hardware.items() >= {"device": "cpu", "threads": 1}.items()


def test_a_cohort_is_answered_by_its_steps_and_results(make):
    executor = make()
    (worker,) = ready(executor)
    runs = (run(0.1), run(0.2, epochs=2), run(fakes.DIVERGES))
    worker.send(TrainCohort(runs))
    heard = hear(executor, of(Trained))
    steps = {}
    for answer in answers(heard, StepEnded):
        for member in answer.members:
            assert steps.get(member, 0) < answer.step
            steps[member] = answer.step
    assert set(steps) <= {0, 1, 2}
    trained = heard[-1][1]
    assert [repr(result) for result in trained.results] == [repr(fakes.expected(r)) for r in runs]
    assert trained.hardware["gpu"] is None
    assert trained.seconds >= 0.0


def test_one_worker_trains_cohort_after_cohort(make):
    executor = make()
    (worker,) = ready(executor)
    for seed in range(3):
        worker.send(TrainCohort((run(0.1, seed),)))
        (trained,) = answers(hear(executor, of(Trained)), Trained)
        assert repr(trained.results) == repr((fakes.expected(run(0.1, seed)),))


def test_results_come_in_the_order_of_finishing(make, tmp_path):
    executor = make(2)
    first, second = ready(executor, 2)
    slow = run(fakes.WAITS, root=str(tmp_path))
    first.send(TrainCohort((slow,)))
    second.send(TrainCohort((run(0.1),)))
    heard = hear(executor, of(Trained))
    assert [worker for worker, answer in heard if isinstance(answer, Trained)] == [second]
    second.send(TrainCohort((run(0.2),)))
    assert [worker for worker, answer in hear(executor, of(Trained)) if isinstance(answer, Trained)] == [second]
    (tmp_path / "go 0").touch()
    (trained,) = answers(hear(executor, of(Trained, first)), Trained)
    assert repr(trained.results) == repr((fakes.expected(slow),))


def test_a_unit_that_fails_says_why_and_its_worker_goes_on(make):
    executor = make()
    (worker,) = ready(executor)
    worker.send(TrainCohort((run(fakes.RAISES),)))
    (raised,) = answers(hear(executor, of(Raised)), Raised)
    assert "ArithmeticError: the cohort raises" in raised.traceback
    assert not raised.is_engine
    worker.send(TrainCohort((run(fakes.FAILS), run(0.1))))
    (trained,) = answers(hear(executor, of(Trained)), Trained)
    assert [result.status for result in trained.results] == ["failed", "complete"]
    assert "ArithmeticError: an injected fault" in trained.results[0].error


def test_an_engine_that_cannot_be_made_and_input_that_cannot_be_used_are_told_apart(make):
    executor = make(engine="Broken")
    (worker,) = ready(executor)
    worker.send(TrainCohort((run(),)))
    raised = answers(hear(executor, of(Raised)), Raised)[0]
    assert raised.is_engine
    assert "this engine does not start" in raised.traceback
    executor = make(engine="Missing")
    (worker,) = ready(executor)
    worker.send(TrainCohort((run(),)))
    assert answers(hear(executor, of(Refused)), Refused)[0].problems == ("data.root: no such folder",)


def test_a_worker_that_is_killed_is_told_and_can_be_replaced(make):
    executor = make()
    (worker,) = ready(executor)
    worker.send(TrainCohort((run(fakes.KILLS),)))
    (died,) = answers(hear(executor, of(Died)), Died)
    assert died.reason
    assert list(executor.workers) == []
    assert not executor.is_full
    worker.send(TrainCohort((run(0.1),)))  # nobody hears it, and nothing breaks
    (other,) = ready(executor)
    assert other is not worker
    other.send(TrainCohort((run(0.1),)))
    (trained,) = answers(hear(executor, of(Trained)), Trained)
    assert repr(trained.results) == repr((fakes.expected(run(0.1)),))


def test_one_that_is_ended_says_no_more(make, tmp_path):
    executor = make(2)
    first, second = ready(executor, 2)
    first.send(TrainCohort((run(fakes.WAITS, root=str(tmp_path)),)))
    hear(executor, of(StepEnded, first))
    executor.end(first)
    assert list(executor.workers) == [second]
    assert not executor.is_full
    (tmp_path / "go 0").touch()
    second.send(TrainCohort((run(0.1),)))
    assert {worker for worker, _ in hear(executor, of(Trained))} == {second}


def test_asked_to_stop_a_worker_leaves_off_at_the_end_of_a_step(make, tmp_path):
    executor = make()
    (worker,) = ready(executor)
    worker.send(TrainCohort((run(fakes.WAITS, root=str(tmp_path), epochs=5_000),)))
    hear(executor, of(StepEnded))
    executor.stop()
    (tmp_path / "go 0").touch()
    heard = hear(executor, of(Died))
    assert not answers(heard, Trained)
    assert list(executor.workers) == []


def test_closed_and_killed_nothing_is_left(make):
    executor = make(2)
    ready(executor, 2)
    executor.close()
    assert list(executor.workers) == []
    executor = make(2)
    (worker,) = ready(executor)
    worker.send(TrainCohort((run(fakes.BLOCKS),)))
    executor.kill()
    assert list(executor.workers) == []


def test_there_are_never_more_workers_than_settings_and_fewer_when_it_shrinks(make):
    executor = make(3)
    ready(executor, 2)
    assert not executor.is_full
    executor.shrink()
    assert executor.is_full
    assert len(executor.workers) == 2


def test_speeds_are_measured(make):
    executor = make(engine="Measurable")
    (worker,) = ready(executor)
    for members, speed in ((1, 1000.0), (2, 2000.0), (3, 0.0)):
        worker.send(MeasureSpeed(tuple(run(seed=seed) for seed in range(members)), 0.1))
        (measured,) = answers(hear(executor, of(SpeedMeasured)), SpeedMeasured)
        assert measured.samples_per_second == speed


def test_waiting_takes_no_longer_than_was_said(make):
    executor = make()
    ready(executor)
    assert list(executor.wait(0.01)) == []


def test_a_sweep_loses_nothing_and_trains_nothing_twice(place, tmp_path):
    """Long results among them, and every kind of fault."""
    fine = [run(lr, seed) for lr in (0.1, 0.2, 0.3) for seed in range(3)]
    fine += [run(0.4, epochs=3000), run(fakes.DIVERGES), run(fakes.KILLS_IN_COMPANY)]
    bad = [run(fakes.FAILS), run(fakes.RAISES), run(fakes.KILLS)]
    options = {"workers": 2, "device": "cpu", "engine": "execute_fakes:Engine", "executor": place, "max_members": 4}
    with open_store(str(tmp_path / "runs.db")) as store:
        summary = execute([*fine, *bad], store, **options)
        assert (summary.complete, summary.diverged, summary.failed) == (len(fine) - 1, 1, len(bad))
        kept = {digest: record.result for digest, record in store.get(r.digest for r in fine).items()}
        assert {digest: repr(replace(result, notes={})) for digest, result in kept.items()} == {
            r.digest: repr(fakes.expected(r)) for r in fine
        }
        failed = store.get(r.digest for r in bad)
        assert {record.result.status for record in failed.values()} == {"failed"}
        assert len(store.all()) == len(fine) + len(bad)
        summary = execute(fine, store, **options)
        assert (summary.trained, summary.reused) == (0, len(fine))
        assert len(store.lease([r.digest for r in bad], Owner.current())) == len(bad)


def test_a_cohort_whose_worker_is_killed_goes_on_from_its_checkpoint(place, tmp_path):
    runs = [run(fakes.KILLS_ONCE, seed, root=str(tmp_path)) for seed in range(2)]
    kept, said = KeptCheckpoints(tmp_path / "checkpoints", 0.0), Said()
    options = {"workers": 1, "device": "cpu", "engine": "execute_fakes:Resuming", "executor": place, "progress": said}
    with open_store(str(tmp_path / "runs.db")) as store:
        summary = execute(runs, store, checkpoints=kept, max_members=2, **options)
        assert (summary.complete, summary.deaths) == (2, 1)
        assert {repr(record.result.curves) for record in store.all()} == {repr(fakes.expected(r).curves) for r in runs}
    begun = sorted(file.name.rpartition(" ")[0] for file in tmp_path.glob("begins *"))
    assert begun == ["begins 2 at 0", "begins 2 at 2"]
    assert "a cohort of 2 runs goes on after step 2 of 4" in said.lines
    assert not (tmp_path / "checkpoints").exists()


def test_what_a_user_has_to_mend_ends_a_sweep_with_one_message(place, tmp_path):
    with (
        open_store(str(tmp_path / "runs.db")) as store,
        pytest.raises(ConfigError, match=r"data\.root: no such folder"),
    ):
        execute([run()], store, workers=1, device="cpu", engine="execute_fakes:Missing", executor=place)
