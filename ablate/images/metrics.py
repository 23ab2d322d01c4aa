"""What image classification measures, and what guessing scores on it."""

import math
from collections.abc import Mapping, Sequence

from ablate.task.metric import Metric
from ablate.task.record import Guess, Measurement


def _loss(name: str, label: str, split: str) -> Metric:
    return Metric(name, "min", label, "nats", low=0.0, split=split, axis="loss")  # type: ignore[arg-type]


def _accuracy(name: str, label: str, split: str) -> Metric:
    return Metric(name, "max", label, "fraction", low=0.0, high=1.0, split=split, axis="accuracy")  # type: ignore[arg-type]


METRICS: Mapping[str, Metric] = {
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
) -> Measurement:
    """One epoch (from 1) as a measurement; what the protocol does not measure is None and left out."""
    given = (train_loss, train_acc, val_loss, val_acc, test_loss, test_acc)
    values = {name: value for name, value in zip(METRICS, given, strict=True) if value is not None}
    return Measurement(epoch, values, seconds)


def guesses_of(counts: Mapping[str, Sequence[int]]) -> dict[str, Guess]:
    """What guessing scores on data with these classes.

    Args:
        counts: By part (``train``, ``val``, ``test``), the number of images of each class.

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
