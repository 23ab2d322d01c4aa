"""A member's map after its convolution: what follows it, its batch norm, and how it lies in memory (see maps.h)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ablate.images.engine.kernels import ACTIVATIONS, POOLS

LARGEST_MAP = 2**20
"""Numbers in a sample's map up to which there is a tail: its scratch memory is a few times that."""

EPS = 1e-5
"""Added to a variance by the reference."""


@dataclass(frozen=True)
class TailSpec:
    """Shape of a tail; the same for all members.

    Attributes:
        channels: Of the convolution's output.
        height: Of the convolution's output, in pixels.
        width: Of the convolution's output, in pixels.
        adds: Whether another map of the same shape is added before the activation.
        activation: A key of `ACTIVATIONS`.
        pool: One of `POOLS`.
        pool_window: Height and width of the pool's window (floor mode).
        pool_stride: Stride of the pool, both ways.
        pool_padding: Of a max pool, on all four sides.
    """

    channels: int
    height: int
    width: int
    adds: bool = False
    activation: str = "identity"
    pool: str = "none"
    pool_window: int = 1
    pool_stride: int = 1
    pool_padding: int = 0

    def output_size(self) -> tuple[int, int]:
        """Return height and width of the tail's output."""
        if self.pool == "none":
            return self.height, self.width
        sizes = ((size + 2 * self.pool_padding - self.pool_window) // self.pool_stride + 1 for size in self._size)
        return next(sizes), next(sizes)

    @property
    def _size(self) -> tuple[int, int]:
        return self.height, self.width

    def unsupported(self) -> str | None:
        """Say why there is no tail of this shape; None if there is one."""
        if self.activation not in ACTIVATIONS:
            return f"activation {self.activation!r} is none of {', '.join(ACTIVATIONS)}"
        if self.pool not in POOLS:
            return f"pool {self.pool!r} is none of {', '.join(POOLS)}"
        if self.pool_padding and self.pool != "max":
            return f"{self.pool} pool with padding"
        if 2 * self.pool_padding > self.pool_window:
            return f"pool padding {self.pool_padding} for a window of {self.pool_window}"
        if min(self.channels, *self.output_size()) < 1:
            return f"empty output {self.channels} x {self.output_size()}"
        if self.channels * self.height * self.width > LARGEST_MAP:
            return f"maps of more than {LARGEST_MAP} numbers"
        return None

    def macros(self) -> dict[str, int]:
        """Return the constants that tails.c is compiled with."""
        pooled = self.pool != "none"
        return {
            "C": self.channels,
            "H": self.height,
            "W": self.width,
            "P": self.pool_window if pooled else 1,
            "S": self.pool_stride if pooled else 1,
            "PP": self.pool_padding if pooled else 0,
            "POOL": max(0, POOLS.index(self.pool) - 1),
            "ACT": list(ACTIVATIONS).index(self.activation),
            "ADDS": int(self.adds),
        }


@dataclass(frozen=True)
class Normalisation:
    """A batch norm of K members; its tensors are ``[K, C]``.

    Attributes:
        scale: None: 1.
        shift: None: 0.
        mean: The running one, which changes in training; None: there are none.
        variance: The running one, as ``mean``.
        eps: Added to the variance.
        momentum: Share of the batch in the running statistics.
        training: Whether the batch's statistics are used, and remembered.
    """

    scale: Tensor | None
    shift: Tensor | None
    mean: Tensor | None
    variance: Tensor | None
    eps: float
    momentum: float
    training: bool

    @property
    def of_batch(self) -> bool:
        """Whether the batch's own statistics are used."""
        return self.training or self.mean is None

    @property
    def moves(self) -> bool:
        """Whether the running statistics follow."""
        return self.training and self.mean is not None


def reference(spec: TailSpec, z: Tensor, other: Tensor | None, scale: Tensor, shift: Tensor) -> Tensor:
    """Compute one member's tail with torch in training: ``[B, C, H, W]`` -> ``[B, C, PH, PW]``; its definition."""
    z = F.batch_norm(z, None, None, scale, shift, True, 0.1, EPS)
    z = ACTIVATIONS[spec.activation](z + other if spec.adds and other is not None else z)
    if spec.pool == "none":
        return z
    window = (spec.pool_window, spec.pool_stride, spec.pool_padding)
    if spec.pool == "mixed":
        return 0.5 * (F.avg_pool2d(z, *window) + F.max_pool2d(z, *window))
    return (F.avg_pool2d if spec.pool == "avg" else F.max_pool2d)(z, *window)


def rows(tensors: Sequence[Tensor], k: int) -> list[int | None]:
    """Return the addresses of member k's rows of contiguous matrices of float32."""
    return [row(tensor, k) for tensor in tensors]


def row(tensor: Tensor | None, k: int) -> int | None:
    """Return the address of a row of a contiguous matrix of float32; None for None."""
    return None if tensor is None else tensor.data_ptr() + 4 * k * tensor.shape[1]


def empty_map(samples: int, channels: int, height: int, width: int) -> Tensor:
    """Return memory for a map ``[samples, channels, height, width]`` with channels last."""
    strides = (channels * height * width, 1, channels * width, channels)
    return torch.empty_strided((samples, channels, height, width), strides, dtype=torch.float32)


def channels_last(x: Tensor) -> Tensor:
    """Return a map with channels last, strides of a single channel included: torch tells layouts by them."""
    samples, channels, height, width = x.shape
    strides = (channels * height * width, 1, channels * width, channels)
    if x.stride() == strides:
        return x
    return x.permute(0, 2, 3, 1).contiguous().as_strided((samples, channels, height, width), strides)
