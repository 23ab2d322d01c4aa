"""Readers beside writers, killed writers, a full disk, a server that crashes: is a half record read, or one lost?

    python -m benchmarks.soak                                 # half an hour: what results/benchmarks/soak.md holds
    python -m benchmarks.soak --minutes 0.2 --kills 4 --faults 2    # a try

Writers add records whose every number follows from their own, and note in a file what the store has acknowledged.
Readers read acknowledged records and the next ones at random, whole, and compare each number. On SQLite and on a
PostgreSQL server that is made for it (see :mod:`benchmarks.cluster`): (1) two readers beside a writer, undisturbed;
(2) two writers that are killed (SIGKILL) at random moments, beside two readers; (3) faults at random moments: for
SQLite a file system of 24 MB that is filled up and freed again (Linux, as root), for PostgreSQL a crash and restart;
what a store would not take is rescued, and taken up in the end. At the end of each, everything acknowledged is read.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ablate.store import Store, StoreUnavailable, database, open_store
from ablate.store.rescue import rescue, take_up
from ablate.task.identity import digest_of
from ablate.task.record import Measurement, Record, Result
from benchmarks.cluster import Server, cluster

METRICS = ("loss", "acc", "val_loss", "val_acc", "f1_macro")
STRIDE = 10_000_000
"""Between the first numbers of two writers."""
RESCUED = "r"
"""Follows a number that was noted when its record had been rescued: readers do not expect it yet."""
SMALL_DISK = "24m"


def record(number: int) -> Record:
    """The one record of this number."""
    source = random.Random(number)
    steps = source.randint(1, 40)
    curve = tuple(
        Measurement(10 * step, {name: source.random() for name in METRICS}, source.random())
        for step in range(1, steps + 1)
    )
    config = {"task": "soak", "number": number}
    return Record(digest_of(config), config, Result("complete", curve, notes={"text": "x" * source.randint(0, 900)}))


def write(location: str, noted: Path, first: int, seconds: float) -> None:
    """Add records, one or a few a transaction, and note each that was acknowledged; started again, it goes on."""
    database.PATIENCE = 2.0
    noted.touch()
    number = first + len(noted.read_text().split())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with open_store(location) as store, noted.open("a") as file:
                while time.monotonic() < end:
                    batch = [record(number + i) for i in range(random.choice((1, 1, 3)))]
                    mark = ""
                    try:
                        store.add(*batch)
                    except StoreUnavailable:
                        rescue(store, batch)
                        mark = RESCUED
                    number += len(batch)
                    file.write("".join(f"{r.config['number']}{mark}\n" for r in batch))
                    file.flush()
                    time.sleep(0.002)
        except (StoreUnavailable, ValueError):
            time.sleep(0.2)  # It cannot even be opened now.


def read(location: str, noted: Sequence[Path], found: Path, seconds: float) -> None:
    """Read at random, and write down what was found."""
    database.PATIENCE = 60.0
    counts: Counter[str] = Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            look(location, noted, counts)
        except ValueError as error:
            counts["reads refused"] += 1
            counts[f"refused: {error}"[:160]] += 1
    found.write_text(json.dumps(counts))


def look(location: str, noted: Sequence[Path], counts: Counter[str]) -> None:
    """One read of up to 150 records that were acknowledged before, and of those that come next."""
    known = [[int(line) for line in path.read_text().split() if line.isdigit()] for path in noted if path.exists()]
    sure = [number for numbers in known for number in numbers]
    chosen = random.sample(sure, min(150, len(sure)))
    coming = [numbers[-1] + i for numbers in known if numbers for i in range(1, 20)]
    wanted = {record(number).digest: number for number in (*chosen, *coming)}
    with open_store(location, read_only=True) as store:
        found = store.get(wanted)
    counts["reads"] += 1
    counts["records read"] += len(found)
    counts["half records"] += sum(not same(found[digest], record(wanted[digest])) for digest in found)
    counts["acknowledged and not there"] += len({record(number).digest for number in chosen} - found.keys())


def same(one: Record, other: Record) -> bool:
    """Bit by bit."""
    return repr(one.result) == repr(other.result) and one.config == other.config


@dataclass
class Phase:
    """What one part of the soak has counted."""

    name: str
    database: str
    seconds: float = 0.0
    events: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    rescued: int = 0
    lost: int = 0
    half: int = 0

    @property
    def row(self) -> str:
        """Of the table."""
        c = self.counts
        cells = (
            self.database, self.name, f"{self.seconds:.0f}", self.events, self.acknowledged, c["reads"],
            c["records read"], c["half records"] + self.half, c["acknowledged and not there"] + self.lost,
            c["reads refused"], self.rescued,
        )  # fmt: skip
        return "| " + " | ".join(map(str, cells)) + " |"


HEAD = (
    "| database | phase | seconds | kills or faults | records acknowledged | reads | records read | half records | "
    "records lost | reads refused | rescued and taken up |\n|" + " --- |" * 11
)


class Soak:
    """Processes of one phase on one store."""

    def __init__(self, location: str, folder: Path, writers: int, seconds: float, readers: int = 2) -> None:
        self.location, self.folder, self.seconds = location, folder, seconds
        self.noted = [folder / f"noted-{i}" for i in range(writers)]
        self.found = [folder / f"found-{i}" for i in range(readers)]
        self.writers = [self.start_writer(i) for i in range(writers)]
        self.readers = [
            self._start("read", self.location, *map(str, self.noted), str(path), str(seconds)) for path in self.found
        ]
        self.begun = time.monotonic()

    def start_writer(self, i: int) -> "subprocess.Popen[bytes]":
        """Start, or go on."""
        return self._start("write", self.location, str(self.noted[i]), str(i * STRIDE), str(self.seconds + 600))

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-m", "benchmarks.soak", "--role", *arguments])

    def kill(self) -> None:
        """One writer, at once; another goes on in its place."""
        i = random.randrange(len(self.writers))
        self.writers[i].send_signal(signal.SIGKILL)
        self.writers[i].wait()
        self.writers[i] = self.start_writer(i)

    def end(self, phase: Phase) -> None:
        """Wait for the readers, end the writers, and read everything that was acknowledged."""
        for reader in self.readers:
            if reader.wait():
                raise RuntimeError("a reader has failed")
        for writer in self.writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        phase.seconds += time.monotonic() - self.begun
        for path in self.found:
            phase.counts.update(json.loads(path.read_text()))
        numbers = [int(line.removesuffix(RESCUED)) for path in self.noted for line in path.read_text().split()]
        phase.acknowledged += len(numbers)
        with open_store(self.location) as store:
            phase.rescued += sum(count for _, count in take_up(store))
            _check(store, numbers, phase)


def _check(store: Store, numbers: Sequence[int], phase: Phase) -> None:
    for start in range(0, len(numbers), 5000):
        wanted = {record(number).digest: number for number in numbers[start : start + 5000]}
        found = store.get(wanted)
        phase.lost += len(wanted) - len(found)
        phase.half += sum(not same(found[digest], record(wanted[digest])) for digest in found)


def undisturbed(location: str, folder: Path, kind: str, minutes: float) -> Phase:
    """Two readers beside a writer."""
    phase = Phase("readers beside a writer", kind)
    Soak(location, folder, 1, 60 * minutes).end(phase)
    return phase


def killed(location: str, folder: Path, kind: str, kills: int) -> Phase:
    """Two readers beside two writers that are killed; a kill about every 1.6 seconds."""
    phase = Phase("writers killed", kind, events=kills)
    soak = Soak(location, folder, 2, 1.8 * kills + 5)
    time.sleep(3)
    for _ in range(kills):
        time.sleep(random.uniform(0.8, 2.4))
        soak.kill()
    soak.end(phase)
    return phase


def disk_full(folder: Path, faults: int) -> Phase:
    """A small file system is filled up at random moments, for longer than the store has patience, and freed."""
    phase = Phase("disk full", "SQLite", events=faults)
    with small_disk(folder) as disk:
        soak = Soak(str(disk / "store.db"), folder, 1, 8.0 * faults)
        for _ in range(faults):
            time.sleep(random.uniform(1.0, 3.0))
            _fill(disk / "filler")
            time.sleep(random.uniform(1.0, 4.5))
            (disk / "filler").unlink()
            if sum(path.stat().st_size for path in disk.glob("store*")) > 18e6:
                break
        soak.end(phase)
    return phase


def crashed(server: Server, location: str, folder: Path, faults: int) -> Phase:
    """The server crashes at random moments and comes back."""
    phase = Phase("server crashes", "PostgreSQL", events=faults)
    soak = Soak(location, folder, 2, 6.0 * faults)
    for _ in range(faults):
        time.sleep(random.uniform(1.0, 5.0))
        server.restart()
    soak.end(phase)
    return phase


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system in memory."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass


def main() -> None:
    """Soak, and print a table."""
    if sys.argv[1:2] == ["--role"]:
        role, location, *rest = sys.argv[2:]
        if role == "write":
            write(location, Path(rest[0]), int(rest[1]), float(rest[2]))
        else:
            read(location, [Path(p) for p in rest[:-2]], Path(rest[-2]), float(rest[-1]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="readers beside a writer, on each database")
    parser.add_argument("--kills", type=int, default=100, help="on each database")
    parser.add_argument("--faults", type=int, default=20, help="disk full (SQLite), crashes (PostgreSQL)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ablate-soak-") as name, cluster() as server:
        folders = iter(Path(name) / str(i) for i in range(9))

        def new() -> Path:
            folder = next(folders)
            folder.mkdir()
            return folder

        phases = []
        for kind in ("SQLite", "PostgreSQL"):
            for number, part in enumerate((undisturbed, killed)):
                folder = new()
                location = str(folder / "store.db") if kind == "SQLite" else server.url(f"soak{number}")
                amount = given.minutes if part is undisturbed else given.kills
                phases.append(part(location, folder, kind, amount))  # type: ignore[operator]
                print(phases[-1].row, file=sys.stderr, flush=True)
        if os.getuid() == 0:
            phases.append(disk_full(new(), given.faults))
        phases.append(crashed(server, server.url("crashes"), new(), given.faults))
    print(HEAD, *(phase.row for phase in phases), sep="\n")
    refused = Counter[str]()
    for phase in phases:
        refused.update({text: n for text, n in phase.counts.items() if text.startswith("refused: ")})
    for text, count in refused.most_common(12):
        print(f"\n{count} x {text}")
    if any(phase.lost or phase.half or phase.counts["half records"] for phase in phases):
        sys.exit(1)


if __name__ == "__main__":
    main()
