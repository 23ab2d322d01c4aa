"""Ctrl-C and SIGTERM: the first asks to stop, the second stops."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


class Interrupts:
    """While active, the first signal only sets :attr:`asked`, the next raises ``KeyboardInterrupt``, and then no more.

    Outside the main thread, where Python handles no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._raised = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ignore(self) -> None:
        """Raise nothing from now on: what is left to do is cleaning up."""
        self.asked = self._raised = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked = True
        elif not self._raised:
            self._raised = True
            raise KeyboardInterrupt
