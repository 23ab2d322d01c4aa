"""The training loops that are timed: other people's, ours, and the matrix product that bounds them all.

All train with plain SGD (the article's LeNet at its learning rate of 0.9), from the same initial weights, on the
device where their images lie, and keep a running loss and accuracy. Only the textbook loop reads both back after every
step, as the textbook does.
"""

import contextlib
import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ablate.images.config import Train
from ablate.images.data import Images
from ablate.images.engine.compiling import compiled
from ablate.images.engine.init import initial_parameters
from benchmarks.clock import Clock
from benchmarks.contenders import (
    COMPILED,
    COMPILING,
    COPY,
    EAGER,
    GROUPED,
    GROUPED_COMPILED,
    OURS,
    OURS_GRAPH,
    OURS_OWN,
    OURS_PLAIN,
    OURS_TESTS,
    OURS_TRAIN,
    PEAK,
    TEXTBOOK,
    TEXTBOOK_WORKERS,
    VMAP,
    VMAP_COMPILED,
    Contender,
)
from benchmarks.hfta import fuse, parameters_of
from benchmarks.networks import NETWORKS

LR = 0.9
OTHER_LR = 0.01
"""With networks other than the article's."""
PEAK_SIZE = 2048
"""Rows and columns of the matrices whose product is the machine's peak."""
PEAK_SIZE_GPU = 8192
COPY_BYTES, COPY_BYTES_GPU = 2**28, 2**30


class Loop:
    """An endless loop, written as a generator that yields training samples times models after every step.

    Args:
        contender: Names it.
        images: On the device where it trains.
    """

    lead_steps = 1

    def __init__(self, contender: Contender, images: Images) -> None:
        self.contender, self.images = contender, images
        self.batch, self.models, self.compiled = contender.batch, contender.models, contender.loop in COMPILING
        self.device = images.train_labels.device
        self._steps: Iterator[float] | None = None

    def steps(self) -> Iterator[float]:
        """Train a step at a time."""
        raise NotImplementedError

    def run(self, clock: Clock) -> None:
        """Go on training until the clock stops."""
        if self._steps is None:
            self._steps = self.steps()
        for samples in self._steps:
            if not clock.tick(samples):
                return

    @property
    def notes(self) -> dict[str, Any]:
        """How it trains, where that is not settled beforehand."""
        return {}

    def members(self) -> list[nn.Module]:
        """Networks of all members, those of the seeds from 0 on, in training."""
        found = [initial(self.contender.network, seed).train() for seed in range(self.models)]
        return [network.to(self.device) for network in found]

    def autocast(self) -> AbstractContextManager[Any]:
        """What forward passes run under."""
        bf16 = self.contender.precision == "bf16"
        return torch.autocast(self.device.type, torch.bfloat16) if bf16 else contextlib.nullcontext()

    def order(self, seed: int) -> Iterator[Tensor]:
        """Indices of batch after batch, a new shuffle each epoch; compiled loops are spared a smaller last batch."""
        generator, total = torch.Generator().manual_seed(seed), len(self.images.train_labels)
        while True:
            shuffled = torch.randperm(total, generator=generator).to(self.device)
            for index in torch.split(shuffled, self.batch):
                if len(index) == self.batch or not self.compiled:
                    yield index


def make(contender: Contender, images: Images, seconds: float) -> Loop:
    """The loop of one process.

    Args:
        contender: Names it.
        images: Training and test images, on the device where it trains.
        seconds: That a measurement shall take, where a loop must know beforehand.
    """
    from benchmarks.graphed import GraphedSteps
    from benchmarks.ours import CohortSteps, TestPasses, TrainCalls

    kinds: dict[str, type[Loop]] = {
        **dict.fromkeys((EAGER, COMPILED), InMemory),
        **dict.fromkeys((VMAP, VMAP_COMPILED), Vmap),
        **dict.fromkeys((GROUPED, GROUPED_COMPILED), Grouped),
        **dict.fromkeys((OURS, OURS_OWN, OURS_PLAIN), CohortSteps),
        OURS_GRAPH: GraphedSteps,
        OURS_TESTS: TestPasses,
        PEAK: MatrixProduct,
        COPY: Copy,
    }
    if contender.loop in (TEXTBOOK, TEXTBOOK_WORKERS):
        from benchmarks.textbook import Textbook  # the only one that needs torchvision

        return Textbook(contender, images)
    if contender.loop == OURS_TRAIN:
        return TrainCalls(contender, images, seconds)
    if contender.loop not in kinds:
        raise ValueError(f"no loop {contender.loop!r}")
    return kinds[contender.loop](contender, images)


