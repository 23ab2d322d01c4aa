"""Stacked leaf layers: K members' layers as one, with their parameters in one tensor of leading dimension K.

Activations come in three layouts; ``C`` and ``F`` are one member's channels and features, and a layer tells them apart
by their number of dimensions:

- ``[B, K*C, H, W]`` and, flattened, ``[B, K*F]``: torch's own layers apply unchanged wherever channels do not mix;
- ``[K, B, F]``: after a linear layer;
- ``[K, B, C, H, W]``: between the units of :mod:`ablate.images.engine.graph`.

An input that members share has a leading or channel factor of 1, or of the number of distinct batches, instead of K.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ablate.images.networks.lenet_1998 import RbfOutput, TableConv2d, full_weight, minus_distances


class StackedLayer(nn.Module):
    """A layer of K members.

    Args:
        layer: One member's.
        members: K.
    """

    members: int

    def __init__(self, layer: nn.Module, members: int) -> None:
        super().__init__()
        self.members = members
        for name, parameter in layer.named_parameters(recurse=False):
            self.register_parameter(name, nn.Parameter(_repeat(parameter, members), parameter.requires_grad))
        for name, buffer in layer.named_buffers(recurse=False):
            if buffer.dim() > 0:  # not batch norm's count of batches: unused with a fixed momentum
                self.register_buffer(name, _repeat(buffer, members))

    def keep(self, members: Sequence[int]) -> None:
        """Go on with some of the members; new parameters replace the old.

        Args:
            members: Their positions, ascending.
        """
        self.members = len(members)
        for name, parameter in list(self.named_parameters(recurse=False)):
            setattr(self, name, nn.Parameter(parameter.detach()[list(members)], parameter.requires_grad))
        for name, buffer in list(self.named_buffers(recurse=False)):
            setattr(self, name, buffer[list(members)])

    @classmethod
    def refuses(cls, layer: nn.Module) -> str | None:
        """Why ``layer`` cannot be stacked, or None."""
        return None


class StackedConv2d(StackedLayer):
    """Grouped convolution by member; dense within each set of members that share an input."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Conv2d, members: int) -> None:
        super().__init__(layer, members)
        self.in_channels, self.groups = layer.in_channels, layer.groups
        self.stride, self.dilation = layer.stride, layer.dilation
        self.padding = layer.padding
        if layer.bias is None:
            self.bias = None

    @classmethod
    def refuses(cls, layer: nn.Module) -> str | None:
        """See :meth:`StackedLayer.refuses`."""
        mode = cast(nn.Conv2d, layer).padding_mode
        return None if mode == "zeros" else f"convolution with padding_mode {mode!r}"

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer in any of the layouts above."""
        if x.dim() == 5:
            y = self.forward(x.transpose(0, 1).flatten(1, 2))
            return torch.unflatten(y, 1, (self.members, -1)).transpose(0, 1)
        inputs = x.shape[1] // self.in_channels
        if inputs < self.members and self.groups > 1:  # outputs would come grouped by input, not by member
            x = spread(torch.unflatten(x, 1, (inputs, -1)), self.members, dim=1).flatten(1, 2)
            inputs = self.members
        weight, bias = self.weight.flatten(0, 1), None if self.bias is None else self.bias.flatten()
        groups = inputs * self.groups
        # with channels last, oneDNN 3.12 writes beyond its memory where a stride meets 1x1 filters (see tails.py)
        return F.conv2d(x.contiguous(), weight, bias, self.stride, self.padding, self.dilation, groups)


class StackedLinear(StackedLayer):
    """One batched product; a single one of K times the outputs where the members share their input."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: nn.Linear, members: int) -> None:
        super().__init__(layer, members)
        self.in_features = layer.in_features
        if layer.bias is None:
            self.bias = None

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer in any of the layouts above."""
        x = features(x, x.shape[-1] // self.in_features)
        if len(x) == 1:
            bias = None if self.bias is None else self.bias.flatten()
            return features(F.linear(x[0], self.weight.flatten(0, 1), bias), self.members)
        x = spread(x, self.members)
        if self.bias is not None and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
            return cast(Tensor, _Linear.apply(x, self.weight, self.bias))
        y = torch.bmm(x, self.weight.transpose(1, 2))
        return y if self.bias is None else y + self.bias.unsqueeze(1)


class _Linear(torch.autograd.Function):
    """The batched product, with a weight gradient laid out as the weight (CPU, float32).

    Autograd's own is the transpose of that: at a batch of 2, updating from it costs three times the update itself.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        grad_x = torch.bmm(grad, weight) if ctx.needs_input_grad[0] else None
        return grad_x, torch.bmm(grad.transpose(1, 2), x), grad.sum(1)


