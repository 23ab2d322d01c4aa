"""Work of a report that is shared out among processes, where the system makes copies of one at once."""

import multiprocessing
import os
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 8
"""Most processes: reports are small."""

_is_sharing = False


def in_processes(work: Sequence[Callable[[], T]]) -> list[T]:
    """The results of functions that do not depend on one another, in order.

    Where processes can be copied (Linux), as many work at once as there are cores; what a helper does not bring back,
    because it fails or is ended, is done here, so that an error is raised as if there were none.

    Args:
        work: Functions whose results can be pickled; what they change elsewhere than on the disk may be lost.
    """
    global _is_sharing
    helpers = min(len(work), MOST, cores()) - 1
    # A copy of a process with threads has their locks, which nobody in it ever opens.
    if helpers < 1 or _is_sharing or sys.platform != "linux" or threading.active_count() > 1:
        return [function() for function in work]
    context = multiprocessing.get_context("fork")
    taken = context.Value("i", 0)

    def next_one() -> int | None:
        with taken.get_lock():
            taken.value += 1
            return int(taken.value) - 1 if taken.value <= len(work) else None

    def help_out(answer: Connection) -> None:
        done = dict[int, T]()
        with suppress(Exception):  # the process that asked does it again, and says what is wrong
            while (index := next_one()) is not None:
                done[index] = work[index]()
        answer.send_bytes(pickle.dumps(done))

    found: dict[int, Any] = {}
    _is_sharing = True  # in helpers, too: what they do is not shared out once more
    started = []
    for _ in range(helpers):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=help_out, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        started.append((process, ours))
    try:
        while (index := next_one()) is not None:
            found[index] = work[index]()
        for process, ours in started:
            with suppress(EOFError, OSError):
                found |= pickle.loads(ours.recv_bytes())
            process.join()
    finally:
        _is_sharing = False
        for process, ours in started:
            process.kill()
            ours.close()
    return [found[index] if index in found else function() for index, function in enumerate(work)]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
