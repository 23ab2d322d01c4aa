"""What people are told of runs: why one failed, in one line, and what is missing of one that did not."""

import execute_fakes as fakes
import pytest

from ablate.execute.estimate import Speeds
from ablate.execute.ledger import Assignment, Flight, Ledger, reason
from ablate.plan.cohorts import Cohort
from ablate.task.record import Record, Result

TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 3, in main\n    fit()\n    ^^^^^\n'
HYDRA = "hydra.errors.InstantiationException: Error in call to target 'lightning.Trainer':\nValueError('no bar')\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "no reason given"),
        ("  \n", "no reason given"),
        ("ended by signal 9\nout of memory\n", "out of memory"),
        (TRACEBACK + "ValueError: too fast\n", "ValueError: too fast"),
        (
            "exit code 1\n" + TRACEBACK + HYDRA + "full_key: trainer\n",
            HYDRA.replace("\n", " ") + "full_key: trainer",
        ),
        (TRACEBACK + "ValueError: a\n\nb\n", "ValueError: a b"),
        (TRACEBACK, "^^^^^"),
    ],
)
def test_kind_and_message(error, said):
    assert reason(error) == said


def test_levels_in_training_are_told_by_the_mean_of_their_seeds():
    runs = tuple(fakes.run(lr, seed=seed) for lr in (0.1, 0.2) for seed in (0, 1))
    ledger = Ledger(runs, 2, Speeds([], "cpu"))
    for worker, pair in enumerate((runs[:3], runs[3:])):
        ledger.flights[worker] = Flight(Assignment(Cohort(pair), {}), "now", None)
    first = ledger.take_interim(0, "acc", {0: 0.5, 1: 0.25, 2: 0.125})
    assert first == "first look after 0:00:00: acc so far 0.375 at optimizer.lr=0.1, 0.125 at optimizer.lr=0.2"
    assert ledger.take_interim(1, "acc", {0: 0.375}) is None
    said = "acc so far 0.375 at optimizer.lr=0.1, 0.25 at optimizer.lr=0.2"
    assert str(ledger.state([])).endswith(said)
    ledger.take_interim(1, "test_acc", {0: 1.0})  # what was measured otherwise is not compared with it
    assert ledger.state([]).interim == "test_acc so far 1 at optimizer.lr=0.2"
    for worker in (0, 1):
        ledger.land(worker, None)
    assert ledger.state([]).interim == ""


def test_a_level_in_training_is_named_by_what_sets_it_apart_from_most_runs():
    runs = (*(fakes.run(lr) for lr in (0.1, 0.2, 0.3)), *(fakes.run(0.1, seed=seed) for seed in (1, 2)))
    runs += (fakes.run(0.1, epochs=3), fakes.run(0.1, epochs=4))
    ledger = Ledger(runs, 1, Speeds([], "cpu"))
    ledger.flights[0] = Flight(Assignment(Cohort(runs), {}), "now", None)
    ledger.take_interim(0, "acc", {0: 0.5, 3: 1.0, 1: 0.25, 5: 0.125})
    said = ledger.state([]).interim
    assert said == ("acc so far 0.75 at what most runs have, 0.25 at optimizer.lr=0.2, 0.125 at train.epochs=3")


def test_a_file_that_could_not_be_written_is_told_with_its_run():
    runs = tuple(fakes.run(lr) for lr in (0.1, 0.2))
    results = (Result("complete", notes={"not_kept": ["weights/1.safetensors: cannot be written: No space left"]}),)
    results += (Result("complete"),)
    records = [Record(run.digest, run.identity, result, {}) for run, result in zip(runs, results, strict=True)]
    said = Ledger(runs, 1, Speeds([], "cpu")).report(Flight(Assignment(Cohort(runs), {}), "now", None), records, [])
    assert said[1:] == ["not kept: optimizer.lr=0.1: weights/1.safetensors: cannot be written: No space left"]