class StackedBatchNorm(StackedLayer):
    """Batch norm over K times the channels: each member's channels have statistics of their own."""

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None

    def __init__(self, layer: nn.BatchNorm1d | nn.BatchNorm2d, members: int) -> None:
        super().__init__(layer, members)
        self.momentum, self.eps = cast(float, layer.momentum), layer.eps
        for name in ("weight", "bias", "running_mean", "running_var"):
            if getattr(layer, name) is None:
                setattr(self, name, None)

    @classmethod
    def refuses(cls, layer: nn.Module) -> str | None:
        """See :meth:`StackedLayer.refuses`."""
        return None if cast(nn.BatchNorm2d, layer).momentum is not None else "batch norm with a cumulative average"

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer in any of the layouts above."""
        mean, var, weight, bias = (
            None if t is None else t.flatten() for t in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        stacked = x.transpose(0, 1).flatten(1, 2) if x.dim() in (3, 5) else x
        training = self.training or mean is None
        y = F.batch_norm(stacked, mean, var, weight, bias, training, self.momentum, self.eps)
        return torch.unflatten(y, 1, (self.members, -1)).transpose(0, 1) if x.dim() in (3, 5) else y


class StackedPerMember(StackedLayer):
    """A layer without parameters that mixes a member's channels (local response normalisation): members as batch."""

    def __init__(self, layer: nn.Module, members: int) -> None:
        super().__init__(layer, members)
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer in any of the layouts above."""
        if x.dim() == 5:
            return torch.unflatten(self.layer(x.flatten(0, 1)), 0, x.shape[:2])
        y = self.layer(torch.unflatten(x, 1, (self.members, -1)).flatten(0, 1))
        return torch.unflatten(y, 0, (-1, self.members)).flatten(1, 2)


class StackedTableConv2d(StackedLayer):
    """A grouped convolution by member whose weights have zeros where a map does not see another."""

    weight: Tensor
    bias: Tensor
    places: Tensor

    def __init__(self, layer: TableConv2d, members: int) -> None:
        super().__init__(layer, members)
        self.full_shape = layer.full_shape

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer in any of the layouts above, but to an input that members share."""
        if x.dim() == 5:
            y = self.forward(x.transpose(0, 1).flatten(1, 2))
            return torch.unflatten(y, 1, (self.members, -1)).transpose(0, 1)
        weight = full_weight(self.weight, self.places, self.full_shape)
        return F.conv2d(x, weight, self.bias.flatten(), groups=self.members)


class StackedRbf(StackedLayer):
    """Distances of each member's features to its codes."""

    codes: Tensor

    def __init__(self, layer: RbfOutput, members: int) -> None:
        super().__init__(layer, members)
        self.in_features = layer.in_features

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer in any of the layouts above."""
        return minus_distances(features(x, x.shape[-1] // self.in_features), self.codes)


def features(x: Tensor, members: int) -> Tensor:
    """Bring flattened activations into ``[K, B, F]``.

    Args:
        x: ``[B, K*F]`` or already ``[K, B, F]``.
        members: K.

    Returns:
        A view.
    """
    return x if x.dim() == 3 else torch.unflatten(x, 1, (members, -1)).transpose(0, 1)


def spread(x: Tensor, members: int, dim: int = 0) -> Tensor:
    """Repeat each distinct batch for the members that share it, which follow one another.

    Args:
        x: R distinct batches along ``dim``.
        members: K, a multiple of R.
        dim: Where the batches are counted.

    Returns:
        K batches along ``dim``.
    """
    return x if x.shape[dim] == members else x.repeat_interleave(members // x.shape[dim], dim)


def _repeat(tensor: Tensor, members: int) -> Tensor:
    return tensor.detach().unsqueeze(0).repeat(members, *[1] * tensor.dim())
