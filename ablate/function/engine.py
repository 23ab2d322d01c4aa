"""The engine of function tasks: calls the function, one run at a time, and takes down what it reports."""

import os
import traceback
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ablate.function.limit import time_limit
from ablate.function.report import Left, Report, ReportError
from ablate.function.signature import configuration_type, load_function, nested, typed
from ablate.task.marked_processes import MARK, settled
from ablate.task.output import capturing
from ablate.task.plain_engine import PlainEngine
from ablate.task.plain_run import PlainRun
from ablate.task.record import LACKS, Result, StopRule

SETTLE_SECONDS = 1.0
"""Given to processes that a function has started to end by themselves after it."""


class FunctionEngine(PlainEngine):
    """Calls ``train(config, seed, report)`` in this process; see :class:`ablate.task.engine.Engine`.

    No random generator is seeded here: the seed is an argument of the function, and what it does with it is its own
    matter. Modules that it imports stay loaded from run to run, and so does what they keep.

    Args:
        device: ``cpu`` or ``cuda:N``; the function sees no other GPU.
        threads: How many threads numerical libraries may use.
    """

    def __init__(self, device: str, threads: int) -> None:
        super().__init__(device, threads)
        self._mark = os.environ.get(MARK) or uuid.uuid4().hex
        self._left: set[int] = set()
        """Numbers of processes that earlier runs have left behind."""
        os.environ.update({**self.variables, MARK: self._mark})

    def train_one(self, run: PlainRun, on_step: Callable[[int], None], rule: StopRule | None) -> Result:
        """See :class:`ablate.task.plain_engine.PlainEngine`."""
        place = run.details["function"]
        function = load_function(place, [Path(root) for root in run.details["roots"]])
        kind = configuration_type(function, place)
        config = nested(run.config) if kind is None else typed(kind, run.config)
        report = Report(run.details["metrics"], rule, on_step, partial(self.tell_values, run))
        error = None
        with capturing() as output:
            try:
                with time_limit(run.time_limit, report):
                    returned = function(config, run.seed, report)
                report.finish(returned)
            except Left:
                report.finish(None)
            except BaseException as raised:
                if report.raised is None and isinstance(raised, KeyboardInterrupt | GeneratorExit):
                    raise
                error = str(raised) if isinstance(raised, ReportError) else traceback.format_exc()
        if report.raised is not None:
            raise report.raised
        notes: dict[str, Any] = {"code": run.details["code"], "output": output.text}
        if left := settled(self._mark, self._left, SETTLE_SECONDS):
            notes["left_behind"] = list(left.values())
            self._left |= left.keys()
        curves = report.curves
        if report.is_undeclared:  # what the function made of the exception says no more
            return Result("failed", curves, report.fault, {**notes, LACKS: self.missing(run, curves)})
        if faults := list(dict.fromkeys(fault for fault in (report.fault, error) if fault is not None)):
            return Result("failed", curves, "\n".join(faults), notes)
        if report.has_diverged:
            return Result("diverged", curves, None, notes)
        if report.stopped_by_rule:
            return Result("stopped", curves, None, notes)
        return self.complete(run, curves, notes, partial(_never_reported, run))


def _never_reported(run: PlainRun, missing: Sequence[str]) -> list[str]:
    return [
        f"metric {name!r} is declared, but {run.details['function']} never reported it; "
        f'call report(step, {{"{name}": ...}}), or take it out of the declaration'
        for name in missing
    ]
