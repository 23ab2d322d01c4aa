"""A PostgreSQL server of one's own, in a folder that goes away: ``with cluster() as server: server.url("name")``."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER = "ablate"


@dataclass(frozen=True)
class Server:
    """A running one."""

    folder: Path
    port: int
    programs: Path
    as_user: tuple[str, ...]

    def url(self, database: str) -> str:
        """Of a database, made where there is none."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(f"host=127.0.0.1 port={self.port} user={USER} dbname=postgres", autocommit=True) as admin:
            if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self._control("-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; ``immediate`` is what a crash would be."""
        self._control("-m", mode, "-w", "stop")

    def restart(self) -> None:
        """Crash and come back."""
        self.stop()
        self.start()

    def _control(self, *arguments: str) -> None:
        command = [*self.as_user, str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@contextmanager
def cluster() -> Iterator[Server]:
    """Make, start and in the end remove a server.

    Raises:
        RuntimeError: PostgreSQL is not installed (Debian: ``apt-get install postgresql``).
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    if initdb is None:
        raise RuntimeError("PostgreSQL is not installed; Debian has it as: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="ablate-pg-") as name, socket.socket() as taken:
        folder, as_user = Path(name), tuple[str, ...]()
        if os.getuid() == 0:  # It refuses to run as root.
            account = pwd.getpwnam("postgres")
            os.chown(folder, account.pw_uid, account.pw_gid)
            as_user = ("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
        command = [*as_user, initdb, "-D", str(folder / "data"), "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.close()
        server = Server(folder, port, Path(initdb).parent, as_user)
        server.start()
        try:
            yield server
        finally:
            server.stop()
