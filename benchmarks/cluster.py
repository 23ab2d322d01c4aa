"""A PostgreSQL server of one's own, in a folder that goes away: ``with cluster() as server: server.url("name")``.

A :class:`Link` stands for the network before it, which can be cut.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

USER = "ablate"


@dataclass(frozen=True)
class Server:
    """A running one."""

    folder: Path
    port: int
    programs: Path
    as_user: tuple[str, ...]
    password: str = ""
    """Without one, everybody is let in."""

    def url(self, database: str) -> str:
        """Of a database, made where there is none."""
        import psycopg
        from psycopg import sql

        place = f"host=127.0.0.1 port={self.port} user={USER} password='{self.password}' dbname=postgres"
        with psycopg.connect(place, autocommit=True) as admin:
            if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        user = f"{USER}:{self.password}" if self.password else USER
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self._control("-o", options, "-l", str(self.folder / "log"), "-w", "-t", "300", "start")

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


class Link:
    """A port before a server's through which everything goes, until it is cut.

    Args:
        server: The server.
        host: At which of this machine's addresses the port is.
    """

    def __init__(self, server: Server, host: str = "127.0.0.1") -> None:
        self._server, self._is_cut, self._is_silent = server, False, False
        self._open = set[socket.socket]()
        self._listener = socket.create_server((host, 0))
        self.port = int(self._listener.getsockname()[1])
        Thread(target=self._accept, daemon=True).start()

    def cut(self, *, silently: bool = False) -> None:
        """Break all connections, and from now on refuse them, or leave them without an answer."""
        self._is_cut, self._is_silent = True, silently
        for end in list(self._open):
            _shut(end)

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    def close(self) -> None:
        """Cut it for good."""
        self.cut()
        _shut(self._listener)

    def _accept(self) -> None:
        with self._listener:
            while True:
                try:
                    near, _ = self._listener.accept()
                except OSError:
                    return
                if self._is_cut and not self._is_silent:
                    near.close()
                    continue
                far = None if self._is_cut else socket.create_connection(("127.0.0.1", self._server.port))
                for source, sink in ((near, far), (far, near)):
                    if source is not None:
                        self._open.add(source)
                        Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket | None) -> None:
        with source:
            try:
                while data := source.recv(65536):
                    if sink is not None:
                        sink.sendall(data)
            except OSError:
                pass
            self._open.discard(source)
            if sink is not None:
                _shut(sink)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def cluster(password: str = "") -> Iterator[Server]:
    """Make, start and in the end remove a server.

    Args:
        password: Of its one user; without one, everybody is let in.

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
        (folder / "password").write_text(password or "none")
        (folder / "password").chmod(0o644)
        command = [*as_user, initdb, "-D", str(folder / "data"), "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync"]
        command += ["-A", "scram-sha-256" if password else "trust", f"--pwfile={folder / 'password'}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.close()
        server = Server(folder, port, Path(initdb).parent, as_user, password)
        server.start()
        try:
            yield server
        finally:
            server.stop()
