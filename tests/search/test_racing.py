import math

import pytest

from ablate.images.metrics import METRICS, measured_epoch
from ablate.search.racing import Lap, contenders, rung_steps, seed_counts, stop_rule
from ablate.search.settings import Racing
from ablate.task.record import StopRule

RACING = Racing(reduction=3.0, rungs=2, least=3)


def rule_for(laps, metric="val_acc", length=9, kind="constant", racing=RACING):
    return stop_rule(length, kind, racing, METRICS[metric], laps)


def laps(values, epochs=9, schedule="constant", epoch=1):
    return [Lap(schedule, epochs, {epoch: value}) for value in values]


@pytest.mark.parametrize(("epochs", "rungs"), [(9, [1, 3]), (27, [3, 9]), (50, [6, 17]), (20, [3, 7]), (1, [1, 1])])
def test_rungs_are_shares_of_a_runs_own_length(epochs, rungs):
    assert rung_steps(epochs, RACING) == rungs


def test_the_limit_is_the_last_of_the_best_third():
    rule = rule_for(laps([0.1, 0.5, 0.4, 0.3, 0.2, 0.6]))
    assert rule == StopRule("val_acc", "max", ((1, 0.5),), 9)
    rule = rule_for(laps([0.1, 0.5, 0.4, 0.3, 0.2, 0.6]), "val_loss")
    assert rule == StopRule("val_loss", "min", ((1, 0.2),), 9)


def test_both_rungs_have_limits_of_their_own():
    seen = [*laps([0.3, 0.2, 0.1]), *laps([0.9, 0.8, 0.7], epoch=3)]
    assert rule_for(seen).limits == ((1, 0.3), (3, 0.9))


def test_runs_of_other_lengths_are_compared_at_the_same_share():
    rule = rule_for(laps([0.3, 0.2, 0.1], epochs=9, epoch=1), length=27)
    assert rule.limits == ((3, 0.3),)


def test_nobody_is_stopped_before_enough_have_been_there():
    assert rule_for(laps([0.1, 0.2])) is None


def test_runs_with_another_schedule_are_not_compared():
    assert rule_for(laps([0.1, 0.2, 0.3]), kind="one_cycle") is None


def test_without_a_race_over_epochs_there_is_no_rule():
    assert rule_for(laps([0.1] * 9), racing=Racing(steps=False)) is None


def test_a_run_of_one_epoch_is_never_stopped():
    assert rule_for(laps([0.1] * 9, epochs=1), length=1) is None


def epoch(number, accuracy):
    return measured_epoch(number, 1.0, accuracy, 1.0, accuracy)


def test_a_rule_stops_below_its_limit_only_and_gives_the_part_until_there():
    rule = StopRule("val_acc", "max", ((2, 0.5),))
    assert not rule.stops(epoch(1, 0.1))
    assert not rule.stops(epoch(2, 0.5))
    assert rule.stops(epoch(2, 0.49))
    curve = (epoch(1, 0.1), epoch(2, 0.4), epoch(3, 0.9))
    assert rule.part(curve) == curve[:2]
    assert StopRule("val_acc", "max", ((3, 0.5),)).part(curve) is None
    assert StopRule("val_loss", "min", ((2, 0.5),)).part(curve) == curve[:2]
    assert not StopRule("test_acc", "max", ((2, 0.5),)).stops(epoch(2, 0.1))


@pytest.mark.parametrize(("total", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 3]), (5, [1, 3, 5]), (10, [1, 3, 9, 10])])
def test_seeds_grow_by_the_reduction(total, counts):
    assert seed_counts(total, RACING) == counts
    assert seed_counts(total, Racing(seeds=False)) == [total]


def test_at_first_the_best_third_are_contenders():
    values = {n: [0.1 * n] for n in range(6)}
    assert contenders(values, {}, RACING, higher=True) == [5, 4]
    assert contenders(values, {}, RACING, higher=False) == [0, 1]


def test_later_those_that_are_behind_the_best_by_no_more_than_noise():
    """The best has 0.90; differences from it have a standard deviation of 0.01 over two seeds each."""
    spread = 0.01 * math.sqrt(2)
    finished = {0: [0.90, 0.90], 1: [0.80, 0.80 + spread], 2: [0.70 + spread, 0.70]}
    values = {7: [0.95], 8: [0.8901], 9: [0.8899], 10: [0.5]}
    assert contenders(values, finished, RACING, higher=True) == [7, 8]
    assert contenders({8: [0.8901] * 2}, finished, RACING, higher=True) == []
    assert contenders({8: [0.8931] * 2}, finished, RACING, higher=True) == [8]


def test_seeds_are_paired():
    """A seed that is hard for all settings makes none look worse than the best."""
    finished = {n: [0.90 - 0.01 * n, 0.60 - 0.01 * n] for n in range(3)}
    assert contenders({5: [0.905]}, finished, RACING, higher=True) == [5]
    assert contenders({5: [0.895]}, finished, RACING, higher=True) == []
