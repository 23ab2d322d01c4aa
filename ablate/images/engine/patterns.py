"""What the units of :mod:`ablate.images.engine.graph` know of a traced network's layers and functions."""

import operator
from dataclasses import replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import fx, nn

from ablate.images.engine.maps import TailSpec
from ablate.images.networks.layers import MixedPool2d

_ADDITIONS = {operator.add, operator.iadd, torch.add, "add", "add_"}
_ACTIVATIONS = {
    torch.relu: "relu",
    F.relu: "relu",
    F.relu_: "relu",
    "relu": "relu",
    "relu_": "relu",
    torch.sigmoid: "sigmoid",
    F.sigmoid: "sigmoid",
    "sigmoid": "sigmoid",
    torch.tanh: "tanh",
    F.tanh: "tanh",
    "tanh": "tanh",
}


def adds(node: fx.Node) -> bool:
    """Whether a node adds two values."""
    called = node.op in ("call_function", "call_method")
    return called and node.target in _ADDITIONS and not node.kwargs and len(node.args) == 2


def padding(layer: nn.Conv2d) -> tuple[int, int] | None:
    """Zeros around a convolution's input, down and across; None if they are not zeros, or not as many on both sides."""
    if layer.padding_mode != "zeros":
        return None
    if layer.padding == "valid":
        return 0, 0
    if layer.padding != "same":
        return cast(tuple[int, int], layer.padding)
    around = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
    return (around[0] // 2, around[1] // 2) if not any(both % 2 for both in around) else None


def activation(node: fx.Node, layer: nn.Module | None) -> str | None:
    """The name of a unit's activation, or None."""
    if layer is None:
        found = _ACTIVATIONS.get(node.target) if node.op in ("call_function", "call_method") else None
        return found if len(node.args) == 1 and set(node.kwargs) <= {"inplace"} else None
    if type(layer) is nn.LeakyReLU:
        return "leaky_relu" if layer.negative_slope == 0.01 else None
    if type(layer) is nn.GELU:
        return "gelu" if layer.approximate == "none" else None
    names = {nn.Sigmoid: "sigmoid", nn.Tanh: "tanh", nn.ReLU: "relu", nn.SiLU: "silu"}
    return names.get(type(layer))


def pooled(spec: TailSpec, layer: nn.Module | None) -> TailSpec | None:
    """``spec`` with the pooling layer that follows; None if it is none that a unit knows."""
    if type(layer) is nn.AdaptiveAvgPool2d:
        whole = layer.output_size in (1, (1, 1)) and spec.height == spec.width
        return replace(spec, pool="avg", pool_window=spec.width, pool_stride=spec.width) if whole else None
    if type(layer) not in (nn.AvgPool2d, nn.MaxPool2d, MixedPool2d):
        return None
    layer = cast(nn.MaxPool2d, layer)
    padding = 0 if isinstance(layer, MixedPool2d) else layer.padding
    sizes = [_single(value) for value in (layer.kernel_size, layer.stride, padding)]
    dilated = isinstance(layer, nn.MaxPool2d) and layer.dilation not in (1, (1, 1))
    if None in sizes or dilated or (isinstance(layer, nn.AvgPool2d) and layer.divisor_override is not None):
        return None
    window, stride, around = cast(list[int], sizes)
    if layer.ceil_mode and any((size + 2 * around - window) % stride for size in (spec.height, spec.width)):
        return None  # windows that stick out
    kind = {nn.AvgPool2d: "avg", nn.MaxPool2d: "max", MixedPool2d: "mixed"}[type(layer)]
    return replace(spec, pool=kind, pool_window=window, pool_stride=stride, pool_padding=around)


def _single(value: Any) -> int | None:
    """One number for both sides, or None."""
    if isinstance(value, tuple):
        return value[0] if len(set(value)) == 1 else None
    return value if isinstance(value, int) else None
