"""Worker processes that run contenders in turn, so that what disturbs the machine disturbs all of them alike.

The rivals' processes are as Python starts them; ours keep freed memory, as the executor's workers do.
"""

import multiprocessing
import os
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.clock import Clock
from benchmarks.contenders import Contender

LEAD_SHARE = 0.2
"""Of the seconds measured, spent before on the lead-in."""
PATIENCE = 600.0
"""Seconds until a process that does not answer is given up."""
CACHES = ("TORCHINDUCTOR_CACHE_DIR", "XDG_CACHE_HOME")
"""Variables that name the folders where compiled code is kept."""


@dataclass
class Measured:
    """What was measured of a contender."""

    contender: Contender
    rates: list[float] = field(default_factory=list)
    """Of each repeat, all processes together: training samples times models a second (matrix product: FLOP/s)."""
    first: float = 0.0
    """Seconds until the loop was built and had taken its first steps, nothing compiled being in a cache."""
    notes: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None


def measure(
    contenders: Sequence[Contender],
    *,
    repeats: int,
    seconds: float,
    train_size: int | None = None,
    say: Callable[[str], object] = lambda text: None,
) -> list[Measured]:
    """Measure contenders in turn (A B C A B C ...), after each has taken its first steps.

    Args:
        contenders: What to measure.
        repeats: Times that each is measured.
        seconds: Of each measurement.
        train_size: First training images to use; None: all.
        say: Called with lines on the progress.

    Returns:
        One for each contender; one that fails says why and is left out from then on.
    """
    found = [Measured(c) for c in contenders]
    with empty_caches(), _crews(max(c.processes for c in contenders), seconds, train_size) as crews:
        for m in found:
            say(f"first steps: {m.contender.loop}, models {m.contender.models}, processes {m.contender.processes}")
            _try(_Crew.prepare, m, crews, say)
        for repeat in range(repeats):
            say(f"repeat {repeat + 1} of {repeats}")
            for m in found:
                _try(_Crew.run, m, crews, say)
    return found


def _try(
    action: Callable[["_Crew", Measured], None],
    m: Measured,
    crews: dict[bool, "_Crew"],
    say: Callable[[str], object],
) -> None:
    if m.failure is None:
        try:
            action(crews[m.contender.ours], m)
        except _FailedError as error:
            m.failure, m.rates = str(error), []
            say(f"failed: {m.contender.loop}: {error}")


@contextmanager
def empty_caches() -> Iterator[None]:
    """Let processes started meanwhile find nothing that was compiled before."""
    with tempfile.TemporaryDirectory(prefix="ablate-bench-", ignore_cleanup_errors=True) as folder, caches(folder):
        yield


@contextmanager
def caches(folder: str) -> Iterator[None]:
    """Let processes started meanwhile keep in a folder what they compile, and find it there."""
    before = {name: os.environ.get(name) for name in CACHES}
    os.environ |= {name: str(Path(folder) / name.lower()) for name in CACHES}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ |= {} if value is None else {name: value}


class _FailedError(Exception):
    """A contender cannot be measured."""


@contextmanager
def _crews(size: int, seconds: float, train_size: int | None) -> Iterator[dict[bool, "_Crew"]]:
    crews = {ours: _Crew(size, ours, seconds, train_size) for ours in (False, True)}
    try:
        yield crews
    finally:
        for crew in crews.values():
            crew.close()


class _Crew:
    """Processes of one kind; one that died is started again for the next contender."""

    def __init__(self, size: int, *settings: Any) -> None:
        self.settings = settings
        self.members: list[_Member | None] = [None] * size
        self.firsts: dict[Contender, float] = {}

    def prepare(self, m: Measured) -> None:
        """Take first steps in one process after another: those after the first find their caches filled."""
        for position in range(m.contender.processes):
            seconds, m.notes = self._member(position).prepare(m.contender.alone)
            m.first = self.firsts.setdefault(m.contender.alone, seconds)

    def run(self, m: Measured) -> None:
        """Measure once, all processes together: they start at the same time."""
        contender = m.contender.alone
        members = [self._member(position) for position in range(m.contender.processes)]
        for member in members:
            member.prepare(contender)
        for member in members:
            member.send("run", contender)
        answers = [member.receive() for member in members]
        waiting = [member for member, answer in zip(members, answers, strict=True) if answer[0] == "ready"]
        for member in waiting:
            member.connection.send("go")
        answers = [answer for answer in answers if answer[0] != "ready"] + [member.receive() for member in waiting]
        m.rates.append(sum(float(_content(answer)) for answer in answers))

    def close(self) -> None:
        for member in self.members:
            if member is not None:
                member.close()

    def _member(self, position: int) -> "_Member":
        member = self.members[position]
        if member is None or not member.process.is_alive():
            self.members[position] = member = _Member(*self.settings)
        return member


class _Member:
    """One process, as its parent sees it."""

    def __init__(self, *settings: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, *settings))  # loaders need children: no daemon
        self.process.start()
        theirs.close()
        self.prepared: dict[Contender, Any] = {}

    def prepare(self, contender: Contender) -> Any:
        if contender not in self.prepared:
            self.send("prepare", contender)
            self.prepared[contender] = _content(self.receive())
        return self.prepared[contender]

    def send(self, order: str, contender: Contender) -> None:
        try:
            self.connection.send((order, contender))
        except OSError:
            raise _FailedError("its process has died") from None

    def receive(self) -> tuple[str, Any]:
        try:
            if not self.connection.poll(PATIENCE):
                self.process.kill()
                raise _FailedError(f"no answer within {PATIENCE:.0f} s")
            kind, content = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            raise _FailedError(f"its process died with exit code {self.process.exitcode}") from None
        return kind, content

    def close(self) -> None:
        self.connection.close()
        self.process.join(30)
        if self.process.is_alive():
            self.process.kill()


def _content(answer: tuple[str, Any]) -> Any:
    kind, content = answer
    if kind == "failed":
        raise _FailedError(content)
    return content


def _serve(connection: "Connection[Any, Any]", ours: bool, seconds: float, train_size: int | None) -> None:
    """A worker's life: ``prepare`` and ``run`` until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    import torch

    from ablate.images.config import FashionMNIST
    from ablate.images.data import load
    from ablate.images.engine.kernels import keep_freed_memory
    from benchmarks.loops import Loop, make

    if ours:
        keep_freed_memory()
    torch.set_num_threads(1)
    images = load(FashionMNIST(train_size=train_size), torch.device("cpu"))
    loops: dict[Contender, Loop] = {}

    def ready() -> None:
        connection.send(("ready", None))
        connection.recv()

    while True:
        try:
            order, contender = connection.recv()
        except (EOFError, OSError):
            return
        try:
            torch.set_num_threads(contender.threads)
            if order == "prepare":
                start = time.perf_counter()
                loops[contender] = loop = make(contender, images, seconds)
                loop.run(Clock(0.0, 0.0, 1))
                answer: Any = (time.perf_counter() - start, loop.notes)
            else:
                loop = loops[contender]
                clock = Clock(seconds, LEAD_SHARE * seconds, loop.lead_steps, ready)
                loop.run(clock)
                answer = clock.samples / clock.elapsed
            connection.send(("done", answer))
        except (EOFError, ConnectionError):
            return
        except Exception as error:
            connection.send(("failed", "".join(traceback.format_exception_only(error)).strip().splitlines()[0]))
