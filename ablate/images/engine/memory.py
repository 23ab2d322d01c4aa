"""How much memory a cohort takes, before anything is trained: its steps are gone through without their numbers.

On PyTorch's ``meta`` device tensors have a shape and no content. A step and an evaluation there make and drop the same
tensors as a real one; each is counted from the moment it is made until it is gone.
"""

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from ablate.images.config import Cifar10, ImageData
from ablate.images.config.data import PublishedData
from ablate.images.data import Images
from ablate.images.data.facts import facts
from ablate.images.data.sources import source
from ablate.images.engine.cohort import FusedCohort
from ablate.images.engine.heap import Heap
from ablate.images.engine.kernels import keep_freed_memory
from ablate.images.engine.stack import StackedModel
from ablate.images.networks import build
from ablate.images.parts import DeclaredData
from ablate.images.run import RunConfig
from ablate.task.memory import peak_resident

META = torch.device("meta")
CONVOLUTIONS = (torch.ops.aten.convolution, torch.ops.aten.convolution_backward)

BESIDE_TENSORS = 32 * 2**20
"""By so much more than its tensors' heap a worker on the CPU grows: as ``python -m benchmarks.memory`` measures."""

BEFORE_COHORTS = 60 * 2**20
"""So much less a worker has while it loads data than when it has made a cohort: modules, and oneDNN's code."""

EVALUATED = 512
"""Test images that are gone through: more than a batch of an evaluation."""


def step_bytes(configs: Sequence[RunConfig], images: Images, *, fuses: bool) -> int:
    """Most bytes of tensors that live at once while a cohort is made, trained and evaluated.

    Args:
        configs: Its members, with one ``cohort_key``.
        images: Their data, on the meta device.
        fuses: Whether convolutions run in fused CPU blocks where they can.
    """
    return _counted(configs, images, fuses=fuses).peak


def _counted(configs: Sequence[RunConfig], images: Images, *, fuses: bool) -> "Count":
    count = Count()
    with count:
        cohort = _Unfilled(configs, images, fuses)
        cohort.train_epoch(steps=2)
        cohort.validate()
        cohort.test()
    return count


def cohort_bytes(configs: Sequence[RunConfig], images: Images, device: torch.device) -> int:
    """What training a cohort adds to what a process with its data has: resident memory, on CUDA allocated memory.

    Args:
        configs: Its members, with one ``cohort_key``.
        images: Their data, on any device; shapes are read.
        device: Where it is to be trained.
    """
    on_cpu = device.type == "cpu"
    count = _counted(configs, _without_numbers(images), fuses=on_cpu)
    # oneDNN convolves copies in an order of its own.
    return BESIDE_TENSORS + count.heap.grown + count.convolution if on_cpu else count.peak


def peaks(cohorts: Sequence[Sequence[RunConfig]], kind: str) -> list[int | None]:
    """For each cohort, what a worker takes beyond its base: its data and what :func:`cohort_bytes` says.

    Args:
        cohorts: The members of each.
        kind: ``cpu`` or ``cuda``.

    Returns:
        Bytes; None: it cannot be told, as for a network whose code needs numbers.
    """
    found: list[int | None] = []
    data: dict[str, tuple[Images, int]] = {}
    for configs in cohorts:
        try:
            key = configs[0].data.model_dump_json()
            if key not in data:
                data[key] = _described(configs[0].data, kind)
            images, loaded = data[key]
            used = sum(t.nbytes for t in (images.train_images, images.test_images))
            found.append(max(loaded - BEFORE_COHORTS, used + cohort_bytes(configs, images, torch.device(kind))))
        except Exception:  # whatever a network's or a data set's own code raises: nothing is owed
            found.append(None)
    return found


def base_bytes(config: RunConfig) -> int:
    """What a worker has before it loads any data: measured in this process, which must be a fresh one.

    Args:
        config: A run; where its network is from outside the package, what that imports counts.
    """
    keep_freed_memory()
    torch.set_num_threads(1)
    tiny = Images(*_numbers(64), *_numbers(64), tuple("0123456789"), torch.tensor([0.5]), torch.tensor([0.5]))
    cohort = FusedCohort([RunConfig()], tiny, torch.device("cpu"))
    cohort.train_epoch()
    cohort.test()
    if config.code:
        with META:
            build(config.model, config.model.in_channels or 3, config.data.input_size, 10)
    return peak_resident()


