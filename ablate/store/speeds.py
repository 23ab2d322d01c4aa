"""How fast cohorts of a shape have trained on a host: the memory behind estimates."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from ablate.store import version1
from ablate.store.schema import speeds


@dataclass(frozen=True)
class Speed:
    """One measurement; a later one of the same shape replaces it."""

    host: str
    device: str
    """Name of the processor or GPU."""
    cohort_key: str
    """One of ``Run.speed_keys``."""
    members: int
    shared: bool
    """Whether all members had the same seed, and so the same batches."""
    samples_per_second: float
    """Training samples times members a second, of one worker while all were busy, evaluation included."""
    measured_at: str
    """ISO 8601, UTC."""


def write_speeds(connection: Connection, measured: Sequence[Speed]) -> None:
    """Keep ``measured`` instead of earlier ones of the same shapes."""
    for speed in measured:
        values = asdict(speed)
        shape = (speeds.c[name] == values[name] for name in ("host", "device", "cohort_key", "members", "shared"))
        connection.execute(delete(speeds).where(*shape))
        connection.execute(insert(speeds).values(values))


def read_speeds(connection: Connection, host: str, version: int) -> list[Speed]:
    """All measurements of a host, from tables of a version."""
    table = speeds if version > 1 else version1.speeds
    return [Speed(**row) for row in connection.execute(select(table).where(table.c.host == host)).mappings()]
