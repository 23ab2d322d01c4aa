"""The engine of function tasks: calls the function, one run at a time, and takes down what it reports."""

import math
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.function.report import Left, Report, ReportError
from ablate.function.signature import configuration_type, load_function, nested, typed
from ablate.task.engine import OnStep, Speed
from ablate.task.errors import ConfigError
from ablate.task.output import capturing
from ablate.task.plain_run import PlainRun
from ablate.task.record import Result, Status, StopRule
from ablate.task.run import Run

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Read by numerical libraries when they are first imported."""


class FunctionEngine:
    """Calls ``train(config, seed, report)`` in this process; see :class:`ablate.task.engine.Engine`.

    No random generator is seeded here: the seed is an argument of the function, and what it does with it is its own
    matter. Modules that it imports stay loaded from run to run, and so does what they keep.

    Args:
        device: ``cpu`` or ``cuda:N``; the function sees no other GPU.
        threads: For numerical libraries.
    """

    def __init__(self, device: str, threads: int) -> None:
        for variable in THREAD_VARIABLES:
            os.environ[variable] = str(threads)
        os.environ["CUDA_VISIBLE_DEVICES"] = device.partition(":")[2]
        self._has_measured_all: set[str] = set()

    @property
    def hardware(self) -> Mapping[str, Any]:
        """Nothing is known of what the function uses."""
        return {"gpu": None}

    def load(self, runs: Sequence[Run]) -> None:
        """Nothing is known of what the function's runs share."""

    def train(self, runs: Sequence[Run], on_step: OnStep, stops: Mapping[int, StopRule]) -> Sequence[Result]:
        """See :class:`ablate.task.engine.Engine`.

        Raises:
            ConfigError: The function cannot be called, or the first run did not report a metric of its task.
        """
        results: list[Result] = []
        for position, run in enumerate(runs):
            assert isinstance(run, PlainRun)
            results.append(self._train(run, _at(on_step, position), stops.get(position)))
        return results

    def probe(self, runs: Sequence[Run], seconds: float) -> Speed | None:
        """Runs do not train together."""
        return None

    def _train(self, run: PlainRun, on_step: OnStep, rule: StopRule | None) -> Result:
        place, metrics = run.details["function"], run.details["metrics"]
        function = load_function(place, [Path(root) for root in run.details["roots"]])
        kind = configuration_type(function, place)
        config = nested(run.config) if kind is None else typed(kind, run.config)
        report = Report(metrics, rule, on_step)
        error = None
        with capturing() as output:
            try:
                report.finish(function(config, run.seed, report))
            except Left:
                report.finish(None)
            except BaseException as raised:
                if report.raised is None and isinstance(raised, KeyboardInterrupt | GeneratorExit):
                    raise
                error = str(raised) if isinstance(raised, ReportError) else traceback.format_exc()
        if report.raised is not None:
            raise report.raised
        notes = {"code": run.details["code"], "output": output.text}
        curves = report.curves
        if (error or report.fault) is not None:
            return Result("failed", curves, error or report.fault, notes)
        status = _status(report)
        if status == "complete":
            missing = [name for name in metrics if not any(name in measured.values for measured in curves)]
            if missing and run.task not in self._has_measured_all:
                raise ConfigError(_never_reported(run, missing))
            if missing:
                return Result("failed", curves, "; ".join(_never_reported(run, missing)), notes)
            self._has_measured_all.add(run.task)
        return Result(status, curves, None, notes)


def _at(on_step: OnStep, position: int) -> Callable[[int, Sequence[int]], None]:
    return lambda step, members: on_step(step, (position,))


def _status(report: Report) -> Status:
    if not all(math.isfinite(value) for measured in report.curves for value in measured.values.values()):
        return "diverged"
    return "stopped" if report.stopped_by_rule else "complete"


def _never_reported(run: PlainRun, missing: Sequence[str]) -> list[str]:
    return [
        f"task {run.task}: metric {name!r} is declared, but {run.details['function']} never reported it; "
        f'call report(step, {{"{name}": ...}}), or take it out of the declaration'
        for name in missing
    ]
