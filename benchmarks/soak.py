"""Readers beside writers, killed writers and sweeps, full disks, servers that crash, stores that are taken away.

    python -m benchmarks.soak                       # about an hour and a half: what results/benchmarks/soak.md holds
    python -m benchmarks.soak --parts sweeps        # some of the parts; the others' rows stay
    python -m benchmarks.soak --scale 0.03 --out /tmp/soak     # a try

Is a half record read, one lost, one doubled, one trained again that the store had, or success reported where there was
none? On SQLite and on a PostgreSQL server that is made for it (see :mod:`benchmarks.cluster`), the parts are:

- ``readers``: two readers beside a writer, undisturbed, ten minutes;
- ``writers``: two readers beside two writers that are killed (SIGKILL) at random moments, 100 times;
- ``faults``: a file system of 100 MB that is filled up and freed again (SQLite; Linux, as root), a server that crashes
  and restarts (PostgreSQL), 20 times, at random moments; what a store would not take is rescued, and taken up at last;
- ``crowd``: 100 writers of 50 records each and 20 readers, all at once: statements a second, and how long each waits;
- ``sweeps``: sweeps (``ablate sweep`` of a function), killed at random moments 200 times, until each has ended;
- ``taken``: sweeps whose store is moved, deleted or replaced, whose disk is full, or whose server crashes;
- ``suspended``: a sweep that is stopped for twice as long as its lease lasts, and another that takes over;
- ``slurm`` and ``ray``: three sweeps through two executors, and 75 kills of everything (needs Slurm, as root; Ray).
- ``cut``: sweeps that are cut off from the server, and from Slurm, for 90 s (needs Slurm, as root).

At the end of each, everything that was acknowledged is read and compared. Writers and readers are those of
:mod:`benchmarks.soak_records`, sweeps those of :mod:`benchmarks.soak_sweeps`. Exits with 1 where something was wrong.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster import Server, cluster
from benchmarks.options import target
from benchmarks.soak_crowd import crowd as many_at_once
from benchmarks.soak_cuts import SECONDS, cuts
from benchmarks.soak_executors import executors
from benchmarks.soak_records import Processes
from benchmarks.soak_sweeps import sweeps_killed, sweeps_suspended, sweeps_without_store
from benchmarks.soak_table import Part, keep

SQLITE, POSTGRES = "SQLite", "PostgreSQL"
DISK_BYTES = 100_000_000


@dataclass
class Place:
    """Where one part may work."""

    database: str
    location: str
    folder: Path
    scale: float
    server: Server

    def times(self, number: float) -> int:
        """So many, in a try fewer."""
        return max(1, round(number * self.scale))


def readers(place: Place) -> Part:
    """Two readers beside a writer."""
    part = Part("readers beside a writer", place.database)
    Processes(place.location, place.folder, 1, place.times(600)).end(part)
    return part


def writers(place: Place) -> Part:
    """Two readers beside two writers that are killed; a kill about every 1.6 seconds."""
    kills = place.times(100)
    part = Part("writers killed", place.database, events=kills)
    processes = Processes(place.location, place.folder, 2, 1.8 * kills + 5)
    time.sleep(3)
    for _ in range(kills):
        time.sleep(random.uniform(0.8, 2.4))
        processes.kill()
    processes.end(part)
    return part


def faults(place: Place) -> Part:
    """The disk is full, the server crashes."""
    number = place.times(20)
    if place.database == POSTGRES:
        part = Part("server crashes", place.database, events=number)
        processes = Processes(place.location, place.folder, 2, 6.0 * number)
        for _ in range(number):
            time.sleep(random.uniform(1.0, 5.0))
            place.server.restart()
        processes.end(part)
        return part
    part = Part("disk full", place.database)
    with small_disk(place.folder) as disk:
        processes = Processes(str(disk / "store.db"), place.folder, 1, 8.0 * number)
        while part.events < number and sum(path.stat().st_size for path in disk.iterdir()) < 0.5 * DISK_BYTES:
            time.sleep(random.uniform(1.0, 3.0))
            fill(disk / "filler")
            time.sleep(random.uniform(1.0, 4.5))
            (disk / "filler").unlink()
            part.events += 1
        processes.stop_writers()  # Else they fill the disk for good while the readers go on.
        processes.end(part)
    return part


def crowd(place: Place) -> Part:
    """See :func:`benchmarks.soak_crowd.crowd`."""
    return many_at_once(place.database, place.location, place.folder, place.times(100), place.times(20))


def sweeps(place: Place) -> Part:
    """See :func:`benchmarks.soak_sweeps.sweeps_killed`."""
    return sweeps_killed(place.database, place.location, place.folder, place.times(100))


def taken(place: Place) -> Part:
    """See :func:`benchmarks.soak_sweeps.sweeps_without_store`."""
    if place.database == POSTGRES:
        return sweeps_without_store(place.database, place.location, place.folder, place.times(12), place.server)
    with small_disk(place.folder) as disk:
        return sweeps_without_store(place.database, str(disk / "runs.db"), place.folder, place.times(24), disk)


def suspended(place: Place) -> Part:
    """See :func:`benchmarks.soak_sweeps.sweeps_suspended`."""
    return sweeps_suspended(place.database, place.location, place.folder)


def slurm(place: Place) -> Part:
    """See :func:`benchmarks.soak_executors.executors`."""
    return executors(place.database, place.location, place.folder, place.times(75), "slurm", _crashing(place))


def ray(place: Place) -> Part:
    """The same."""
    return executors(place.database, place.location, place.folder, place.times(75), "ray", _crashing(place))


def cut(place: Place) -> Part:
    """See :func:`benchmarks.soak_cuts.cuts`."""
    return cuts(place.database, place.location, place.folder, SECONDS * min(1.0, place.scale), _crashing(place))


def _crashing(place: Place) -> Server | None:
    return place.server if place.database == POSTGRES else None


PARTS: tuple[Callable[[Place], Part], ...] = (
    readers,
    writers,
    faults,
    crowd,
    sweeps,
    taken,
    suspended,
    slurm,
    ray,
    cut,
)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system in memory."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(path: Path) -> None:
    """Take every byte that is left."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass


def main() -> None:
    """Soak part by part, and keep the table."""
    names = [part.__name__ for part in PARTS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=names, default=names)
    parser.add_argument("--databases", nargs="+", choices=(SQLITE, POSTGRES), default=[SQLITE, POSTGRES])
    parser.add_argument("--scale", type=float, default=1.0, help="of lengths and numbers; below 1: a try")
    parser.add_argument("--out", type=target, default=Path("results/benchmarks"), help="folder (default: %(default)s)")
    given = parser.parse_args()
    bad = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # What was started is ended, too.
    with tempfile.TemporaryDirectory(prefix="ablate-soak-") as name, cluster() as server:
        for soak in PARTS:
            for database in given.databases if soak.__name__ in given.parts else ():
                folder = Path(name) / f"{soak.__name__}-{database}"
                folder.mkdir()
                if database == SQLITE and soak in (faults, taken) and os.getuid():
                    print(f"{soak.__name__}: mounts a small disk, and so needs root", file=sys.stderr)
                    continue
                location = server.url(soak.__name__) if database == POSTGRES else str(folder / "store.db")
                begun = time.monotonic()
                part = soak(Place(database, location, folder, given.scale, server))
                part.seconds = time.monotonic() - begun
                keep(given.out, part)
                print(part, file=sys.stderr, flush=True)
                bad |= part.is_bad
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
