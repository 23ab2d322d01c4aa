"""What image classification measures, and what guessing scores on it."""

import math
from collections.abc import Iterator, Mapping, Sequence

from ablate.task.errors import ConfigError
from ablate.task.metric import Metric, Split
from ablate.task.record import Guess, Measurement


def _loss(name: str, label: str, split: Split) -> Metric:
    return Metric(name, "min", label, "nats", low=0.0, split=split, axis="loss")


def _accuracy(name: str, label: str, split: Split) -> Metric:
    return Metric(name, "max", label, "fraction", low=0.0, high=1.0, split=split, axis="accuracy")


_BASE: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        _loss("train_loss", "train loss", "train"),
        _accuracy("train_acc", "train accuracy", "train"),
        _loss("val_loss", "validation loss", "val"),
        _accuracy("val_acc", "validation accuracy", "val"),
        _loss("test_loss", "test loss", "test"),
        _accuracy("test_acc", "test accuracy", "test"),
    )
}
"""Losses are means over samples, accuracies shares of them. ``train_*`` are running means over the epoch's samples
while training, each taken before its update (the article's protocol); the others are measured after the epoch's last
update."""

FURTHER: Mapping[str, tuple[str, str]] = {
    "f1": ("F1 (macro)", "ablate.images.engine.further_metrics:F1"),
    "balanced_acc": ("balanced accuracy", "ablate.images.engine.further_metrics:BalancedAccuracy"),
    "top5": ("top-5 accuracy", "ablate.images.engine.further_metrics:Top5"),
}
"""Built-in metrics that are measured where ``train.metrics`` names them: label, and what computes it."""

GAP = "gap"
"""A further metric of the engine: accuracy on training images (at most as many as there are test images), whole or cut
in the middle and without dropout, less that on the validation or test images, both after the epoch."""

COSTS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("parameters", "min", "parameters", low=0.0, axis="parameters", cost=True, exact=True),
        Metric("multiply_adds", "min", "multiply-adds", low=0.0, axis="multiply-adds", cost=True, exact=True),
        Metric("step_ms", "min", "training step", "ms", low=0.0, axis="training step", cost=True),
    )
}
"""What a run costs, measured where ``train.metrics`` names it. ``step_ms`` is the time of a step (batch made, forward,
backward, update), the mean over the epoch: processor time where a worker has one thread on the CPU, elapsed time
elsewhere. Runs that measure it are trained one by one, as a cohort's members would have one time between them."""

OF_THE_ENGINE = (GAP, *COSTS)
"""Further metrics that are not computed from outputs."""

SPLITS: Mapping[Split, str] = {"val": "validation", "test": "test"}


class _Metrics(Mapping[str, Metric]):
    """The six of every run, and ``val_NAME`` and ``test_NAME`` of further ones; declared ones load when asked for."""

    def __getitem__(self, name: str) -> Metric:
        if name in _BASE:
            return _BASE[name]
        if name in COSTS:
            return COSTS[name]
        prefix, _, further = name.partition("_")
        if prefix not in SPLITS:
            raise KeyError(name)
        split: Split = "val" if prefix == "val" else "test"
        if further == GAP:
            return Metric(name, "min", f"train minus {SPLITS[split]} accuracy", "fraction", -1.0, 1.0, split, "gap")
        if further in FURTHER:
            return Metric(name, "max", f"{SPLITS[split]} {FURTHER[further][0]}", "fraction", 0.0, 1.0, split)
        from ablate.images.parts import find_external, part_class

        try:
            find_external("metrics", further)
        except ConfigError:
            raise KeyError(name) from None
        kind = part_class("metrics", further)
        label = f"{SPLITS[split]} {kind.label or further.replace('_', ' ')}"
        return Metric(name, kind.goal, label, kind.unit, kind.low, kind.high, split)

    def __iter__(self) -> Iterator[str]:
        from ablate.task.finding import find_parts

        # In the order of tables, whose last metric is the one that figures show first.
        yield from (*COSTS, *(f"{split}_{GAP}" for split in SPLITS), *_BASE)
        for further in [*FURTHER, *(found.name for found in find_parts("metrics"))]:
            yield from (f"{split}_{further}" for split in SPLITS)

    def __len__(self) -> int:
        return sum(1 for _ in self)


METRICS: Mapping[str, Metric] = _Metrics()

DEFAULT_METRICS = ("train_loss", "train_acc", "test_acc")


def measured_epoch(
    epoch: int,
    train_loss: float,
    train_acc: float,
    val_loss: float | None = None,
    val_acc: float | None = None,
    test_loss: float | None = None,
    test_acc: float | None = None,
    seconds: float = 0.0,
    further: Mapping[str, float] | None = None,
) -> Measurement:
    """One epoch (from 1) as a measurement; what the protocol does not measure is None and left out."""
    given = (train_loss, train_acc, val_loss, val_acc, test_loss, test_acc)
    values = {name: value for name, value in zip(_BASE, given, strict=True) if value is not None}
    return Measurement(epoch, values | dict(further or {}), seconds)


def guesses_of(counts: Mapping[str, Sequence[int]]) -> dict[str, Guess]:
    """What guessing scores on data with these classes.

    Args:
        counts: The counts by part (``train``, ``val``, ``test``), the number of images of each class.

    Returns:
        By metric: an accuracy of the most frequent class's share, and the entropy of the shares as loss, each with the
        number of images.
    """
    found = {}
    for part, numbers in counts.items():
        total = sum(numbers)
        if total:
            shares = [number / total for number in numbers if number]
            found[f"{part}_acc"] = Guess(max(shares), total)
            found[f"{part}_loss"] = Guess(-sum(share * math.log(share) for share in shares), total)
    return found