class Count(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that are made while it is on, as long as they live.

    Attributes:
        now: Those that live.
        peak: The most that have lived at once.
        heap: Where they lie on the CPU.
        convolution: What the largest convolution reads and writes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = self.convolution = 0
        self.heap = Heap()
        self._seen = weakref.WeakSet[Any]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do the operation, and count what it made."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_iter(result):
            if isinstance(tensor, Tensor):
                self._add(tensor)
        if func.overloadpacket in CONVOLUTIONS:
            used = sum(tensor.nbytes for tensor in tree_iter((args, result)) if isinstance(tensor, Tensor))
            self.convolution = max(self.convolution, used)
        return result

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._seen:
            return
        self._seen.add(storage)
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, size, self.heap.take(size))

    def _drop(self, size: int, block: tuple[int, int]) -> None:
        self.now -= size
        self.heap.give_back(block)


class _Unfilled(FusedCohort):
    """A cohort without numbers."""

    def __init__(self, configs: Sequence[RunConfig], images: Images, fuses: bool) -> None:
        self._fuses = fuses
        super().__init__(configs, images, META)

    def _stacked_model(self, classes: int) -> StackedModel:
        with META:
            return super()._stacked_model(classes)

    def _step(self, x: Tensor, labels: Tensor, row: dict[str, Tensor], sums: Tensor) -> None:
        with META:
            super()._step(x, labels, row, sums)

    def _outputs(self, x: Tensor) -> Tensor:
        with META:
            return super()._outputs(x)

    def _may_fuse(self) -> bool:
        train = self.configs[0].train
        return self._fuses and train.precision == "fp32" and train.compile != "on"

    def _built(self, config: RunConfig, classes: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]), META:
            return build(config.model, self.batches.shape[0], config.data.input_size, classes)

    def _initial(self, template: nn.Module, config: RunConfig, classes: int) -> dict[str, Tensor]:
        return {name: torch.empty_like(parameter) for name, parameter in template.named_parameters()}


def _described(data: ImageData, kind: str) -> tuple[Images, int]:
    """A data set without its numbers, and what a process takes that loads it."""
    known, times = facts(data), 1
    if isinstance(data, DeclaredData):
        arrays = source(data).read()
        channels, size = arrays.train_images.shape[1], arrays.train_images.nbytes + arrays.test_images.nbytes
    else:
        channels = 1 if isinstance(data, PublishedData) and not isinstance(data, Cifar10) else 3
        times = 2 if isinstance(data, PublishedData) else 1  # the files' bytes, and the tensors
        stored = sum(map(sum, known.counts.values()))
        size = stored * channels * data.stored_size[0] * data.stored_size[1]
    train, test = (
        torch.empty(count, channels, *data.stored_size, dtype=torch.uint8, device=META)
        for count in (known.train + known.val, known.test)
    )
    of_channels = torch.empty(channels, device=META)
    labels = [torch.empty(len(images), dtype=torch.int64, device=META) for images in (train, test)]
    colours = torch.empty(channels, channels, device=META) if data.colour_noise > 0.0 else None
    images = Images(train, labels[0], test, labels[1], known.classes, of_channels, of_channels, colours)
    return images, times * size if kind == "cpu" else 0


def _without_numbers(images: Images) -> Images:
    def meta(tensor: Tensor) -> Tensor:
        return torch.empty_like(tensor, device=META)

    return Images(
        meta(images.train_images),
        meta(images.train_labels),
        meta(images.test_images[:EVALUATED]),
        meta(images.test_labels[:EVALUATED]),
        images.classes,
        meta(images.mean),
        meta(images.std),
        None if images.colours is None else meta(images.colours),
        images.val,
    )


def _numbers(count: int) -> tuple[Tensor, Tensor]:
    return torch.zeros(count, 1, 28, 28, dtype=torch.uint8), torch.zeros(count, dtype=torch.int64)
