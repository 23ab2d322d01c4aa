"""What somebody's own code printed, kept in bounded memory: its beginning and its end."""

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator

HEAD, TAIL = 4_000, 12_000
"""Bytes kept of the beginning and of the end of what was printed."""

CHUNK = 1 << 16
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-_])|[\x00-\x08\x0b-\x1f\x7f]")


class Captured:
    """Output of any length; keeps the first :data:`HEAD` and the last :data:`TAIL` bytes of it."""

    def __init__(self) -> None:
        self._head, self._tail, self.size = bytearray(), bytearray(), 0

    def add(self, chunk: bytes) -> None:
        """Take what was printed next."""
        self.size += len(chunk)
        room = HEAD - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:] if room < len(chunk) else b""
        if len(self._tail) > 4 * TAIL:
            del self._tail[:-TAIL]

    @property
    def text(self) -> str:
        """What is kept, as people would see it: no escape sequences, of a progress bar only its last state."""
        tail = bytes(self._tail[-TAIL:])
        left_out = self.size - len(self._head) - len(tail)
        if not left_out:
            return clean(bytes(self._head) + tail)
        return f"{clean(bytes(self._head))}\n[... {left_out:,} bytes are left out ...]\n{clean(tail)}"

    def last_lines(self, number: int) -> str:
        """The last lines of :attr:`text`."""
        return "\n".join(self.text.splitlines()[-number:])


def clean(raw: bytes) -> str:
    """Output as text of plain lines, without what only a terminal understands."""
    text = raw.decode("utf-8", errors="replace").replace("\r\n", "\n")
    lines = [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n")]
    return _ESCAPES.sub("", "\n".join(lines)).strip("\n")


@contextlib.contextmanager
def capturing() -> Iterator[Captured]:
    """While active, all that this process and its children print goes into what is yielded, and nowhere else."""
    captured = Captured()
    _flush()
    kept = [os.dup(1), os.dup(2)]
    reading, writing = os.pipe()
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    os.close(writing)
    streams = sys.stdout, sys.stderr
    # Streams of its own: what stands in for sys.stdout (a notebook's, a test's) does not write to these descriptors.
    sys.stdout, sys.stderr = (open(os.dup(number), "w", buffering=1, errors="replace") for number in (1, 2))
    ended = threading.Event()
    reader = threading.Thread(target=_read, args=(reading, captured, ended), daemon=True)
    reader.start()
    try:
        yield captured
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.close()
        sys.stdout, sys.stderr = streams
        for number, before in zip((1, 2), kept, strict=True):
            os.dup2(before, number)
            os.close(before)
        # A child that lives on holds the pipe open: what it prints later is not waited for.
        reader.join(timeout=1.0)
        ended.set()


def _read(reading: int, captured: Captured, ended: threading.Event) -> None:
    try:
        while chunk := os.read(reading, CHUNK):
            if not ended.is_set():
                captured.add(chunk)
    finally:
        os.close(reading)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
