"""A traced network as a list of steps on the values of all members, and how torch's operations are done on them.

A value is one tensor ``[K, B, ...]`` of all members (or ``[R, B, ...]``, as long as members share their input), or K
tensors ``[B, ...]`` as :class:`Maps`. Whatever has no stacked form sees members as more samples, or one by one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx

from ablate.images.engine.layers import spread
from ablate.images.engine.traces import UnfusedError

Values = dict[str, Any]
Step = Callable[[Values], Any]


class Program:
    """A traced network as a list of steps for all its members.

    Args:
        steps: Each with the name of its value and the names that no later step needs.
        source: Name of the input.
        result: Name of the output.
    """

    def __init__(self, steps: list[tuple[str, Step, tuple[str, ...]]], source: str, result: str) -> None:
        self._steps, self._source, self._result = steps, source, result

    def __call__(self, x: Tensor) -> Tensor:
        """Outputs of all members, ``[K, B, classes]`` (K may be 1 less shared inputs), of ``[R, B, C, H, W]``."""
        values: Values = {self._source: x}
        for name, step, dead in self._steps:
            values[name] = step(values)
            for each in dead:
                del values[each]
        return joined(values[self._result])


@dataclass(frozen=True)
class Maps:
    """A value as one tensor ``[B, ...]`` for each member, or for each distinct input."""

    tensors: tuple[Tensor, ...]


@dataclass(frozen=True)
class Constant:
    """A tensor that has no samples."""

    value: Any


def joined(value: Any) -> Tensor:
    """A value as one tensor of all members."""
    return torch.stack(value.tensors) if isinstance(value, Maps) else cast(Tensor, value)


def parted_maps(value: Any) -> tuple[Tensor, ...]:
    """A value as a tensor for each member."""
    return value.tensors if isinstance(value, Maps) else cast(Tensor, value).unbind(0)


def as_samples(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call a function that knows one member's samples only: for each member, or once with those of all."""
    found = list[Any]()
    fx.node.map_aggregate((args, kwargs), found.append)
    values = [value for value in found if isinstance(value, Maps | Tensor)]
    if not values:
        return function(*args, **kwargs)
    members = max(len(v.tensors if isinstance(v, Maps) else v) for v in values)
    if any(isinstance(value, Maps) for value in values):
        return _of_each(function, args, kwargs, members)
    samples = cast(Tensor, values[0]).shape[1]

    def flat(argument: Any) -> Any:
        if isinstance(argument, Constant):
            return argument.value
        return spread(argument, members).flatten(0, 1) if isinstance(argument, Tensor) else argument

    def parted(value: Any) -> Any:
        if isinstance(value, Tensor) and value.dim() > 0 and len(value) == members * samples:
            return torch.unflatten(value, 0, (members, samples))
        return value

    result = function(*fx.node.map_aggregate(args, flat), **fx.node.map_aggregate(kwargs, flat))
    return fx.node.map_aggregate(result, parted)


def _of_each(function: Callable[..., Any], args: Any, kwargs: Any, members: int) -> Any:
    results = list[Any]()
    for k in range(members):

        def own(argument: Any, k: int = k) -> Any:
            if isinstance(argument, Constant):
                return argument.value
            if not isinstance(argument, Maps | Tensor):
                return argument
            tensors = parted_maps(argument)
            return tensors[k * len(tensors) // members]

        results.append(function(*fx.node.map_aggregate(args, own), **fx.node.map_aggregate(kwargs, own)))
    if isinstance(results[0], Tensor) and results[0].dim() > 0:
        return Maps(tuple(results))
    inside = list[Any]()
    fx.node.map_aggregate(results, inside.append)
    if any(isinstance(value, Tensor) for value in inside) or any(result != results[0] for result in results):
        raise UnfusedError("a function between layers returns something else than one tensor")
    return results[0]  # a size
