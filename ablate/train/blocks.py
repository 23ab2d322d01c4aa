"""The fused form of a plain sequential network on the CPU: convolution, activation and pooling as one compiled kernel.

Between the blocks, activations are ``[K, B, C, H, W]``: for a layer without parameters, members are only more samples.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ablate.train import kernels
from ablate.train.layers import StackedConv2d, StackedLayer

Step = Callable[[Tensor], Tensor]


def fused_steps(template: nn.Module, body: nn.Module, x: Tensor) -> list[Step] | str:
    """Turn a stacked sequence of layers into steps on ``[K, B, ...]``.

    Args:
        template: One member's network.
        body: The same with stacked layers.
        x: One input ``[B, C, H, W]`` of the template, for the sizes of its maps.

    Returns:
        The steps; or, where a convolution has no kernel, why.
    """
    if type(template) is not nn.Sequential or any(next(layer.children(), None) for layer in template):
        return "not a flat sequence of layers"
    layers = dict(template.named_children())
    names, steps, position = list(layers), list[Step](), 0
    while position < len(names):
        name, layer = names[position], layers[names[position]]
        taken = 1
        if isinstance(layer, nn.Conv2d):
            made = _block(layer, [layers[n] for n in names[position + 1 : position + 3]], (x.shape[2], x.shape[3]))
            if isinstance(made, str):
                return f"{name}: {made}"
            block, taken = made
            steps.append(_conv_step(block, body.get_submodule(name)))
        elif isinstance(layer, nn.Flatten):
            steps.append(_flatten)
        elif isinstance(stacked := body.get_submodule(name), StackedLayer):
            steps.append(stacked)
        else:
            steps.append(_as_batch(stacked))
        with torch.no_grad():
            for n in names[position : position + taken]:
                x = layers[n](x)
        position += taken
    return steps


def _block(conv: nn.Conv2d, following: list[nn.Module], size: tuple[int, int]) -> tuple[kernels.Block, int] | str:
    """The kernel for a convolution and what follows it, and how many layers that covers; or why there is none."""
    if conv.groups > 1 or conv.dilation != (1, 1) or isinstance(conv.padding, str):
        return "a convolution with groups, dilation or named padding has no kernel"
    if conv.stride[0] != conv.stride[1] or conv.padding[0] != conv.padding[1]:
        return "a convolution with different strides or paddings has no kernel"
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
    if not isinstance(layer, nn.AvgPool2d | nn.MaxPool2d):
        return None
    window, stride, padding = layer.kernel_size, layer.stride, layer.padding
    dilated = isinstance(layer, nn.MaxPool2d) and layer.dilation != 1
    if not isinstance(window, int) or not isinstance(stride, int) or padding != 0 or dilated:
        return None
    if isinstance(layer, nn.AvgPool2d) and layer.divisor_override is not None:
        return None
    if layer.ceil_mode and any((size - window) % stride for size in spec.output_size()):
        return None  # windows that stick out
    kind = "avg" if isinstance(layer, nn.AvgPool2d) else "max"
    return kernels.BlockSpec(**{**vars(spec), "pool": kind, "pool_window": window, "pool_stride": stride})


def _activation(layer: nn.Module) -> str | None:
    match layer:
        case nn.LeakyReLU():
            return "leaky_relu" if layer.negative_slope == 0.01 else None
        case nn.GELU():
            return "gelu" if layer.approximate == "none" else None
    names = {nn.Identity: "identity", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh", nn.ReLU: "relu"}
    return names.get(type(layer))


def _conv_step(block: kernels.Block, layer: nn.Module) -> Step:
    assert isinstance(layer, StackedConv2d)
    return lambda x: block(x, layer.weight, layer.bias)


def _flatten(x: Tensor) -> Tensor:
    return x.flatten(2)


def _as_batch(layer: nn.Module) -> Step:
    def step(x: Tensor) -> Tensor:
        return torch.unflatten(layer(x.flatten(0, 1)), 0, x.shape[:2])

    return step
