"""How fast a cohort of some shape trains on the machine at hand, and in how much memory: a few steps, no result."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ablate.images.data import Images
from ablate.images.engine.cohort import FusedCohort
from ablate.images.run import EVALUATION_COST, RunConfig
from ablate.task.engine import Speed


def measure(configs: Sequence[RunConfig], images: Images, *, device: torch.device, seconds: float) -> Speed:
    """Train a cohort for some steps and throw the result away.

    Args:
        configs: Its members, with one ``cohort_key``.
        images: Their data, on ``device``.
        device: Where to train.
        seconds: How long to go on at least, after the first steps.

    Returns:
        Training samples times members a second, the evaluation after each epoch counted in, and the bytes by which the
        process (on CUDA: the memory in use on the device) grew.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    before = _used(device)
    cohort = FusedCohort(configs, images, device)
    cohort.train_epoch(steps=2)
    _wait(device)
    timed: list[tuple[int, float]] = []
    steps, start = 1, time.perf_counter()
    while time.perf_counter() - start < seconds:
        begun = time.perf_counter()
        cohort.train_epoch(steps=steps)
        _wait(device)
        timed.append((steps, time.perf_counter() - begun))
        steps = min(2 * steps, cohort.batches.steps)
    spent = _epoch_seconds(timed, cohort.batches.steps)
    config = configs[0]
    tested = len(images.test_labels) * config.data.tests + config.data.val_size * config.data.validates
    evaluation = 1 + EVALUATION_COST * tested * cohort.batches.views / cohort.batches.samples
    return Speed(cohort.batches.samples * len(configs) / spent / evaluation, max(0, _used(device) - before))


def _epoch_seconds(timed: Sequence[tuple[int, float]], steps: int) -> float:
    """A whole epoch's time from those of its beginnings.

    An epoch is set up before its first step (orders, coefficients, the first images), which at small batches takes as
    long as hundreds of steps: the two are told apart by a line through the times.

    Args:
        timed: Numbers of steps (at least one, the set-up included) and their seconds.
        steps: The steps of the epoch.
    """
    longest, seconds = timed[-1]
    if longest == steps or len({n for n, _ in timed}) < 2:
        return seconds * steps / longest
    step, set_up = np.polyfit([n for n, _ in timed], [t for _, t in timed], 1)
    if step <= 0.0:  # noise
        return seconds * steps / longest
    return float(max(0.0, set_up) + step * steps)


def _used(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 if status.exists() else 0


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
