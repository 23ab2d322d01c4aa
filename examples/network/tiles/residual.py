"""The network as plain PyTorch code; nothing in it knows of ablate."""

import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inputs, outputs, stride, norm, skip):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=not norm)
        self.norm1 = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=not norm)
        self.norm2 = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.shortcut = None
        if skip:
            same = inputs == outputs and stride == 1
            self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        out = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(out if self.shortcut is None else out + self.shortcut(x))


class ResidualNetwork(nn.Module):
    """A stem, stages of blocks, global average pooling and a linear layer."""

    def __init__(self, config, in_channels, classes):
        super().__init__()
        width = config.channels
        self.stem = nn.Conv2d(in_channels, width, 3, padding=1)
        blocks = []
        for stage in range(config.stages):
            outputs = config.channels * 2**stage
            for block in range(config.blocks):
                stride = 2 if stage and not block else 1
                blocks.append(Block(width, outputs, stride, config.norm, config.skip))
                width = outputs
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.output = nn.Linear(width, classes)

    def forward(self, x):
        return self.output(self.pool(self.blocks(F.relu(self.stem(x)))).flatten(1))
