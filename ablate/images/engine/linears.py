"""Linear layers of K members with bias and activation on the CPU: one call, where PyTorch's products are left behind.

The C source beside this module is compiled for every shape at first use and compared with torch
(:mod:`ablate.images.engine.trusted`).
"""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ablate.images.engine.kernels import ACTIVATIONS
from ablate.images.engine.layers import spread
from ablate.images.engine.trusted import CrossCheck, cached, opened, place_of, pointer, trusted

LARGEST_WEIGHT = 2**18
"""Numbers in a member's weight up to which our products were measured to be faster (two AVX2 cores)."""

FEWEST_SAMPLES = 16
"""Samples of a step from which they are: as many are taken at once."""

PANEL = 32
"""Columns of the widest panels of linear.c, those of AVX-512."""

_TOLD_FROM_OUTPUT = ("identity", "sigmoid", "tanh", "relu", "leaky_relu")
"""Activations whose derivative is told from their value."""

_SOURCE = Path(__file__).with_name("linear.c")


@dataclass(frozen=True)
class LinearSpec:
    """Shape of a linear layer; the same for all members.

    Attributes:
        inputs: Features of the input.
        outputs: Features of the output.
        activation: A key of `ACTIVATIONS`.
    """

    inputs: int
    outputs: int
    activation: str = "identity"

    def unsupported(self) -> str | None:
        """Say why there is no kernel for this shape; None if there is one."""
        if platform.machine() not in ("x86_64", "AMD64"):
            return "measured to be faster on x86-64 alone"
        if self.activation not in _TOLD_FROM_OUTPUT:
            return f"activation {self.activation!r} is none of {', '.join(_TOLD_FROM_OUTPUT)}"
        if min(self.inputs, self.outputs) < 1:
            return f"{self.inputs} inputs and {self.outputs} outputs"
        if self.inputs * self.outputs > LARGEST_WEIGHT:
            return f"a weight of more than {LARGEST_WEIGHT} numbers"
        return None

    def macros(self) -> dict[str, int]:
        """Return the constants that linear.c is compiled with."""
        activation = list(ACTIVATIONS).index(self.activation)
        return {"INPUTS": self.inputs, "OUTPUTS": self.outputs, "ACT": activation}


def linear(spec: LinearSpec) -> Linear | None:
    """Return the compiled layer, or None where there is none; never raises."""
    return _build(spec)[0]


class Linear:
    """A compiled linear layer with its activation, for K members; differentiable. Made by `linear`."""

    def __init__(self, spec: LinearSpec, library: Path) -> None:
        """Load `library`, which was compiled for `spec`."""
        self.spec, self.place = spec, place_of(library)
        loaded = opened(library)
        pointer, number = ctypes.c_void_p, ctypes.c_long
        self.forward, self.backward = loaded.forward, loaded.backward
        self.forward.argtypes, self.backward.argtypes = [number] * 3 + [pointer] * 5, [number] * 3 + [pointer] * 8
        self.forward.restype = self.backward.restype = None

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Apply the layer to K members; a member's result does not depend on the others.

        Args:
            x: R distinct inputs ``[R, B, inputs]``, each for K / R members that follow one another.
            weight: ``[K, outputs, inputs]``.
            bias: ``[K, outputs]``, or None.

        Returns:
            ``[K, B, outputs]``.

        Raises:
            ValueError: A tensor's shape, type or device does not fit.
        """
        for tensor in (x, weight, bias):
            if tensor is not None and (tensor.dtype != torch.float32 or tensor.device.type != self.place):
                raise ValueError(f"need float32 on the CPU, not {tensor.dtype} on {tensor.device}")
        fits = x.dim() == 3 and x.shape[2] == self.spec.inputs and len(weight) % len(x) == 0
        fits = fits and weight.shape[1:] == (self.spec.outputs, self.spec.inputs)
        if not fits or (bias is not None and bias.shape != weight.shape[:2]):
            shapes = [None if t is None else tuple(t.shape) for t in (x, weight, bias)]
            raise ValueError(f"input, weight and bias of shapes {shapes} do not fit {self.spec}")
        return cast(Tensor, _Function.apply(self, x, weight, bias))

    def memory(self, samples: int) -> Tensor:
        """Scratch memory for a batch."""
        inputs, outputs = self.spec.inputs, self.spec.outputs
        forward = _whole_panels(samples) * (inputs + outputs)
        backward = _whole_panels(inputs) * samples + PANEL * outputs + samples * outputs
        return torch.empty(max(forward, backward), dtype=torch.float32)


def _whole_panels(columns: int) -> int:
    return -(-columns // PANEL) * PANEL


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layer: Linear, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x, weight = x.contiguous(), weight.contiguous()
        bias = None if bias is None else bias.contiguous()
        members, samples, share = len(weight), x.shape[1], len(weight) // len(x)
        y = x.new_empty(members, samples, layer.spec.outputs)
        memory = layer.memory(samples)
        layer.forward(members, samples, share, *map(pointer, (x, weight, bias, y, memory)))
        ctx.layer, ctx.share, ctx.has_bias = layer, share, bias is not None
        ctx.save_for_backward(x, weight, y)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        members, samples = y.shape[:2]
        grad, memory = grad.contiguous(), ctx.layer.memory(samples)
        of_x = x.new_empty(members, *x.shape[1:]) if ctx.needs_input_grad[1] else None
        of_weight = torch.empty_like(weight)
        of_bias = weight.new_empty(weight.shape[:2]) if ctx.has_bias else None
        tensors = (x, weight, y, grad, of_x, of_weight, of_bias, memory)
        ctx.layer.backward(members, samples, ctx.share, *map(pointer, tensors))
        if of_x is not None and ctx.share > 1:
            of_x = of_x.unflatten(0, (-1, ctx.share)).sum(1)
        return None, of_x, of_weight, of_bias


@cached
def _build(spec: LinearSpec) -> tuple[Linear | None, str | None]:
    return trusted(spec, _SOURCE, Linear, _cross_check)


def _cross_check(built: Linear) -> CrossCheck:
    spec, members = built.spec, 4

    def theirs(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        inputs = spread(x, members)
        y = torch.stack([F.linear(inputs[k], weight[k], bias[k]) for k in range(members)])
        return ACTIVATIONS[spec.activation](y)

    shapes: dict[str, tuple[int, ...]] = {"input": (2, 19, spec.inputs)}
    shapes |= {"weight": (members, spec.outputs, spec.inputs), "bias": (members, spec.outputs)}
    return CrossCheck(built, theirs, shapes, {"weight": spec.inputs**-0.5})
