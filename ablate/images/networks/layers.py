"""Leaf layers that several networks choose by name, and those that torch has not."""

from collections.abc import Callable

import torch
from torch import nn

from ablate.task.fields import Activation, Pooling


class ScaledTanh(nn.Module):
    """1.7159 tanh(2/3 x), which is 1 at 1 (LeCun et al. 1998, section II.B and appendix A)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Element by element."""
        return 1.7159 * torch.tanh(2.0 / 3.0 * x)


ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "scaled_tanh": ScaledTanh,
}
"""Each with torch's default coefficients (``leaky_relu``: slope 0.01; ``elu``: alpha 1), never in place."""


def activation(name: Activation) -> nn.Module:
    """A fresh activation layer.

    Args:
        name: A key of :data:`ACTIVATIONS`.

    Returns:
        An element-wise layer without parameters.
    """
    return ACTIVATIONS[name]()


def pooling(kind: Pooling, window: int, stride: int, ceil: bool = False) -> nn.Module:
    """A pooling layer over square windows, without padding.

    Args:
        kind: ``avg``, ``max``, ``mixed`` or ``stochastic``.
        window: Side of the window, in pixels; 1 is plain subsampling, whatever the kind.
        stride: The stride in pixels.
        ceil: Whether a window that sticks out of the right or lower edge counts; only pixels inside are averaged.

    Returns:
        A layer ``[batch, channels, height, width]`` to the same with smaller maps.
    """
    match kind:
        case "avg":
            return nn.AvgPool2d(window, stride, ceil_mode=ceil)
        case "max":
            return nn.MaxPool2d(window, stride, ceil_mode=ceil)
        case "mixed":
            return MixedPool2d(window, stride, ceil)
        case "stochastic":
            return StochasticPool2d(window, stride, ceil)


class MixedPool2d(nn.Module):
    """The mean of average and max pooling.

    Source: Lee, Gallagher & Tu, "Generalizing pooling functions in convolutional neural networks" (2016), eq. 1, with
    the mixing proportion fixed at 0.5 where the paper learns it.

    Args:
        kernel_size: Side of the window, in pixels.
        stride: The stride in pixels.
        ceil_mode: As in ``torch.nn.AvgPool2d``.
    """

    def __init__(self, kernel_size: int, stride: int, ceil_mode: bool = False) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.ceil_mode = kernel_size, stride, ceil_mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool ``[batch, channels, height, width]``."""
        window = (self.kernel_size, self.stride)
        average = nn.functional.avg_pool2d(x, *window, ceil_mode=self.ceil_mode)
        maximum = nn.functional.max_pool2d(x, *window, ceil_mode=self.ceil_mode)
        return 0.5 * (average + maximum)

    def extra_repr(self) -> str:
        """The settings, as torch's own poolings print theirs."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, ceil_mode={self.ceil_mode}"


class StochasticPool2d(nn.Module):
    """One pixel of each window, drawn with a probability in proportion to its value; in evaluation, the weighted mean.

    Negative values count as 0, and so does a window without a positive one.

    Source: Zeiler & Fergus, "Stochastic pooling for regularization of deep convolutional neural networks" (2013),
    eqs. 2, 3 and 6, for activations that are never negative.

    Args:
        kernel_size: Side of the window, in pixels.
        stride: The stride in pixels.
        ceil_mode: As in ``torch.nn.MaxPool2d``.
    """

    def __init__(self, kernel_size: int, stride: int, ceil_mode: bool = False) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.ceil_mode = kernel_size, stride, ceil_mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool ``[batch, channels, height, width]``."""
        windows = self.windows(x)
        return self.drawn(windows, torch.rand_like(windows[..., 0])) if self.training else self.expected(windows)

    def windows(self, x: torch.Tensor) -> torch.Tensor:
        """The positive part of each window's pixels, ``[batch, channels, height, width, pixels]``."""
        window, stride = self.kernel_size, self.stride
        if self.ceil_mode:
            lacking = [-(size - window) % stride for size in x.shape[-2:]]
            x = nn.functional.pad(x, (0, lacking[1], 0, lacking[0]))
        return x.clamp(min=0.0).unfold(2, window, stride).unfold(3, window, stride).flatten(-2)

    def drawn(self, windows: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The pixel of each window that uniform noise in [0, 1) picks."""
        shares = windows.detach().float().cumsum(-1)
        picked = (shares <= noise.unsqueeze(-1) * shares[..., -1:]).sum(-1, keepdim=True)
        return windows.gather(-1, picked.clamp(max=windows.shape[-1] - 1)).squeeze(-1)

    def expected(self, windows: torch.Tensor) -> torch.Tensor:
        """The mean of each window's pixels, weighted by their probability."""
        total = windows.sum(-1)
        return windows.square().sum(-1) / torch.where(total > 0.0, total, 1.0)

    def extra_repr(self) -> str:
        """The settings, as torch's own poolings print theirs."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, ceil_mode={self.ceil_mode}"
