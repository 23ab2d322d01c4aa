import math

import pytest

from ablate.task import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.46885, "0.4688"),
        (-0.01, "\u22120.0100"),
        (-0.00001, "0.0000"),
        (12345.678, "1.235e+04"),
        (math.inf, "∞"),
        (-math.inf, "\u2212∞"),
        (math.nan, "\u2013"),
        (None, "\u2013"),
    ],
)
def test_a_number_has_four_decimals_and_a_real_minus(value, text):
    assert numbers.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.02, "+0.0200"), (-0.02, "\u22120.0200"), (0.0, "0.0000"), (None, "\u2013"), (math.inf, "∞")]
)
def test_a_difference_carries_its_sign(value, text):
    assert numbers.signed(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.28, "0.28"), (0.469, "0.469"), (1.0, "1"), (math.nan, "\u2013")])
def test_a_published_number_keeps_its_digits(value, text):
    assert numbers.printed(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0004, "<0.001"), (0.0123, "0.012"), (None, "\u2013")])
def test_a_p_value(value, text):
    assert numbers.probability(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0004, "p < 0.001"), (0.0123, "p = 0.012")])
def test_a_p_value_in_a_sentence(value, text):
    assert numbers.p_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0031, "3.1 ms"),
        (1.26, "1.3 s"),
        (47.6, "48 s"),
        (725, "12 min"),
        (11_100, "3 h 05 min"),
        (None, "\u2013"),
        (0.0, "\u2013"),
    ],
)
def test_a_duration(seconds, text):
    assert numbers.duration(seconds) == text


def test_lost_runs_are_counted_beside_the_mean():
    row = {"complete": 7, "diverged": 2, "failed": 1, "missing": 0, "at_chance": 1}
    assert numbers.count_runs(row) == "7 of 10 (2 diverged, 1 failed, 1 at chance)"
    assert numbers.count_runs(row | {"complete": 10, "diverged": 0, "failed": 0, "at_chance": math.nan}) == "10"


@pytest.mark.parametrize(
    ("means", "spreads", "digits"),
    [
        ([0.8, 0.9], [0.01], 4),
        ([12.34, 15.0], [], 2),
        ([12.34, 15.0], [0.002], 4),
        ([2e-6, 3e-6], [1e-7], 9),
        ([0.0014, -0.0016], [0.0079], 4),  # about 0: the spread says what counts
        ([61_706.0], [0.0], 0),
    ],
)
def test_about_four_digits_count(means, spreads, digits):
    assert numbers.decimals(means, spreads) == digits
