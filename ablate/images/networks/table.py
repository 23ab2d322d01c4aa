"""What a network consists of and costs, layer by layer, without computing anything."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ablate.images.networks.lenet_1998 import RbfOutput


@dataclass(frozen=True)
class Layer:
    """A row of :func:`layer_table`."""

    name: str
    kind: str
    """Class of the layer, such as ``Conv2d``."""
    shape: tuple[int, ...]
    """The shape of its output, without the batch."""
    parameters: int
    multiply_adds: int = 0
    """Multiplications of a convolution or linear layer for one input: its weights times the places of their use."""


def layer_table(model: nn.Module, input_shape: tuple[int, ...]) -> list[Layer]:
    """List the leaf layers of a network in the order in which they are called.

    The network is run once on the meta device: shapes only, its own parameters are neither read nor moved.

    Args:
        model: Any module; on the meta device it need not occupy memory.
        input_shape: Shape of one input, without the batch: ``(channels, height, width)``.

    Returns:
        A row for each call of a leaf module.
    """
    rows: list[Layer] = []

    def row(name: str) -> Any:
        def hook(module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
            parameters = sum(p.numel() for p in module.parameters())
            shape = tuple(output.shape[1:])
            rows.append(Layer(name, type(module).__name__, shape, parameters, _multiply_adds(module, shape)))

        return hook

    leaves = [(name, module) for name, module in model.named_modules() if not list(module.children())]
    hooks = [module.register_forward_hook(row(name)) for name, module in leaves]
    training = [(module, module.training) for module in model.modules()]
    model.eval()  # batch norm would refuse a single value a channel
    try:
        tensors = dict(model.named_parameters()) | dict(model.named_buffers())
        on_meta = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
        with torch.no_grad():
            torch.func.functional_call(model, on_meta, torch.empty(1, *input_shape, device="meta"))
    finally:
        for hook in hooks:
            hook.remove()
        for module, was in training:
            module.training = was
    return rows


def _multiply_adds(module: nn.Module, shape: tuple[int, ...]) -> int:
    weight = module.codes if isinstance(module, RbfOutput) else getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.dim() < 2:
        return 0
    return weight.numel() * math.prod(shape[1:])
