"""Losses of stacked members: each member's own mean over its batch."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ablate.images.config import Train
from ablate.images.engine.cross_entropy import cross_entropy
from ablate.images.engine.layers import spread
from ablate.images.parts import made_loss


class Loss:
    """The loss of every member of a cohort; the members share its kind and may differ in label smoothing."""

    def __init__(self, members: Sequence[Train], device: torch.device) -> None:
        self.kind = members[0].loss
        self.declared = made_loss(members[0])
        self.smooths = any(train.label_smoothing > 0.0 for train in members)
        self.smoothing = torch.tensor([train.label_smoothing for train in members], device=device)

    def __call__(self, outputs: Tensor, labels: Tensor, *, smooth: bool) -> Tensor:
        """Mean loss of each member.

        Args:
            outputs: Float32 ``[K, B, classes]``.
            labels: Int64 ``[K, B]``, or ``[1, B]`` where the members see the same batch.
            smooth: Whether label smoothing is applied (training); without it, losses of different smoothing compare.

        Returns:
            ``[K]``.
        """
        if self.declared is not None:
            each: Tensor = self.declared(outputs, labels.expand(len(outputs), -1))
            return each.mean(dim=1)
        labels = labels.expand(len(outputs), -1).unsqueeze(-1)
        if self.kind == "mse":
            one_hot = labels == torch.arange(outputs.shape[-1], device=outputs.device)
            return (outputs - one_hot.to(outputs.dtype)).square().mean(dim=(1, 2))
        log_shares = F.log_softmax(outputs, dim=-1)
        loss = -log_shares.gather(-1, labels).mean(dim=(1, 2))
        if smooth and self.smooths:
            loss = loss + self.smoothing * (-log_shares.mean(dim=(1, 2)) - loss)
        return loss

    def with_right(self, outputs: Tensor, labels: Tensor, *, smooth: bool) -> tuple[Tensor, Tensor]:
        """Mean loss and number of right answers of each member.

        Args:
            outputs: As in a call.
            labels: Int64 ``[R, B]``, each for K / R members that follow one another.
            smooth: As in a call.

        Returns:
            ``[K]`` each.
        """
        plain = self.kind == "cross_entropy" and self.declared is None and outputs.dtype == torch.float32
        plain = plain and outputs.device.type == "cpu" and not torch.compiler.is_compiling()
        if plain and (compiled := cross_entropy()) is not None:
            return compiled(outputs, labels, self.smoothing if smooth and self.smooths else None)
        labels = spread(labels, len(outputs))
        return self(outputs, labels, smooth=smooth), (outputs.argmax(-1) == labels).sum(-1)

    def keep(self, members: Sequence[int]) -> None:
        """Go on with some of the members.

        Args:
            members: Their positions, ascending.
        """
        self.smoothing = self.smoothing[list(members)]
