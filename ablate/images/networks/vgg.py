"""VGG, in torchvision's form and in one for small images.

Source: Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition" (2015), table 1,
configurations A, B, D and E; batch norm as in torchvision's ``vgg*_bn``.
"""

from collections import OrderedDict

from torch import nn

from ablate.images.config.layers import Conv
from ablate.images.config.vgg import Vgg
from ablate.images.networks.layers import activation, pooling

ADAPTIVE = 7
"""Side of the maps that an adaptive pooling makes of the last ones of the torchvision form (none at 224x224)."""


def build_vgg(config: Vgg, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Sequential:
    """Build VGG.

    Args:
        config: The form and its switches.
        in_channels: Colour channels of a batch.
        input_size: Height and width of a batch, in pixels.
        classes: Width of the output.

    Returns:
        For each stage S conv``S``_1, [bn``S``_1,] act``S``_1, ..., pool``S``; then [avgpool,] flatten, fc6, act6,
        [dropout6,] fc7, act7, [dropout7,] output.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for planned in config.planned():
        if isinstance(planned, Conv):
            index = planned.name.removeprefix("conv")
            layers[planned.name] = nn.Conv2d(channels, planned.channels, planned.kernel, padding=planned.padding)
            if config.norm:
                layers[f"bn{index}"] = nn.BatchNorm2d(planned.channels)
            layers[f"act{index}"] = activation(config.activation)
            channels = planned.channels
        else:
            layers[planned.name] = pooling(config.pooling, 2, planned.stride, planned.ceil)
    if config.form == "torchvision":
        layers["avgpool"] = nn.AdaptiveAvgPool2d(ADAPTIVE)
        height = width = ADAPTIVE
    else:
        _, height, width = config.feature_maps(*input_size)[-1]
    layers["flatten"] = nn.Flatten()
    units = channels * height * width
    for index in ("6", "7"):
        layers[f"fc{index}"] = nn.Linear(units, config.hidden)
        layers[f"act{index}"] = activation(config.activation)
        if config.dropout > 0.0:
            layers[f"dropout{index}"] = nn.Dropout(config.dropout)
        units = config.hidden
    layers["output"] = nn.Linear(units, classes)
    return nn.Sequential(layers)
