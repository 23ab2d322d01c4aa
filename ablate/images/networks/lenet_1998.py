"""Layers of LeNet's papers that later forms simplified: partial connections, trainable subsampling, RBF units.

Source: LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition" (1998), section II.B.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

C3_TABLE = (
    *((i, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 3) % 6, (i + 4) % 6) for i in range(3)),
    (0, 1, 2, 3, 4, 5),
)
"""The maps of S2 that each map of C3 sees (table I): 60 connections."""

CODES_SEED = 1998
"""Seed of the RBF units' codes, the same for every run."""


def subsampling(inputs: int, outputs: int) -> nn.Conv2d:
    """A coefficient and a bias for each map, as a layer that follows a pooling.

    Args:
        inputs: Maps of the pooling.
        outputs: Maps made of them, a multiple.

    Returns:
        The paper's coefficient multiplies the sum of a window, this one the mean, which is a quarter of it.
    """
    return nn.Conv2d(inputs, outputs, 1, groups=inputs)


class TableConv2d(nn.Module):
    """A convolution each of whose maps sees some of the input's maps only; no weights belong to the others.

    Args:
        in_channels: Channels of the input.
        table: The input maps that each output map sees.
        kernel_size: Side of the window, in pixels; there is no padding.
    """

    places: Tensor

    def __init__(self, in_channels: int, table: Sequence[Sequence[int]], kernel_size: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.kernel_size = in_channels, len(table), kernel_size
        self.connections = [out * in_channels + seen for out, row in enumerate(table) for seen in sorted(row)]
        """Places of the connections among all pairs of an output and an input map."""
        self.register_buffer("places", torch.tensor(self.connections), persistent=False)
        bound = 1.0 / math.sqrt(in_channels * kernel_size**2)
        shape = (len(self.connections), kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(len(table)).uniform_(-bound, bound))

    @property
    def full_shape(self) -> tuple[int, int, int, int]:
        """The shape of the weight with all connections."""
        return self.out_channels, self.in_channels, self.kernel_size, self.kernel_size

    def of_full(self, weight: Tensor) -> Tensor:
        """The connections' part of a weight of :attr:`full_shape`, so that a seed gives them the same values."""
        return weight.flatten(0, 1)[self.connections]

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, in_channels, height, width]`` to ``[batch, out_channels, ...]``."""
        weight = full_weight(self.weight[None], self.places[None], self.full_shape)
        return nn.functional.conv2d(x, weight, self.bias)


def full_weight(weight: Tensor, places: Tensor, full: tuple[int, int, int, int]) -> Tensor:
    """K members' weights with zeros where there is no connection.

    Args:
        weight: ``[K, connections, side, side]``.
        places: The places of the connections among pairs of an output and an input map, ``[K, connections]``.
        full: Output maps, input maps, side, side.

    Returns:
        ``[K * outputs, inputs, side, side]``.
    """
    outputs, inputs, *side = full
    zeros = weight.new_zeros(len(weight), outputs * inputs, *side)
    return zeros.scatter(1, places[:, :, None, None].expand_as(weight), weight).view(-1, inputs, *side)


class RbfOutput(nn.Module):
    """Euclidean units with fixed codes of +1 and -1: minus the squared distance of the input to each class's code.

    With cross-entropy that is a mixture of Gaussians of equal variance, and the paper's MAP criterion (its equation 9)
    without the rubbish class. The codes are drawn at random, which the paper allows instead of its drawings of
    characters (those mean nothing for clothes).

    Args:
        in_features: Units of the layer before.
        classes: Width of the output.
    """

    codes: Tensor

    def __init__(self, in_features: int, classes: int) -> None:
        super().__init__()
        self.in_features = in_features
        generator = torch.Generator().manual_seed(CODES_SEED)
        drawn = torch.randint(2, (classes, in_features), generator=generator, device="cpu")
        self.register_buffer("codes", (2.0 * drawn - 1.0).to(torch.get_default_device()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, in_features]`` to ``[batch, classes]``."""
        return minus_distances(x, self.codes)


def minus_distances(x: Tensor, codes: Tensor) -> Tensor:
    """Minus the squared distances of ``[..., batch, features]`` to ``[..., classes, features]``."""
    products = x @ codes.transpose(-1, -2)
    return 2.0 * products - x.square().sum(-1, keepdim=True) - codes.square().sum(-1).unsqueeze(-2)
