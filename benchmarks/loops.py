"""The training loops that are timed: other people's, ours, and the matrix product that bounds them all.

All train the article's LeNet with plain SGD, learning rate 0.9, fp32, from the same initial weights, and keep a running
loss and accuracy. Only the textbook loop reads both back after every step, as the textbook does.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ablate.images.config import Train
from ablate.images.data import Images
from ablate.images.engine.init import initial_parameters
from benchmarks.clock import Clock
from benchmarks.contenders import (
    COMPILED,
    COMPILING,
    EAGER,
    GROUPED,
    GROUPED_COMPILED,
    LOADERS,
    OURS,
    OURS_OWN,
    OURS_TRAIN,
    PEAK,
    TEXTBOOK,
    TEXTBOOK_WORKERS,
    VMAP,
    VMAP_COMPILED,
    Contender,
)
from benchmarks.networks import NETWORKS

LR = 0.9
OTHER_LR = 0.01
"""With networks other than the article's."""
PEAK_SIZE = 2048
"""Rows and columns of the matrices whose product is the machine's peak."""


class Loop:
    """An endless loop, written as a generator that yields training samples times models after every step."""

    lead_steps = 1

    def __init__(self, batch: int, images: Images) -> None:
        self.batch, self.images = batch, images
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


def make(contender: Contender, images: Images, seconds: float) -> Loop:
    """The loop of one process.

    Args:
        contender: Names it.
        images: Training and test images, on the CPU.
        seconds: That a measurement shall take, where a loop must know beforehand.
    """
    from benchmarks.ours import CohortSteps, TrainCalls
    from benchmarks.textbook import Textbook

    batch, models, compiled = contender.batch, contender.models, contender.loop in COMPILING
    match contender.loop:
        case loop if loop in (TEXTBOOK, TEXTBOOK_WORKERS):
            return Textbook(batch, images, loaders=0 if loop == TEXTBOOK else LOADERS)
        case loop if loop in (EAGER, COMPILED):
            return InMemory(batch, images, compiled=compiled, network=contender.network)
        case loop if loop in (VMAP, VMAP_COMPILED):
            return Vmap(batch, images, models, compiled=compiled)
        case loop if loop in (GROUPED, GROUPED_COMPILED):
            return Grouped(batch, images, models, compiled=compiled)
        case loop if loop in (OURS, OURS_OWN):
            return CohortSteps(batch, images, models, shared=loop == OURS, network=contender.network)
        case loop if loop == OURS_TRAIN:
            return TrainCalls(batch, images, models, seconds)
        case loop if loop == PEAK:
            return MatrixProduct(batch, images)
    raise ValueError(f"no loop {contender.loop!r}")


