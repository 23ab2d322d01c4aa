"""What bounds a step, by two numbers: the operations and the bytes of a training sample against a device's limits.

Operations are counted by :mod:`torch.utils.flop_counter`, bytes from the sizes of the tensors that each operation of
one network's own eager step reads and writes. A step that is fused moves fewer; its share of the bandwidth may then be
above 1. The limits are those that a large matrix product and a large copy reach on the same device.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from ablate.images.data import Images
from benchmarks.contenders import EAGER, Contender
from benchmarks.loops import make

PICKING = ("aten::index", "aten::index_select", "aten::gather")
"""Operations that read as much of their input as they write."""
NEAR = 1 / 3
"""Share of a limit from which on it is what bounds a step."""


@dataclass(frozen=True)
class Work:
    """Of a training sample of one network."""

    flop: float
    """Floating-point operations of convolutions and linear layers, forward and backward; a multiply-add is two."""
    bytes: float
    """Read and written by the operations of an eager step."""


@dataclass(frozen=True)
class Limits:
    """What a device can do."""

    flop_per_second: float
    """Of a large matrix product in the same precision."""
    bytes_per_second: float
    """Of a large copy, read and written."""


@dataclass(frozen=True)
class Shares:
    """A loop's shares of its device's limits."""

    flop: float
    bytes: float

    @property
    def bound(self) -> str:
        """What bounds it, in a word or two."""
        if max(self.flop, self.bytes) < NEAR:
            return "neither"
        return "operations" if self.flop >= self.bytes else "bytes"


def shares(rate: float, work: Work, limits: Limits) -> Shares:
    """Shares at so many samples times models a second."""
    return Shares(rate * work.flop / limits.flop_per_second, rate * work.bytes / limits.bytes_per_second)


def count_work(images: Images, network: str, batch: int, precision: Any = "fp32") -> Work:
    """Count a step of one network's own eager loop, after one that is not counted.

    Args:
        images: On the device where it is counted.
        network: A key of :data:`benchmarks.networks.NETWORKS`.
        batch: Images a step.
        precision: As in :class:`benchmarks.contenders.Contender`.
    """
    steps = make(Contender(EAGER, batch, network=network, precision=precision), images, 0.0).steps()
    next(steps)
    with FlopCounterMode(display=False) as operations, _Bytes() as moved:
        samples = sum(islice(steps, 1))
    return Work(operations.get_total_flops() / samples, moved.total / samples)


class _Bytes(TorchDispatchMode):
    """Counts what operations read and write; those that only look at a tensor differently move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if func._schema.name in PICKING:
            inputs = outputs
        if not func.is_view and "empty" not in func.__name__:
            self.total += sum(tensor.numel() * tensor.element_size() for tensor in (*inputs, *outputs))
        return result
