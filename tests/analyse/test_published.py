import numpy as np
import pytest

from ablate.analyse import AnalysisError, Published, check_published
from ablate.images.metrics import METRICS as M

OURS = [0.80, 0.82, 0.78, 0.81, 0.79]


def published(value, **changes):
    return Published(
        **{"factor": "optimizer.lr", "level": 0.9, "metric": "test_acc", "value": value, "repeats": 10} | changes
    )


def test_the_prediction_interval_by_hand(make_runs):
    (check,) = check_published(make_runs({0.9: OURS}), [published(0.809)], M)
    half = 2.7764451052 * np.std(OURS, ddof=1) * np.sqrt(1 / 5 + 1 / 10)  # t(4), 97.5 %
    assert (check.interval.low, check.interval.high) == pytest.approx((0.80 - half, 0.80 + half))
    assert (check.inside, check.n, check.mean) == (True, 5, pytest.approx(0.80))
    assert check.difference == pytest.approx(-0.009)
    outside = check_published(make_runs({0.9: OURS}), [published(0.80 + side * (half + 0.001)) for side in (1, -1)], M)
    assert [entry.inside for entry in outside] == [False, False]


def test_rounding_widens(make_runs):
    plain, rounded = check_published(make_runs({0.9: OURS}), [published(0.8), published(0.8, rounding=0.0005)], M)
    assert rounded.interval.high - plain.interval.high == pytest.approx(0.0005)


def test_a_prediction_interval_holds_a_mean_of_other_runs_as_often_as_it_says(make_runs):
    generator = np.random.default_rng(0)
    levels = {level: list(generator.normal(0.8, 0.02, 5)) for level in range(2000)}
    theirs = generator.normal(0.8, 0.02, (2000, 10)).mean(axis=1)
    checks = check_published(make_runs(levels), [published(v, level=level) for level, v in enumerate(theirs)], M)
    assert np.mean([check.inside for check in checks]) == pytest.approx(0.95, abs=0.015)


def test_labels_name_levels_too(make_runs):
    (check,) = check_published(make_runs({0.9: OURS}), [published(0.8, level="0.9")], M)
    assert check.level == 0.9


def test_too_few_runs_say_nothing(make_runs):
    one, none = check_published(
        make_runs({0.9: [0.8, "diverged"], 1.0: ["missing", "missing"]}), [published(0.8), published(0.8, level=1.0)], M
    )
    assert (one.mean, one.interval, one.inside) == (0.8, None, None)
    assert one.warnings == (
        "1 complete run(s): too few to say whether the published number agrees.",
        "1 diverged run(s) are not in our mean.",
    )
    assert (none.mean, none.difference, none.inside) == (None, None, None)


def test_a_level_that_the_study_lacks_is_an_error(make_runs):
    with pytest.raises(AnalysisError, match=r"no level 1\.1"):
        check_published(make_runs({0.9: OURS}), [published(0.8, level=1.1)], M)
