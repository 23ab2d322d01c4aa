"""Networks that are measured: the article's, AlexNet's small form, and networks as everybody writes them."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ablate.images.config import AlexNet, LeNet, Network, ResNet


class _Residual(nn.Module):
    """Two convolutions with batch norm around which the input is added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = _convolution(channels, channels), nn.BatchNorm2d(channels)
        self.conv2, self.norm2 = _convolution(channels, channels), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + x)


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def _two_blocks() -> nn.Module:
    first = [nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)]
    second = [nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(32 * 7 * 7, 10))


def _residual(channels: int) -> nn.Module:
    stem = [_convolution(1, channels), nn.BatchNorm2d(channels), nn.ReLU()]
    blocks = [_Residual(channels), nn.MaxPool2d(2), _Residual(channels), nn.MaxPool2d(2), _Residual(channels)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def _mlp() -> nn.Module:
    hidden = [nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(128, 10))


_BUILDERS: Mapping[str, Callable[[], nn.Module]] = {
    "two blocks": _two_blocks,
    "residual, 8 channels": lambda: _residual(8),
    "residual, 16 channels": lambda: _residual(16),
    "mlp": _mlp,
}


class Own(Network):
    """A network of one's own for pictures of 28x28 pixels."""

    def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Module:
        """See :class:`ablate.images.config.Network`."""
        return _BUILDERS[self.name]()


NETWORKS: Mapping[str, Network] = {
    "lenet": LeNet(),
    "alexnet, small": AlexNet(),
    "resnet-18, small": ResNet(),
    **{name: Own(name=name) for name in _BUILDERS},
}
"""By name, all that can be measured."""
