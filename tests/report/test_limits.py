import math

import pytest

from ablate.report.axis_limits import limits


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.81, 0.82, 0.80, 0.79, 0.1, 0.1], (0.79, 0.82)),
        ([1, 2, 3, 4], (1, 4)),
        ([5, 5, 5], (5, 5)),
        ([5, 5, 5, 9], (5, 9)),
        ([math.nan, None, math.inf, 2.0], (2, 2)),
        ([], (0, 0)),
    ],
)
def test_what_is_far_from_the_others_is_off_the_scale(values, expected):
    assert limits(values) == expected
