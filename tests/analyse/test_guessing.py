"""The bound of luck against SciPy's binomial quantile."""

import numpy as np
import pytest
from scipy import stats

from ablate.analyse.guessing import LUCK, bound_of_luck
from ablate.task.metric import Metric


@pytest.mark.parametrize(("goal", "quantile"), [("max", 1 - LUCK), ("min", LUCK)])
def test_bound_of_luck_is_the_binomial_quantile(goal, quantile):
    generator = np.random.default_rng(0)
    samples = generator.integers(1, 20000, 5000).astype(float)
    guess = generator.uniform(0, 1, 5000)
    guess[:100], guess[100:200], samples[:300:3] = 0.0, 1.0, 1.0
    metric = Metric("hits", goal=goal, low=0.0, high=1.0)
    np.testing.assert_array_equal(
        bound_of_luck(metric, guess, samples), stats.binom.ppf(quantile, samples, guess).clip(0) / samples
    )


def test_where_the_number_of_samples_is_not_known_the_guess_is_the_bound():
    metric = Metric("hits", goal="max", low=0.0, high=1.0)
    np.testing.assert_array_equal(bound_of_luck(metric, np.array([0.1, 0.1]), np.array([np.nan, 0])), [0.1, 0.1])
