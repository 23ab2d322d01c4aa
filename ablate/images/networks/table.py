"""What a network consists of, layer by layer, without computing anything."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Layer:
    """A row of :func:`layer_table`."""

    name: str
    kind: str
    """Class of the layer, such as ``Conv2d``."""
    shape: tuple[int, ...]
    """Of its output, without the batch."""
    parameters: int


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
            rows.append(Layer(name, type(module).__name__, tuple(output.shape[1:]), parameters))

        return hook

    leaves = [(name, module) for name, module in model.named_modules() if not list(module.children())]
    hooks = [module.register_forward_hook(row(name)) for name, module in leaves]
    try:
        tensors = dict(model.named_parameters()) | dict(model.named_buffers())
        on_meta = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
        with torch.no_grad():
            torch.func.functional_call(model, on_meta, torch.empty(1, *input_shape, device="meta"))
    finally:
        for hook in hooks:
            hook.remove()
    return rows
