"""The process over settings and lengths: its gradient, its forecasts, and what it learns of effects that add up."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from ablate.search.surrogate import JITTER, Points, Process, _priors

CHOICE = [False, True, False, True, False]


def points(rng, n):
    values = np.where(CHOICE, rng.integers(0, 3, (n, 5)), rng.random((n, 5)))
    present = np.ones((n, 5), dtype=bool)
    present[:, 4] = values[:, 1] == 0
    return Points(values.astype(float), present, rng.choice([0.0, 0.5, 1.0], n))


def effect(p):
    """Sum of effects; that of the third factor turns round with the length."""
    third = (p.values[:, 2] - 0.5) * (p.at - 0.4)
    return 2 * np.abs(p.values[:, 0] - 0.3) + 0.7 * (p.values[:, 1] == 2) + 2 * third + 0.5 * p.at


@pytest.fixture
def known():
    rng = np.random.default_rng(0)
    at = points(rng, 40)
    values = effect(at) + 0.05 * rng.normal(size=40)
    return at, (values - values.mean()) / values.std()


def test_the_gradient_is_that_of_the_loss(known):
    at, values = known
    centre, spread = _priors(5)
    process = Process(np.array(CHOICE), centre, at, values)
    distances = process._distances(at, at)
    rng = np.random.default_rng(1)
    for _ in range(3):
        where = centre + 0.5 * spread * rng.normal(size=len(centre))
        _, gradient = process._loss(where, distances)
        numeric = approx_fprime(where, lambda p: process._loss(p, distances)[0], 1e-6)
        assert gradient == pytest.approx(numeric, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("seed", range(10))
def test_the_covariance_is_one_whatever_conditions_hold(seed):
    """A point as far from every place of a range as from any other is in no space."""
    rng = np.random.default_rng(seed)
    at = points(rng, 60)
    at.present[:] = rng.random((60, 5)) < 0.5
    process = Process(np.array(CHOICE), _priors(5)[0], at, np.zeros(60))
    distances = process._distances(at, at)
    for scale in (1.0, 5.0, 25.0):
        parameters = np.log([*[1e-9] * 5, 1.0, 1e-9, scale, 1.0, 1e-9])
        assert np.linalg.eigvalsh(process._covariance(distances, parameters)).min() > -1e-9


def _covariance(process, both, i, j):
    """Of two points, written out."""
    *own, all_at_once, length, scale, along, _ = np.exp(process.parameters)
    total, square = 0.0, 0.0
    for k, is_choice in enumerate(CHOICE):
        if both.present[i, k] and both.present[j, k]:
            apart = abs(both.values[i, k] - both.values[j, k])
            r = np.sqrt(5) * apart / 0.5
            total += own[k] * (float(apart == 0) if is_choice else (1 + r + r**2 / 3) * np.exp(-r))
            square += float(apart != 0) if is_choice else (apart / 0.5) ** 2
        elif both.present[i, k] or both.present[j, k]:
            there = i if both.present[i, k] else j
            square += 1 if is_choice else 1 + ((both.values[there, k] - 0.5) / 0.5) ** 2
    r = np.sqrt(5 * square) / scale
    total += all_at_once * (1 + r + r**2 / 3) * np.exp(-r)
    apart = both.at[i] - both.at[j]
    return total * np.exp(-0.5 * (apart / along) ** 2) + length * np.exp(-0.5 * (apart / 0.7) ** 2) + 4.0


def test_forecasts_are_those_of_the_textbook(known):
    at, values = known
    process = Process.fitted(CHOICE, at, values)
    new = points(np.random.default_rng(2), 12)

    both = at + new
    covariance = np.array([[_covariance(process, both, i, j) for j in range(52)] for i in range(52)])
    noise = np.exp(process.parameters[-1]) + JITTER
    inverse = np.linalg.inv(covariance[:40, :40] + noise * np.eye(40))
    means = covariance[40:, :40] @ inverse @ values
    deviations = np.sqrt(np.diag(covariance[40:, 40:] - covariance[40:, :40] @ inverse @ covariance[:40, 40:]))
    found = process.at(new)
    assert found[0] == pytest.approx(means, abs=1e-8)
    assert found[1] == pytest.approx(deviations, rel=1e-4)


def test_draws_of_effects_are_those_of_the_textbook(known):
    """Of one range and one choice: covariances of a single effect with values, written out."""
    at, values = known
    process = Process.fitted(CHOICE, at, values)
    covariance = np.array([[_covariance(process, at, i, j) for j in range(40)] for i in range(40)])
    inverse = np.linalg.inv(covariance + (np.exp(process.parameters[-1]) + JITTER) * np.eye(40))
    grids = [np.arange(3.0) if is_choice else np.linspace(0, 1, 4) for is_choice in CHOICE]
    drawn = process.effects(grids, np.random.default_rng(3), 4000)
    fades = np.exp(-0.5 * ((1 - at.at) / np.exp(process.parameters[8])) ** 2)
    for k in (0, 1, 4):
        apart = np.abs(at.values[:, None, k] - grids[k])
        r = np.sqrt(5) * apart / 0.5
        kernel = apart == 0 if CHOICE[k] else (1 + r + r**2 / 3) * np.exp(-r)
        variance = np.exp(process.parameters[k])
        across = variance * kernel * (fades * at.present[:, k])[:, None]
        means = across.T @ inverse @ values
        deviations = np.sqrt(variance - np.einsum("ng,nm,mg->g", across, inverse, across))
        assert drawn[k].mean(0) == pytest.approx(means, abs=5 * deviations.max() / np.sqrt(4000))
        assert drawn[k].std(0) == pytest.approx(deviations, rel=0.08, abs=5e-3)


def test_it_learns_sums_from_few_values_and_where_an_effect_turns_round(known):
    at, values = known
    process = Process.fitted(CHOICE, at, values)
    new = points(np.random.default_rng(4), 300)
    wanted = effect(new)
    means, _ = process.at(new)
    assert np.corrcoef(means, wanted)[0, 1] > 0.97
    low, high = (
        Points(np.array([[0.3, 0.0, v, 0.0, 0.5]] * 2), np.ones((2, 5), bool), np.array([0.0, 1.0])) for v in (0.0, 1.0)
    )
    (short_low, full_low), (short_high, full_high) = process.at(low)[0], process.at(high)[0]
    assert short_low > short_high
    assert full_low < full_high


def test_what_it_believes_changes_no_mean_there_and_narrows_what_is_possible(known):
    at, values = known
    process = Process.fitted(CHOICE, at, values)
    new = points(np.random.default_rng(5), 3)
    means, deviations = process.at(new)
    after = process.believing(new).at(new)
    assert after[0] == pytest.approx(means, abs=1e-6)
    assert (after[1] < deviations).all()


def test_a_fit_has_the_density_of_no_worse_place_around(known):
    at, values = known
    process = Process.fitted(CHOICE, at, values)
    distances = process._distances(at, at)
    best, gradient = process._loss(process.parameters, distances)
    assert np.abs(gradient).max() < 0.05
    rng = np.random.default_rng(6)
    assert all(process._loss(process.parameters + 0.2 * rng.normal(size=10), distances)[0] > best for _ in range(20))
