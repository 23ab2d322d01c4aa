"""How numbers are printed: the same in every table, and a dash where there is none."""

import math
from typing import Any

NONE, MINUS = "\u2013", "\u2212"
"""An absent number, and the sign of a negative one."""


def number(value: Any, digits: int = 4) -> str:
    """A mean or difference with a fixed number of decimals (fewer before the point, large values in ``g`` form).

    Args:
        value: A number; None and NaN give a dash, an infinity its sign and ``∞``.
        digits: Decimals.
    """
    if _absent(value):
        return NONE
    value = float(value)
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:.{digits}g}"
    return NEGATIVE_ZERO.get(text, text).replace("-", MINUS)


NEGATIVE_ZERO = {f"-{0:.{d}f}": f"{0:.{d}f}" for d in range(9)}


def signed(value: Any, digits: int = 4) -> str:
    """A difference, always with its sign; zero has none."""
    text = number(value, digits)
    plain = text.strip("0.") == "" or text in (NONE, "∞") or text.startswith(MINUS)
    return text if plain else f"+{text}"


def interval(low: Any, high: Any, digits: int = 4) -> str:
    """``[low, high]``, or a dash where either end is absent."""
    return NONE if _absent(low) or _absent(high) else f"[{number(low, digits)}, {number(high, digits)}]"


def spread(mean: Any, sd: Any, digits: int = 4) -> str:
    """``mean ± sd``; the mean alone where there is no standard deviation."""
    return number(mean, digits) if _absent(sd) else f"{number(mean, digits)} ± {number(sd, digits)}"


def probability(value: Any) -> str:
    """A p value: three decimals, ``<0.001`` below."""
    if _absent(value):
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def printed(value: Any) -> str:
    """A published number as it was printed: no digits added."""
    return NONE if _absent(value) else f"{float(value):.10g}".replace("-", MINUS)


def duration(seconds: Any) -> str:
    """Seconds as people say them: ``48 s``, ``12 min``, ``3 h 05 min``."""
    if _absent(seconds):
        return NONE
    value = float(seconds)
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def count_runs(row: Any) -> str:
    """How many runs are behind a mean: ``10``, or ``8 of 10 (2 diverged)``.

    Args:
        row: A mapping with ``complete``, ``diverged``, ``failed``, ``missing`` and perhaps ``at_chance``.
    """
    lost = losses(row)
    total = sum(int(row[s]) for s in ("complete", "diverged", "failed", "missing"))
    complete = int(row["complete"])
    count = f"{complete}" if complete == total else f"{complete} of {total}"
    return f"{count} ({', '.join(lost)})" if lost else count


def losses(row: Any) -> tuple[str, ...]:
    """Runs that are not in a mean, and those in it that did not learn: ``("2 diverged", "1 at chance")``."""
    kinds = {"diverged": "diverged", "failed": "failed", "missing": "missing", "at_chance": "at chance"}
    counts = {text: row.get(name) for name, text in kinds.items()}
    return tuple(f"{int(count)} {text}" for text, count in counts.items() if not _absent(count) and count)


def _absent(value: Any) -> bool:
    return value is None or value != value
