"""Do maps depend on what the network has learned?

Source: Adebayo et al., "Sanity checks for saliency maps" (2018), section 4.1: cascading randomisation. Layer after
layer, from the output down, gets weights that were never trained; a map that stays as it was shows edges of the
picture, not what the network has learned.
"""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ablate.images.config import Train
from ablate.images.engine.init import initial_parameters

ANOTHER = 1_000_003
"""Added to a run's seed: the weights must not be those that the run itself started from."""


STAGES = 10
"""Networks of the cascade that are looked at; between them, several layers lose their weights at once."""


def cascade(network: nn.Module, train: Train, seed: int, stages: int = STAGES) -> Iterator[tuple[str, nn.Module]]:
    """A network with more and more random layers.

    Args:
        network: The network in evaluation mode; stays as it is.
        train: How the run's initial weights are drawn.
        seed: The run's.
        stages: At most so many, the first and the last among them.

    Yields:
        The layer that has just lost its weights, and the network without those of it and of all after it (the same
        object each time).
    """
    changed = copy.deepcopy(network)
    drawn = initial_parameters(changed, train, seed + ANOTHER)
    layers = [(name, layer, dict(layer.named_parameters(recurse=False))) for name, layer in changed.named_modules()]
    layers = [(name, layer, own) for name, layer, own in reversed(layers) if own]
    last = max(1, min(stages, len(layers)) - 1)
    shown = {round(stage * (len(layers) - 1) / last) for stage in range(last + 1)}
    for position, (name, layer, own) in enumerate(layers):
        with torch.no_grad():
            for parameter, values in own.items():
                values.copy_(drawn[f"{name}.{parameter}" if name else parameter])
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.reset_parameters()
        if position in shown:
            yield name, changed


def agreement_down(
    network: nn.Module, train: Train, seed: int, maps: Callable[[nn.Module], Tensor]
) -> list[tuple[str, float]]:
    """How far maps stay as they were while weights are lost.

    Args:
        network: The trained one.
        train: How the run's initial weights are drawn.
        seed: The run's.
        maps: Makes ``[N, H, W]`` of a network.

    Returns:
        For each layer with parameters, from the output down: its name and the mean rank correlation of the maps with
        those of the trained network (NaN where they say nothing any more).
    """
    import numpy as np

    from ablate.images.diagnose.agreement import rank_correlation

    trained = maps(network).numpy()
    found = []
    for name, changed in cascade(network, train, seed):
        values = rank_correlation(trained, maps(changed).numpy())
        known = values[np.isfinite(values)]
        found.append((name, float(known.mean()) if len(known) else float("nan")))
    return found
