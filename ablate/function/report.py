"""``report``: what a training function tells of its run, and by which it learns that the run may stop."""

import math
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ablate.task.record import Measurement, StopRule


class ReportError(ValueError):
    """What was reported cannot be a measurement."""


class Left(BaseException):
    """Raised out of ``report`` in a function that goes on after it was told to stop; no fault of anybody's."""


class Report:
    """Called as ``report(step, {"val_f1": 0.9})`` after each step; see :meth:`__call__`.

    Args:
        metrics: Names that may be reported.
        rule: What the run must reach to go on; None: nothing.
        on_step: Called with each new step; what it raises goes through the training function.
        on_values: Called after it with what was measured in that step.
    """

    def __init__(
        self,
        metrics: Sequence[str],
        rule: StopRule | None,
        on_step: Callable[[int], None],
        on_values: Callable[[Mapping[str, float]], None] = lambda values: None,
    ) -> None:
        self._metrics, self._rule, self._on_step, self._on_values = metrics, rule, on_step, on_values
        self._before = time.perf_counter()
        self._steps: list[int] = []
        self._values: list[dict[str, float]] = []
        self._seconds: list[float] = []
        self.should_stop = False
        """Whether the run may stop; also what a call returns."""
        self.stopped_by_rule = False
        self.fault: str | None = None
        """Why what was reported cannot be used."""
        self.is_undeclared = False
        """Whether the fault is a name that is no metric of the task."""
        self.raised: BaseException | None = None
        """What ``on_step`` or ``on_values`` raised."""
        self._is_telling = False

    def __call__(self, step: int, values: Mapping[str, float] | None = None, /, **more: float) -> bool:
        """Report what was measured.

        Args:
            step: Counted by the function (epochs, iterations), never falling. A step may be reported in parts.
            values: Values by the metric's name.
            more: The same, as keywords.

        Returns:
            Whether the run may stop: a race has been lost, or a value is not finite. A function that goes on is left at
            its next report.

        Raises:
            ReportError: A name that is no metric of the task, a value that is no number, a step that falls.
        """
        if self.raised is not None:
            raise self.raised
        if self.fault is not None:
            raise ReportError(self.fault)
        number = self._checked_step(step)
        if self.should_stop and number != self._steps[-1]:
            raise Left
        numbers = {name: self._number(name, value) for name, value in {**(values or {}), **more}.items()}
        is_new = not self._steps or number > self._steps[-1]
        if is_new:
            now = time.perf_counter()
            self._steps.append(number)
            self._values.append({})
            self._seconds.append(now - self._before)
            self._before = now
        self._values[-1] |= numbers
        if not all(map(math.isfinite, numbers.values())):
            self.should_stop = True
        if self._loses(number):
            self.should_stop = self.stopped_by_rule = True
        if is_new:
            self._tell(number)
        return self.should_stop

    def fail(self, fault: str) -> bool:
        """End the run for a fault that is found while the function is at work.

        Returns:
            Whether an exception may be raised now; else, as a message to the sweep's process is being sent, this object
            raises one itself afterwards.
        """
        self.fault = fault
        return not self._is_telling

    def finish(self, returned: Any) -> None:
        """Take what the function returned: None, or a mapping with final values.

        Raises:
            ReportError: It is neither.
        """
        rest = time.perf_counter() - self._before
        if returned is not None and not isinstance(returned, Mapping):
            kind = type(returned).__name__
            raise ReportError(f"the function returned a {kind}: must be None or final values such as {{'val_f1': 0.9}}")
        if returned:
            if not self._steps:
                self._steps, self._values, self._seconds = [0], [{}], [0.0]
            self._values[-1] |= {name: self._number(name, value) for name, value in returned.items()}
        if self._seconds:
            self._seconds[-1] += rest

    @property
    def has_diverged(self) -> bool:
        """Whether a value is not finite."""
        return not all(math.isfinite(value) for values in self._values for value in values.values())

    @property
    def curves(self) -> tuple[Measurement, ...]:
        """All that was measured."""
        rows = zip(self._steps, self._values, self._seconds, strict=True)
        return tuple(Measurement(step, dict(values), seconds) for step, values, seconds in rows)

    def _tell(self, step: int) -> None:
        self._is_telling = True
        try:
            self._on_step(step)
            self._on_values(self._values[-1])
        except BaseException as error:
            self.raised = error
            raise
        finally:
            self._is_telling = False
        if self.fault is not None:
            raise ReportError(self.fault)

    def _loses(self, step: int) -> bool:
        """Whether the rule stops the run after the present step."""
        rule = self._rule
        if rule is None or rule.metric not in self._values[-1]:
            return False
        rows = zip(reversed(self._steps[:-1]), reversed(self._values[:-1]), strict=True)
        before = next((earlier for earlier, values in rows if rule.metric in values), -1)
        return rule.stops(Measurement(step, self._values[-1]), before)

    def _checked_step(self, step: int) -> int:
        try:
            number = operator.index(step)
        except TypeError:
            number = -1
        if isinstance(step, bool) or number < 0:
            self._fail(f"report: step = {step!r}: must be a whole number of at least 0")
        if self._steps and number < self._steps[-1]:
            self._fail(f"report: step = {number}: comes after step {self._steps[-1]}")
        return number

    def _number(self, name: Any, value: Any) -> float:
        if name not in self._metrics:
            self.is_undeclared = True
            self._fail(f"report: {name!r} is no metric of this task; metrics are {', '.join(self._metrics)}")
        try:
            if isinstance(value, str | bytes | bool):
                raise TypeError
            return float(value)
        except (TypeError, ValueError):
            self._fail(f"report: {name} = {value!r}: is no number")
        raise AssertionError

    def _fail(self, fault: str) -> None:
        self.fault = fault
        raise ReportError(fault)
