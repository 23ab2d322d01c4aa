"""How fast a cohort of some shape trains on the machine at hand, and in how much memory: a few steps, no result."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ablate.config import RunConfig
from ablate.data import Images
from ablate.train.cohort import Cohort

EVALUATION_COST = 1 / 3
"""Of an evaluated sample, in that of a trained one: forward without backward."""


@dataclass(frozen=True)
class Measured:
    """One short measurement."""

    samples_per_second: float
    """Training samples times members, the evaluation after each epoch counted in."""
    bytes: int
    """By which the process (on CUDA: the memory in use on the device) grew."""


def measure(configs: Sequence[RunConfig], images: Images, *, device: torch.device, seconds: float) -> Measured:
    """Train a cohort for some steps and throw the result away.

    Args:
        configs: Its members, with one ``cohort_key``.
        images: Their data, on ``device``.
        device: Where to train.
        seconds: To go on for at least, after the first steps.

    Returns:
        Speed and memory.
    """
    before = _used(device)
    cohort = Cohort(configs, images, device)
    cohort.train_epoch(steps=2)
    _wait(device)
    start, done, steps = time.perf_counter(), 0, 1
    while (spent := time.perf_counter() - start) < seconds:
        cohort.train_epoch(steps=steps)
        _wait(device)
        done += min(steps, cohort.batches.steps)
        steps = min(2 * steps, cohort.batches.steps)
    config = configs[0]
    batch = min(config.train.batch_size, cohort.batches.samples)
    tested = len(images.test_labels) * config.data.tests + config.data.val_size * config.data.validates
    evaluation = 1 + EVALUATION_COST * tested / cohort.batches.samples
    return Measured(done * batch * len(configs) / spent / evaluation, max(0, _used(device) - before))


def _used(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 if status.exists() else 0


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