class InMemory(Loop):
    """Images as one float tensor, batches by indexing, ``torch.optim.SGD``; compiled: forward, loss and backward."""

    def __init__(self, contender: Contender, images: Images) -> None:
        super().__init__(contender, images)
        (self.model,), self.lr = self.members(), rate(contender.network)
        self.sums = torch.zeros(2, device=self.device)

    def steps(self) -> Iterator[float]:
        """See :class:`Loop`."""
        model, optimizer = self.model, torch.optim.SGD(self.model.parameters(), lr=self.lr)

        def measure(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            with self.autocast():
                outputs = model(x)
            loss = F.cross_entropy(outputs.float(), y)
            return loss, torch.stack([loss.detach() * len(x), (outputs.argmax(1) == y).sum()])

        measure = compiled(measure, self.device) if self.compiled else measure
        pixels, labels = floats(self.images), self.images.train_labels
        for index in self.order(0):
            optimizer.zero_grad()
            loss, sums = measure(pixels[index], labels[index])
            loss.backward()
            optimizer.step()
            self.sums += sums
            yield len(index)


class Vmap(Loop):
    """PyTorch's tutorial on model ensembling: ``functional_call`` of stacked states under ``vmap(grad)``, one batch.

    Source: https://pytorch.org/tutorials/intermediate/ensembling.html, with a gradient step added.
    """

    def __init__(self, contender: Contender, images: Images) -> None:
        super().__init__(contender, images)
        members = self.members()
        parameters, self.buffers = torch.func.stack_module_state(members)
        self.base = members[0].to("meta")
        self.parameters = {name: p.detach() for name, p in parameters.items()}
        self.sums = torch.zeros(2, self.models, device=self.device)

    def steps(self) -> Iterator[float]:
        """See :class:`Loop`."""
        base, parameters, buffers, lr = self.base, self.parameters, self.buffers, rate(self.contender.network)

        def measure(
            parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor, y: Tensor
        ) -> tuple[Tensor, Tensor]:
            with self.autocast():
                outputs = torch.func.functional_call(base, (parameters, buffers), (x,))
            return F.cross_entropy(outputs.float(), y), (outputs.argmax(1) == y).sum()

        gradients = torch.func.vmap(
            torch.func.grad_and_value(measure, has_aux=True), in_dims=(0, 0, None, None), randomness="different"
        )

        def step(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            found, (losses, correct) = gradients(parameters, buffers, x, y)
            for name, parameter in parameters.items():
                parameter.sub_(lr * found[name])
            return torch.stack([losses * len(x), correct])

        step = compiled(step, self.device) if self.compiled else step
        pixels, labels = floats(self.images), self.images.train_labels
        for index in self.order(0):
            with torch.no_grad():
                self.sums += step(parameters, pixels[index], labels[index])
            yield len(index) * self.models


class Grouped(Loop):
    """Horizontally Fused Training Arrays (:mod:`benchmarks.hfta`), each model with its own batch."""

    def __init__(self, contender: Contender, images: Images) -> None:
        super().__init__(contender, images)
        self.body = fuse(self.members())
        self.parameters = parameters_of(self.body, self.models)
        self.sums = torch.zeros(2, self.models, device=self.device)

    def steps(self) -> Iterator[float]:
        """See :class:`Loop`."""
        body, optimizer = self.body, torch.optim.SGD(self.body.parameters(), lr=rate(self.contender.network))

        def measure(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            with self.autocast():
                outputs = body(x.transpose(0, 1).flatten(1, 2))
            losses = F.cross_entropy(outputs.float().transpose(1, 2), y, reduction="none").mean(1)
            return losses.sum(), torch.stack([losses.detach() * y.shape[1], (outputs.argmax(2) == y).sum(1)])

        measure = compiled(measure, self.device) if self.compiled else measure
        pixels, labels = floats(self.images), self.images.train_labels
        orders = [self.order(seed) for seed in range(self.models)]
        while True:
            index = torch.stack([next(own) for own in orders])
            optimizer.zero_grad()
            loss, sums = measure(pixels[index], labels[index])
            loss.backward()
            optimizer.step()
            self.sums += sums
            yield index.numel()


class MatrixProduct(Loop):
    """Large matrix products; its steps are counted in floating-point operations."""

    def steps(self) -> Iterator[float]:
        """See :class:`Loop`."""
        bf16 = self.contender.precision == "bf16"
        size = PEAK_SIZE_GPU if self.device.type != "cpu" else PEAK_SIZE // 4 if bf16 else PEAK_SIZE
        kind = torch.bfloat16 if bf16 else torch.float32
        a, b, out = (torch.rand(size, size, device=self.device).to(kind) for _ in range(3))
        while True:
            torch.mm(a, b, out=out)
            yield 2.0 * size**3


class Copy(Loop):
    """Copies from memory to memory, far larger than caches; its steps are counted in bytes read and written."""

    def steps(self) -> Iterator[float]:
        """See :class:`Loop`."""
        size = COPY_BYTES if self.device.type == "cpu" else COPY_BYTES_GPU
        source, target = (torch.zeros(size, dtype=torch.uint8, device=self.device) for _ in range(2))
        while True:
            target.copy_(source)
            yield 2.0 * size


def set_precision(precision: str) -> None:
    """Let fp32 products and convolutions of this process run as such, or, for ``tf32``, in TF32 where there is that."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def rate(network: str) -> float:
    """The learning rate of a network of :data:`benchmarks.networks.NETWORKS`."""
    return LR if network == "lenet" else OTHER_LR


def initial(network: str, seed: int) -> nn.Module:
    """A network with the initial weights that our engine gives a seed."""
    model = NETWORKS[network].build(1, (28, 28), 10)
    model.load_state_dict(initial_parameters(model, Train(), seed), strict=False)
    return model


@functools.cache
def floats(images: Images) -> Tensor:
    """The training images as floats in [0, 1], made once a process."""
    return images.train_images / 255.0
