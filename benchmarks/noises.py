"""Noise of simulated studies: levels whose means are equal, whatever their shapes."""

from collections.abc import Callable

import numpy as np

from benchmarks.shapes import SHAPES

Noise = Callable[[np.random.Generator, int, int], np.ndarray]
"""Standardised noise [levels + baseline, seeds] of levels with equal means."""


def alike(name: str) -> Noise:
    """Every level scatters alike, by one of the shapes."""
    shape = SHAPES[name]
    return lambda generator, rows, n: (shape.draw(generator, (rows, n)) - shape.mean) / shape.sd


def unlike(generator: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """The baseline and every second level are normal; of the others a tenth of the runs collapses, with equal means."""
    noise = generator.standard_normal((rows, n))
    collapsed = generator.random((rows, n)) < 0.1
    noise[1::2] = (0.2 * noise + np.where(collapsed, -9.0, 1.0))[1::2] / 3
    return noise


NOISES: dict[str, Noise] = {
    **{name: alike(name) for name in ("normal", "skewed", "heavy-tailed", "collapsing")},
    "unequal shapes": unlike,
}
