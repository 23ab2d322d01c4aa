"""What follows a convolution on the CPU: batch norm, an added map, activation and pool in two passes over memory.

The convolutions themselves are oneDNN's, member by member with channels last: on the machines measured they run at the
speed of a large matrix product there, where torch's batch norm, activation and pooling, one pass or more each, take
most of a step. The C source beside this module is compiled for every shape at first use, as that of
:mod:`ablate.images.engine.kernels`; where that fails, `tail` returns None and `unavailable_reason` says why.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ablate.images.engine.convolutions import Convolution
from ablate.images.engine.maps import EPS, Normalisation, TailSpec, channels_last, empty_map, reference, row
from ablate.images.engine.trusted import CrossCheck, cached, opened, place_of, trusted

_SOURCE = Path(__file__).with_name("tails.c")


def tail(spec: TailSpec) -> Tail | None:
    """Return the compiled tail, or None where there is none (see `unavailable_reason`); never raises.

    The first call for a shape compiles, or loads from the cache, and compares the result with torch once.
    """
    return _build(spec)[0]


def unavailable_reason(spec: TailSpec) -> str | None:
    """Say why `tail(spec)` is None (shape, compiler, cache folder, a wrong result); None if it is not."""
    return _build(spec)[1]


class Tail:
    """A compiled tail with the convolution before it, for K members; differentiable. Made by `tail`."""

    def __init__(self, spec: TailSpec, library: Path) -> None:
        """Load `library`, which was compiled for `spec`."""
        self.spec, self.place = spec, place_of(library)
        loaded = opened(library)
        pointer, number, real = ctypes.c_void_p, ctypes.c_long, ctypes.c_double
        self.normalise, self.forward, self.backward = loaded.normalise, loaded.forward, loaded.backward
        self.normalise.argtypes = [number, *[pointer] * 5, number, number, real, real, *[pointer] * 4]
        self.forward.argtypes = [number, *[pointer] * 5]
        self.backward.argtypes = [number, *[pointer] * 7, number, *[pointer] * 4]
        self.normalise.restype = self.forward.restype = self.backward.restype = None

    def __call__(
        self,
        maps: Sequence[Tensor],
        others: Sequence[Tensor] | None,
        convolution: Convolution | None,
        weight: Tensor | None,
        bias: Tensor | None,
        normalisation: Normalisation | None,
    ) -> tuple[Tensor, ...]:
        """Apply the unit to K members; a member's result does not depend on the others.

        Args:
            maps: R distinct inputs ``[B, Cin, H, W]``, each for K / R members that follow one another.
            others: What is added, K or fewer as above, ``[B, Cout, H, W]``; None where the tail adds nothing.
            convolution: None: the tail is applied to the input itself, with R equal to K.
            weight: ``[K, Cout, Cin / groups, kh, kw]``; with a convolution.
            bias: ``[K, Cout]``, or None.
            normalisation: None: no batch norm.

        Returns:
            K outputs ``[B, Cout, PH, PW]``, in memory with channels last.

        Raises:
            ValueError: A tensor's shape, type or device does not fit.
        """
        members = len(weight) if weight is not None else len(maps)
        for tensor in (*maps, *(others or ()), weight, bias):
            if tensor is not None and (tensor.dtype != torch.float32 or tensor.device.type != self.place):
                raise ValueError(f"need float32 on the CPU, not {tensor.dtype} on {tensor.device}")
        settings = _Settings(self, convolution, normalisation, members, len(maps))
        scale, shift = (None, None) if normalisation is None else (normalisation.scale, normalisation.shift)
        found: tuple[Tensor, ...] = _Function.apply(settings, weight, bias, scale, shift, *maps, *(others or ()))
        return found


@dataclass(frozen=True)
class _Settings:
    tail: Tail
    convolution: Convolution | None
    normalisation: Normalisation | None
    members: int
    inputs: int

    def factors(self, k: int, z: Tensor, factors: Tensor) -> None:
        """Fill in a member's factors ``[4, K, C]``: mean, inverse deviation, factor and offset of every channel."""
        if (n := self.normalisation) is None:
            return
        if n.of_batch and z.numel() == z.shape[1]:
            raise ValueError(f"expected more than 1 value a channel in training, not a map of shape {tuple(z.shape)}")
        given = (row(t, k) for t in (n.scale, n.shift, n.mean, n.variance))
        found = (row(t, k) for t in factors)
        self.tail.normalise(len(z), z.data_ptr(), *given, n.of_batch, n.moves, n.momentum, n.eps, *found)


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        settings: _Settings,
        weight: Tensor | None,
        bias: Tensor | None,
        scale: Tensor | None,
        shift: Tensor | None,
        *maps: Tensor,
    ) -> tuple[Tensor, ...]:
        inputs, others, members = maps[: settings.inputs], maps[settings.inputs :], settings.members
        inputs, others = tuple(map(channels_last, inputs)), tuple(map(channels_last, others))
        spec, convolution = settings.tail.spec, settings.convolution
        weight, bias = (None if t is None else t.contiguous() for t in (weight, bias))
        factors = torch.zeros(4, members, spec.channels, dtype=torch.float32)  # those of no batch norm
        factors[1:3] = 1.0
        convolved, outputs = list[Tensor](), list[Tensor]()
        for k in range(members):  # one after another: a member's map is still in the cache when it is read again
            x = _of(inputs, k, members)
            z = x if convolution is None or weight is None else convolution.forward(x, weight, bias, k)
            if z.shape[1:] != (spec.channels, spec.height, spec.width):
                raise ValueError(f"a map of shape {tuple(z.shape)} does not fit {spec}")
            if bool(others) != spec.adds or (others and _of(others, k, members).shape != z.shape):
                raise ValueError(f"what is added to a map of shape {tuple(z.shape)} does not fit {spec}")
            y = empty_map(len(z), spec.channels, *spec.output_size())
            settings.factors(k, z, factors)
            other = _of(others, k, members).data_ptr() if others else None
            settings.tail.forward(len(z), z.data_ptr(), row(factors[2], k), row(factors[3], k), other, y.data_ptr())
            convolved.append(z)
            outputs.append(y)
        if any(ctx.needs_input_grad):
            ctx.settings, ctx.convolved, ctx.factors = settings, convolved, factors
            ctx.has_bias, ctx.has_scale, ctx.has_shift = bias is not None, scale is not None, shift is not None
            ctx.save_for_backward(weight, *inputs, *others)
        return tuple(outputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        settings: _Settings = ctx.settings
        tail, members, norm = settings.tail, settings.members, settings.normalisation
        weight, *maps = ctx.saved_tensors
        inputs, others = maps[: settings.inputs], maps[settings.inputs :]
        needs_x = any(ctx.needs_input_grad[5 : 5 + len(inputs)])
        sums = torch.empty_like(ctx.factors[:2])
        grad_weight = None if weight is None else torch.empty_like(weight)
        of_inputs, of_others = _Sums(len(inputs), members), _Sums(len(others), members)
        for k, z in enumerate(ctx.convolved):
            grad, other = channels_last(grads[k]), _of(others, k, members).data_ptr() if others else None
            d = torch.empty_like(z)
            dz = torch.empty_like(z) if others and norm is not None else d
            mean, inverse, factor, offset = (row(t, k) for t in ctx.factors)
            given = (z.data_ptr(), factor, offset, other, grad.data_ptr(), mean, inverse)
            found = (d.data_ptr(), None if norm is None else dz.data_ptr(), row(sums[0], k), row(sums[1], k))
            tail.backward(len(z), *given, norm is not None and norm.of_batch, *found)
            of_others.add(k, d)
            x = _of(inputs, k, members)
            if settings.convolution is None or weight is None or grad_weight is None:
                of_inputs.add(k, dz)
            else:
                dx = settings.convolution.backward(dz, x, weight, k, needs_x=needs_x, to=grad_weight[k])
                of_inputs.add(k, dx)
        grad_bias = None
        if ctx.has_bias:  # a batch's own mean takes a bias away again
            own_mean = norm is not None and norm.of_batch
            grad_bias = torch.zeros_like(sums[0]) if own_mean else sums[0] * ctx.factors[2]
        of_scale, of_shift = sums[1] if ctx.has_scale else None, sums[0] if ctx.has_shift else None
        return None, grad_weight, grad_bias, of_scale, of_shift, *of_inputs.found, *of_others.found


class _Sums:
    """The gradients of maps that members share.

    Args:
        maps: Distinct ones.
        members: K, a multiple of that.
    """

    def __init__(self, maps: int, members: int) -> None:
        self.found: list[Tensor | None] = [None] * maps
        self._members = members

    def add(self, k: int, grad: Tensor | None) -> None:
        """Add that of a member."""
        if not self.found or grad is None:
            return
        place = k * len(self.found) // self._members
        found = self.found[place]
        self.found[place] = grad if found is None else found.add_(grad)


def _of(maps: Sequence[Tensor], k: int, members: int) -> Tensor:
    """A member's own of maps that members may share."""
    return maps[k * len(maps) // members]


@cached
def _build(spec: TailSpec) -> tuple[Tail | None, str | None]:
    return trusted(spec, _SOURCE, Tail, _cross_check)


def _cross_check(built: Tail) -> CrossCheck:
    spec = built.spec
    maps, channels = (2, 3, spec.channels, spec.height, spec.width), (2, spec.channels)

    def ours(x: Tensor, other: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        norm = Normalisation(scale, shift, None, None, EPS, 0.1, True)
        return torch.stack(built(x.unbind(), other.unbind() if spec.adds else None, None, None, None, norm))

    def theirs(x: Tensor, other: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        return torch.stack([reference(spec, x[k], other[k], scale[k], shift[k]) for k in range(2)])

    return CrossCheck(ours, theirs, {"input": maps, "other": maps, "scale": channels, "shift": channels}, {})
