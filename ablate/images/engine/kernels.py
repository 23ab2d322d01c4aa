"""Fast CPU kernels for the block convolution -> bias -> activation -> pool of K stacked models.

The C source beside this module is compiled for every shape at first use (about half a second) by the system's C
compiler and kept in the user's cache folder. Nothing here is required: where no kernel can be had, `block` returns
None, `unavailable_reason` says why, and the caller computes the same thing with torch operations.

Why not oneDNN: its grouped convolutions take two thirds of a LeNet step, and pooling, activation and bias each pass
over memory once more. Here a sample goes through the whole block while it is in the first-level cache.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ablate.images.engine.trusted import CrossCheck, cached, opened, place_of, pointer, trusted

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": lambda z: F.leaky_relu(z, 0.01),
    "gelu": F.gelu,
    "silu": F.silu,
}
"""Supported activations as torch functions; a position in this table is the kernel's number for it."""

POOLS = ("none", "avg", "max", "mixed")
"""``mixed``: the mean of average and max."""

RECOMPUTE_TAPS = 32
"""Up to this many taps (input channels x filter area) backward computes the convolution again instead of storing it."""

_SOURCE = Path(__file__).with_name("kernels.c")


@dataclass(frozen=True)
class BlockSpec:
    """Shape of a block; the same for all members.

    Attributes:
        in_channels: Channels of the input.
        out_channels: Channels of the convolution.
        kernel: Height and width of the filter, in pixels.
        height: Height of the input, in pixels.
        width: Width of the input, in pixels.
        padding: Zeros on each of the four sides, in pixels.
        stride: Stride of the convolution, both ways.
        activation: A key of `ACTIVATIONS` (leaky ReLU with slope 0.01, GELU exact).
        pool: One of `POOLS`.
        pool_window: Height and width of the pool's window (floor mode, no padding).
        pool_stride: Stride of the pool, both ways.
    """

    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    height: int
    width: int
    padding: int = 0
    stride: int = 1
    activation: str = "identity"
    pool: str = "none"
    pool_window: int = 1
    pool_stride: int = 1

    def output_size(self) -> tuple[int, int]:
        """Return height and width of the block's output."""
        sizes = []
        for size, filter_size in zip((self.height, self.width), self.kernel, strict=True):
            conv = (size + 2 * self.padding - filter_size) // self.stride + 1
            sizes.append(conv if self.pool == "none" else (conv - self.pool_window) // self.pool_stride + 1)
        return sizes[0], sizes[1]

    def unsupported(self) -> str | None:
        """Say why there is no kernel for this shape; None if there is one."""
        if self.activation not in ACTIVATIONS:
            return f"activation {self.activation!r} is none of {', '.join(ACTIVATIONS)}"
        if self.pool not in POOLS:
            return f"pool {self.pool!r} is none of {', '.join(POOLS)}"
        if self.pool != "none" and not (1 <= self.pool_window <= 3 and self.pool_stride >= 1):
            return f"pool window {self.pool_window} with stride {self.pool_stride}: windows of 1 to 3 pixels only"
        if not all(1 <= size <= 7 for size in self.kernel):
            return f"filter {self.kernel}: sides of 1 to 7 pixels only"
        if not 1 <= self.stride <= 4 or not 0 <= self.padding <= 7:
            return f"stride {self.stride}, padding {self.padding}: strides 1 to 4 and paddings 0 to 7 only"
        if min(self.in_channels, self.out_channels, *self.output_size()) < 1:
            return f"empty output {self.out_channels} x {self.output_size()}"
        if max(self.in_channels, self.out_channels) * (self.height + 14) * (self.width + 14) > 2**24:
            return "image too large for the kernel's scratch memory"
        return None

    def macros(self) -> dict[str, int]:
        """Return the constants that kernels.c is compiled with."""
        window, pool_stride, stride = self.pool_window, self.pool_stride, self.stride
        if self.pool == "none":
            window, pool_stride = 1, 1
        if window == 1:  # plain subsampling: compute only what is kept
            stride, pool_stride = stride * pool_stride, 1
        return {
            "CIN": self.in_channels,
            "COUT": self.out_channels,
            "KH": self.kernel[0],
            "KW": self.kernel[1],
            "H": self.height,
            "W": self.width,
            "PAD": self.padding,
            "CS": stride,
            "P": window,
            "S": pool_stride,
            "POOL": max(0, POOLS.index(self.pool) - 1),
            "ACT": list(ACTIVATIONS).index(self.activation),
        }


def block(spec: BlockSpec) -> Block | None:
    """Return the compiled block, or None where there is none (see `unavailable_reason`); never raises.

    The first call for a shape compiles, or loads from the cache, and compares the result with torch once.
    """
    return _build(spec)[0]


def unavailable_reason(spec: BlockSpec) -> str | None:
    """Say why `block(spec)` is None (shape, compiler, cache folder, a wrong result); None if it is not."""
    return _build(spec)[1]


class Block:
    """A compiled block; differentiable in input, weight and bias. Made by `block`."""

    def __init__(self, spec: BlockSpec, library: Path) -> None:
        """Load `library`, which was compiled for `spec`."""
        self.spec, self.place = spec, place_of(library)
        loaded = opened(library)
        pointer, number = ctypes.c_void_p, ctypes.c_long
        self._forward, self._backward = loaded.forward, loaded.backward
        self._forward.argtypes = [number] * 3 + [pointer] * 5
        self._backward.argtypes = [number] * 3 + [pointer] * 8
        self._forward.restype = self._backward.restype = None
        self._recompute = spec.in_channels * spec.kernel[0] * spec.kernel[1] <= RECOMPUTE_TAPS
        of_map = spec.out_channels * math.prod(replace(spec, pool="none").output_size())
        self._saved_floats: int = loaded.saved_floats() or of_map
        self._image = (spec.in_channels, spec.height, spec.width)
        self._out = (spec.out_channels, *spec.output_size())
        self._filter = (spec.out_channels, spec.in_channels, *spec.kernel)

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Apply the block to K members; a member's result does not depend on the others.

        Args:
            x: Input, `[B, Cin, H, W]` if the members share it, else `[K, B, Cin, H, W]`; float32 on the CPU.
            weight: Filters `[K, Cout, Cin, kh, kw]`.
            bias: `[K, Cout]`, or None.

        Returns:
            Output `[K, B, Cout, PH, PW]`.

        Raises:
            ValueError: A tensor's shape, type or device does not fit.
        """
        members = weight.shape[0]
        if (
            x.shape[-3:] != self._image
            or not (x.dim() == 4 or (x.dim() == 5 and x.shape[0] == members))
            or weight.shape[1:] != self._filter
            or (bias is not None and bias.shape != (members, self._out[0]))
        ):
            shapes = [None if t is None else tuple(t.shape) for t in (x, weight, bias)]
            raise ValueError(f"input, weight and bias of shapes {shapes} do not fit {self.spec}")
        for tensor in (x, weight) if bias is None else (x, weight, bias):
            if tensor.dtype != torch.float32 or tensor.device.type != self.place:
                raise ValueError(f"need float32 on the CPU, not {tensor.dtype} on {tensor.device}")
        result: Tensor = _Function.apply(self, x, weight, bias)
        return result


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, run: Block, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x, weight = x.contiguous(), weight.contiguous()
        bias = None if bias is None else bias.contiguous()
        members, batch = weight.shape[0], x.shape[-4]
        y = x.new_empty((members, batch, *run._out))
        saved = None
        if any(ctx.needs_input_grad):
            if not run._recompute:
                saved = x.new_empty(members * batch * run._saved_floats)
            ctx.run, ctx.has_bias, ctx.saved = run, bias is not None, saved
            ctx.save_for_backward(x, weight, bias)
        step = 0 if x.dim() == 4 else x.stride(0)
        run._forward(members, batch, step, *map(pointer, (x, weight, bias, y, saved)))
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor, Tensor | None]:
        x, weight, bias = ctx.saved_tensors
        members, batch = weight.shape[0], x.shape[-4]
        grad = grad.contiguous()
        grad_x = x.new_empty((members, *x.shape[-4:])) if ctx.needs_input_grad[1] else None
        grad_weight = torch.empty_like(weight)
        grad_bias = torch.empty_like(bias) if ctx.has_bias else None
        step = 0 if x.dim() == 4 else x.stride(0)
        tensors = (x, weight, bias, grad, ctx.saved, grad_x, grad_weight, grad_bias)
        ctx.run._backward(members, batch, step, *map(pointer, tensors))
        if grad_x is not None and x.dim() == 4:
            grad_x = grad_x.sum(0)
        return None, grad_x, grad_weight, grad_bias


@cached
def _build(spec: BlockSpec) -> tuple[Block | None, str | None]:
    return trusted(spec, _SOURCE, Block, _cross_check)


def _cross_check(built: Block) -> CrossCheck:
    spec = built.spec

    def members(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.stack([reference(spec, x[k], weight[k], bias[k]) for k in range(2)])

    shapes = {"input": (2, 2, *built._image), "weight": (2, *built._filter), "bias": (2, built._out[0])}
    return CrossCheck(built, members, shapes, {"weight": (spec.in_channels * spec.kernel[0] * spec.kernel[1]) ** -0.5})


def reference(spec: BlockSpec, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute one member's block with torch: `[B, Cin, H, W]` -> `[B, Cout, PH, PW]`; the definition of a block."""
    z = ACTIVATIONS[spec.activation](F.conv2d(x, weight, bias, stride=spec.stride, padding=spec.padding))
    if spec.pool == "none":
        return z
    window = (spec.pool_window, spec.pool_stride)
    if spec.pool == "mixed":
        return 0.5 * (F.avg_pool2d(z, *window) + F.max_pool2d(z, *window))
    return (F.avg_pool2d if spec.pool == "avg" else F.max_pool2d)(z, *window)


def keep_freed_memory() -> bool:
    """Let this process keep freed memory: without it, every step maps and faults its large buffers in again.

    Has an effect with glibc only; lasts for the process.

    Returns:
        Whether the C library took the settings.
    """
    m_trim_threshold, m_mmap_max = -1, -4  # <malloc.h>
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(m_trim_threshold, 2**31 - 1) and mallopt(m_mmap_max, 0))
