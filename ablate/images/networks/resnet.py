"""ResNet of basic blocks, with torchvision's names, so that its weights fit torchvision's and the other way round.

Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition" (2016); shortcuts of option B (a 1x1
convolution where shapes differ), the stride in a block's first convolution, as in ``torchvision.models.resnet18``.
"""

from typing import cast

import torch
from torch import Tensor, nn

from ablate.images.config.resnet import BLOCKS, ResNet
from ablate.images.networks.layers import activation


class BasicBlock(nn.Module):
    """Two convolutions of 3x3 beside a shortcut.

    Args:
        config: Its switches.
        inputs: Channels.
        outputs: Channels.
        stride: The stride of the first convolution and the shortcut.
    """

    def __init__(self, config: ResNet, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not config.norm)
        self.bn1 = _norm(config, outputs)
        self.act1 = activation(config.activation)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=not config.norm)
        self.bn2 = _norm(config, outputs)
        self.skip = config.skip
        self.downsample: nn.Module | None = None
        if config.skip and (stride != 1 or inputs != outputs):
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=not config.norm)
            self.downsample = nn.Sequential(shortcut, _norm(config, outputs))
        self.act2 = activation(config.activation)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, inputs, height, width]`` to ``[batch, outputs, height / stride, width / stride]``."""
        out = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        if self.skip:
            out = out + (x if self.downsample is None else self.downsample(x))
        return cast(Tensor, self.act2(out))


class ResidualNetwork(nn.Module):
    """A stem, four stages of basic blocks, global average pooling and a linear layer.

    Args:
        config: The form and its switches.
        in_channels: Colour channels of a batch.
        classes: Width of the output.
    """

    def __init__(self, config: ResNet, in_channels: int, classes: int) -> None:
        super().__init__()
        kernel, stride = (3, 1) if config.form == "small" else (7, 2)
        self.conv1 = nn.Conv2d(in_channels, config.width, kernel, stride, kernel // 2, bias=not config.norm)
        self.bn1 = _norm(config, config.width)
        self.act1 = activation(config.activation)
        self.maxpool: nn.Module = nn.MaxPool2d(3, 2, 1) if config.form == "torchvision" else nn.Identity()
        channels = config.width
        for stage, count in enumerate(BLOCKS[config.depth], start=1):
            blocks = list[nn.Module]()
            for block in range(count):
                outputs = config.width * 2 ** (stage - 1)
                blocks.append(BasicBlock(config, channels, outputs, 2 if stage > 1 and block == 0 else 1))
                channels = outputs
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, in_channels, height, width]`` to logits ``[batch, classes]``."""
        x = self.maxpool(self.act1(self.bn1(self.conv1(x))))
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            x = self.get_submodule(stage)(x)
        return cast(Tensor, self.fc(torch.flatten(self.avgpool(x), 1)))


def _norm(config: ResNet, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if config.norm else nn.Identity()
