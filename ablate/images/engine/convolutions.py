"""A member's convolution on maps with channels last: oneDNN's, or our own where that leaves half the speed.

With few channels, oneDNN's kernels do a third to a half of what the machine can. The C source beside this module is
compiled for every shape at first use and compared with torch (:mod:`ablate.images.engine.trusted`).
"""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ablate.images.engine.maps import channels_last, empty_map
from ablate.images.engine.trusted import CrossCheck, cached, opened, trusted

MOST_CHANNELS = 32
"""Input and output channels up to which our own 3x3 filters are not slower than oneDNN's: measured on two AVX2 cores
with 8 to 64 channels and maps of 7 to 28 pixels; those of 1 or 5 pixels are."""

_SOURCE = Path(__file__).with_name("convolution.c")


@dataclass(frozen=True)
class ConvolutionSpec:
    """Shape of a convolution of stride 1; the same for all members.

    Attributes:
        in_channels: Of the input.
        out_channels: Of the output.
        height: Of the input, in pixels.
        width: Of the input, in pixels.
        kernel: Height and width of the filters.
        padding: Zeros on each side, down and across.
    """

    in_channels: int
    out_channels: int
    height: int
    width: int
    kernel: tuple[int, int]
    padding: tuple[int, int]

    def output_size(self) -> tuple[int, int]:
        """Return height and width of the output."""
        (height, width), (down, across) = self.kernel, self.padding
        return self.height + 2 * down - height + 1, self.width + 2 * across - width + 1

    def unsupported(self) -> str | None:
        """Say why there is no kernel for this shape; None if there is one."""
        if platform.machine() not in ("x86_64", "AMD64"):
            return "measured to be faster on x86-64 alone"
        if self.in_channels % 8 or self.out_channels % 8:
            return f"{self.in_channels} and {self.out_channels} channels, not multiples of 8"
        if max(self.in_channels, self.out_channels) > MOST_CHANNELS:
            return f"more than {MOST_CHANNELS} channels"
        if self.kernel != (3, 3) or max(self.padding) > 2:
            return f"filters {self.kernel} with padding {self.padding}: 3x3 pixels with padding of at most 2 only"
        if min(self.output_size()) < 1:
            return f"empty output {self.output_size()}"
        if max(self.height, self.width) > 256:
            return "image too large for the kernel's scratch memory"
        return None

    def macros(self) -> dict[str, int]:
        """Return the constants that convolution.c is compiled with."""
        names = ("CIN", "COUT", "IH", "IW", "KH", "KW", "CH", "CW")
        sizes = (self.in_channels, self.out_channels, self.height, self.width, *self.kernel, *self.padding)
        return dict(zip(names, sizes, strict=True))


class Kernel:
    """A compiled convolution, of one member at a time."""

    def __init__(self, spec: ConvolutionSpec, library: Path) -> None:
        """Load `library`, which was compiled for `spec`."""
        self.spec = spec
        loaded = opened(library)
        pointer, number = ctypes.c_void_p, ctypes.c_long
        self.forward, self.backward = loaded.forward, loaded.backward
        self.forward.argtypes, self.backward.argtypes = [number, *[pointer] * 4], [number, *[pointer] * 5]
        self.forward.restype = self.backward.restype = None


