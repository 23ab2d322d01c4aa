"""The part of an axis that is worth showing: one run that learnt nothing must not press all others into a point."""

import math
from collections.abc import Iterable
from statistics import median
from typing import Any

FAR = 8.0
"""Values further from the median than so many median deviations are off the scale."""


def limits(values: Iterable[Any]) -> tuple[float, float]:
    """The range of the values that are not far from the others.

    Args:
        values: Numbers; None, NaN and infinities are passed over.

    Returns:
        Lowest and highest value within :data:`FAR` median absolute deviations of the median; ``(0, 0)`` without values.
    """
    known = [float(v) for v in values if v is not None and math.isfinite(float(v))]
    if not known:
        return 0.0, 0.0
    middle = median(known)
    spread = median(abs(v - middle) for v in known)
    kept = [v for v in known if abs(v - middle) <= FAR * spread] if spread > 0 else known
    return min(kept), max(kept)
