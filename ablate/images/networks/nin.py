"""Network in network.

Source: Lin, Chen & Yan, "Network in network" (2014); sizes of the small form as in the authors' network for CIFAR-10
in Caffe's model zoo (966,986 parameters in colour), poolings keep incomplete windows as Caffe's do; sizes of the large
form as in the textbook Dive into Deep Learning.
"""

from collections import OrderedDict

from torch import nn

from ablate.images.config.layers import Conv
from ablate.images.config.nin import Nin
from ablate.images.networks.layers import activation, pooling
from ablate.task.fields import Pooling


def build_nin(config: Nin, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Sequential:
    """Build network in network.

    Args:
        config: The form and its switches.
        in_channels: Colour channels of a batch.
        input_size: Height and width of a batch, in pixels.
        classes: Width of the output.

    Returns:
        For each block B conv``B``, act``B``, conv``B``_1, act``B``_1, ..., pool``B`` and, where it is above 0,
        dropout``B``; then pool and flatten, or flatten and output.
    """
    dropped = {"pool1", "pool2"} if config.form == "small" else {"pool3"}
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for planned in config.planned(classes):
        if isinstance(planned, Conv):
            layers[planned.name] = nn.Conv2d(
                channels, planned.channels, planned.kernel, planned.stride, planned.padding
            )
            layers[planned.name.replace("conv", "act")] = activation(config.activation)
            channels = planned.channels
        elif planned.window is None:
            layers[planned.name] = nn.AdaptiveAvgPool2d(1)
        else:
            kind: Pooling = "avg" if config.form == "small" and planned.name == "pool2" else "max"
            layers[planned.name] = pooling(kind, planned.window, planned.stride, planned.ceil)
        if planned.name in dropped and config.dropout > 0.0:
            layers[planned.name.replace("pool", "dropout")] = nn.Dropout(config.dropout)
    layers["flatten"] = nn.Flatten()
    if not config.global_pooling:
        _, height, width = config.feature_maps(*input_size)[-1]
        layers["output"] = nn.Linear(channels * height * width, classes)
    return nn.Sequential(layers)
