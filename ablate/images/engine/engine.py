"""The engine: a list of runs in, a list of results out, trained as cohorts in one fused loop.

A cohort's members share the shapes of a step (``RunConfig.cohort_key``) and nothing else: each has its own initial
weights, data order, noise, coefficients and fate. A run alone is a cohort of one; there is no second loop. Within an
epoch nothing is read back from the device.
"""

import math
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ablate.images.data import Images, class_counts
from ablate.images.engine.checkpoints import CohortCheckpoints, CohortProgress
from ablate.images.engine.cohort import FusedCohort, PartialEpoch
from ablate.images.engine.end_states import begins_at, go_on, keep_state
from ablate.images.engine.exhaustion import give_back, is_out_of_memory, shortage
from ablate.images.engine.further_metrics import further_guesses
from ablate.images.engine.interim import Interim
from ablate.images.engine.keeping import keep_more
from ablate.images.engine.own_metrics import OwnMetrics
from ablate.images.engine.stack import UnstackableError
from ablate.images.metrics import guesses_of, measured_epoch
from ablate.images.run import RunConfig
from ablate.task.checkpoint import Checkpoints, content_of
from ablate.task.engine import OnInterim, OnStep
from ablate.task.errors import ConfigError
from ablate.task.record import Guess, Measurement, Result, Status, StopRule


def train(
    configs: Sequence[RunConfig],
    images: Images,
    *,
    device: torch.device,
    on_epoch: OnStep | None = None,
    stops: Mapping[int, StopRule] | None = None,
    keep: Mapping[str, Path] | None = None,
    checkpoints: Checkpoints | None = None,
    on_interim: OnInterim | None = None,
) -> list[Result]:
    """Train runs, as few cohorts as their shapes allow.

    A fault costs the members that it touches: where a step raises (or memory runs out), the cohort is trained again
    in halves until only the faulty member is left, which fails. A member whose loss is not finite leaves at the end
    of the epoch as diverged; one whose epochs are done leaves as complete, one that its rule stops as stopped; the
    others go on.

    Args:
        configs: The runs; all of them train on ``images``.
        images: On ``device``; loaded with the configurations' ``data``.
        device: Where to train.
        on_epoch: Called after each epoch of a cohort with the epoch (from 1) and the members that finished it, as
            positions in ``configs``. After a fault, epochs are reported again. What it raises is passed on.
        stops: The stops by position in ``configs``: what a run must reach to go on.
        keep: What of complete runs is kept beside their results (:data:`ablate.images.engine.keeping.KEEP`), and the
            folder of each; None: nothing.
        checkpoints: What cohorts that were cut off go on from, and where they leave what others may; None: nothing.
        on_interim: Called with what members have measured so far (:mod:`ablate.images.engine.interim`).

    Returns:
        One result for each run, in order; never raises for a member's fault.
    """
    results: dict[int, Result] = {}
    work = _Work(configs, images, device, stops or {}, keep or {}, checkpoints, on_interim)
    for cohort in _by_key(configs, checkpoints):
        _train_apart(cohort, work, on_epoch, results)
    return _with_guesses(configs, images, results)


def _with_guesses(configs: Sequence[RunConfig], images: Images, results: Mapping[int, Result]) -> list[Result]:
    """The results in order, each with what guessing scores on the images that its run used."""
    known: dict[tuple[str, int], Mapping[str, Guess]] = {}
    found = []
    for i, config in enumerate(configs):
        key = (config.data.model_dump_json() + str(config.train.metrics), config.seed)
        if key not in known:
            try:
                counts = class_counts(images, config.data, config.seed)
                known[key] = guesses_of(counts) | further_guesses(config.train.metrics, counts)
            except ConfigError:  # no images are left to train on: the run failed for the same reason
                known[key] = {}
        found.append(replace(results[i], guesses=known[key]))
    return found


def _by_key(configs: Sequence[RunConfig], checkpoints: Checkpoints | None) -> list[list[int]]:
    groups: dict[tuple[str, int], list[int]] = {}
    for i, config in enumerate(configs):
        groups.setdefault((config.cohort_key, begins_at(checkpoints, config)), []).append(i)
    return list(groups.values())


@dataclass(frozen=True)
class _Work:
    """What all cohorts of a call are trained on and by; see :func:`train`."""

    configs: Sequence[RunConfig]
    images: Images
    device: torch.device
    stops: Mapping[int, StopRule]
    keep: Mapping[str, Path]
    checkpoints: Checkpoints | None
    on_interim: OnInterim | None

    def content(self, members: Sequence[int]) -> str:
        """Names some of the runs as a cohort."""
        stops = {k: self.stops[i] for k, i in enumerate(members) if i in self.stops}
        states = ("state",) if self.checkpoints is not None and self.checkpoints.keeps_states else ()
        return content_of([self.configs[i].digest for i in members], stops, keeps=(*self.keep, *states))


