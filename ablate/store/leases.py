"""Leases: two sweeps on one store share the work and never train a run twice.

A lease says that a sweep is training a run now. It ends with the sweep's process (seen at once on the same machine) or
when it has not been renewed for :data:`LEASE` seconds (a machine that went down). Clocks of machines that share a store
must agree to well below that.
"""

import time
from collections.abc import Iterable

from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.engine import Connection

from ablate.store.chunks import chunks
from ablate.store.owner import Owner
from ablate.store.schema import leases, records

LEASE = 120.0
"""Seconds that a lease lasts without renewal."""

RENEWAL = 20.0
"""Seconds after which a sweep should renew its leases."""


def grant(connection: Connection, digests: Iterable[str], owner: Owner, since: int | None) -> set[str]:
    """Lease those of ``digests`` that nobody holds and that no record makes superfluous.

    Args:
        connection: In a writing transaction.
        digests: Of runs that ``owner`` wants to train.
        owner: Who asks; what it holds already is granted again.
        since: A record of whatever status added after this mark makes a run superfluous; None: a final one only.

    Returns:
        The digests granted.
    """
    wanted = set(digests)
    now = time.time()
    done: ColumnElement[bool] = records.c.status.in_(("complete", "diverged"))
    if since is not None:
        done = or_(done, records.c.id > since)
    dead: dict[Owner, bool] = {owner: True}
    for chunk in chunks(sorted(wanted)):
        wanted.difference_update(
            connection.scalars(select(records.c.digest).where(records.c.digest.in_(chunk)).where(done))
        )
        ended = set()
        for row in connection.execute(select(leases).where(leases.c.digest.in_(chunk))):
            holder = Owner(row.owner, row.machine, row.pid, row.process_started)
            if holder not in dead:
                dead[holder] = holder.is_dead
            if dead[holder] or row.expires < now:
                ended.add(row.digest)
            else:
                wanted.discard(row.digest)
        connection.execute(delete(leases).where(leases.c.digest.in_(ended)))
    if wanted:
        values = {
            "owner": owner.name,
            "machine": owner.machine,
            "pid": owner.pid,
            "process_started": owner.process_started,
            "expires": now + LEASE,
        }
        connection.execute(insert(leases), [{"digest": digest, **values} for digest in sorted(wanted)])
    return wanted


def extend(connection: Connection, owner: Owner) -> None:
    """Let all leases of ``owner`` last for another :data:`LEASE` seconds."""
    connection.execute(update(leases).where(leases.c.owner == owner.name).values(expires=time.time() + LEASE))


def end(connection: Connection, owner: Owner, digests: Iterable[str] | None) -> None:
    """End the leases of ``owner`` on ``digests``, or all of them."""
    mine = delete(leases).where(leases.c.owner == owner.name)
    if digests is None:
        connection.execute(mine)
        return
    for chunk in chunks(sorted(digests)):
        connection.execute(mine.where(leases.c.digest.in_(chunk)))
