"""Stands between a worker and a program, and leaves nothing of the program behind.

Executed by its path (``python -I -S guard.py STATUS SCRATCH COMMAND...``), so that it starts in some milliseconds;
knows only the standard library. It ends everything that the program started: after the program has ended by itself,
when it is told to, and when the worker is gone, however that came about.

Standard input is the worker: ``t`` asks the program to end (SIGTERM), ``k`` or the end of the pipe kills it. STATUS is
the number of a descriptor for two lines of JSON: ``{"pid": ...}`` at the start, and at the end ``{"code": ...,
"left": [...]}`` (a negative code: the number of a signal; ``left``: names of processes that were still there) or
``{"error": ...}`` where the program could not be started. SCRATCH is a folder that is deleted where the worker is gone
and cannot do it itself; empty: none.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

SETTLE_SECONDS = 1.0
"""Given to a program's children to end by themselves after it."""

PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """See the module."""
    status, scratch, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)  # what the worker ignores would be ignored by the program too
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    _adopt_orphans()
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        _say(status, {"error": f"{command[0]}: {error.strerror}"})
        return
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # telling a worker that is gone must not end us: we clean up after it
    _say(status, {"pid": process.pid})
    is_alone = threading.Event()
    threading.Thread(target=_obey, args=(process.pid, is_alone), daemon=True).start()
    code = process.wait()
    _say(status, {"code": code, "left": _end_rest(process.pid)})
    if is_alone.is_set() and scratch:
        shutil.rmtree(scratch, ignore_errors=True)


def _say(status: int, what: dict[str, object]) -> None:
    try:
        os.write(status, json.dumps(what).encode() + b"\n")
    except OSError:
        pass  # the worker is gone


def _obey(group: int, is_alone: threading.Event) -> None:
    """Do as the worker says, until it says no more."""
    while (told := os.read(0, 1)) == b"t":
        _signal(group, signal.SIGTERM)
    if not told:
        is_alone.set()
    while True:
        for pid, _ in _rest(group):
            _kill(pid)
        _signal(group, signal.SIGKILL)
        time.sleep(0.05)


def _end_rest(group: int) -> list[str]:
    """End what the program has left behind; returns the names."""
    end = time.monotonic() + SETTLE_SECONDS
    while (left := _rest(group)) and time.monotonic() < end:
        time.sleep(0.02)
    names = [name for _, name in left]
    while left:
        for pid, _ in left:
            _kill(pid)
        time.sleep(0.02)
        left = _rest(group)
    _signal(group, signal.SIGKILL)
    return names


def _rest(group: int) -> list[tuple[int, str]]:
    """Processes of the program's group, and all others that descend from this one: number and name."""
    table: dict[int, tuple[int, int, str]] = {}
    try:
        entries = os.listdir("/proc")
    except OSError:
        return []  # without /proc the group is ended, whoever is in it
    for entry in entries:
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as opened:
                head, _, tail = opened.read().rpartition(")")
        except OSError:
            continue
        state, parent, its_group = tail.split()[:3]
        if state == "Z":
            _reap(int(entry), int(parent))
        else:
            table[int(entry)] = int(parent), int(its_group), head.partition("(")[2]
    own = os.getpid()

    def descends(pid: int) -> bool:
        while pid in table:
            pid = table[pid][0]
            if pid == own:
                return True
        return False

    return [(pid, name) for pid, (_, its, name) in table.items() if pid != own and (its == group or descends(pid))]


def _reap(pid: int, parent: int) -> None:
    """Take the exit code of an adopted process, so that it does not stay as a zombie."""
    if parent == os.getpid() and threading.current_thread() is threading.main_thread():
        try:
            os.waitpid(pid, os.WNOHANG)
        except OSError:
            pass


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except OSError:
        pass


def _adopt_orphans() -> None:
    """Become the parent of what loses its own (Linux): a child that starts a session of its own is still found."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    main()
