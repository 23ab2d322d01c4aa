"""The memory of the machine at hand: what is left of it, what this process has of it, and what it did not give."""

import os
import sys
from contextlib import suppress
from pathlib import Path

UNLIMITED = 2**60
"""A limit from here on is none."""


def available() -> int:
    """Bytes that this process and those that it starts can still have: of the machine, and of the limits set to it."""
    limits = [_of_machine(), _of_group(), _of_process()]
    return max(0, min(limit for limit in limits if limit is not None))


def resident(process: int | None = None) -> int:
    """Bytes of memory that a process has now; 0 where the system does not say.

    Args:
        process: Its number; None: this one.
    """
    return _status("VmRSS", process)


def peak_resident() -> int:
    """The most bytes that it ever had; 0 where the system does not say."""
    return _status("VmHWM")


def kills() -> int | None:
    """Processes that the kernel has ended for want of memory since the machine was started; None: it does not say."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


def in_words(size: float) -> str:
    """A number of bytes for people: ``812 MiB``, ``3.4 GiB``."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def _of_machine() -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return 4 * 2**30


def _of_group() -> int | None:
    """What control groups leave (containers, Slurm's jobs): of this process's own and those around it."""
    found = []
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds and "memory" not in kinds.split(","):
                continue
            root = Path("/sys/fs/cgroup") / ("memory" if kinds else "")
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if kinds else ("memory.max", "memory.current")
            inside = Path(path.lstrip("/"))
            for group in (inside, *inside.parents):
                with suppress(OSError, ValueError):  # no such file, or "max"
                    limit, used = (int((root / group / name).read_text()) for name in names)
                    if limit < UNLIMITED:
                        found.append(limit - used + _reclaimable(root / group))
    return min(found, default=None)


def _reclaimable(group: Path) -> int:
    """Bytes of files that the kernel keeps for the group until somebody needs the memory."""
    with suppress(OSError, ValueError):
        for line in (group / "memory.stat").read_text().splitlines():
            if line.startswith(("inactive_file ", "total_inactive_file ")):
                return int(line.split()[1])
    return 0


def _of_process() -> int | None:
    """What ``ulimit -v`` leaves."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY or limit >= UNLIMITED else limit - _status("VmSize")


def _status(name: str, process: int | None = None) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{process or 'self'}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0
