"""What a study file states and the analysis checks: claims and published numbers, as frozen, validated values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ablate.analyse.errors import AnalysisError

Kind = Literal["better", "best_in", "equivalent", "monotone", "peaks_inside"]
Direction = Literal["rising", "falling"]

KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Claim:
    """A sentence about levels that a study can support or refute.

    Kinds, with a level meaning its population mean over seeds and "better" following the metric's direction:

    - ``better``: the first of ``levels`` is better than the second, by more than ``margin``.
    - ``best_in``: the best of all levels of the factor (or of ``among``) is one of ``levels``.
    - ``equivalent``: all ``levels`` lie within ``margin`` of each other (``margin`` > 0).
    - ``monotone``: along ``levels`` the metric itself goes in ``direction``; no later level falls back behind an earlier one by
      ``margin`` or more (``margin`` 0: every step must go the right way).
    - ``peaks_inside``: along ``among`` (default: all levels of the factor, in order) the metric gets better, then worse: the best
      lies in ``levels`` (default: all but the first and the last of ``among``).
    """

    id: str
    text: str
    """The sentence as its source prints it, or a faithful translation."""
    kind: Kind
    factor: str
    """Dotted path of the factor."""
    metric: str
    levels: tuple[Any, ...] = ()
    """Native values or labels."""
    among: tuple[Any, ...] = ()
    """``best_in`` and ``peaks_inside``: the levels competed against; empty: all levels of the factor."""
    direction: Direction = "rising"
    """``monotone`` only; of the metric itself (a loss that improves is falling)."""
    margin: float = 0.0
    """In the metric's unit, >= 0."""


@dataclass(frozen=True)
class Published:
    """A number printed elsewhere, to hold ours against."""

    factor: str
    level: Any
    """Native value or label."""
    metric: str
    value: float
    repeats: int
    """Runs behind the printed mean, >= 1."""
    rounding: float = 0.0
    """Half a unit of the last printed digit (0.0005 for three decimals): widens the prediction interval."""


def parse_claim(mapping: Mapping[str, Any]) -> Claim:
    """Validate a claim as a study file states it.

    Args:
        mapping: the fields of ``Claim`` as plain data.

    Raises:
        AnalysisError: every problem found, one line each, with what is allowed.
    """
    raise NotImplementedError


def parse_published(mapping: Mapping[str, Any]) -> Published:
    """Validate a published number as a study file states it.

    Raises:
        AnalysisError: every problem found, one line each.
    """
    raise NotImplementedError


def higher_is_better(metric: str) -> bool:
    """The direction of a metric: accuracies up, losses and seconds down.

    Raises:
        AnalysisError: a metric whose name ends neither in ``_acc`` nor in ``_loss`` and is not ``seconds``.
    """
    if metric.endswith("_acc"):
        return True
    if metric.endswith("_loss") or metric == "seconds":
        return False
    raise AnalysisError(f"metric {metric!r} has no known direction; expected *_acc, *_loss or seconds")


def _texts(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values))
