"""The hyperparameters of LeNet-1 and LeNet-4, the networks before LeNet-5."""

from typing import TYPE_CHECKING, ClassVar, Literal

from ablate.images.config.layers import LENET_WORK, Conv, Planned, Pool, maps, work
from ablate.images.config.model import Network
from ablate.task.fields import Activation, Fraction, Pooling

if TYPE_CHECKING:
    from torch import nn


class LeNet1(Network):
    """Two convolutions with poolings and one linear layer (LeCun et al. 1990, as LeNet-1 in LeCun et al. 1998)."""

    name: Literal["lenet1"] = "lenet1"
    activation: Activation = "sigmoid"
    """The activation after each convolution, and after each pooling with weights of its own."""
    pooling: Pooling = "avg"
    """The pooling after each convolution."""
    subsampling: Literal["plain", "trainable"] = "plain"
    """``trainable``: a pooling's maps are multiplied by a coefficient and moved by a bias each, as in 1990."""
    connections: Literal["full", "table"] = "full"
    """Which maps of the first convolution those of the second see: all, or those of the paper's table 1."""

    def planned(self) -> list[Planned]:
        """The convolutions and poolings."""
        return [Conv("conv1", 4, 5), Pool("pool1", 2), Conv("conv2", 12, 5), Pool("pool2", 2)]

    def feature_maps(self, height: int, width: int) -> list[tuple[str, int, int]]:
        """See :meth:`ablate.images.config.model.Network.feature_maps`."""
        return list(maps(self.planned(), height, width))

    def relative_work(self, height: int, width: int) -> float:
        """See :meth:`ablate.images.config.model.Network.relative_work`."""
        return work(self.planned(), 1, height, width) / LENET_WORK

    def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> "nn.Module":
        """See :func:`ablate.images.networks.early_lenets.build_lenet1`."""
        from ablate.images.networks.early_lenets import build_lenet1

        return build_lenet1(self, in_channels, input_size, classes)


class LeNet4(Network):
    """LeNet-1 with more maps and a hidden linear layer of 120 units (LeCun et al. 1998, section III.C.5)."""

    varies: ClassVar[tuple[str, ...]] = ("dropout",)

    name: Literal["lenet4"] = "lenet4"
    activation: Activation = "sigmoid"
    """The activation after each convolution, and after each pooling with weights of its own."""
    activation_f5: Activation = "sigmoid"
    """The activation after the hidden linear layer."""
    pooling: Pooling = "avg"
    """The pooling after each convolution."""
    subsampling: Literal["plain", "trainable"] = "plain"
    """``trainable``: a pooling's maps are multiplied by a coefficient and moved by a bias each; the first pooling then
    makes eight maps of four, in pairs, as in the paper."""
    dropout: Fraction = 0.0
    """Probability of dropping a unit, after the hidden linear layer's activation."""

    def planned(self) -> list[Planned]:
        """The convolutions and poolings."""
        return [Conv("conv1", 4, 5, padding=2), Pool("pool1", 2), Conv("conv2", 16, 5), Pool("pool2", 2)]

    def feature_maps(self, height: int, width: int) -> list[tuple[str, int, int]]:
        """See :meth:`ablate.images.config.model.Network.feature_maps`."""
        return list(maps(self.planned(), height, width))

    def relative_work(self, height: int, width: int) -> float:
        """See :meth:`ablate.images.config.model.Network.relative_work`."""
        return (work(self.planned(), 1, height, width) + 400 * 120) / LENET_WORK

    def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> "nn.Module":
        """See :func:`ablate.images.networks.early_lenets.build_lenet4`."""
        from ablate.images.networks.early_lenets import build_lenet4

        return build_lenet4(self, in_channels, input_size, classes)
