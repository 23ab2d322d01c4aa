"""How long a training function may take: it is left by an exception once its time is over."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ablate.function.report import Report


class TimeIsOver(BaseException):
    """Raised in a training function; no Exception, so that few functions take it for one of their own faults."""


@contextmanager
def time_limit(seconds: float | None, report: Report) -> Iterator[None]:
    """While active, a function that takes too long is left, and its report says why.

    Code that never returns to Python is not left; the sweep ends its worker some time later (see
    :class:`ablate.task.run.TimeLimited`), as it does where signals cannot be handled.

    Args:
        seconds: None: it may take any time.
        report: The function's.

    Raises:
        TimeIsOver: In the function.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if seconds is None or not is_main or not hasattr(signal, "SIGALRM"):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        if report.fail(f"took longer than its limit of {seconds:g} s"):
            raise TimeIsOver(report.fault)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
