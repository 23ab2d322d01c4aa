"""A small residual network with batch norm (He et al. 2016, the basic block), for colour pictures of 32x32 pixels."""

from typing import Annotated, Literal

from pydantic import Field

from ablate.images.parts import Network


class SmallResNet(Network):
    """Stages of basic blocks, each but the first halving the picture and doubling the channels."""

    name: Literal["small_resnet"] = "small_resnet"
    channels: Annotated[int, Field(ge=1, le=256)] = 8
    """Of the first stage."""
    stages: Annotated[int, Field(ge=1, le=4)] = 3
    blocks: Annotated[int, Field(ge=1, le=8)] = 1
    """Of each stage."""
    skip: bool = True
    """Whether a block's input is added to its output."""
    norm: bool = True
    """Whether convolutions are followed by batch norm; else they have a bias."""

    def build(self, in_channels, input_size, classes):
        """See ``ablate.images.parts.Network``."""
        from tiles.residual import ResidualNetwork

        return ResidualNetwork(self, in_channels, classes)
