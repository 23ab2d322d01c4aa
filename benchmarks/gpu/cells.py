"""What is measured on a GPU, in the order of what matters most, and how one of it is measured."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import (
    COMPILED,
    COPY,
    EAGER,
    GROUPED,
    OURS,
    OURS_GRAPH,
    OURS_OWN,
    OURS_PLAIN,
    PEAK,
    TEXTBOOK,
    TEXTBOOK_WORKERS,
    VMAP,
    Contender,
)

if TYPE_CHECKING:
    from ablate.images.data import Images

PRECISIONS = ("fp32", "tf32", "bf16")
COMPILES = 45.0
"""Seconds that a compiled cell is expected to take; all others take :data:`STEPS`."""
STEPS = 3.0
WATCHED = 20
"""Steps in which the host's waiting for the device is counted."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    networks: Mapping[str, int]
    """Images a step, by network."""
    cohorts: tuple[int, ...]
    """Members of ours."""
    rivals: tuple[int, ...]
    """Members of the other ways to train several networks at a time."""
    study: tuple[str, ...]
    """Words that plan the study which is estimated, and a tenth of which is run."""
    seconds: float
    """Of each measurement."""
    compiles: bool = True
    """Whether what takes a compiler is measured."""
    train_size: int | None = None


FULL = Sizes(
    {"lenet": 256, "alexnet, small": 128, "resnet-18, small": 128, "residual, 16 channels": 64},
    cohorts=(1, 10, 50, 200),
    rivals=(10, 50),
    study=("sweeps=lenet_article",),
    seconds=0.3,
)
SMALL = Sizes(
    {"lenet": 16},
    cohorts=(3,),
    rivals=(3,),
    study=("sweeps=pooling", "study.seeds=2", "data.train_size=256"),
    seconds=0.01,
    compiles=False,
    train_size=256,
)
SIZES = {"full": FULL, "small": SMALL}


@dataclass(frozen=True)
class Cell:
    """A line of the table."""

    contender: Contender
    seconds: float = STEPS
    """That it is expected to take, for its share of the time."""


@dataclass(frozen=True)
class Measured:
    """What came of a cell."""

    rates: Sequence[float]
    """Samples times models a second (of limits: operations or bytes)."""
    first_seconds: float
    """Until the first steps were done."""
    memory: int | None
    """Most bytes that were allocated on the device; None: not known on the CPU."""
    waits: int | None
    """How often the host waited for the device within :data:`WATCHED` steps of ours; None: not counted."""
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """The median."""
        return median(self.rates)


def limits() -> list[Cell]:
    """The device's limits."""
    return [*(Cell(Contender(PEAK, 1, precision=p)) for p in PRECISIONS), Cell(Contender(COPY, 1))]  # type: ignore[arg-type]


def first_cells(sizes: Sizes, *, on_gpu: bool) -> list[Cell]:
    """What is measured before the study: every way to train, fp32."""
    found = []
    for network, batch in sizes.networks.items():
        loops = [(EAGER, 1), *((loop, k) for k in sizes.rivals for loop in (VMAP, GROUPED))]
        loops += [(OURS_PLAIN, k) for k in sizes.cohorts]
        loops += [(OURS_GRAPH, k) for k in sizes.cohorts if on_gpu]
        if network == "lenet":
            loops = [(TEXTBOOK, 1), (TEXTBOOK_WORKERS, 1), *loops, *((OURS_OWN, k) for k in sizes.rivals[:1])]
        found += [Cell(Contender(loop, batch, k, network=network)) for loop, k in loops]
    lenet = replace(found[0].contender, loop=COMPILED)
    return found + ([Cell(lenet, COMPILES)] if sizes.compiles else [])


def further_cells(sizes: Sizes, *, on_gpu: bool) -> list[Cell]:
    """What is measured after it: other precisions, then what a compiler makes of a loop and of our step."""
    ours = OURS_GRAPH if on_gpu else OURS_PLAIN
    loops = [
        (EAGER, 1),
        (GROUPED, sizes.rivals[-1]),
        (OURS_PLAIN, sizes.rivals[-1]),
        *((ours, k) for k in sizes.cohorts),
    ]
    found = [
        Cell(Contender(loop, batch, k, network=network, precision=precision))  # type: ignore[arg-type]
        for precision in PRECISIONS[1:]
        for network, batch in sizes.networks.items()
        for loop, k in dict.fromkeys(loops)
    ]
    if not sizes.compiles:
        return found
    compiled = [(network, COMPILED, 1, "fp32") for network in list(sizes.networks)[1:]]
    compiled += [(network, OURS, sizes.rivals[-1], "fp32") for network in sizes.networks]
    compiled += [(network, COMPILED, 1, p) for p in reversed(PRECISIONS[1:]) for network in sizes.networks]
    return found + [
        Cell(Contender(loop, sizes.networks[network], k, network=network, precision=precision), COMPILES)  # type: ignore[arg-type]
        for network, loop, k, precision in compiled
    ]


def measure(images: "Images", contender: Contender, seconds: float, repeats: int) -> Measured:
    """Measure a cell; its first steps are not part of the rates.

    Args:
        images: On the device.
        contender: The loop.
        seconds: Of each repeat.
        repeats: One after the other.
    """
    import time

    import torch

    from benchmarks.clock import Clock
    from benchmarks.loops import make, set_precision

    device = images.train_labels.device
    on_gpu = device.type == "cuda"
    set_precision(contender.precision)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    start = time.perf_counter()
    loop = make(contender, images, seconds)
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    loop.run(Clock(0.0, 0.0, 2, wait=wait))
    first = time.perf_counter() - start
    rates = []
    for _ in range(repeats):
        clock = Clock(seconds, 0.2 * seconds, loop.lead_steps, wait=wait)
        loop.run(clock)
        rates.append(clock.samples / clock.elapsed)
    memory = torch.cuda.max_memory_allocated(device) if on_gpu else None
    waits = None
    if contender.ours and on_gpu:
        watched = _Watch()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            loop.run(watched)
        waits = sum("synchroniz" in str(warning.message) for warning in said)
    if contender.loop == COMPILED or loop.notes.get("compiled"):
        torch.compiler.reset()
    return Measured(rates, first, memory, waits, loop.notes)


class _Watch:
    """A clock that has the host's waiting noticed in some steps, after a few."""

    def __init__(self) -> None:
        self.done, self._left = False, WATCHED + 5

    def tick(self, samples: float) -> bool:
        """See :class:`benchmarks.clock.Clock`."""
        import torch

        self._left -= 1
        if self._left == WATCHED:
            torch.cuda.set_sync_debug_mode("warn")
        self.done = self._left <= 0
        if self.done:
            torch.cuda.set_sync_debug_mode("default")
        return not self.done
