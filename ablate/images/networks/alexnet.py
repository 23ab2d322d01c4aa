"""AlexNet in four forms.

Source: Krizhevsky, Sutskever & Hinton, "ImageNet classification with deep convolutional neural networks" (2012).

- ``paper``: its two towers, which exchange maps only at convolution 3 and in the linear layers, as two groups in
  convolutions 2, 4 and 5; normalisation over all channels of both towers. As printed: 224x224 without padding in the
  first layer, which gives 54x54 maps (the paper's 55x55 need 227x227).
- ``merged``: one tower, no normalisation, no activation after convolution 5.
- ``torchvision``: the narrower one-tower form ("One weird trick", Krizhevsky 2014), layer for layer
  ``torchvision.models.alexnet``, with dropout before the linear layers instead of after.
- ``small``: 3x3 convolutions for 28x28 images, with 2x2 pooling that keeps incomplete windows.
"""

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from ablate.images.config import AlexNet
from ablate.images.networks.layers import activation, pooling


@dataclass(frozen=True)
class _Form:
    """What a form settles; what it does not is a field of the configuration."""

    channels: tuple[int, int, int, int, int]
    kernels: tuple[int, int, int, int, int]
    first: tuple[int, int]
    """Stride and padding of convolution 1; the others have stride 1 and keep the size."""
    hidden: int
    """Units of each of the two hidden linear layers."""
    groups: tuple[int, int, int, int, int] = (1, 1, 1, 1, 1)
    activation_5: bool = True
    """Whether an activation follows convolution 5."""
    dropout_before: bool = False
    """Whether dropout comes before the hidden linear layers instead of after their activations."""
    adaptive: int | None = None
    """Side of the maps that an adaptive average pooling makes of the last ones; it changes nothing at 224x224."""
    ceil: bool = False


_FORMS = {
    "paper": _Form((96, 256, 384, 384, 256), (11, 5, 3, 3, 3), (4, 0), 4096, groups=(1, 2, 1, 2, 2)),
    "merged": _Form((96, 256, 384, 384, 256), (11, 5, 3, 3, 3), (4, 0), 4096, activation_5=False),
    "torchvision": _Form((64, 192, 384, 256, 256), (11, 5, 3, 3, 3), (4, 2), 4096, dropout_before=True, adaptive=6),
    "small": _Form((64, 128, 256, 256, 128), (3, 3, 3, 3, 3), (1, 1), 1024, ceil=True),
}


def build_alexnet(config: AlexNet, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Sequential:
    """Build one of the four forms.

    Args:
        config: The form and its switches.
        in_channels: Colour channels of a batch.
        input_size: Height and width of a batch, in pixels.
        classes: Width of the output.

    Returns:
        The layers conv1, act1, [lrn1,] pool1, conv2, act2, [lrn2,] pool2, conv3, act3, conv4, act4, conv5, act5, pool5,
        flatten, fc6, act6, dropout6, fc7, act7, dropout7, output. ``merged`` has no act5, ``torchvision`` an avgpool
        before flatten and each dropout before its linear layer; without dropout, those layers are absent.
    """
    form = _FORMS[config.form]
    window = 3 if config.overlap else 2
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = in_channels
    for index in range(1, 6):
        out, kernel, groups = (column[index - 1] for column in (form.channels, form.kernels, form.groups))
        out = config.proportional(out)
        stride, padding = form.first if index == 1 else (1, kernel // 2)
        layers[f"conv{index}"] = nn.Conv2d(channels, out, kernel, stride, padding, groups=groups)
        if index != 5 or form.activation_5:
            layers[f"act{index}"] = activation(config.activation)
        if config.lrn and index in (1, 2):
            layers[f"lrn{index}"] = _normalisation(config)
        if index in (1, 2, 5):
            layers[f"pool{index}"] = pooling(config.pooling, window, 2, form.ceil)
        channels = out

    if form.adaptive is not None:
        layers["avgpool"] = nn.AdaptiveAvgPool2d(form.adaptive)
        height = width = form.adaptive
    else:
        _, height, width = config.feature_maps(*input_size)[-1]
    layers["flatten"] = nn.Flatten()
    units, hidden = channels * height * width, config.proportional(form.hidden)
    for index in (6, 7):
        if config.dropout > 0.0 and form.dropout_before:
            layers[f"dropout{index}"] = nn.Dropout(config.dropout)
        layers[f"fc{index}"] = nn.Linear(units, hidden)
        layers[f"act{index}"] = activation(config.activation)
        if config.dropout > 0.0 and not form.dropout_before:
            layers[f"dropout{index}"] = nn.Dropout(config.dropout)
        units = hidden
    layers["output"] = nn.Linear(units, classes)
    return nn.Sequential(layers)


def _normalisation(config: AlexNet) -> nn.LocalResponseNorm:
    """Local response normalisation over neighbouring channels (the paper's section 3.3).

    The paper, and TensorFlow's ``tf.nn.lrn`` behind the small form, multiply alpha by the *sum* of squares over the
    window, torch by their *mean*: its alpha is theirs times the window's size. Paper (and the forms that leave it out):
    k 2, n 5, alpha 1e-4, beta 0.75, so 5e-4 here. Small: depth radius 4 (a window of 2 * 4 + 1 = 9), bias 1,
    alpha 0.001 / 9, beta 0.75, so 0.001 here.
    """
    if config.form == "small":
        return nn.LocalResponseNorm(size=9, alpha=9 * (0.001 / 9), beta=0.75, k=1.0)
    return nn.LocalResponseNorm(size=5, alpha=5 * 1e-4, beta=0.75, k=2.0)
