"""Leases: two sweeps on one store share the work and never train a run twice.

A lease says that a sweep is training a run now. It ends with the sweep's process, or when it has not been renewed for
:data:`LEASE` seconds. Who looks decides that without trusting clocks that may jump:

- On the same machine, a process that lives and runs keeps its leases however late it is; one that is stopped
  (``SIGSTOP``, Ctrl-Z) loses them by the machine's monotonic clock.
- On other machines the database's clock counts, and only where the lease has also stood still for :data:`STILL`
  seconds of the looker's own monotonic clock: a living sweep renews within that time, whatever jumped.
"""

import time
from collections.abc import Iterable

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.engine import Connection, Row

from ablate.store.chunks import chunks
from ablate.store.owner import Owner
from ablate.store.schema import leases, records

LEASE = 120.0
"""Seconds that a lease lasts without renewal."""

RENEWAL = 20.0
"""Seconds after which a sweep should renew its leases."""

STILL = 3 * RENEWAL
"""Seconds for which the lease of another machine must have been seen unchanged to be ended."""


class Watch:
    """What one process has seen of others' leases, for as long as it has a store open."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}

    def still_for(self, row: "Row[tuple[object, ...]]") -> float:
        """Seconds for which the owner of a lease has been seen without renewing it."""
        now = time.monotonic()
        renewed, since = self._seen.get(row.owner, (float("-inf"), now))
        if row.renewed > renewed:  # Another of its leases may be older: that is no sign of life.
            renewed, since = row.renewed, now
        self._seen[row.owner] = (renewed, since)
        return now - since


def grant(
    connection: Connection, digests: Iterable[str], owner: Owner, since: int | None, watch: Watch | None = None
) -> set[str]:
    """Lease those of ``digests`` that nobody holds and that no record makes superfluous.

    Args:
        connection: A connection in a writing transaction.
        digests: Digests of the runs that ``owner`` wants to train.
        owner: Who asks; what it holds already is granted again.
        since: A record of whatever status added after this mark makes a run superfluous; None: a final one only.
        watch: What this process has seen of leases.

    Returns:
        The digests granted.
    """
    wanted, watch = set(digests), watch or Watch()
    now = clock_of(connection)
    done: ColumnElement[bool] = records.c.status.in_(("complete", "diverged"))
    if since is not None:
        done = or_(done, records.c.id > since)
    ended_owners: dict[str, bool] = {owner.name: True}
    for chunk in chunks(sorted(wanted)):
        wanted.difference_update(
            connection.scalars(select(records.c.digest).where(records.c.digest.in_(chunk)).where(done))
        )
        ended = set()
        for row in connection.execute(select(leases).where(leases.c.digest.in_(chunk))):
            if row.owner not in ended_owners:
                ended_owners[row.owner] = _has_ended(row, now, watch)
            if ended_owners[row.owner]:
                ended.add(row.digest)
            else:
                wanted.discard(row.digest)
        if ended:
            connection.execute(delete(leases).where(leases.c.digest.in_(ended)))
    if wanted:
        values = {
            "owner": owner.name,
            "machine": owner.machine,
            "pid": owner.pid,
            "process_started": owner.process_started,
            "expires": now + LEASE,
            "renewed": time.monotonic(),
        }
        connection.execute(insert(leases), [{"digest": digest, **values} for digest in sorted(wanted)])
    return wanted


def extend(connection: Connection, owner: Owner) -> set[str]:
    """Let all leases of ``owner`` last for another :data:`LEASE` seconds.

    Returns:
        The digests that it still holds: others have ended while it was suspended, and may be trained elsewhere.
    """
    mine = leases.c.owner == owner.name
    times = {"expires": clock_of(connection) + LEASE, "renewed": time.monotonic()}
    connection.execute(update(leases).where(mine).values(times))
    return set(connection.scalars(select(leases.c.digest).where(mine)))


def end(connection: Connection, owner: Owner, digests: Iterable[str] | None) -> None:
    """End the leases of ``owner`` on ``digests``, or all of them."""
    mine = delete(leases).where(leases.c.owner == owner.name)
    if digests is None:
        connection.execute(mine)
        return
    for chunk in chunks(sorted(digests)):
        connection.execute(mine.where(leases.c.digest.in_(chunk)))


def held(connection: Connection, digests: Iterable[str] | None = None, *, but: Owner | None = None) -> dict[str, Owner]:
    """The runs that are in training now.

    Args:
        connection: A connection in a transaction.
        digests: Which runs; None: all.
        but: Whose leases are left out; None: nobody's.

    Returns:
        By digest the sweep that holds the lease; leases that have run out, or whose sweep is known to have ended, are
        left out.
    """
    now = clock_of(connection)
    found = {}
    every = select(leases)
    parts = [every] if digests is None else [every.where(leases.c.digest.in_(c)) for c in chunks(sorted(digests))]
    for part in parts:
        for row in connection.execute(part):
            holder = Owner(row.owner, row.machine, row.pid, row.process_started)
            if row.expires >= now and holder != but and not holder.is_dead:
                found[row.digest] = holder
    return found


def clock_of(connection: Connection) -> float:
    """Seconds since 1970 by the database's clock; an SQLite file is on a local disk, and has this machine's."""
    if connection.dialect.name == "postgresql":
        return float(connection.scalar(select(func.extract("epoch", func.clock_timestamp()))) or 0.0)
    return time.time()


def _has_ended(row: "Row[tuple[object, ...]]", now: float, watch: Watch) -> bool:
    holder = Owner(row.owner, row.machine, row.pid, row.process_started)
    if holder.is_here:
        late = time.monotonic() - row.renewed > LEASE
        return holder.is_dead or (late and not holder.is_running)
    still = watch.still_for(row)
    return still > LEASE or (row.expires < now and still > STILL)
