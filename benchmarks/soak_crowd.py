"""Many writers and readers of one store at once: a part of :mod:`benchmarks.soak`."""

import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from ablate.store import open_store
from benchmarks.simulated_store import Meter
from benchmarks.soak_records import STRIDE, check, record, same
from benchmarks.soak_table import Part

EACH = 50
"""Records of a writer."""


def crowd(database: str, location: str, folder: Path, writers: int, readers: int) -> Part:
    """None of them may give up, and none may read half a record.

    Args:
        database: For the table.
        location: Of the store.
        folder: Empty.
        writers: Their number; each adds 50 records, one a transaction.
        readers: Their number; each reads 50 times ten records, most of which are there or come meanwhile.
    """
    part = Part(f"{writers} writers and {readers} readers at once", database)
    open_store(location).close()
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write, args=(location, i, folder)) for i in range(writers)]
    processes += [context.Process(target=_read, args=(location, i, writers, folder)) for i in range(readers)]
    begun = time.monotonic()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    seconds = time.monotonic() - begun
    part.wrong_exits = sum(process.exitcode != 0 for process in processes)
    told = {
        kind: [json.loads(path.read_text()) for path in folder.glob(f"{kind}-*.json")] for kind in ("write", "read")
    }
    latencies = {kind: [ms for one in each for ms in one["ms"]] for kind, each in told.items()}
    part.errors = sum(one["errors"] for each in told.values() for one in each)
    part.statements = sum(one["statements"] for each in told.values() for one in each) / seconds
    part.half += sum(one["half"] for one in told["read"])
    part.reads, part.read = len(latencies["read"]), sum(one["read"] for one in told["read"])
    part.write_median, part.write_worst = statistics.median(latencies["write"]), max(latencies["write"])
    part.read_median, part.read_worst = statistics.median(latencies["read"]), max(latencies["read"])
    numbers = [i * STRIDE + j for i in range(writers) for j in range(EACH)]
    part.records = len(numbers)
    with open_store(location) as store:
        check(store, numbers, part)
    return part


def _write(location: str, i: int, folder: Path) -> None:
    with open_store(location) as store:
        meter, ms, errors = Meter(store._database), list[float](), 0
        for j in range(EACH):
            added = record(i * STRIDE + j)
            errors += not _timed(lambda added=added: store.add(added), ms)  # type: ignore[misc]
    _tell(folder / f"write-{i}.json", ms, errors, meter.count)


def _read(location: str, i: int, writers: int, folder: Path) -> None:
    half = read = errors = 0
    ms = list[float]()
    with open_store(location, read_only=True) as store:
        meter = Meter(store._database)
        for j in range(EACH):
            wanted = [record((i + k * writers // 10) % writers * STRIDE + j) for k in range(10)]
            by_digest = {one.digest: one for one in wanted}
            found: dict[str, object] = {}
            errors += not _timed(lambda by=by_digest, into=found: into.update(store.get(by)), ms)  # type: ignore[misc]
            read += len(found)
            half += sum(not same(one, by_digest[digest]) for digest, one in found.items())  # type: ignore[arg-type]
    _tell(folder / f"read-{i}.json", ms, errors, meter.count, half=half, read=read)


def _timed(act: Callable[[], object], ms: list[float]) -> bool:
    """Whether it went well; how long it took is noted."""
    begun = time.perf_counter()
    try:
        act()
    except ValueError:  # The store's errors are among them.
        return False
    finally:
        ms.append(1000 * (time.perf_counter() - begun))
    return True


def _tell(path: Path, ms: list[float], errors: int, statements: int, **more: int) -> None:
    path.write_text(json.dumps({"ms": ms, "errors": errors, "statements": statements, **more}))
