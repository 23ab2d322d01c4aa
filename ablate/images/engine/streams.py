"""Separate random streams of a run, all derived from its seed alone.

A stream is named by its purpose (``init``, ``order``, ``dropout``) and what within it (a parameter, an epoch, a layer),
and seeded by a hash of both: no stream's numbers depend on how many another one has drawn, on the level of any factor,
or on the runs that are trained beside it.
"""

import hashlib

import torch


def stream(seed: int, *name: str | int, device: torch.device | None = None) -> torch.Generator | None:
    """A fresh generator at the start of the named stream.

    Args:
        seed: The run's seed.
        name: The stream's path, such as ``"init", "conv1.weight"``.
        device: Where the numbers are drawn; None: on the CPU.

    Returns:
        The generator; None for the ``meta`` device, which has no numbers.
    """
    if device is not None and device.type == "meta":
        return None
    digest = hashlib.sha256("/".join(map(str, (seed, *name))).encode()).digest()
    return torch.Generator(device or "cpu").manual_seed(int.from_bytes(digest[:8]) >> 1)
