"""Metrics beside loss and accuracy, accumulated over the batches of an evaluation for all members at once."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ablate.images.metrics import FURTHER, OF_THE_ENGINE, SPLITS
from ablate.images.parts import ImageMetric, part_class
from ablate.task.finding import load_object
from ablate.task.metric import Goal
from ablate.task.record import Guess


class _OfConfusion(ImageMetric):
    """A metric of the counts of true and predicted classes."""

    goal: ClassVar[Goal] = "max"
    unit, low, high = "fraction", 0.0, 1.0

    def count(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Confusion counts, float64 ``[K, classes, classes]``: rows are true classes, columns predicted ones."""
        classes = outputs.shape[-1]
        true = torch.nn.functional.one_hot(labels, classes).double()
        predicted = torch.nn.functional.one_hot(outputs.argmax(-1), classes).double()
        return true.transpose(1, 2) @ predicted


class F1(_OfConfusion):
    """Mean over the classes that occur of the harmonic mean of precision and recall (scikit-learn's ``macro``)."""

    def value(self, total: Tensor) -> Tensor:
        """See :class:`ablate.images.parts.ImageMetric`."""
        hits, true, predicted = total.diagonal(dim1=1, dim2=2), total.sum(2), total.sum(1)
        occurs = true + predicted > 0
        scores = 2 * hits / (true + predicted).clamp(min=1)
        return (scores * occurs).sum(1) / occurs.sum(1)

    def guess(self, shares: Sequence[float]) -> float | None:
        """Always the most frequent class: its F1 over the number of classes."""
        top = max(shares)
        return 2 * top / (1 + top) / len(shares)


class BalancedAccuracy(_OfConfusion):
    """Mean over the classes that occur of the share of their samples that are found (recall)."""

    def value(self, total: Tensor) -> Tensor:
        """See :class:`ablate.images.parts.ImageMetric`."""
        true = total.sum(2)
        occurs = true > 0
        return (total.diagonal(dim1=1, dim2=2) / true.clamp(min=1) * occurs).sum(1) / occurs.sum(1)

    def guess(self, shares: Sequence[float]) -> float | None:
        """One class right, all others wrong."""
        return 1 / len(shares)


class Top5(ImageMetric):
    """Share of the samples whose class is among the five of the highest outputs."""

    goal: ClassVar[Goal] = "max"
    unit, low, high = "fraction", 0.0, 1.0

    def count(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Hits and samples, ``[K, 2]``."""
        best = outputs.topk(min(5, outputs.shape[-1]), dim=-1).indices
        hits = (best == labels.unsqueeze(-1)).any(-1).double().sum(1)
        return torch.stack([hits, torch.full_like(hits, labels.shape[1])], dim=1)

    def value(self, total: Tensor) -> Tensor:
        """See :class:`ablate.images.parts.ImageMetric`."""
        return total[:, 0] / total[:, 1]

    def guess(self, shares: Sequence[float]) -> float | None:
        """The five most frequent classes."""
        return sum(sorted(shares, reverse=True)[:5])


def made_metrics(names: Sequence[str]) -> Mapping[str, ImageMetric]:
    """The metrics of these names, built in or declared; not those of the engine, which need no outputs."""
    return {
        name: (load_object(FURTHER[name][1]) if name in FURTHER else part_class("metrics", name))()
        for name in names
        if name not in OF_THE_ENGINE
    }


def further_guesses(names: Sequence[str], counts: Mapping[str, Sequence[int]]) -> dict[str, Guess]:
    """What guessing scores in these metrics, where that is known.

    Args:
        names: The names of further metrics.
        counts: The counts by part, the number of images of each class.
    """
    found = {}
    for name, metric in made_metrics(names).items():
        for split in SPLITS:
            total = sum(counts.get(split, ()))
            value = metric.guess([number / total for number in counts[split]]) if total else None
            if value is not None:
                found[f"{split}_{name}"] = Guess(value, total)
    return found
