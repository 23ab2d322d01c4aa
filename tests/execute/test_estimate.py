import pytest
from execute_fakes import IMAGES, run

from ablate.execute.estimate import STARTUP_SECONDS, Speeds, estimate
from ablate.images.config import AlexNet, FashionMNIST, Train
from ablate.images.run import RunConfig
from ablate.plan.cohorts import Cohort
from ablate.store import Speed
from ablate.task.plain_run import PlainRun


def speed(members, shared, value, device="cpu", of=None):
    return Speed("here", device, (of or run()).cohort_key, members, shared, value, "2026-01-01")


def test_the_most_alike_cohort_counts():
    speeds = Speeds([speed(1, True, 100.0), speed(10, True, 900.0), speed(10, False, 500.0)], "cpu")
    assert speeds.measured(run(), 1, False) == 100.0
    assert speeds.measured(run(), 9, True) == 900.0
    assert speeds.measured(run(), 12, False) == 500.0
    assert speeds.measured(run(batch_size=16), 1, True) is None
    assert Speeds([speed(1, True, 100.0, device="cuda")], "cpu").measured(run(), 1, True) is None
    speeds.add(speed(10, True, 1800.0))
    assert speeds.measured(run(), 10, True) == 1800.0


def test_wall_time_of_two_workers():
    cohorts = [Cohort((run(0.1), run(0.2))), Cohort((run(0.3),)), Cohort((run(0.4),))]
    found = estimate(cohorts, Speeds([speed(1, True, 100.0), speed(2, True, 200.0)], "cpu"), 2)
    assert (found.runs, found.cohorts, found.samples) == (4, 3, 16 * IMAGES)
    assert found.seconds == pytest.approx(8 * IMAGES / 100.0 + STARTUP_SECONDS)
    assert found.measured == 1.0


def test_a_run_that_trains_alone_is_estimated_by_others_of_its_task():
    runs = [PlainRun("t", "a:B", {"width": width}, seed, {}) for width, seed in ((1, 0), (1, 1), (2, 0))]
    known = [Speed("here", "cpu", key, 1, True, 0.5, "2026-01-01") for key in runs[0].speed_keys]
    narrow = Speed("here", "cpu", runs[0].speed_keys[0], 1, True, 0.25, "2026-01-02")
    speeds = Speeds([*known, narrow], "cpu")
    assert [speeds.measured(run, 1, True) for run in runs] == [0.25, 0.25, 0.5]
    assert estimate([Cohort((run,)) for run in runs], speeds, 1).measured == 1.0
    assert speeds.measured(PlainRun("other", "a:B", {"width": 1}, 0, {}), 1, True) is None


def test_an_estimate_says_how_much_of_it_is_guessed():
    other = run(0.1, batch_size=16)
    found = estimate([Cohort((run(0.1),)), Cohort((other,))], Speeds([speed(1, True, 100.0, of=other)], "cpu"), 1)
    assert found.measured == 0.5
    assert estimate([], Speeds([], "cpu"), 1).seconds == 0.0


@pytest.mark.parametrize(("batch", "known"), [(256, 9960), (16, 6600), (2, 1800)])
def test_the_guess_fits_what_was_measured_for_lenet(batch, known):
    assert RunConfig(train=Train(batch_size=batch)).guessed_speed == pytest.approx(known, rel=0.1)


def test_larger_networks_are_guessed_slower():
    small = RunConfig(model=AlexNet()).guessed_speed
    large = RunConfig(model=AlexNet(form="torchvision"), data=FashionMNIST(image_size=224)).guessed_speed
    assert large < small < RunConfig().guessed_speed
