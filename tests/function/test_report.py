"""What a training function may report, and when it is told to stop."""

import math

import numpy as np
import pytest

from ablate.function.report import Left, Report, ReportError
from ablate.task.record import StopRule


def report(metrics=("acc", "loss"), rule=None, on_step=lambda step: None):
    return Report(metrics, rule, on_step)


def test_values_by_step():
    heard = []
    told = report(on_step=heard.append)
    assert told(1, {"acc": 0.5}) is False
    assert told(1, loss=np.float32(2.0)) is False
    assert told(np.int64(3), {"acc": 1}) is False
    told.finish({"loss": 1.0})
    assert [(m.step, m.values) for m in told.curves] == [(1, {"acc": 0.5, "loss": 2.0}), (3, {"acc": 1.0, "loss": 1.0})]
    assert all(m.seconds >= 0 for m in told.curves)
    assert heard == [1, 3]


def test_final_values_alone():
    told = report()
    told.finish({"acc": 0.5})
    assert [(m.step, m.values) for m in told.curves] == [(0, {"acc": 0.5})]


@pytest.mark.parametrize(
    ("step", "values", "message"),
    [
        (1, {"accuracy": 1.0}, "'accuracy' is no metric of this task; metrics are acc, loss"),
        (1, {"acc": "high"}, "acc = 'high': is no number"),
        (1, {"acc": True}, "acc = True: is no number"),
        (1, {"acc": None}, "acc = None: is no number"),
        (-1, {"acc": 1.0}, "step = -1: must be a whole number"),
        (1.5, {"acc": 1.0}, "step = 1.5: must be a whole number"),
        (True, {"acc": 1.0}, "step = True: must be a whole number"),
    ],
)
def test_what_is_no_measurement(step, values, message):
    told = report()
    with pytest.raises(ReportError, match=message):
        told(step, values)
    with pytest.raises(ReportError, match=message):  # a function that swallows it does not get away
        told(2, {"acc": 1.0})


def test_steps_never_fall():
    told = report()
    told(2, acc=1)
    with pytest.raises(ReportError, match="step = 1: comes after step 2"):
        told(1, acc=1)


def test_a_lost_race_asks_once_and_then_leaves():
    told = report(rule=StopRule("acc", "max", ((2, 0.5),)))
    assert told(1, acc=0.1) is False
    assert told(2, loss=1.0) is False
    assert told(2, acc=0.4) is True
    assert told.should_stop
    assert told.stopped_by_rule
    assert told(2, loss=0.9) is True
    with pytest.raises(Left):
        told(3, acc=1.0)
    assert [m.step for m in told.curves] == [1, 2]


def test_what_is_not_finite_ends_the_run():
    told = report()
    assert told(1, loss=math.inf) is True
    with pytest.raises(Left):
        told(2, loss=1.0)


def test_what_the_worker_raises_goes_through_and_comes_again():
    class Stop(BaseException):
        pass

    def leave(step):
        raise Stop

    told = report(on_step=leave)
    for _ in range(2):
        with pytest.raises(Stop):
            told(1, acc=1.0)


@pytest.mark.parametrize("returned", [0.9, "fine", [1]])
def test_what_a_function_may_not_return(returned):
    with pytest.raises(ReportError, match="must be None or final values"):
        report().finish(returned)
