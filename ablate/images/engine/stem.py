"""A network's first convolution with its batch norm, activation and pool on the CPU, whose map is never stored.

The input has few channels and needs no gradient. Its map is made a sample at a time where it is needed, in forward and
again in backward; that costs less than to write it and to read it in several passes. What batch norm needs of the
whole batch follows from the products of the patches: of filters ``w`` the map's mean is ``w . m`` and its variance
``w . C w``, with mean ``m`` and covariance ``C`` of the patches, in double precision. The C source beside this module
is compiled for every shape at first use, as that of :mod:`ablate.images.engine.tails`.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ablate.images.engine.layers import spread
from ablate.images.engine.maps import EPS, Normalisation, TailSpec, channels_last, empty_map, reference, rows
from ablate.images.engine.trusted import CrossCheck, cached, opened, place_of, trusted

LARGEST_PATCH = 32
"""Numbers in a patch up to which there is a stem: products of patches grow with its square."""

_SOURCE = Path(__file__).with_name("stem.c")


@dataclass(frozen=True)
class StemSpec:
    """Shape of a stem; the same for all members.

    Attributes:
        tail: What follows the convolution; nothing is added.
        in_channels: Of the input.
        height: Of the input, in pixels.
        width: Of the input, in pixels.
        kernel: Height and width of the filters.
        stride: Of the convolution, down and across.
        padding: Of the convolution, down and across.
    """

    tail: TailSpec
    in_channels: int
    height: int
    width: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    @property
    def patch(self) -> int:
        """Numbers that a filter sees at once."""
        return self.in_channels * self.kernel[0] * self.kernel[1]

    def unsupported(self) -> str | None:
        """Say why there is no stem of this shape; None if there is one."""
        if self.tail.adds:
            return "another map is added"
        if self.tail.channels % 4:
            return f"{self.tail.channels} output channels, not a multiple of 4"
        if self.patch > LARGEST_PATCH:
            return f"patches of {self.patch} numbers, more than {LARGEST_PATCH}"
        return self.tail.unsupported()

    def macros(self) -> dict[str, int]:
        """Return the constants that stem.c is compiled with."""
        names = ("CIN", "IH", "IW", "KH", "KW", "SH", "SW", "CH", "CW")
        sizes = (self.in_channels, self.height, self.width, *self.kernel, *self.stride, *self.padding)
        return self.tail.macros() | dict(zip(names, sizes, strict=True))


def stem(spec: StemSpec) -> Stem | None:
    """Return the compiled stem, or None where there is none; never raises.

    The first call for a shape compiles, or loads from the cache, and compares the result with torch once.
    """
    return _build(spec)[0]


class Stem:
    """A compiled stem for K members; differentiable in its parameters. Made by `stem`."""

    def __init__(self, spec: StemSpec, library: Path) -> None:
        """Load `library`, which was compiled for `spec`."""
        self.spec, self.place = spec, place_of(library)
        loaded = opened(library)
        pointer, number = ctypes.c_void_p, ctypes.c_long
        self.gram, self.forward, self.backward = loaded.gram, loaded.forward, loaded.backward
        for function, pointers in ((self.gram, 3), (self.forward, 5), (self.backward, 10)):
            function.argtypes, function.restype = [number, *[pointer] * pointers], None

    def __call__(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, normalisation: Normalisation
    ) -> tuple[Tensor, ...]:
        """Apply the unit to K members; a member's result does not depend on the others.

        Args:
            x: R distinct inputs ``[R, B, Cin, H, W]``, each for K / R members that follow one another; they get no
                gradient.
            weight: ``[K, Cout, Cin, kh, kw]``.
            bias: ``[K, Cout]``, or None.
            normalisation: The batch norm.

        Returns:
            K outputs ``[B, Cout, PH, PW]``, in memory with channels last.

        Raises:
            ValueError: A tensor's shape, type or device does not fit, or the input needs a gradient.
        """
        spec = self.spec
        for tensor in (x, weight, bias):
            if tensor is not None and (tensor.dtype != torch.float32 or tensor.device.type != self.place):
                raise ValueError(f"need float32 on the CPU, not {tensor.dtype} on {tensor.device}")
        if x.shape[2:] != (spec.in_channels, spec.height, spec.width) or x.requires_grad:
            raise ValueError(f"inputs of shape {tuple(x.shape)} do not fit {spec}, or need a gradient")
        if weight.shape[1:] != (spec.tail.channels, spec.in_channels, *spec.kernel):
            raise ValueError(f"filters of shape {tuple(weight.shape)} do not fit {spec}")
        if normalisation.of_batch and x.shape[1] * spec.tail.height * spec.tail.width == 1:
            raise ValueError("expected more than 1 value a channel in training")
        scale, shift = normalisation.scale, normalisation.shift
        found: tuple[Tensor, ...] = _Function.apply(self, normalisation, x.contiguous(), weight, bias, scale, shift)
        return found

    def patches(self, x: Tensor) -> _Patches:
        """Mean and covariance of the patches of R inputs ``[R, B, Cin, H, W]``.

        Products are taken of what is left of the pixels without a channel's mean: where that is large beside their
        deviation, the rest would be rounding.
        """
        spec = self.spec
        places, gram = x.shape[1] * spec.tail.height * spec.tail.width, []
        centre = torch.stack([own.mean((0, 2, 3)) for own in x])  # row by row: alone as in company
        for own, middle in zip(x, centre, strict=True):
            gram.append(torch.empty(spec.patch + 1, spec.patch + 1, dtype=torch.float64))
            self.gram(len(own), own.data_ptr(), middle.data_ptr(), gram[-1].data_ptr())
        over = torch.stack(gram) / places
        mean = over[:, :-1, -1]
        covariance = over[:, :-1, :-1] - mean[:, :, None] * mean[:, None]
        return _Patches(mean + centre.double().repeat_interleave(spec.patch // spec.in_channels, 1), covariance, places)


@dataclass(frozen=True)
class _Patches:
    """Statistics in float64 of the patches of R inputs, or of K members, over ``places``: ``[R, T]``, ``[R, T, T]``."""

    mean: Tensor
    covariance: Tensor
    places: int

    def of_members(self, members: int) -> _Patches:
        return _Patches(spread(self.mean, members), spread(self.covariance, members), self.places)


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        stem: Stem,
        norm: Normalisation,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        scale: Tensor | None,
        shift: Tensor | None,
    ) -> tuple[Tensor, ...]:
        tail, members, samples = stem.spec.tail, len(weight), x.shape[1]
        filters = weight.flatten(2).transpose(1, 2).contiguous()  # [K, patch, Cout]
        of_bias = torch.zeros_like(filters[:, 0]) if bias is None else bias
        patches = stem.patches(x) if norm.of_batch else None
        mean, variance = _statistics(norm, patches, filters, of_bias)
        inverse = (variance + norm.eps).rsqrt()
        factor = inverse if scale is None else inverse * scale
        offset = -mean * factor if shift is None else shift - mean * factor
        factors = [t.float().contiguous() for t in (factor, offset, mean, inverse)]
        outputs = []
        for k in range(members):
            y = empty_map(samples, tail.channels, *tail.output_size())
            given = (filters[k].data_ptr(), *rows(factors[:2], k))
            stem.forward(samples, x[k * len(x) // members].data_ptr(), *given, y.data_ptr())
            outputs.append(y)
        if any(ctx.needs_input_grad):
            ctx.stem, ctx.patches, ctx.factors = stem, patches, factors
            ctx.has_bias, ctx.has_scale, ctx.has_shift = bias is not None, scale is not None, shift is not None
            ctx.save_for_backward(x, filters)
        return tuple(outputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, filters = ctx.saved_tensors
        stem: Stem = ctx.stem
        members, patch, channels = filters.shape
        sums, products = torch.empty(2, members, channels, dtype=torch.float64, device=x.device)
        with_patches = torch.empty(members, patch, channels, dtype=torch.float64, device=x.device)
        for k, grad in enumerate(grads):
            last = channels_last(grad)
            given = (filters[k].data_ptr(), *rows(ctx.factors, k), last.data_ptr())
            found = (sums[k].data_ptr(), products[k].data_ptr(), with_patches[k].data_ptr())
            stem.backward(x.shape[1], x[k * len(x) // members].data_ptr(), *given, *found)
        factor, _, _, inverse = (t.double() for t in ctx.factors)
        grad_filters, grad_bias = factor[:, None] * with_patches, sums * factor
        if ctx.patches is not None:  # its statistics move with the map: d - mean(d) - normalised * mean(d * normalised)
            own = ctx.patches.of_members(members)
            grad_filters -= (factor * sums)[:, None] * own.mean[:, :, None]
            grad_filters -= (factor * inverse * products)[:, None] * (own.covariance @ filters.double())
            grad_bias = torch.zeros_like(sums)  # the batch's own mean takes a bias away again
        grad_weight = grad_filters.float().transpose(1, 2).reshape(members, channels, -1, *stem.spec.kernel)
        of_bias, of_scale, of_shift = (
            value.float() if has else None
            for value, has in ((grad_bias, ctx.has_bias), (products, ctx.has_scale), (sums, ctx.has_shift))
        )
        return None, None, None, grad_weight, of_bias, of_scale, of_shift


def _statistics(norm: Normalisation, patches: _Patches | None, filters: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance ``[K, Cout]`` in float64 of maps without their bias; running statistics follow."""
    if patches is None:
        assert norm.mean is not None
        assert norm.variance is not None
        return norm.mean.double() - bias, norm.variance.double()
    own, wide = patches.of_members(len(filters)), filters.double()
    mean = (own.mean[:, :, None] * wide).sum(1)
    variance = (wide * (own.covariance @ wide)).sum(1).clamp_min(0.0)
    if norm.moves:
        assert norm.mean is not None
        assert norm.variance is not None
        unbiased = patches.places / (patches.places - 1.0)
        norm.mean.lerp_((mean + bias).float(), norm.momentum)
        norm.variance.lerp_((variance * unbiased).float(), norm.momentum)
    return mean, variance


@cached
def _build(spec: StemSpec) -> tuple[Stem | None, str | None]:
    return trusted(spec, _SOURCE, Stem, _cross_check)


def _cross_check(built: Stem) -> CrossCheck:
    spec = built.spec
    source = torch.Generator().manual_seed(1)
    x = torch.randn((2, 3, spec.in_channels, spec.height, spec.width), generator=source, dtype=torch.float32)

    def ours(weight: Tensor, bias: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        return torch.stack(built(x, weight, bias, Normalisation(scale, shift, None, None, EPS, 0.1, True)))

    def theirs(weight: Tensor, bias: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        maps = [F.conv2d(x[k], weight[k], bias[k], spec.stride, spec.padding) for k in range(2)]
        return torch.stack([reference(spec.tail, maps[k], None, scale[k], shift[k]) for k in range(2)])

    shapes: dict[str, tuple[int, ...]] = {"weight": (2, spec.tail.channels, spec.in_channels, *spec.kernel)}
    shapes |= dict.fromkeys(("bias", "scale", "shift"), (2, spec.tail.channels))
    return CrossCheck(ours, theirs, shapes, {}, rounding=("bias",))
