"""What the sweep's process and its workers say to each other; torch-free, so that both can import it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ablate.images.run import RunConfig
from ablate.task.record import Result, StopRule


@dataclass(frozen=True)
class Train:
    """To a worker: train these as one cohort."""

    runs: tuple[RunConfig, ...]
    stops: tuple[tuple[int, StopRule], ...] = ()
    """Position in ``runs`` and what that run must reach to go on."""


@dataclass(frozen=True)
class Probe:
    """To a worker: measure how fast these train as one cohort."""

    runs: tuple[RunConfig, ...]
    seconds: float
    """Of steps."""


@dataclass(frozen=True)
class Stop:
    """To a worker: leave off at the end of the epoch, and exit."""


@dataclass(frozen=True)
class Ready:
    """From a worker: it has started."""

    hardware: Mapping[str, Any]
    """``device``, ``gpu`` (name or None) and ``threads``: part of the provenance of what it trains."""


@dataclass(frozen=True)
class Epoch:
    """From a worker: members of the cohort have finished an epoch."""

    epoch: int
    members: tuple[int, ...]
    """Positions in ``Train.runs``."""


@dataclass(frozen=True)
class Trained:
    """From a worker: the cohort is done."""

    results: tuple[Result, ...]
    seconds: float
    """Wall time of training and evaluation, without loading the data."""


@dataclass(frozen=True)
class Probed:
    """From a worker: a cohort was measured."""

    samples_per_second: float
    used: int
    """Bytes."""


@dataclass(frozen=True)
class Raised:
    """From a worker: the cohort as a whole failed, or, without one, the worker itself."""

    traceback: str


@dataclass(frozen=True)
class Refused:
    """From a worker: the user's input cannot be used (missing data, a device that is not there)."""

    problems: tuple[str, ...]


Answer = Ready | Epoch | Trained | Probed | Raised | Refused
