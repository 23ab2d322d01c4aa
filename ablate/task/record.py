"""What a finished run leaves: the one type that the engine returns, the store keeps and the analysis reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["complete", "diverged", "failed", "stopped"]

METRICS = ("train_loss", "train_acc", "val_loss", "val_acc", "test_loss", "test_acc")
"""Columns of an epoch, in this order. Losses are means over samples, accuracies fractions in [0, 1]."""


@dataclass(frozen=True)
class Epoch:
    """One epoch of a run; a metric that the protocol does not measure is None, one that diverged is NaN or inf.

    ``train_loss`` and ``train_acc`` are running means over the epoch's samples while training, each taken before its
    update (the article's protocol); ``val_*`` and ``test_*`` are measured after the epoch's last update.
    """

    epoch: int
    """Counted from 1."""
    train_loss: float
    train_acc: float
    val_loss: float | None = None
    val_acc: float | None = None
    test_loss: float | None = None
    test_acc: float | None = None
    seconds: float = 0.0
    """Wall time of this epoch's share: a cohort's epoch divided by its members."""


@dataclass(frozen=True)
class Result:
    """The outcome of training one run.

    ``complete``: every epoch trained with finite losses. ``diverged``: a loss became NaN or infinite; ``curves`` ends
    with that epoch. ``failed``: an error; ``error`` holds the traceback, ``curves`` the epochs before it.
    ``stopped``: told to leave early by a :class:`StopRule`; ``curves`` is a part of the run, which is trained anew
    where all of it is wanted.
    """

    status: Status
    curves: tuple[Epoch, ...] = ()
    error: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    """How it was trained, as JSON data (cohort size, stacked, compiled, reasons); never part of the identity."""


@dataclass(frozen=True)
class StopRule:
    """What a run must have reached after certain epochs to go on; no part of its identity."""

    metric: str
    limits: tuple[tuple[int, float], ...]
    """``(epoch, value)``: the run leaves after this epoch if its accuracy is below, or its loss above, the value."""

    def stops(self, epoch: Epoch) -> bool:
        """Whether a run leaves after this epoch."""
        limit, value = dict(self.limits).get(epoch.epoch), getattr(epoch, self.metric)
        if limit is None or value is None:
            return False
        return bool(value < limit) if self.metric.endswith("_acc") else bool(value > limit)

    def part(self, curves: tuple[Epoch, ...]) -> tuple[Epoch, ...] | None:
        """The epochs up to where a run would have left, or None where it would not have."""
        for epoch in curves:
            if self.stops(epoch):
                return curves[: epoch.epoch]
        return None


@dataclass(frozen=True)
class Record:
    """A run's configuration, its result and where that came from; one row of the store."""

    digest: str
    config: Mapping[str, Any]
    """The run's identity (``RunConfig.identity``), nested JSON data."""
    result: Result
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """commit, dirty, versions, cpu/gpu, threads, host, started, ended (ISO 8601 UTC), prefix_of."""
