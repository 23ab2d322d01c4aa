"""ResNet's hyperparameters."""

from typing import TYPE_CHECKING, Literal

from ablate.images.config.layers import LENET_WORK, Conv, Planned, Pool, maps, work
from ablate.images.config.model import Network
from ablate.task.fields import Activation, Positive

if TYPE_CHECKING:
    from torch import nn

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
"""The basic blocks of each stage, by depth (the paper's table 1)."""


class ResNet(Network):
    """Stages of basic blocks, two 3x3 convolutions beside a shortcut (He et al. 2016)."""

    name: Literal["resnet"] = "resnet"
    form: Literal["torchvision", "small"] = "small"
    """``torchvision``: a stem of 7x7, stride 2, and a pooling, for 224x224 in colour; ``small``: a stem of 3x3, stride
    1, and no pooling."""
    depth: Literal[18, 34] = 18
    """Convolutions of the main path and the linear layer."""
    width: Positive = 64
    """Channels of the stem and the first stage; the others have 2, 4 and 8 times as many."""
    skip: bool = True
    """Whether a block's input is added to its output (through a 1x1 convolution where their shapes differ); without, it
    is the paper's plain network."""
    norm: bool = True
    """Batch norm after every convolution; without, convolutions have biases."""
    activation: Activation = "relu"

    @property
    def in_channels(self) -> int | None:
        """Three, but for the small form."""
        return None if self.form == "small" else 3

    @property
    def default_members(self) -> int:
        """Like AlexNet: stacking many gains little and costs memory."""
        return 4 if self.form == "small" else 1

    def planned(self) -> list[Planned]:
        """The main path's convolutions and poolings."""
        layers: list[Planned] = [Conv("conv1", self.width, 3, padding=1)]
        if self.form == "torchvision":
            layers = [Conv("conv1", self.width, 7, 2, 3), Pool("maxpool", 3, padding=1)]
        for stage, count in enumerate(BLOCKS[self.depth], start=1):
            channels = self.width * 2 ** (stage - 1)
            for block in range(count):
                stride = 2 if stage > 1 and block == 0 else 1
                layers.append(Conv(f"layer{stage}.{block}.conv1", channels, 3, stride, 1))
                layers.append(Conv(f"layer{stage}.{block}.conv2", channels, 3, 1, 1))
        return layers

    def feature_maps(self, height: int, width: int) -> list[tuple[str, int, int]]:
        """See :meth:`ablate.images.config.model.Network.feature_maps`."""
        return list(maps(self.planned(), height, width))

    def relative_work(self, height: int, width: int) -> float:
        """The main path's; shortcuts add 2 to 3 %. See :meth:`ablate.images.config.model.Network.relative_work`."""
        return work(self.planned(), self.in_channels or 1, height, width) / LENET_WORK

    def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> "nn.Module":
        """See :class:`ablate.images.networks.resnet.ResidualNetwork`."""
        from ablate.images.networks.resnet import ResidualNetwork

        return ResidualNetwork(self, in_channels, classes)
