"""LeNet-1 and LeNet-4.

Sources: LeCun et al., "Handwritten digit recognition with a back-propagation network" (1990), for LeNet-1, which with
trainable subsampling and its table has the paper's 2,578 parameters and 98,442 connections; LeCun, Bottou, Bengio &
Haffner, "Gradient-based learning applied to document recognition" (1998), section III.C.5, for LeNet-4. That section
gives LeNet-4 about 17,000 parameters, which the layers that it lists do not have: the 120 units behind 16 maps of 5x5
have 48,120 alone.
"""

from collections import OrderedDict

from torch import nn

from ablate.images.config.early_lenets import LeNet1, LeNet4
from ablate.images.networks.layers import activation, pooling
from ablate.images.networks.lenet_1998 import TableConv2d, subsampling

LENET1_TABLE = ((0,), (0, 1), (0, 1), (1,), (0, 1), (0, 1), (2,), (2, 3), (2, 3), (3,), (2, 3), (2, 3))
"""The maps of the first convolution that each of the second sees (1990, table 1): 20 connections."""


def build_lenet1(config: LeNet1, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Sequential:
    """Build LeNet-1.

    Args:
        config: Its hyperparameters.
        in_channels: Colour channels of a batch.
        input_size: Height and width of a batch, in pixels.
        classes: Width of the output.

    Returns:
        The layers conv1, act1, pool1, conv2, act2, pool2, flatten, output; with trainable subsampling, scale1 and
        act_s1 follow pool1, scale2 and act_s2 pool2.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv1"] = nn.Conv2d(in_channels, 4, 5)
    _pooled(layers, config, 1, 4, 4)
    layers["conv2"] = TableConv2d(4, LENET1_TABLE, 5) if config.connections == "table" else nn.Conv2d(4, 12, 5)
    _pooled(layers, config, 2, 12, 12)
    _, height, width = config.feature_maps(*input_size)[-1]
    layers["flatten"] = nn.Flatten()
    layers["output"] = nn.Linear(12 * height * width, classes)
    return nn.Sequential(layers)


def build_lenet4(config: LeNet4, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Sequential:
    """Build LeNet-4.

    Args:
        config: Its hyperparameters.
        in_channels: Colour channels of a batch.
        input_size: Height and width of a batch, in pixels.
        classes: Width of the output.

    Returns:
        The layers of :func:`build_lenet1` up to flatten, then f5, act_f5, [dropout_f5,] output.
    """
    maps = 8 if config.subsampling == "trainable" else 4
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv1"] = nn.Conv2d(in_channels, 4, 5, padding=2)
    _pooled(layers, config, 1, 4, maps)
    layers["conv2"] = nn.Conv2d(maps, 16, 5)
    _pooled(layers, config, 2, 16, 16)
    _, height, width = config.feature_maps(*input_size)[-1]
    layers["flatten"] = nn.Flatten()
    layers["f5"] = nn.Linear(16 * height * width, 120)
    layers["act_f5"] = activation(config.activation_f5)
    if config.dropout > 0.0:
        layers["dropout_f5"] = nn.Dropout(config.dropout)
    layers["output"] = nn.Linear(120, classes)
    return nn.Sequential(layers)


def _pooled(
    layers: OrderedDict[str, nn.Module], config: LeNet1 | LeNet4, index: int, inputs: int, outputs: int
) -> None:
    layers[f"act{index}"] = activation(config.activation)
    layers[f"pool{index}"] = pooling(config.pooling, 2, 2)
    if config.subsampling == "trainable":
        layers[f"scale{index}"] = subsampling(inputs, outputs)
        layers[f"act_s{index}"] = activation(config.activation)
