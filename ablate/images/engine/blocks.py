"""The fused form of a plain sequential network on the CPU: convolution, activation and pooling as one compiled kernel.

Between the blocks, activations are ``[K, B, C, H, W]``: for a layer without parameters, members are only more samples.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ablate.images.engine import kernels
from ablate.images.engine.layers import StackedConv2d, StackedLayer, spread
from ablate.images.networks.layers import MixedPool2d

Step = Callable[[Tensor], Tensor]

LARGEST_FILTERS = 2**18
"""Numbers in a convolution's weight up to which a block is used. Measured on one AVX-512 core with 2 MB of second-level
cache: 1.2 to 5 times faster than oneDNN's convolutions below (LeNet of any width), slower above (AlexNet's 3 to 5)."""


def fused_steps(template: nn.Module, body: nn.Module, x: Tensor) -> tuple[list[Step], list[str]]:
    """Turn a stacked sequence of layers into steps on ``[K, B, ...]``.

    Args:
        template: One member's network.
        body: The same with stacked layers.
        x: One input ``[B, C, H, W]`` of the template, for the sizes of its maps.

    Returns:
        The steps, for an input ``[R, B, C, H, W]``; and for each convolution that runs without a kernel, why. There are
        no steps where no convolution has one.
    """
    if type(template) is not nn.Sequential or any(list(layer.children()) for layer in template):
        return [], ["not a flat sequence of layers"]
    layers = list(template.named_children())
    steps, reasons, blocks = list[Step](), list[str](), 0
    while layers:
        (name, layer), taken = layers[0], 1
        stacked = body.get_submodule(name)
        if isinstance(layer, nn.Conv2d):
            found = _block(layer, [other for _, other in layers[1:3]], (x.shape[2], x.shape[3]))
            if isinstance(found, str):
                reasons.append(f"{name}: {found}")
                steps.append(stacked)
            else:
                block, taken = found
                steps.append(_block_step(block, stacked))
                blocks += 1
        elif isinstance(layer, nn.Flatten):
            steps.append(_flatten)
        else:
            steps.append(stacked if isinstance(stacked, StackedLayer) else _as_batch(stacked))
        with torch.no_grad():
            for _, done in layers[:taken]:
                x = done(x)
        layers = layers[taken:]
    return (steps, reasons) if blocks else ([], reasons)


def _block(conv: nn.Conv2d, following: list[nn.Module], size: tuple[int, int]) -> tuple[kernels.Block, int] | str:
    """The kernel for a convolution and what follows it, and how many layers that covers; or why there is none."""
    if conv.groups > 1 or conv.dilation != (1, 1) or conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        return "no kernel for groups, dilation or other than plain zero padding"
    if conv.stride[0] != conv.stride[1] or conv.padding[0] != conv.padding[1]:
        return "no kernel for different strides or paddings"
    if conv.weight.numel() > LARGEST_FILTERS:
        return f"more than {LARGEST_FILTERS} weights, too many for the cache"
    activation, taken = _activation(following[0]) if following else None, 1
    if activation is not None:
        taken, following = 2, following[1:]
    spec = kernels.BlockSpec(
        in_channels=conv.in_channels,
        out_channels=conv.out_channels,
        kernel=(conv.kernel_size[0], conv.kernel_size[1]),
        height=size[0],
        width=size[1],
        padding=conv.padding[0],
        stride=conv.stride[0],
        activation=activation or "identity",
    )
    return _with_pool(spec, following[0] if following else None, taken)


def _with_pool(spec: kernels.BlockSpec, layer: nn.Module | None, taken: int) -> tuple[kernels.Block, int] | str:
    pooled = _pooled(spec, layer)
    if pooled is not None and (block := kernels.block(pooled)) is not None:
        return block, taken + 1
    if (block := kernels.block(spec)) is not None:
        return block, taken
    return kernels.unavailable_reason(spec) or "no kernel"


def _pooled(spec: kernels.BlockSpec, layer: nn.Module | None) -> kernels.BlockSpec | None:
    """``spec`` with the pooling layer that follows; None if it is none that a kernel knows."""
    if not isinstance(layer, nn.AvgPool2d | nn.MaxPool2d | MixedPool2d):
        return None
    window, stride = layer.kernel_size, layer.stride
    dilated = isinstance(layer, nn.MaxPool2d) and layer.dilation != 1
    padded = not isinstance(layer, MixedPool2d) and layer.padding != 0
    if not isinstance(window, int) or not isinstance(stride, int) or padded or dilated:
        return None
    if isinstance(layer, nn.AvgPool2d) and layer.divisor_override is not None:
        return None
    if layer.ceil_mode and any((size - window) % stride for size in spec.output_size()):
        return None  # windows that stick out
    kind = {nn.AvgPool2d: "avg", nn.MaxPool2d: "max", MixedPool2d: "mixed"}[type(layer)]
    return kernels.BlockSpec(**{**vars(spec), "pool": kind, "pool_window": window, "pool_stride": stride})


def _activation(layer: nn.Module) -> str | None:
    match layer:
        case nn.LeakyReLU():
            return "leaky_relu" if layer.negative_slope == 0.01 else None
        case nn.GELU():
            return "gelu" if layer.approximate == "none" else None
    names = {nn.Identity: "identity", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh", nn.ReLU: "relu", nn.SiLU: "silu"}
    return names.get(type(layer))


def _block_step(block: kernels.Block, layer: nn.Module) -> Step:
    assert isinstance(layer, StackedConv2d)
    return lambda x: block(x[0] if len(x) == 1 else spread(x, layer.members), layer.weight, layer.bias)


def _flatten(x: Tensor) -> Tensor:
    return x.flatten(2)


def _as_batch(layer: nn.Module) -> Step:
    def step(x: Tensor) -> Tensor:
        return torch.unflatten(layer(x.flatten(0, 1)), 0, x.shape[:2])

    return step
