"""What each operation of the store costs on a PostgreSQL server that is made for it: statements and milliseconds."""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

from ablate.store import Owner, open_store
from ablate.store.chunks import CHUNK
from ablate.task.record import Record
from ablate.task.run import Run
from benchmarks.cluster import cluster
from benchmarks.simulated_store import FRAME, Meter


def server_costs(runs: Sequence[Run], made: Callable[[Run], Record]) -> dict[str, tuple[float, float]]:
    """Statements of each operation, and milliseconds of each statement.

    Args:
        runs: A few hundred.
        made: Makes a record of each.
    """
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    with cluster() as server, open_store(server.url("costs")) as store:
        meter, owner = Meter(store._database), Owner.current()

        def measured(operation: str, act: Callable[[], object]) -> None:
            before, begun = meter.count, time.perf_counter()
            act()
            found[operation].append((meter.count - before + FRAME, time.perf_counter() - begun))

        for run in runs:
            measured("lease", lambda run=run: store.lease([run.digest], owner, since=0))  # type: ignore[misc]
            measured("renew", lambda: store.renew(owner))
            measured("look ahead", lambda: store.taken([one.digest for one in runs[:CHUNK]], owner, since=0))
            measured("record", lambda run=run: store.add(made(run), ends=(owner, [run.digest])))  # type: ignore[misc]
    return {
        operation: (
            statistics.median(count for count, _ in each),
            statistics.median(1000 * seconds / count for count, seconds in each),
        )
        for operation, each in found.items()
    }
