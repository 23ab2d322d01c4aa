"""Counts, scores and calibration against scikit-learn, a loop and cases worked by hand."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from ablate.images.diagnose.agreement import between_levels, overlap_of_top, rank_correlation, within_level
from ablate.images.diagnose.verdicts import calibration, class_scores, confusion, worst_errors


def drawn(classes, samples=500, seed=0):
    generator = np.random.default_rng(seed)
    shares = generator.dirichlet(np.full(classes, 0.3), samples)
    return shares, generator.integers(classes, size=samples)


@pytest.mark.parametrize("classes", [2, 7])
def test_confusion_and_scores_are_scikit_learns(classes):
    shares, labels = drawn(classes)
    predicted = shares.argmax(1)
    counts = confusion(labels, predicted, classes)
    assert np.array_equal(counts, confusion_matrix(labels, predicted, labels=range(classes)))
    scores = class_scores(counts)
    expected = precision_recall_fscore_support(labels, predicted, labels=range(classes), zero_division=np.nan)
    for own, theirs in zip((scores.precision, scores.recall, scores.f1, scores.support), expected, strict=True):
        np.testing.assert_allclose(own, theirs)


def test_a_class_that_never_occurs_has_no_score():
    scores = class_scores(confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 3))
    np.testing.assert_allclose(scores.precision, [0.5, 1.0, np.nan])
    np.testing.assert_allclose(scores.recall, [1.0, 0.5, np.nan])
    np.testing.assert_allclose(scores.f1, [2 / 3, 2 / 3, np.nan])


def test_calibration_by_hand():
    shares = np.array([[0.9, 0.1], [0.9, 0.1], [0.35, 0.65], [0.5, 0.5]])
    found = calibration(shares, np.array([0, 1, 1, 1]), bins=4)
    assert found.count.tolist() == [0, 1, 1, 2]  # 0.5 belongs to (0.25, 0.5]
    np.testing.assert_allclose(found.confidence, [np.nan, 0.5, 0.65, 0.9])
    np.testing.assert_allclose(found.accuracy, [np.nan, 0.0, 1.0, 0.5])
    assert found.ece == pytest.approx((0.5 * 1 + 0.35 * 1 + 0.4 * 2) / 4)
    assert found.mce == pytest.approx(0.5)


def test_calibration_is_that_of_a_loop_over_bins():
    shares, labels = drawn(5, seed=3)
    sure, right, error = shares.max(1), shares.argmax(1) == labels, 0.0
    for low, high in zip(np.linspace(0, 1, 16)[:-1], np.linspace(0, 1, 16)[1:], strict=True):
        within = (sure > low) & (sure <= high)
        if within.any():
            error += within.mean() * abs(right[within].mean() - sure[within].mean())
    assert calibration(shares, labels).ece == pytest.approx(error)


def test_a_network_that_is_right_as_often_as_it_says_has_no_calibration_error():
    generator = np.random.default_rng(1)
    shares = generator.dirichlet(np.full(4, 0.5), 40_000)
    labels = (shares.cumsum(1) > generator.random((40_000, 1))).argmax(1)
    assert calibration(shares, labels).ece < 0.015


def test_the_worst_errors_are_the_surest():
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
    assert worst_errors(shares, np.array([0, 0, 0, 0]), 2).tolist() == [1, 3]
    assert worst_errors(shares, np.array([0, 1, 1, 1]), 2).tolist() == []


def test_rank_correlation_is_scipys_and_ties_count():
    generator = np.random.default_rng(0)
    a, b = generator.integers(5, size=(2, 6, 8, 9)).astype(float)
    expected = [spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(rank_correlation(a, b), expected)
    assert np.isnan(rank_correlation(a[:1], np.ones((1, 8, 9)))).all()


def test_overlap_by_hand():
    a, b = np.zeros((2, 1, 4, 5))
    a[0, 0, :2], b[0, 0, 1:3] = (2, 1), (1, 3)
    np.testing.assert_allclose(overlap_of_top(a, b), [1 / 3])  # two of twenty pixels each, one in both
    np.testing.assert_allclose(overlap_of_top(a, a), [1.0])
    assert np.isnan(overlap_of_top(a, np.zeros_like(a))).all()
    noise = np.random.default_rng(2).random((2, 200, 20, 20))
    assert overlap_of_top(*noise).mean() == pytest.approx(0.1 / 1.9, abs=0.01)


def test_levels_are_paired_by_seed_and_seeds_with_each_other():
    maps = np.random.default_rng(4).random((3, 2, 6, 6))
    same = between_levels(maps, maps)
    np.testing.assert_allclose(same.rank, 1.0)
    np.testing.assert_allclose(same.overlap, 1.0)
    pairs = [rank_correlation(maps[i], maps[j]).mean() for i, j in ((0, 1), (0, 2), (1, 2))]
    assert within_level(maps).rank.mean() == pytest.approx(np.mean(pairs))
    np.testing.assert_allclose(within_level(maps[:2]).rank, pairs[:1])
    assert between_levels(maps, maps[::-1]).rank[1] == pytest.approx(1.0)
    assert abs(between_levels(maps, maps[::-1]).rank[0]) < 0.5
