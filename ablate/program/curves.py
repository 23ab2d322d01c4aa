"""What a program measures, put together from what it writes, in whatever order and however often it is read."""

import math
import threading
import time
from collections.abc import Mapping

from ablate.task.record import Measurement


class Curves:
    """Values by step and metric, growing while a program runs.

    Args:
        metrics: Names that count; others are passed over.
    """

    def __init__(self, metrics: tuple[str, ...]) -> None:
        self._metrics = frozenset(metrics)
        self._steps: dict[int, dict[str, float]] = {}
        self._finals: dict[str, float] = {}
        self._seen: dict[int, float] = {}
        self._started = time.monotonic()
        self._lock = threading.Lock()  # printed lines are added by threads of their own

    def add(self, step: int | None, values: Mapping[str, float]) -> None:
        """Take values of a step, or, without one, final values; the last word on a step and metric counts."""
        known = {name: value for name, value in values.items() if name in self._metrics}
        with self._lock:
            if step is None:
                self._finals |= known
            elif known:
                self._seen.setdefault(step, time.monotonic())
                self._steps.setdefault(step, {}).update(known)

    @property
    def steps(self) -> list[int]:
        """Steps that have values, in order."""
        with self._lock:
            return sorted(self._steps)

    def at(self, step: int) -> Measurement:
        """What is known of a step."""
        with self._lock:
            return Measurement(step, dict(self._steps[step]))

    @property
    def has_diverged(self) -> bool:
        """Whether any value is NaN or infinite."""
        with self._lock:
            values = [value for row in (*self._steps.values(), self._finals) for value in row.values()]
        return not all(map(math.isfinite, values))

    def measurements(self, upto: int | None = None) -> tuple[Measurement, ...]:
        """All that was measured; final values belong to the last step, or are the only one, 0.

        Args:
            upto: The last step to be taken; None: all, and the final values.

        Returns:
            By step; one with a value that is not finite is the last.
        """
        rows = {step: dict(self.at(step).values) for step in self.steps if upto is None or step <= upto}
        if upto is None and self._finals:
            rows.setdefault(max(rows, default=0), {}).update(self._finals)
        found, before, until = [], self._started, time.monotonic()
        for step, values in rows.items():
            seen = max(self._seen.get(step, until), before)
            if step == max(rows):
                seen = until
            found.append(Measurement(step, values, seen - before))
            before = seen
            if not all(map(math.isfinite, values.values())):
                break
        return tuple(found)
