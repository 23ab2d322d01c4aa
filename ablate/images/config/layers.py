"""Convolutions and poolings as a network's configuration plans them: their maps and their work, without torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LENET_WORK = 416_520
"""Multiply-adds of the article's LeNet for one image of 28x28: the unit of ``Network.relative_work``."""


@dataclass(frozen=True)
class Conv:
    """A convolution over a square window."""

    name: str
    channels: int
    """Channels of its output."""
    kernel: int
    """Side of the window, in pixels."""
    stride: int = 1
    padding: int = 0

    def output(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of its output."""
        return convolved(size, self.kernel, self.stride, self.padding)


@dataclass(frozen=True)
class Pool:
    """A pooling over a square window; without a window, over the whole map."""

    name: str
    window: int | None
    """The window in pixels."""
    stride: int = 2
    padding: int = 0
    ceil: bool = False
    """Whether windows count that stick out of the right or lower edge."""

    def output(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of its output."""
        if self.window is None:
            return 1, 1
        if self.padding:
            return convolved(size, self.window, self.stride, self.padding)
        return pooled(size, self.window, self.stride, self.ceil)


Planned = Conv | Pool


def maps(layers: Sequence[Planned], height: int, width: int) -> Iterator[tuple[str, int, int]]:
    """Height and width after each layer, as :meth:`ablate.images.config.model.Network.feature_maps` gives them."""
    size = (height, width)
    for layer in layers:
        size = layer.output(size)
        side = layer.kernel if isinstance(layer, Conv) else layer.window
        yield layer.name if side is None else f"{layer.name} ({side}x{side})", *size


def work(layers: Sequence[Planned], channels: int, height: int, width: int) -> int:
    """Multiply-adds of the convolutions for one image.

    Args:
        layers: The layers in order.
        channels: The channels of the image.
        height: The height of the image, in pixels.
        width: The width of the image, in pixels.
    """
    total, size = 0, (height, width)
    for layer in layers:
        size = layer.output(size)
        if isinstance(layer, Conv):
            total += size[0] * size[1] * layer.channels * channels * layer.kernel**2
            channels = layer.channels
    return max(0, total)


def convolved(size: tuple[int, int], kernel: int, stride: int = 1, padding: int = 0) -> tuple[int, int]:
    """Height and width after a convolution (torch.nn.Conv2d's formula, dilation 1)."""
    height, width = ((side + 2 * padding - kernel) // stride + 1 for side in size)
    return height, width


def pooled(size: tuple[int, int], window: int, stride: int, ceil: bool) -> tuple[int, int]:
    """Height and width after a pooling without padding (torch.nn.MaxPool2d's formula)."""
    if not ceil:
        return convolved(size, window, stride)
    rounded = (-(-(side - window) // stride) + 1 for side in size)
    # A window that would start beyond the input is left out.
    height, width = (out - ((out - 1) * stride >= side) for out, side in zip(rounded, size, strict=True))
    return height, width