class InMemory(Loop):
    """Images as one float tensor, batches by indexing, ``torch.optim.SGD``; compiled: forward, loss and backward."""

    def __init__(self, batch: int, images: Images, *, compiled: bool, network: str = "lenet") -> None:
        super().__init__(batch, images)
        self.model, self.compiled, self.lr = initial(network, 0), compiled, rate(network)
        self.sums = torch.zeros(2)

    def steps(self) -> Iterator[float]:
        """See :class:`Loop`."""
        model, optimizer = self.model.train(), torch.optim.SGD(self.model.parameters(), lr=self.lr)

        def measure(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            outputs = model(x)
            loss = F.cross_entropy(outputs, y)
            return loss, torch.stack([loss.detach() * len(x), (outputs.argmax(1) == y).sum()])

        measure = _compile(measure) if self.compiled else measure
        pixels, labels = floats(self.images), self.images.train_labels
        for index in order(len(labels), self.batch, 0, drop_last=self.compiled):
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

    def __init__(self, batch: int, images: Images, models: int, *, compiled: bool) -> None:
        super().__init__(batch, images)
        members = [initial("lenet", k) for k in range(models)]
        parameters, _ = torch.func.stack_module_state(members)
        self.models, self.compiled, self.base = models, compiled, members[0].to("meta")
        self.parameters = {name: p.detach() for name, p in parameters.items()}
        self.sums = torch.zeros(2, models)

    def steps(self) -> Iterator[float]:
        """See :class:`Loop`."""
        base, parameters = self.base, self.parameters

        def measure(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            outputs = torch.func.functional_call(base, parameters, (x,))
            return F.cross_entropy(outputs, y), (outputs.argmax(1) == y).sum()

        gradients = torch.func.vmap(torch.func.grad_and_value(measure, has_aux=True), in_dims=(0, None, None))

        def step(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            found, (losses, correct) = gradients(parameters, x, y)
            for name, parameter in parameters.items():
                parameter.sub_(LR * found[name])
            return torch.stack([losses * len(x), correct])

        step = _compile(step) if self.compiled else step
        pixels, labels = floats(self.images), self.images.train_labels
        for index in order(len(labels), self.batch, 0, drop_last=self.compiled):
            with torch.no_grad():
                self.sums += step(parameters, pixels[index], labels[index])
            yield len(index) * self.models


class Grouped(Loop):
    """Horizontally Fused Training Arrays (arXiv 2102.02344): grouped convolutions, each model with its own batch."""

    def __init__(self, batch: int, images: Images, models: int, *, compiled: bool) -> None:
        super().__init__(batch, images)
        members = [dict(initial("lenet", k).named_parameters()) for k in range(models)]
        self.models, self.compiled = models, compiled
        self.parameters = {name: torch.stack([m[name].detach() for m in members]) for name in members[0]}
        self.sums = torch.zeros(2, models)

    def steps(self) -> Iterator[float]:
        """See :class:`Loop`."""
        models = self.models
        parameters = {name: p.requires_grad_() for name, p in self.parameters.items()}

        def convolve(name: str, x: Tensor, padding: int) -> Tensor:
            weight, bias = parameters[f"{name}.weight"].flatten(0, 1), parameters[f"{name}.bias"].flatten()
            return F.avg_pool2d(torch.sigmoid(F.conv2d(x, weight, bias, padding=padding, groups=models)), 2, 2)

        def multiply(name: str, x: Tensor) -> Tensor:
            return torch.baddbmm(parameters[f"{name}.bias"][:, None], x, parameters[f"{name}.weight"].transpose(1, 2))

        def measure(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
            h = convolve("conv2", convolve("conv1", x.transpose(0, 1).flatten(1, 2), 2), 0)
            h = torch.unflatten(h, 1, (models, -1)).transpose(0, 1).flatten(2)
            for name in ("c5", "f6"):
                h = torch.sigmoid(multiply(name, h))
            h = multiply("output", h)
            losses = F.cross_entropy(h.transpose(1, 2), y, reduction="none").mean(1)
            return losses.sum(), torch.stack([losses.detach() * y.shape[1], (h.argmax(2) == y).sum(1)])

        measure = _compile(measure) if self.compiled else measure
        pixels, labels = floats(self.images), self.images.train_labels
        orders = [order(len(labels), self.batch, k, drop_last=self.compiled) for k in range(models)]
        while True:
            index = torch.stack([next(own) for own in orders])
            loss, sums = measure(pixels[index], labels[index])
            gradients = torch.autograd.grad(loss, list(parameters.values()))
            with torch.no_grad():
                for parameter, gradient in zip(parameters.values(), gradients, strict=True):
                    parameter.sub_(gradient, alpha=LR)
                self.sums += sums
            yield index.numel()


class MatrixProduct(Loop):
    """Large fp32 matrix products; its steps are counted in floating-point operations."""

    def steps(self) -> Iterator[float]:
        """See :class:`Loop`."""
        a, b = torch.rand(PEAK_SIZE, PEAK_SIZE), torch.rand(PEAK_SIZE, PEAK_SIZE)
        out = torch.empty(PEAK_SIZE, PEAK_SIZE)
        while True:
            torch.mm(a, b, out=out)
            yield 2.0 * PEAK_SIZE**3


def rate(network: str) -> float:
    """The learning rate of a network of :data:`benchmarks.networks.NETWORKS`."""
    return LR if network == "lenet" else OTHER_LR


def initial(network: str, seed: int) -> nn.Module:
    """A network with the initial weights that our engine gives a seed."""
    model = NETWORKS[network].build(1, (28, 28), 10)
    model.load_state_dict(initial_parameters(model, Train(), seed), strict=False)
    return model


def order(total: int, batch: int, seed: int, *, drop_last: bool) -> Iterator[Tensor]:
    """Indices of batch after batch, a new shuffle each epoch; ``drop_last`` spares compiled loops a second shape."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        for index in torch.split(torch.randperm(total, generator=generator), batch):
            if len(index) == batch or not drop_last:
                yield index


@functools.cache
def floats(images: Images) -> Tensor:
    """The training images as floats in [0, 1], made once a process."""
    return images.train_images / 255.0


def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, dynamic=False)