def _train_apart(members: list[int], work: _Work, on_epoch: OnStep | None, results: dict[int, Result]) -> None:
    """Train a cohort, and its parts apart where it cannot be trained as one."""
    pending: list[tuple[list[int], dict[str, Any]]] = [(members, {})]
    while pending:
        (members, notes), is_full = pending.pop(), False
        curves: dict[int, list[Measurement]] = {i: [] for i in members}
        epochs = _train_cohort(members, work, notes, curves, results)
        while True:
            try:
                finished = next(epochs, None)
            except UnstackableError as error:
                pending += [([i], {"apart": str(error)}) for i in reversed(members)]
                break
            except Exception as error:
                is_full = is_out_of_memory(error)
                if len(members) == 1:
                    text = traceback.format_exc() + (shortage(error, work.device) if is_full else "")
                    results[members[0]] = Result("failed", tuple(curves[members[0]]), text, notes)
                else:
                    half, why = len(members) // 2, {"apart": f"{type(error).__name__} in a cohort of {len(members)}"}
                    pending += [(members[half:], why), (members[:half], why)]
                break
            if finished is None:
                break
            if on_epoch is not None:
                on_epoch(*finished)
        if is_full:  # here, where nothing holds the tensors of the cohort that failed any more
            give_back(work.device)


def _train_cohort(
    members: list[int],
    work: _Work,
    notes: dict[str, Any],
    curves: dict[int, list[Measurement]],
    results: dict[int, Result],
) -> Iterator[tuple[int, list[int]]]:
    """The training loop: epoch after epoch until every member has left.

    Yields:
        The epoch, from 1, and the members that finished it.
    """
    for i in members:
        results.pop(i, None)
    configs, stops = work.configs, work.stops
    cohort = FusedCohort([configs[i] for i in members], work.images, work.device)
    own_metrics = OwnMetrics(cohort)
    progress = CohortProgress([configs[i].digest for i in members], members, curves, results)
    saved = CohortCheckpoints(work.checkpoints, work.content(members), cohort, progress)
    part = saved.resume()
    checkpoints = work.checkpoints
    if checkpoints is not None and not cohort.epoch and part is None and begins_at(checkpoints, configs[members[0]]):
        for i, curve in zip(members, go_on(checkpoints, [configs[i] for i in members], cohort) or (), strict=False):
            curves[i] += curve
    notes.update(cohort.notes)
    interim = Interim(cohort, members, work.on_interim)

    def after_step(so_far: Callable[[], PartialEpoch]) -> None:
        saved.after_step(so_far)
        interim.after_step(so_far)

    while cohort.members:
        start = saved.begin_epoch()
        measured = [own_metrics.train_epoch(part, after_step), cohort.validate(), cohort.test()]
        trained, part = own_metrics.trained(), None
        notes.update(cohort.notes)  # a compiler may have failed
        metrics: list[Any] = [None if m is None else m.T.tolist() for m in measured]
        seconds = (time.perf_counter() - start) / len(cohort.members)

        current = [members[k] for k in cohort.members]
        staying = []
        for row, i in enumerate(current):
            own: list[Any] = [value for m in metrics for value in ((None, None) if m is None else m[row][:2])]
            further = own_metrics.values(trained[row] if trained is not None else None, own[3], own[5])
            further |= {
                f"{split}_{name}": value
                for split, m in zip(("val", "test"), metrics[1:], strict=True)
                if m is not None
                for name, value in zip(cohort.further, m[row][2:], strict=True)
            }
            curves[i].append(
                measured_epoch(cohort.epoch, own[0], own[1], own[2], own[3], own[4], own[5], seconds, further)
            )
            kept: dict[str, Any] = {}
            finite = all(loss is None or math.isfinite(loss) for loss in own[::2])
            status: Status | None = None if finite else "diverged"
            if finite and cohort.epoch == configs[i].train.epochs:
                status = "complete"
                kept = keep_more(work.keep, configs[i], cohort, row, work.images)
                if checkpoints is not None and checkpoints.keeps_states:
                    keep_state(checkpoints, configs[i], cohort, row, curves[i])
            elif finite and i in stops and stops[i].stops(curves[i][-1]):
                status = "stopped"
            if status is None:
                staying.append(row)
            else:
                results[i] = Result(status, tuple(curves[i]), notes={**notes, **kept})
        cohort.keep(staying)
        saved.after_epoch()
        interim.after_epoch({i: curves[i][-1].values for i in current})
        yield cohort.epoch, current
