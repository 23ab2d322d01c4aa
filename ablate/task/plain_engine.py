"""What the engines of plain runs share: somebody's own code is carried out one run at a time."""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from ablate.task.checkpoint import Checkpoints
from ablate.task.engine import OnInterim, OnStep, Speed
from ablate.task.plain_run import PlainRun
from ablate.task.record import LACKS, Measurement, Result, StopRule
from ablate.task.run import Run

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Read by numerical libraries when they are first imported."""

CHECKPOINT_VARIABLE = "ABLATE_CHECKPOINT_DIR"
"""Environment variable with a folder of the run's own, in which it finds what it left there when it was cut off; unset
where checkpoints are not kept."""


class PlainEngine(ABC):
    """Carries out runs one at a time; see :class:`ablate.task.engine.Engine`.

    Args:
        device: ``cpu`` or ``cuda:N``; the code sees no other GPU.
        threads: For numerical libraries.
    """

    def __init__(self, device: str, threads: int) -> None:
        self.variables = dict.fromkeys(THREAD_VARIABLES, str(threads))
        self.variables["CUDA_VISIBLE_DEVICES"] = device.partition(":")[2]
        self._checkpoints: Checkpoints | None = None
        self._on_interim: OnInterim | None = None
        self._position = 0
        """Of the run that is carried out."""

    def keep_checkpoints(self, checkpoints: Checkpoints) -> None:
        """See :class:`ablate.task.engine.Resumable`; what they hold, and when, is the affair of the code."""
        self._checkpoints = checkpoints

    def tell_interim(self, on_interim: OnInterim) -> None:
        """See :class:`ablate.task.engine.TellsInterim`."""
        self._on_interim = on_interim

    def tell_values(self, run: PlainRun, values: Mapping[str, float]) -> None:
        """Tell people who wait what a run has measured in a step: the last of its task's metrics that is among it.

        Args:
            run: As handed to :meth:`train_one`.
            values: By metric.
        """
        measured = [name for name in run.details["metrics"] if name in values]
        if self._on_interim is not None and measured and math.isfinite(values[measured[-1]]):
            self._on_interim(measured[-1], {self._position: values[measured[-1]]})

    @abstractmethod
    def train_one(self, run: PlainRun, on_step: Callable[[int], None], rule: StopRule | None) -> Result:
        """Carry out a run.

        Args:
            run: The run, with its seed.
            on_step: This is called after each step; what it raises must be let through.
            rule: What the run must reach to go on; None: nothing.

        Raises:
            ConfigError: The code cannot be run at all.
        """

    @property
    def hardware(self) -> Mapping[str, Any]:
        """Nothing is known of what somebody's own code uses."""
        return {"gpu": None}

    def load(self, runs: Sequence[Run]) -> None:
        """Nothing is known of what runs share."""
        return

    def train(self, runs: Sequence[Run], on_step: OnStep, stops: Mapping[int, StopRule]) -> Sequence[Result]:
        """See :class:`ablate.task.engine.Engine`.

        Raises:
            ConfigError: The code cannot be run at all.
        """
        results: list[Result] = []
        for position, run in enumerate(runs):
            assert isinstance(run, PlainRun)
            self._position = position
            with _checkpoint_folder(self._checkpoints, run):
                results.append(self.train_one(run, _at(on_step, position), stops.get(position)))
        return results

    def probe(self, runs: Sequence[Run], seconds: float) -> Speed | None:
        """Runs do not train together."""
        return None

    def complete(
        self,
        run: PlainRun,
        curves: tuple[Measurement, ...],
        notes: Mapping[str, Any],
        explain: Callable[[Sequence[str]], list[str]],
    ) -> Result:
        """The result of a run that ended well, which it only did if it measured every metric of its task.

        Args:
            run: As handed to :meth:`train_one`.
            curves: What it measured.
            notes: As the result is to have them.
            explain: A sentence for each metric that is missing.
        """
        if missing := self.missing(run, curves):
            return Result("failed", curves, "\n".join(explain(missing)), {**notes, LACKS: missing})
        return Result("complete", curves, None, notes)

    @staticmethod
    def missing(run: PlainRun, curves: Sequence[Measurement]) -> list[str]:
        """Metrics of a run's task that it has not measured."""
        return [name for name in run.details["metrics"] if not any(name in measured.values for measured in curves)]


def _at(on_step: OnStep, position: int) -> Callable[[int], None]:
    return lambda step: on_step(step, (position,))


@contextmanager
def _checkpoint_folder(checkpoints: Checkpoints | None, run: PlainRun) -> Iterator[None]:
    """The run finds its folder of checkpoints in the environment; an empty one is removed after it."""
    os.environ.pop(CHECKPOINT_VARIABLE, None)
    if checkpoints is None or (folder := checkpoints.folder_of(run.digest)) is None:
        yield
        return
    os.environ[CHECKPOINT_VARIABLE] = str(folder)
    try:
        yield
    finally:
        os.environ.pop(CHECKPOINT_VARIABLE, None)
        with suppress(OSError):
            folder.rmdir()