@dataclass(frozen=True)
class Convolution:
    """Settings of a convolution with weights ``[K, Cout, Cin / groups, kh, kw]``, and how it is computed.

    Attributes:
        stride: Down and across.
        padding: Down and across.
        dilation: Down and across.
        groups: Of channels.
        own: Our kernel; None: oneDNN's.
    """

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    own: Kernel | None = None

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None, k: int) -> Tensor:
        """Compute member k's map.

        Args:
            x: Its input ``[B, Cin, H, W]``, with channels last.
            weight: That of all members, contiguous.
            bias: ``[K, Cout]``, contiguous, or None.
            k: The member.

        Returns:
            ``[B, Cout, H, W]``, with channels last.

        Raises:
            ValueError: The input or the weight does not fit our kernel.
        """
        of_member = None if bias is None else bias[k]
        if self.own is None:
            x, stride = self._read(x, weight)
            filters = channels_last(weight[k])
            return channels_last(F.conv2d(x, filters, of_member, stride, self.padding, self.dilation, self.groups))
        spec = self.own.spec
        fits = x.shape[1:] == (spec.in_channels, spec.height, spec.width)
        if not fits or weight.shape[1:] != (spec.out_channels, spec.in_channels, *spec.kernel):
            raise ValueError(f"a map of shape {tuple(x.shape)} or its filters do not fit {spec}")
        z = empty_map(len(x), spec.out_channels, *spec.output_size())
        start = None if of_member is None else of_member.data_ptr()
        self.own.forward(len(x), x.data_ptr(), weight[k].data_ptr(), start, z.data_ptr())
        return z

    def backward(self, d: Tensor, x: Tensor, weight: Tensor, k: int, *, needs_x: bool, to: Tensor) -> Tensor | None:
        """Compute the gradients of member k's input, where it is needed, and weight.

        Args:
            d: The output's gradient, with channels last.
            x: As in `forward`.
            weight: As in `forward`.
            k: The member.
            needs_x: Whether the input's gradient is needed.
            to: That of the weight is written here, contiguous ``[Cout, Cin / groups, kh, kw]``.
        """
        if self.own is not None:
            dx = torch.empty_like(x) if needs_x else None
            results = (None if dx is None else dx.data_ptr(), to.data_ptr())
            self.own.backward(len(x), x.data_ptr(), weight[k].data_ptr(), d.data_ptr(), *results)
            return dx
        read, stride = self._read(x, weight)
        found: tuple[Tensor | None, Tensor, Tensor | None] = torch.ops.aten.convolution_backward(
            *(d, read, channels_last(weight[k]), None, stride, self.padding, self.dilation, False, [0, 0], self.groups),
            (needs_x, True, False),
        )
        dx, dw, _ = found
        to.copy_(dw)
        if dx is not None and read is not x:
            whole = torch.zeros_like(x)
            whole[:, :, :: self.stride[0], :: self.stride[1]] = dx
            return whole
        return dx

    def _read(self, x: Tensor, weight: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """What a convolution reads of its input, and its stride there: of 1x1 filters the stride is taken beforehand.

        That is faster, and oneDNN 3.12 writes beyond its memory in the weight gradient of such a convolution with
        channels last, a stride and few input channels (seen with four and five).
        """
        if weight.shape[3:] != (1, 1) or max(self.stride) == 1 or any(self.padding):
            return x, self.stride
        return channels_last(x[:, :, :: self.stride[0], :: self.stride[1]]), (1, 1)


def convolution(layer: nn.Conv2d, padding: tuple[int, int], height: int, width: int) -> Convolution:
    """Return how the convolution of a layer of a member is computed.

    Args:
        layer: It.
        padding: Zeros around its input, down and across.
        height: Of its input, in pixels.
        width: Of its input, in pixels.
    """
    own = None
    if max(*layer.stride, *layer.dilation, layer.groups) == 1:
        kernel = cast(tuple[int, int], layer.kernel_size)
        own, _ = _build(ConvolutionSpec(layer.in_channels, layer.out_channels, height, width, kernel, padding))
    return Convolution(layer.stride, padding, layer.dilation, layer.groups, own)


@cached
def _build(spec: ConvolutionSpec) -> tuple[Kernel | None, str | None]:
    return trusted(spec, _SOURCE, Kernel, _cross_check)


def _cross_check(built: Kernel) -> CrossCheck:
    spec = built.spec
    own = Convolution((1, 1), spec.padding, (1, 1), 1, built)
    return CrossCheck(
        ours=lambda x, weight, bias: _OfOne.apply(own, channels_last(x), weight, bias),
        theirs=lambda x, weight, bias: F.conv2d(x, weight[0], bias[0], padding=spec.padding),
        shapes={
            "input": (3, spec.in_channels, spec.height, spec.width),
            "weight": (1, spec.out_channels, spec.in_channels, *spec.kernel),
            "bias": (1, spec.out_channels),
        },
        scales={"weight": (spec.in_channels * spec.kernel[0] * spec.kernel[1]) ** -0.5},
    )


class _OfOne(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, convolution: Convolution, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.convolution = convolution
        ctx.save_for_backward(x, weight)
        return convolution.forward(x, weight, bias, 0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_weight = torch.empty_like(weight)
        dx = ctx.convolution.backward(channels_last(grad), x, weight, 0, needs_x=True, to=of_weight[0])
        return None, dx, of_weight, None
