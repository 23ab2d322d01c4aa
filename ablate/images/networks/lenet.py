"""LeNet-5 as the article trains it.

Source: LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition" (1998), in the form
of the textbook Dive into Deep Learning: every map of the second convolution sees all maps of the first, poolings have
no weights, C5 is a linear layer (the same thing on a 5x5 map), and the output is linear instead of Gaussian. Switches
bring 1998's form back, which has the paper's 60,000 parameters and 340,908 connections.
"""

from collections import OrderedDict

from torch import nn

from ablate.images.config import LeNet
from ablate.images.networks.layers import activation, pooling
from ablate.images.networks.lenet_1998 import C3_TABLE, RbfOutput, TableConv2d, subsampling


def build_lenet(config: LeNet, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Sequential:
    """Build LeNet-5; with the default configuration on 28x28 grey images it has 61,706 parameters.

    Args:
        config: Its hyperparameters.
        in_channels: Colour channels of a batch.
        input_size: Height and width of a batch, in pixels.
        classes: Width of the output.

    Returns:
        The layers conv1, act1, pool1, conv2, act2, pool2, flatten, c5, act_c5, f6, act_f6, output; where dropout is
        above 0, dropout_c5 and dropout_f6 follow the activations of the linear layers, and with trainable subsampling
        scale1 and act_s1 follow pool1, scale2 and act_s2 pool2.
    """
    first, second = config.channels
    c5, f6 = config.widths
    _, height, width = config.feature_maps(*input_size)[-1]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv1"] = nn.Conv2d(in_channels, first, config.kernel_size, padding=2)
    layers["act1"] = activation(config.activation)
    layers["pool1"] = pooling(config.pooling, config.pool_size, config.pool_stride)
    if config.subsampling == "trainable":
        layers |= {"scale1": subsampling(first, first), "act_s1": activation(config.activation)}
    table = config.connections == "table"
    side = config.kernel_size_2
    layers["conv2"] = TableConv2d(first, C3_TABLE, side) if table else nn.Conv2d(first, second, side)
    layers["act2"] = activation(config.activation)
    layers["pool2"] = pooling(config.pooling, config.pool_size, config.pool_stride)
    if config.subsampling == "trainable":
        layers |= {"scale2": subsampling(second, second), "act_s2": activation(config.activation)}
    layers["flatten"] = nn.Flatten()
    layers["c5"] = nn.Linear(second * height * width, c5)
    layers["act_c5"] = activation(config.activation_c5)
    if config.dropout > 0.0:
        layers["dropout_c5"] = nn.Dropout(config.dropout)
    layers["f6"] = nn.Linear(c5, f6)
    layers["act_f6"] = activation(config.activation_f6)
    if config.dropout > 0.0:
        layers["dropout_f6"] = nn.Dropout(config.dropout)
    layers["output"] = RbfOutput(f6, classes) if config.output == "rbf" else nn.Linear(f6, classes)
    return nn.Sequential(layers)
