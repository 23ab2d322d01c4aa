"""Writers and readers of a store that know what every record must be: the processes of :mod:`benchmarks.soak`.

Writers add records whose every number follows from their own, and note in a file what the store has acknowledged.
Readers read acknowledged records and the next ones at random, whole, and compare each number.
"""

import json
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ablate.store import Store, StoreUnavailable, database, open_store, shown
from ablate.store.rescue import rescue, take_up
from ablate.task.identity import digest_of
from ablate.task.record import Measurement, Record, Result
from benchmarks.soak_table import Part

METRICS = ("loss", "acc", "val_loss", "val_acc", "f1_macro")
STRIDE = 10_000_000
"""Between the first numbers of two writers."""
RESCUED = "r"
"""Follows a number that was noted when its record had been rescued: readers do not expect it yet."""
REFUSED = "refused "
"""Before the reason for which a read was refused."""


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


def same(one: Record, other: Record) -> bool:
    """Bit by bit."""
    return repr(one.result) == repr(other.result) and one.config == other.config


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
            reason = str(error).replace(shown(location), "")
            counts[REFUSED + re.sub(r'"[\d.]+", port \d+', "the server", reason.partition(": ")[2])[:90]] += 1
            time.sleep(0.05)
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


class Processes:
    """The writers and readers of one part on one store; they begin at once."""

    def __init__(self, location: str, folder: Path, writers: int, seconds: float, readers: int = 2) -> None:
        self.location, self.folder, self.seconds = location, folder, seconds
        self.noted = [folder / f"noted-{i}" for i in range(writers)]
        self.found = [folder / f"found-{i}" for i in range(readers)]
        self.writers = [self.start_writer(i) for i in range(writers)]
        self.readers = [
            _start("read", self.location, *map(str, self.noted), str(path), str(seconds)) for path in self.found
        ]

    def start_writer(self, i: int) -> "subprocess.Popen[bytes]":
        """Start, or go on."""
        return _start("write", self.location, str(self.noted[i]), str(i * STRIDE), str(self.seconds + 600))

    def kill(self) -> None:
        """One writer, at once; another goes on in its place."""
        i = random.randrange(len(self.writers))
        self.writers[i].send_signal(signal.SIGKILL)
        self.writers[i].wait()
        self.writers[i] = self.start_writer(i)

    def stop_writers(self) -> None:
        """All of them, at once."""
        for writer in self.writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()

    def end(self, part: Part) -> None:
        """Wait for the readers, end the writers, and read everything that was acknowledged.

        Raises:
            RuntimeError: A reader has ended with an error.
        """
        if any([reader.wait() for reader in self.readers]):
            raise RuntimeError("a reader has failed")
        self.stop_writers()
        counts = Counter[str]()
        for path in self.found:
            counts.update(json.loads(path.read_text()))
        part.reads, part.read = counts["reads"], counts["records read"]
        part.half, part.lost = counts["half records"], counts["acknowledged and not there"]
        part.refused = {text.removeprefix(REFUSED): n for text, n in counts.items() if text.startswith(REFUSED)}
        numbers = [int(line.removesuffix(RESCUED)) for path in self.noted for line in path.read_text().split()]
        part.records = len(numbers)
        with open_store(self.location) as store:
            part.rescued = sum(count for _, count in take_up(store))
            check(store, numbers, part)


def check(store: Store, numbers: Sequence[int], part: Part) -> None:
    """Read all of them, and count what is missing, what is not what was written, and what is there twice."""
    for start in range(0, len(numbers), 5000):
        wanted = {record(number).digest: number for number in numbers[start : start + 5000]}
        found = store.get(wanted)
        part.lost += len(wanted) - len(found)
        part.half += sum(not same(found[digest], record(wanted[digest])) for digest in found)
    everything = [each.digest for each in store.all(curves=False)]
    part.doubled += len(everything) - len(set(everything))


def _start(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "benchmarks.soak_records", *arguments])


def main() -> None:
    """A writer or a reader, by the arguments."""
    role, location, *rest = sys.argv[1:]
    if role == "write":
        write(location, Path(rest[0]), int(rest[1]), float(rest[2]))
    else:
        read(location, [Path(p) for p in rest[:-2]], Path(rest[-2]), float(rest[-1]))


if __name__ == "__main__":
    main()
