"""A program that runs beside us: started under a guard, its output captured, ended with all that it started."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any, BinaryIO

from ablate.task.marked_processes import MARK
from ablate.task.output import CHUNK, Captured
from ablate.task.plain_json import loads

GUARD = Path(__file__).with_name("guard.py")

LONGEST_LINE = 1 << 20
"""Bytes of a line that is looked at; what is longer is no metric."""

GRACE_SECONDS = 5.0
"""Seconds between asking a program to end and killing it."""


@dataclass(frozen=True)
class Ended:
    """How a program has ended."""

    code: int | None = None
    """Its exit code; None: it was ended by a signal, or could not be started."""
    signal: str | None = None
    left_behind: tuple[str, ...] = ()
    """Names of processes that were still there, and have been ended."""
    error: str | None = None
    """Why it could not be started or followed to its end."""
    never_started: bool = False

    @property
    def fault(self) -> str | None:
        """What is wrong, in words; None: exit code 0."""
        if self.error is not None:
            return self.error
        if self.signal is not None:
            return f"was ended by {self.signal}" + (" (out of memory?)" if self.signal == "SIGKILL" else "")
        return f"exit code {self.code}" if self.code else None


class Program:
    """A running program.

    Args:
        command: Words.
        folder: Where it runs.
        environment: Over that of this process.
        on_line: Called, by a thread, with each line of its standard output and errors, one at a time; None:
            nobody reads them.
        scratch: Folder that is deleted should this process be killed while the program runs.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        on_line: Callable[[bytes], None] | None = None,
        scratch: Path | None = None,
    ) -> None:
        self.started = time.monotonic()
        self.output, self.errors = Captured(), Captured()
        self._ended: Ended | None = None
        self._told = b""
        self._pid: int | None = None
        self._status, status = os.pipe()
        try:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), str(status), str(scratch or ""), *command],
                cwd=folder,
                env={**os.environ, **environment, MARK: ""},  # the guard ends what is its own
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[status],
                start_new_session=True,
                bufsize=0,
            )
        finally:
            os.close(status)
        take = _one_by_one(on_line) if on_line is not None else None
        self._readers = [
            threading.Thread(target=_read, args=arguments, daemon=True)
            for arguments in ((self._guard.stdout, self.output, take), (self._guard.stderr, self.errors, take))
        ]
        for reader in self._readers:
            reader.start()

    def wait(self, seconds: float) -> Ended | None:
        """How it has ended; None: it still runs.

        Args:
            seconds: How long to wait for its end at most.
        """
        if self._ended is not None:
            return self._ended
        with DefaultSelector() as selector:
            selector.register(self._status, EVENT_READ)
            until = time.monotonic() + seconds
            while selector.select(max(0.0, until - time.monotonic())):
                chunk = os.read(self._status, CHUNK)
                self._told += chunk
                if not chunk:
                    self._ended = self._bury()
                    return self._ended
        return None

    def terminate(self) -> Ended:
        """Ask it to end, kill it after :data:`GRACE_SECONDS`, and return once all of it is gone."""
        self._tell(b"t")
        return self.wait(GRACE_SECONDS) or self.kill()

    def kill(self) -> Ended:
        """End it and all that it started at once."""
        self._tell(b"k")
        while (ended := self.wait(1.0)) is None:
            pass
        return ended

    def _tell(self, word: bytes) -> None:
        assert self._guard.stdin is not None
        try:
            self._guard.stdin.write(word)
        except OSError:
            pass  # it has just ended

    def _bury(self) -> Ended:
        lines = [loads(line) for line in self._told.splitlines() if line.endswith(b"}")]
        said: dict[str, Any] = {key: value for line in lines for key, value in line.items()}
        if "code" not in said and "pid" in said:  # the guard itself was killed
            _kill_group(said["pid"])
        self._guard.wait()
        for reader in self._readers:
            reader.join(GRACE_SECONDS)
        for stream in (self._guard.stdin, self._guard.stdout, self._guard.stderr):
            assert stream is not None
            if stream is self._guard.stdin or not any(reader.is_alive() for reader in self._readers):
                stream.close()
        os.close(self._status)
        if "error" in said:
            return Ended(error=f"could not be started: {said['error']}", never_started=True)
        if "code" not in said:
            return Ended(error="could not be followed to its end: its guard was killed")
        code, left = said["code"], tuple(said["left"])
        if code >= 0:
            return Ended(code=code, left_behind=left)
        known = {int(number): number.name for number in signal.Signals}
        return Ended(signal=known.get(-code, f"signal {-code}"), left_behind=left)


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass


def _one_by_one(on_line: Callable[[bytes], None]) -> Callable[[bytes], None]:
    lock = threading.Lock()

    def take(line: bytes) -> None:
        with lock:
            on_line(line)

    return take


def _read(stream: BinaryIO, captured: Captured, on_line: Callable[[bytes], None] | None) -> None:
    """Take what a program prints, as fast as it prints it."""
    rest = b""
    while chunk := stream.read(CHUNK):
        captured.add(chunk)
        if on_line is None:
            continue
        *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            on_line(line)
        if len(rest) > LONGEST_LINE:
            rest = b""
    if on_line is not None and rest:
        on_line(rest)
