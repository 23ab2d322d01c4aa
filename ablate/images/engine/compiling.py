"""Whether a cohort's step is compiled, and how.

A step compiles in two parts, forward with backward, and the update; noise and batches come from outside, so that both
are pure. The smaller last batch of an epoch runs eagerly: a second set of graphs would cost more than it saves.
"""

from collections.abc import Callable
from typing import Any

import torch

LEAST_SAMPLES = 2_000_000
"""Training samples (of all members together) that pay for a compilation. Measured on one AVX-512 core with 10 LeNets
without fused blocks: compiling takes 40 to 75 s, and a sample 64 instead of 109 microseconds at batch 256, 71 instead
of 108 at batch 16. Larger networks save more a sample. Not measured on a GPU."""


def decision(wanted: str, device: torch.device, samples: int, *, fused: bool) -> tuple[bool, str]:
    """Decide from what is known before training, so that the same cohort is always trained in the same way.

    Args:
        wanted: ``train.compile``: ``auto``, ``on`` or ``off``.
        device: Where the cohort is trained.
        samples: That its members train on, all together.
        fused: Whether its convolutions run in fused CPU blocks, which a compiler cannot look into.

    Returns:
        Whether to compile, and why.
    """
    if wanted != "auto":
        return wanted == "on", f"train.compile = {wanted}"
    if device.type == "meta":
        return False, "nothing is computed on the meta device"
    if fused:
        return False, "fused CPU blocks leave too little to gain"
    if samples < LEAST_SAMPLES:
        return False, f"{samples} samples are too few to pay for it (from {LEAST_SAMPLES})"
    return True, f"{samples} samples pay for it"


def compiled(function: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """The compiled form of a pure function of tensors; on a GPU, replayed as a CUDA graph.

    Args:
        function: Compiled at its first call.
        device: The device of its tensors.

    Returns:
        A function with the same result.
    """
    mode = "reduce-overhead" if device.type == "cuda" else None
    result: Callable[..., Any] = torch.compile(function, dynamic=False, mode=mode)
    return result
