"""Members' networks as one, formulated as Horizontally Fused Training Arrays does it.

Source: Wang et al., "Horizontally Fused Training Array" (arXiv 2102.02344): convolutions become one convolution in
groups, batch norm one over all members' channels, linear layers one batched product; what has no parameters stays as
it is. Activations are ``[batch, members * channels, height, width]``, and ``[members, batch, units]`` from the first
linear layer on. Theirs are rewritten networks; here leaf layers are swapped, which runs the same operations.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn


class FusedLinear(nn.Module):
    """Linear layers of all members as one batched product (the paper's ``baddbmm``)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, K * inputs]`` or ``[K, B, inputs]`` to ``[K, B, outputs]``."""
        if x.dim() == 2:
            x = torch.unflatten(x, 1, (len(self.weight), -1)).transpose(0, 1)
        return torch.baddbmm(self.bias[:, None], x, self.weight.transpose(1, 2))


class MemberByMember(nn.Module):
    """A layer without parameters that mixes channels: it sees members as more samples."""

    def __init__(self, layer: nn.Module, members: int) -> None:
        super().__init__()
        self.layer, self.members = layer, members

    def forward(self, x: Tensor) -> Tensor:
        """``[B, K * C, height, width]`` to the same."""
        apart = torch.unflatten(x, 1, (self.members, -1)).flatten(0, 1)
        return torch.unflatten(self.layer(apart), 0, (len(x), self.members)).flatten(1, 2)


def fuse(members: Sequence[nn.Module]) -> nn.Module:
    """The members' networks as one.

    Args:
        members: Networks of one shape, each with its own parameters.

    Raises:
        TypeError: A layer with parameters has no fused form.
    """
    body = copy.deepcopy(members[0])
    for name, layer in list(body.named_modules()):
        if next(layer.children(), None) is None:
            parent, _, leaf = name.rpartition(".")
            setattr(body.get_submodule(parent), leaf, _fused([member.get_submodule(name) for member in members]))
    return body


def parameters_of(body: nn.Module, members: int) -> Mapping[str, Tensor]:
    """Parameters by the names of a member's own network, ``[K, ...]`` each (views).

    Args:
        body: What :func:`fuse` made.
        members: K.
    """
    found = dict[str, Tensor]()
    for name, parameter in body.named_parameters():
        owner = body.get_submodule(name.rpartition(".")[0])
        found[name] = parameter if isinstance(owner, FusedLinear) else parameter.unflatten(0, (members, -1))
    return found


def _fused(layers: Sequence[nn.Module]) -> nn.Module:
    first, count = layers[0], len(layers)
    if isinstance(first, nn.Linear):
        return FusedLinear(cast(Sequence[nn.Linear], layers))
    if isinstance(first, nn.LocalResponseNorm):
        return MemberByMember(first, count)
    made: nn.Module
    if isinstance(first, nn.Conv2d):
        made = nn.Conv2d(
            count * first.in_channels,
            count * first.out_channels,
            cast(tuple[int, int], first.kernel_size),
            cast(tuple[int, int], first.stride),
            cast(tuple[int, int], first.padding),
            cast(tuple[int, int], first.dilation),
            count * first.groups,
            first.bias is not None,
        )
    elif isinstance(first, nn.BatchNorm2d):
        made = nn.BatchNorm2d(count * first.num_features, first.eps, first.momentum, first.affine)
    elif next(first.parameters(), None) is None:
        return copy.deepcopy(first)
    else:
        raise TypeError(f"{type(first).__name__} has no fused form")
    states = [layer.state_dict() for layer in layers]
    made.load_state_dict(
        {
            name: torch.cat([state[name] for state in states]) if value.dim() else value
            for name, value in states[0].items()
        }
    )
    return made.to(next(first.parameters()).device).train(first.training)
