"""Cross-entropy of K members with its gradient and the number of right answers: one pass on the CPU instead of twenty.

At the batches of small networks, torch's operations cost more to call than to do.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ablate.images.engine.trusted import CrossCheck, cached, opened, trusted

_SOURCE = Path(__file__).with_name("cross_entropy.c")


@dataclass(frozen=True)
class _Any:
    """One kernel for all shapes."""

    def unsupported(self) -> str | None:
        return None

    def macros(self) -> dict[str, int]:
        return {}


class CrossEntropy:
    """The compiled loss; differentiable in the outputs. Made by `cross_entropy`."""

    def __init__(self, spec: _Any, library: Path) -> None:
        """Load `library`."""
        self.function = opened(library).cross_entropy
        pointer, number = ctypes.c_void_p, ctypes.c_long
        self.function.argtypes, self.function.restype = [number] * 4 + [pointer] * 6, ctypes.c_int

    def __call__(self, outputs: Tensor, labels: Tensor, smoothing: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean loss and right answers of each member.

        Args:
            outputs: Float32 ``[K, B, classes]`` on the CPU.
            labels: Int64 ``[R, B]``, each for K / R members that follow one another; all below ``classes``.
            smoothing: Label smoothing ``[K]``; None: 0.

        Returns:
            ``[K]`` and int64 ``[K]``.

        Raises:
            ValueError: A tensor's shape, type or device does not fit, or a label is none.
        """
        members, samples, _ = outputs.shape
        fits = outputs.dtype == torch.float32 and labels.dtype == torch.int64 and labels.shape[1] == samples
        fits = fits and members % len(labels) == 0 and outputs.device.type == labels.device.type == "cpu"
        if not fits or (smoothing is not None and smoothing.shape != (members,)):
            raise ValueError(f"outputs {tuple(outputs.shape)} and labels {tuple(labels.shape)} do not fit")
        return cast(tuple[Tensor, Tensor], _Function.apply(self, outputs, labels, smoothing))


def cross_entropy() -> CrossEntropy | None:
    """Return the compiled loss, or None where there is none; never raises."""
    return _build(_Any())[0]


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, loss: CrossEntropy, outputs: Tensor, labels: Tensor, smoothing: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        outputs, labels = outputs.contiguous(), labels.contiguous()
        losses, grad = outputs.new_empty(len(outputs)), torch.empty_like(outputs)
        right = labels.new_empty(len(outputs))
        given = (outputs.data_ptr(), labels.data_ptr(), None if smoothing is None else smoothing.data_ptr())
        found = (losses.data_ptr(), right.data_ptr(), grad.data_ptr())
        if not loss.function(*outputs.shape, len(outputs) // len(labels), *given, *found):
            raise ValueError(f"labels from {int(labels.min())} to {int(labels.max())}, {outputs.shape[2]} classes")
        ctx.save_for_backward(grad)
        ctx.mark_non_differentiable(right)
        return losses, right

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, of_losses: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = ctx.saved_tensors
        return None, grad * of_losses[:, None, None], None, None


@cached
def _build(spec: _Any) -> tuple[CrossEntropy | None, str | None]:
    return trusted(spec, _SOURCE, CrossEntropy, _cross_check)


def _cross_check(built: CrossEntropy) -> CrossCheck:
    labels, smoothing = torch.tensor([[4, 0, 2], [1, 1, 3]]), torch.tensor([0.0, 0.3], dtype=torch.float32)

    def theirs(outputs: Tensor) -> Tensor:
        pairs = zip(outputs, labels, smoothing.tolist(), strict=True)
        losses = [F.cross_entropy(own, answers, label_smoothing=amount) for own, answers, amount in pairs]
        return torch.cat([torch.stack(losses), (outputs.argmax(-1) == labels).sum(-1)])

    return CrossCheck(lambda outputs: torch.cat(built(outputs, labels, smoothing)), theirs, {"outputs": (2, 3, 5)}, {})
