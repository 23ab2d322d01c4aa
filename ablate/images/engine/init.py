"""Initial parameters: each drawn from a stream of its own, named by the parameter.

So a seed gives the same weights at every level of a factor wherever the shape is the same, whatever else was added to
or left out of the network.
"""

import math

import torch
from torch import Tensor, nn

from ablate.images.config import Train
from ablate.images.engine.streams import stream
from ablate.images.networks.lenet_1998 import TableConv2d


def initial_parameters(model: nn.Module, train: Train, seed: int) -> dict[str, Tensor]:
    """Initial values of all parameters of one run's network.

    Args:
        model: The network; only its shapes are read, and the values of parameters that belong to neither a convolution
            nor a linear layer (batch norm's ones and zeros), which are taken over.
        train: Names the initialisation of the weights. Biases follow the framework: uniform in +-1/sqrt(fan-in).
        seed: The run's seed.

    Returns:
        Parameter by name, float32 on the CPU, in the model's order.
    """
    values = {}
    for layer, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{layer}.{name}" if layer else name
            if isinstance(module, TableConv2d):  # as if all maps were connected, and then the connections of those
                value = torch.empty(module.full_shape if name == "weight" else parameter.shape)
                _draw(value, name, torch.Size(module.full_shape), train, stream(seed, "init", full))
                values[full] = module.of_full(value) if name == "weight" else value
            elif isinstance(module, nn.Conv2d | nn.Linear):
                value = torch.empty(parameter.shape)
                _draw(value, name, module.weight.shape, train, stream(seed, "init", full))
                values[full] = value
            else:
                values[full] = parameter.detach().clone()
    return values


def _draw(value: Tensor, name: str, weight: torch.Size, train: Train, generator: torch.Generator | None) -> None:
    fan_in = math.prod(weight[1:])
    if name == "bias" or train.init == "default":  # torch's reset_parameters: kaiming_uniform with a = sqrt(5)
        bound = 1.0 / math.sqrt(fan_in)
        nn.init.uniform_(value, -bound, bound, generator=generator)
    elif train.init == "xavier_uniform":
        nn.init.xavier_uniform_(value, generator=generator)
    elif train.init == "kaiming_uniform":
        nn.init.kaiming_uniform_(value, nonlinearity="relu", generator=generator)
    else:
        std = train.init_std
        nn.init.trunc_normal_(value, std=std, a=-2.0 * std, b=2.0 * std, generator=generator)
