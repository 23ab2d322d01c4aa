"""The states of the generators that belong to nobody: those of PyTorch, NumPy and Python.

The engine itself draws from streams of each run's own (:mod:`ablate.images.engine.streams`); a network, a loss or an
augmentation from outside the package may draw from these.
"""

import json
import random
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Their states now, as bytes by the generator's name.

    Args:
        device: Where the runs train; a GPU has a generator of its own.
    """
    numpy = np.random.get_state(legacy=False)
    keys, position = numpy["state"]["key"], numpy["state"]["pos"]
    numbers = [[int(key) for key in keys], position, numpy["has_gauss"], numpy["gauss"]]
    plain = json.dumps([random.getstate(), numbers]).encode()
    found = {"torch": torch.get_rng_state(), "plain": torch.frombuffer(bytearray(plain), dtype=torch.uint8)}
    if device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(device)
    return found


def set_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Go on drawing from where :func:`random_states` was asked.

    Raises:
        ValueError, TypeError, RuntimeError, KeyError: They are no states.
    """
    (version, internal, gauss_next), (keys, position, has_gauss, gauss) = json.loads(states["plain"].numpy().tobytes())
    random.setstate((version, tuple(internal), gauss_next))
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(states["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
