"""The networks: one file each, built as flat sequences of named leaf layers so that an engine can stack them."""

from torch import nn

from ablate.images.config import Network
from ablate.images.networks.table import Layer, layer_table

__all__ = ["Layer", "build", "layer_table"]


def build(config: Network, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Module:
    """Build a network, with the framework's default initial weights drawn from torch's global generator.

    Args:
        config: The network's hyperparameters.
        in_channels: Colour channels of a batch, at least 1.
        input_size: Height and width of a batch, in pixels.
        classes: Width of the output, at least 2.

    Returns:
        A module, ``[batch, in_channels, height, width]`` to ``[batch, classes]`` (logits). The built-in ones are flat
        sequences of named leaf modules; the names of convolutions and poolings are those of ``config.feature_maps``.

    Raises:
        ValueError: A feature map shrinks to nothing, or the network wants another number of channels.
    """
    config.check_input(*input_size)
    if config.in_channels is not None and in_channels != config.in_channels:
        raise ValueError(f"model.{config.name}: wants {config.in_channels} input channels, given {in_channels}")
    return config.build(in_channels, input_size, classes)
