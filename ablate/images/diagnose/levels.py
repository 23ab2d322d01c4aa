"""The same pictures under two levels, seed by seed: does the one look where the other does not?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ablate.images.diagnose.agreement import Agreement, between_levels, silent, within_level
from ablate.images.diagnose.maps import maps_of, why_not
from ablate.images.engine.predict import Predictor
from ablate.images.kept_weights import ENDING, FOLDER, KeptWeights, find_weights
from ablate.task.errors import ConfigError
from ablate.task.identity import flatten

SMALLEST = 2
"""Seeds: one pair of maps is an anecdote."""


@dataclass(frozen=True)
class Sides:
    """Two levels that look at the same pictures."""

    method: str
    differs: tuple[tuple[str, Any, Any], ...]
    """Fields in which they differ, and the values of each."""
    seeds: tuple[int, ...]
    """The seeds that both have."""
    pictures: NDArray[np.uint8]
    """``[N, channels, height, width]``."""
    labels: NDArray[np.int64]
    """``[N]``: the classes whose maps they are."""
    maps: tuple[NDArray[np.float32], NDArray[np.float32]]
    """The maps of each level, ``[seeds, N, height, width]``."""
    between: Agreement
    """Agreement of the two levels, a value a seed."""
    within: tuple[Agreement, Agreement]
    """Agreement of each level's seeds among themselves."""
    silent: tuple[float, float]
    """The share of each level's maps that are constant and say nothing."""


def seeds_of(results: Path, kept: KeptWeights) -> dict[int, KeptWeights]:
    """Kept weights of a run's setting, by seed.

    Args:
        results: Folder of results.
        kept: One of them.
    """
    found = {kept.run.seed: kept}
    for file in sorted((results / FOLDER).glob(f"*{ENDING}")):
        try:
            other = find_weights(results, file.name.removesuffix(ENDING))
        except ConfigError:  # of another version: it is none of these
            continue
        if other.run.identity | {"seed": kept.run.seed} == kept.run.identity:
            found.setdefault(other.run.seed, other)
    return dict(sorted(found.items()))


def side_by_side(
    results: Path,
    one: KeptWeights,
    other: KeptWeights,
    method: str,
    layer: str | None,
    pictures: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> Sides:
    """Where the networks of two levels look in the same pictures, for the same classes.

    Args:
        results: Folder of results: all seeds whose weights are kept for both levels are taken.
        one: A run of the first level.
        other: A run of the second.
        method: The method of the maps.
        layer: The layer of Grad-CAM.
        pictures: uint8 ``[N, channels, height, width]``, as stored.
        labels: ``[N]``, their true classes: what a network takes a picture for may differ, and maps of different
            classes would.

    Raises:
        ConfigError: Fewer than two seeds have weights of both, their classes or sizes differ, or a network has no such
            maps.
    """
    if one.run.identity == other.run.identity | {"seed": one.run.seed}:
        raise ConfigError(
            "against: both runs have the same setting; they must differ in a level, not in the seed alone"
        )
    if one.classes != other.classes or one.run.data.stored_size != other.run.data.stored_size:
        raise ConfigError(
            "against: the runs have other classes or stored sizes: their maps cannot be laid side by side"
        )
    levels = [seeds_of(results, kept) for kept in (one, other)]
    seeds = tuple(seed for seed in levels[0] if seed in levels[1])
    if len(seeds) < SMALLEST:
        raise ConfigError(
            f"against: {len(seeds)} seed{'' if len(seeds) == 1 else 's'} with kept weights of both levels; one pair of "
            f"maps is an anecdote, {SMALLEST} are the least (train both with keep=weights at the same seeds)"
        )
    maps = tuple(np.stack([_maps(level[seed], method, layer, pictures, labels) for seed in seeds]) for level in levels)
    if maps[0].shape != maps[1].shape:
        raise ConfigError("against: the networks see images of different sizes; their maps cannot be compared")
    fields = [flatten(kept.run.config) for kept in (one, other)]
    names = [name for name in dict.fromkeys([*fields[0], *fields[1]]) if not name.startswith("data.found")]
    differs = tuple((n, fields[0].get(n), fields[1].get(n)) for n in names if fields[0].get(n) != fields[1].get(n))
    within = tuple(within_level(side) for side in maps)
    shown = Predictor(one).cut(torch.as_tensor(pictures)).numpy()
    return Sides(
        method,
        differs,
        seeds,
        shown,
        labels,
        (maps[0], maps[1]),
        between_levels(*maps),
        (within[0], within[1]),
        (silent(maps[0]), silent(maps[1])),
    )


def _maps(
    kept: KeptWeights, method: str, layer: str | None, pictures: NDArray[np.uint8], labels: NDArray[np.int64]
) -> NDArray[np.float32]:
    predictor = Predictor(kept)
    inputs = predictor.inputs(torch.as_tensor(pictures))
    if (reason := why_not(method, predictor.network, inputs[:1])) is not None:
        raise ConfigError(f"run {kept.file.stem[:10]}: {reason}")
    found: NDArray[np.float32] = maps_of(method, predictor.network, inputs, torch.as_tensor(labels), layer).numpy()
    return found


def describe(values: Sequence[tuple[str, Any, Any]]) -> tuple[str, str]:
    """Names of two levels from the fields in which they differ."""
    return (
        ", ".join(f"{name}={one}" for name, one, _ in values),
        ", ".join(f"{name}={other}" for name, _, other in values),
    )
