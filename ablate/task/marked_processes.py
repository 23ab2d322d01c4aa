"""Processes that somebody's code has started in a worker, found by a mark that they inherit in their environment.

Neither a session of its own nor the end of its parent takes the mark from a process. Where there is no ``/proc``,
nothing is found.
"""

import os
import signal
import time

MARK = "ABLATE_WORKER"
"""Variable with a name of the worker, in the environment with which it was started."""

END_SECONDS = 5.0
"""Longest wait for processes that have been killed."""


def marked(name: str) -> dict[int, str]:
    """Processes of a worker, but for this one: names by their numbers.

    Args:
        name: The worker's, as in :data:`MARK`.
    """
    wanted = f"{MARK}={name}".encode()
    found = {}
    try:
        numbers = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    except OSError:
        return {}
    for pid in numbers:
        try:
            with open(f"/proc/{pid}/environ", "rb") as opened:
                if pid == os.getpid() or wanted not in opened.read().split(b"\0"):
                    continue
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as opened:
                head, _, tail = opened.read().rpartition(")")
        except OSError:
            continue  # it has just ended, or is somebody else's
        if tail.split()[0] != "Z":
            found[pid] = head.partition("(")[2]
    return found


def settled(name: str, before: set[int], seconds: float) -> dict[int, str]:
    """Names, by their numbers, of a worker's new processes that do not end by themselves.

    Args:
        name: The worker's.
        before: Numbers of those that were there already.
        seconds: Given to them.
    """
    until = time.monotonic() + seconds
    while (left := {pid: what for pid, what in marked(name).items() if pid not in before}) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def end_marked(name: str) -> None:
    """End every process of a worker but this one; what the kernel does not end soon is left to it."""
    until = time.monotonic() + END_SECONDS
    while (left := marked(name)) and time.monotonic() < until:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.01)
