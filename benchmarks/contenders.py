"""What is measured against what."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

LOADERS = 2
"""Worker processes of the DataLoader, where it has any."""
TEXTBOOK, TEXTBOOK_WORKERS = "textbook loop", f"textbook loop, {LOADERS} loader workers"
EAGER, COMPILED = "in memory, eager", "in memory, torch.compile"
VMAP, VMAP_COMPILED = "torch.func.vmap, shared order", "torch.func.vmap, shared order, compiled"
GROUPED, GROUPED_COMPILED = "grouped convolutions, own orders", "grouped convolutions, own orders, compiled"
OURS, OURS_OWN, OURS_TRAIN = "ablate, shared order", "ablate, own orders", "ablate, train() with its test passes"
OURS_PLAIN = "ablate, shared order, not compiled"
OURS_GRAPH = "ablate, shared order, a step as one CUDA graph"
OURS_TESTS = "ablate, test passes"
PEAK, COPY = "matrix product", "copy in memory"

COMPILING = (COMPILED, VMAP_COMPILED, GROUPED_COMPILED)
ENSEMBLE = 10
"""Models of the stacked rivals."""


@dataclass(frozen=True)
class Contender:
    """A loop at one batch size, with so many models a process, threads a process, and processes, on one network."""

    loop: str
    batch: int
    models: int = 1
    threads: int = 1
    processes: int = 1
    network: str = "lenet"
    """A key of :data:`benchmarks.networks.NETWORKS`."""
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    """``bf16``: under autocast; ``tf32``: what the process's switches say (:func:`benchmarks.loops.set_precision`)."""

    @property
    def ours(self) -> bool:
        """Whether it runs as the executor's workers do."""
        return self.loop in (OURS, OURS_OWN, OURS_PLAIN, OURS_GRAPH, OURS_TESTS, OURS_TRAIN)

    @property
    def alone(self) -> "Contender":
        """What each of its processes does."""
        return replace(self, processes=1)


def all_contenders(
    batch: int, *, workers: int, models: Sequence[int], cohort: int, compiled: bool = True, rivals: int = ENSEMBLE
) -> list[Contender]:
    """All of one batch size, in the order in which they are measured.

    Args:
        batch: Images a step.
        workers: Processes that train at the same time; the threads of the textbook loop.
        models: Sizes of our cohorts, on one process.
        cohort: The size that is also measured on all workers: that of the planner.
        compiled: Whether to measure what needs ``torch.compile``.
        rivals: Models of the stacked rivals, and of our cohort whose members have orders of their own.
    """
    found = [
        *throughput_contenders(batch, workers=workers, cohort=cohort),
        Contender(EAGER, batch),
        Contender(EAGER, batch, processes=workers),
        Contender(COMPILED, batch),
        Contender(COMPILED, batch, processes=workers),
        Contender(VMAP, batch, rivals),
        Contender(VMAP_COMPILED, batch, rivals),
        Contender(GROUPED, batch, rivals),
        Contender(GROUPED_COMPILED, batch, rivals),
        *(Contender(OURS, batch, k) for k in sorted({*models, cohort})),
        Contender(OURS, batch, max(models), processes=workers),
        Contender(OURS_OWN, batch, rivals),
        Contender(OURS_OWN, batch, rivals, processes=workers),
    ]
    return [c for c in dict.fromkeys(found) if compiled or c.loop not in COMPILING]


def throughput_contenders(batch: int, *, workers: int, cohort: int) -> list[Contender]:
    """Textbook loop, ours and the matrix product: what the ratio and the share of the peak need."""
    return [
        Contender(TEXTBOOK, batch, threads=workers),
        Contender(TEXTBOOK_WORKERS, batch, threads=workers),
        Contender(OURS, batch, cohort, processes=workers),
        Contender(OURS_TRAIN, batch, cohort, processes=workers),
        Contender(PEAK, batch),
        Contender(PEAK, batch, processes=workers),
    ]
