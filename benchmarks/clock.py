"""The clock of a measurement: a loop tells it of every step and goes on for as long as it says."""

import time
from collections.abc import Callable


class Clock:
    """Times steps after a lead-in, which empties queues, fills caches and lets several processes start together.

    Args:
        seconds: To measure, at least one step.
        lead_seconds: Shortest lead-in.
        lead_steps: Fewest steps of the lead-in.
        ready: Called between the lead-in and the measurement; may block.
        wait: Called before and after the measurement: returns once a device has done all that it was told to.
    """

    def __init__(
        self,
        seconds: float,
        lead_seconds: float,
        lead_steps: int,
        ready: Callable[[], object] = lambda: None,
        wait: Callable[[], object] = lambda: None,
    ) -> None:
        self.seconds, self.lead_seconds, self.lead_steps, self.ready = seconds, lead_seconds, lead_steps, ready
        self.wait = wait
        self.samples, self.elapsed, self.done = 0.0, 0.0, False
        self._steps, self._begin = 0, time.perf_counter()
        self._start: float | None = None

    def tick(self, samples: float) -> bool:
        """Take note of a finished step.

        Args:
            samples: Training samples times models of the step (for matrix products: operations).

        Returns:
            Whether the loop shall go on.
        """
        now = time.perf_counter()
        if self._start is None:
            self._steps += 1
            if self._steps >= self.lead_steps and now - self._begin >= self.lead_seconds:
                self.start()
            return True
        self.samples += samples
        self.done = now - self._start >= self.seconds
        if self.done:
            self.wait()
            now = time.perf_counter()
        self.elapsed = now - self._start
        return not self.done

    def start(self) -> None:
        """End the lead-in."""
        self.wait()
        self.ready()
        self._start = time.perf_counter()

    def take(self, samples: float, elapsed: float) -> None:
        """End the measurement with what a loop has timed by itself."""
        self.samples, self.elapsed, self.done = samples, elapsed, True
