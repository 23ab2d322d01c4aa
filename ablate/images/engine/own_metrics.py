"""Metrics that are not computed from outputs: what a run costs, and how far train and test accuracy lie apart."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from ablate.images.engine.cohort import AfterStep, FusedCohort, PartialEpoch
from ablate.images.metrics import COSTS, GAP


class OwnMetrics:
    """Those that a cohort's runs name in ``train.metrics``.

    Args:
        cohort: Not trained yet.
    """

    def __init__(self, cohort: FusedCohort) -> None:
        self.cohort = cohort
        wanted = cohort.configs[0].train.metrics
        self.gap = GAP in wanted
        self.costs = {name: 0.0 for name in COSTS if name in wanted}
        if "parameters" in self.costs:
            self.costs["parameters"] = float(sum(p.numel() for p in cohort.model.member(0).values()))
        if "multiply_adds" in self.costs:
            self.costs["multiply_adds"] = float(sum(layer.multiply_adds for layer in cohort.layers()))

    def train_epoch(self, part: PartialEpoch | None = None, after_step: AfterStep | None = None) -> Tensor:
        """Train an epoch of the cohort, timed where that is wanted (which waits for the device at its end).

        The one thread of a worker on the CPU is timed by its processor time, which another program on the core does
        not lengthen.

        Args:
            part: As for :meth:`FusedCohort.train_epoch`.
            after_step: As there; an epoch that is timed is not left.
        """
        is_timed = "step_ms" in self.costs
        one_thread = self.cohort.device.type == "cpu" and torch.get_num_threads() == 1
        clock = time.thread_time if one_thread else time.perf_counter
        start = clock()
        means = self.cohort.train_epoch(None, part, None if is_timed else after_step)
        if is_timed:
            means.tolist()
            self.costs["step_ms"] = 1000.0 * (clock() - start) / self.cohort.batches.steps
        return means

    def trained(self) -> list[float] | None:
        """Each member's accuracy on its training images after the epoch; None: it is not wanted."""
        return self.cohort.trained_accuracy().tolist() if self.gap else None

    def values(self, trained: float | None, val_acc: float | None, test_acc: float | None) -> dict[str, float]:
        """The metrics of one member after an epoch.

        Args:
            trained: What :meth:`trained` returned.
            val_acc: Where the run validates.
            test_acc: Where the run tests.
        """
        measured: Sequence[tuple[str, float | None]] = (("val", val_acc), ("test", test_acc))
        gaps = {
            f"{split}_{GAP}": trained - accuracy
            for split, accuracy in measured
            if trained is not None and accuracy is not None
        }
        return self.costs | gaps
