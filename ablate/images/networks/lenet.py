"""LeNet-5 as the article trains it.

Source: LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition" (1998), in the form
of the textbook Dive into Deep Learning: every map of the second convolution sees all maps of the first, poolings have
no weights, C5 is a linear layer (the same thing on a 5x5 map), and the output is linear instead of Gaussian.
"""

from collections import OrderedDict

from torch import nn

from ablate.images.config import LeNet
from ablate.images.networks.layers import activation, pooling


def build_lenet(config: LeNet, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Sequential:
    """Build LeNet-5; with the default configuration on 28x28 grey images it has 61,706 parameters.

    Args:
        config: Its hyperparameters.
        in_channels: Colour channels of a batch.
        input_size: Height and width of a batch, in pixels.
        classes: Width of the output.

    Returns:
        The layers conv1, act1, pool1, conv2, act2, pool2, flatten, c5, act_c5, f6, act_f6, output; where dropout is
        above 0, dropout_c5 and dropout_f6 follow the activations of the linear layers.
    """
    first, second = config.channels
    c5, f6 = config.widths
    _, height, width = config.feature_maps(*input_size)[-1]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv1"] = nn.Conv2d(in_channels, first, config.kernel_size, padding=2)
    layers["act1"] = activation(config.activation)
    layers["pool1"] = pooling(config.pooling, config.pool_size, config.pool_stride)
    layers["conv2"] = nn.Conv2d(first, second, config.kernel_size_2)
    layers["act2"] = activation(config.activation)
    layers["pool2"] = pooling(config.pooling, config.pool_size, config.pool_stride)
    layers["flatten"] = nn.Flatten()
    layers["c5"] = nn.Linear(second * height * width, c5)
    layers["act_c5"] = activation(config.activation_c5)
    if config.dropout > 0.0:
        layers["dropout_c5"] = nn.Dropout(config.dropout)
    layers["f6"] = nn.Linear(c5, f6)
    layers["act_f6"] = activation(config.activation_f6)
    if config.dropout > 0.0:
        layers["dropout_f6"] = nn.Dropout(config.dropout)
    layers["output"] = nn.Linear(f6, classes)
    return nn.Sequential(layers)
