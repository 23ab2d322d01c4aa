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


def test_a_file_that_could_not_be_written_is_told_with_its_run():
    runs = tuple(fakes.run(lr) for lr in (0.1, 0.2))
    results = (Result("complete", notes={"not_kept": ["weights/1.safetensors: cannot be written: No space left"]}),)
    results += (Result("complete"),)
    records = [Record(run.digest, run.identity, result, {}) for run, result in zip(runs, results, strict=True)]
    said = Ledger(runs, 1, Speeds([], "cpu")).report(Flight(Assignment(Cohort(runs), {}), "now", None), records, [])
    assert said[1:] == ["not kept: optimizer.lr=0.1: weights/1.safetensors: cannot be written: No space left"]
