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
    """When the process started, as the system counts it; empty where it does not say."""

    @classmethod
    def current(cls) -> "Owner":
        """A new owner in this process."""
        return cls(uuid.uuid4().hex, machine(), os.getpid(), _process_started(os.getpid()) or "")

    @property
    def host(self) -> str:
        """The name of its machine."""
        return self.machine.partition(" ")[0]

    @property
    def is_here(self) -> bool:
        """Whether the process is, or was, on this machine."""
        return self.machine == machine()

    @property
    def is_running(self) -> bool:
        """Whether it is known to be alive here and not to be stopped (``SIGSTOP``, Ctrl-Z, a debugger)."""
        try:
            return self.is_here and not self.is_dead and _fields(self.pid)[0] not in "Tt"
        except OSError:
            return False

    @property
    def is_dead(self) -> bool:
        """Whether the process is known to have ended; False for one on another machine, of which nothing is known."""
        if not self.is_here:
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
        fields = _fields(pid)
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _fields(pid: int) -> list[str]:
    """What the system says of a process, from its state (the 3rd field, proc(5)) on; its start time is the 22nd.

    Raises:
        OSError: There is no such process, or no /proc.
    """
    # The name in parentheses may hold spaces.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
