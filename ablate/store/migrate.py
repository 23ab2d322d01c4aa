"""Bringing a store of an older version to this one, in one transaction: all of it or nothing."""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.engine import Connection

from ablate.store.owner import Owner
from ablate.task.errors import ConfigError


def migrate(connection: Connection) -> None:
    """Bring the tables to the newest version.

    Args:
        connection: One in a writing transaction, so that nobody else does the same. A process that is killed meanwhile
            leaves the store as it was.

    Raises:
        ConfigError: A sweep of an older version is at work on it.
    """
    from alembic import command
    from alembic.config import Config

    _refuse_if_in_use(connection)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _refuse_if_in_use(connection: Connection) -> None:
    """An older program would lose what it is training: its tables would be gone."""
    from ablate.store.leases import clock_of
    from ablate.store.version1 import leases

    now = clock_of(connection)
    for row in connection.execute(select(leases)):
        owner = Owner(row.owner, row.machine, row.pid, row.process_started)
        if row.expires >= now and not owner.is_dead:
            raise ConfigError(
                "a sweep of an older version of ablate is at work on it; let it end, or end it, before this version "
                "changes the store's tables"
            )
