"""Performance profiles against rliable's, and drawn."""

import warnings

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from ablate.analyse import AnalysisError
from ablate.analyse.profiles import performance_profiles
from ablate.images.metrics import METRICS as M
from ablate.report.profiles import profiles
from ablate.task.metric import Metric


def expected(rliable, scores, at):
    """Shares by rliable, of scores ``[runs, tasks]`` by level."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        found, _ = rliable[0].create_performance_profile(scores, np.array(at), reps=5)
    return found


def test_shares_of_several_tasks_are_rliables(make_runs, rliable):
    rng = np.random.default_rng(3)
    scores = {level: np.round(rng.normal(0.7 + level / 10, 0.1, (7, 3)), 2) for level in (0, 1)}
    names = {(data, level): list(scores[level][:, data]) for data in range(3) for level in scores}
    found = performance_profiles(make_runs(names, factor="data x lr"), metric=M["test_acc"], factor="lr", over=["data"])
    wanted = expected(rliable, scores, found[0].at)
    for profile, level in zip(found, scores, strict=True):
        assert (profile.label, profile.n) == (str(level), 21)
        assert profile.share == pytest.approx(wanted[level])
        assert profile.share[0] == 1.0
        assert all(np.diff(profile.share) <= 0)
        assert all(low < high for low, high in zip(profile.low, profile.high, strict=True))
        assert np.array(profile.low) == pytest.approx(np.minimum(profile.low, profile.share))


def test_a_task_with_few_runs_makes_the_band_as_wide_as_the_share_strays(make_runs):
    rng, counts = np.random.default_rng(4), (40, 4)
    names = {(data, 1): list(rng.random(n)) + [None] * (40 - n) for data, n in enumerate(counts)}
    runs = make_runs(names, factor="data x lr")
    (profile,) = performance_profiles(runs, metric=M["test_acc"], factor="lr", over=["data"])
    assert profile.n == 44
    drawn = np.mean([rng.binomial(n, 0.5, 200_000) / n for n in counts], axis=0)
    effective = 0.25 / drawn.var()  # as many runs of one task stray so far
    for share, *band in zip(profile.share, profile.low, profile.high, strict=True):
        wanted = proportion_confint(share * effective, effective, method="wilson")
        assert band == pytest.approx(wanted, abs=0.005)


def test_less_may_be_better_and_a_diverged_run_is_never(make_runs, rliable):
    loss = Metric("test_loss", "min", low=0.0)
    runs = make_runs({1: [0.5, 0.4, "diverged", "failed"], 2: [0.2, 0.6, 0.3, None]}, metric="test_loss")
    one, two = performance_profiles(runs, metric=loss)
    assert (one.n, two.n) == (3, 3)
    scores = {"1": -np.array([[0.5], [0.4], [np.inf]]), "2": -np.array([[0.2], [0.6], [0.3]])}
    wanted = expected(rliable, scores, -np.array(one.at))
    assert one.share == pytest.approx(wanted["1"])
    assert two.share == pytest.approx(wanted["2"])
    assert (one.share[0], one.share[-1]) == (0.0, pytest.approx(2 / 3))
    with pytest.raises(AnalysisError, match="no run has a value of test_loss"):
        performance_profiles(make_runs({1: ["failed"]}, metric="test_loss"), metric=loss)
    with pytest.raises(AnalysisError, match="name the factor"):
        performance_profiles(runs, metric=loss, over=["data"])


def test_each_level_is_a_line_on_any_axes(make_runs):
    from matplotlib.figure import Figure

    runs = make_runs({1: [0.5, 0.6, 0.7], 2: [0.8, 0.9, 0.7]})
    ax = profiles(runs, M["test_acc"], Figure().subplots())
    found = performance_profiles(pd.DataFrame(runs), metric=M["test_acc"])
    assert [line.get_label() for line in ax.lines] == ["1", "2"]
    for line, profile in zip(ax.lines, found, strict=True):
        assert tuple(line.get_ydata()) == profile.share
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("accuracy (fraction)", "share of runs above")
