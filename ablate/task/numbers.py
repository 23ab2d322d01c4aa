"""How numbers are printed: the same in every table, and a dash where there is none."""

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

NONE, MINUS = "\u2013", "\u2212"
"""An absent number, and the sign of a negative one."""
DIGITS = 4
"""Decimals of numbers of the order of one."""


def number(value: Any, digits: int = DIGITS) -> str:
    """A mean or difference with a fixed number of decimals (values out of all proportion in ``g`` form).

    Args:
        value: A number; None and NaN give a dash, an infinity its sign and ``∞``.
        digits: Decimals, as :func:`decimals` gives them.
    """
    if _absent(value):
        return NONE
    value = float(value)
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    proportionate = abs(value) < (1000 if digits >= DIGITS else 1e9)
    text = f"{value:.{digits}f}" if proportionate else f"{value:.{DIGITS}g}"
    return NEGATIVE_ZERO.get(text, text).replace("-", MINUS)


NEGATIVE_ZERO = {f"-{0:.{d}f}": f"{0:.{d}f}" for d in range(16)}


def decimals(means: Iterable[Any], spreads: Iterable[Any] = ()) -> int:
    """Decimals with which numbers of one kind are printed, so that about four digits of them count.

    Args:
        means: The numbers; None and what is not finite are passed over.
        spreads: Their standard deviations, of which two digits are to be seen.

    Returns:
        4 for accuracies, losses and whatever else lies between 0.05 and 10; fewer for larger numbers, more for smaller.
    """
    sizes = _sizes(means)
    typical = median(sizes) if sizes else 1.0
    if 0.05 <= typical < 10:
        return DIGITS
    deviations = _sizes(spreads)
    wanted = [1 - math.floor(math.log10(median(deviations)))] if deviations else []
    if not deviations or typical > median(deviations):  # else they lie about 0, and the spread says what counts
        wanted.append(3 - math.floor(math.log10(typical)))
    return min(max(0, *wanted), 15)


def _sizes(values: Iterable[Any]) -> list[float]:
    known = (abs(float(value)) for value in values if not _absent(value))
    return [size for size in known if math.isfinite(size) and size > 0]


def signed(value: Any, digits: int = DIGITS) -> str:
    """A difference, always with its sign; zero has none."""
    text = number(value, digits)
    plain = text.strip("0.") == "" or text in (NONE, "∞") or text.startswith(MINUS)
    return text if plain else f"+{text}"


def interval(low: Any, high: Any, digits: int = DIGITS) -> str:
    """``[low, high]``, or a dash where either end is absent."""
    return NONE if _absent(low) or _absent(high) else f"[{number(low, digits)}, {number(high, digits)}]"


def spread(mean: Any, sd: Any, digits: int = DIGITS) -> str:
    """``mean ± sd``; the mean alone where there is no standard deviation."""
    return number(mean, digits) if _absent(sd) else f"{number(mean, digits)} ± {number(sd, digits)}"


def probability(value: Any) -> str:
    """A p value: three decimals, ``<0.001`` below."""
    if _absent(value):
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def p_value(value: Any) -> str:
    """A p value in a sentence, with its name: ``p = 0.015``."""
    text = probability(value)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def printed(value: Any) -> str:
    """A published number as it was printed: no digits added."""
    return NONE if _absent(value) else f"{float(value):.10g}".replace("-", MINUS)


def duration(seconds: Any) -> str:
    """Seconds as people say them: ``3.1 ms``, ``48 s``, ``12 min``, ``3 h 05 min``; of none, nothing is known."""
    value = 0.0 if _absent(seconds) else float(seconds)
    if value == 0:
        return NONE
    if value < 0.1:
        return f"{1000 * value:.2g} ms"
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


def separator(names: Sequence[str]) -> str:
    """What stands between names in a list: a semicolon where one of them has a comma itself, as levels of grids do."""
    return "; " if any("," in name for name in names) else ", "


def _absent(value: Any) -> bool:
    return value is None or value != value
