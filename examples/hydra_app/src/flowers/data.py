"""Fisher's irises (1936), as scikit-learn bundles them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Part:
    """A part of the data."""

    inputs: np.ndarray
    labels: np.ndarray

    def batches(self, size: int, seed: object) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All samples once, in an order of their own for each seed."""
        order = np.random.default_rng(seed).permutation(len(self.labels))
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            yield self.inputs[chosen], self.labels[chosen]


def load(file: Path, seed: int) -> tuple[Part, Part]:
    """Two thirds to train on, one third to validate, split by the seed."""
    with file.open() as opened:
        rows = list(csv.reader(opened))[1:]
    inputs = np.array([[float(cell) for cell in row[:-1]] for row in rows])
    names = sorted({row[-1] for row in rows})
    labels = np.array([names.index(row[-1]) for row in rows])
    inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    order = np.random.default_rng((seed, 1)).permutation(len(labels))
    train, val = order[: 2 * len(order) // 3], order[2 * len(order) // 3 :]
    return Part(inputs[train], labels[train]), Part(inputs[val], labels[val])
