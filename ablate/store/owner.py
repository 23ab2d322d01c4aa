"""The process that holds leases, and whether it still lives."""

import os
import socket
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """One sweep's process, told apart from a later one that got the same process number."""

    name: str
    """Unique."""
    machine: str
    pid: int
    process_started: str
    """As the system counts it; empty where it does not say."""

    @classmethod
    def current(cls) -> "Owner":
        """A new owner in this process."""
        return cls(uuid.uuid4().hex, machine(), os.getpid(), _process_started(os.getpid()) or "")

    @property
    def is_dead(self) -> bool:
        """Whether the process is known to have ended; False for one on another machine, of which nothing is known."""
        if self.machine != machine():
            return False
        started = _process_started(self.pid)
        return started is None or started != self.process_started


@cache
def machine() -> str:
    """The space in which a process number means one process: host, boot and, in a container, its own numbering."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        pass
    return " ".join(parts)


def _process_started(pid: int) -> str | None:
    """Start time of a living process, "" where the system has no /proc, None for one that has ended."""
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return ""
    try:
        # The name in parentheses may hold spaces; state is the 3rd field, start time the 22nd (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
