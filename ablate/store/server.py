"""Connections to a PostgreSQL server that notice when the network between them is cut, on both ends.

Without these settings, a client whose packets are dropped waits for a quarter of an hour and longer, and a server keeps
a transaction of a client that is gone, and with it every other writer, for two hours.
"""

from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine

from ablate.store.location import url_of

CLIENT: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 40_000,
    "client_encoding": "UTF8",
    "application_name": "ablate",
}
"""Settings of libpq; seconds, but ``tcp_user_timeout`` in milliseconds. What a URL says itself counts."""

SESSION = (
    "SET idle_in_transaction_session_timeout = '60s'; SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 5; "
    "SET tcp_keepalives_count = 4; SET tcp_user_timeout = '40s'"
)
"""Said to the server at the beginning: it ends the transaction of a client of which nothing has been heard for so
long."""


def server_engine(location: str) -> Engine:
    """SQLAlchemy's engine for a server.

    Raises:
        ArgumentError: It is no URL.
        ModuleNotFoundError: There is no such driver here.
    """
    url = url_of(location)
    engine = create_engine(url, connect_args=connect_options(url))
    if url.get_driver_name() == "psycopg":
        event.listen(engine, "connect", prepare_session)
    return engine


def connect_options(url: URL) -> dict[str, Any]:
    """What a connection to a server is opened with, beside what its URL says."""
    if url.get_driver_name() != "psycopg":
        return {}
    return {name: value for name, value in CLIENT.items() if name not in url.query}


def prepare_session(connection: Any, _: object) -> None:
    """Called by SQLAlchemy with each new connection of psycopg."""
    with connection.cursor() as cursor:
        cursor.execute(SESSION)
    connection.commit()
