"""The local executor: a pool of worker processes."""

import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from ablate.execute.interrupts import STOP_SIGNALS
from ablate.execute.worker import main
from ablate.task.executor import Answer, Died, MeasureSpeed, Ready, Stop, TrainCohort, Worker, WorkerSettings
from ablate.task.marked_processes import MARK, end_marked
from ablate.task.memory import kills

EXIT_SECONDS = 3.0
"""Given to workers to exit by themselves."""


@dataclass(eq=False)
class WorkerProcess:
    """A worker process, seen from the sweep."""

    process: SpawnProcess
    connection: "Connection[Any, Any]"
    orders: WorkerSettings
    mark: str
    """A variable in its environment, and in those of all processes that it starts."""
    hardware: dict[str, Any] = field(default_factory=dict)
    is_ready: bool = False
    kills: int | None = field(default_factory=kills)
    """Processes that the kernel had ended for want of memory when it started."""

    def send(self, message: TrainCohort | MeasureSpeed | Stop) -> None:
        """Say something; a worker that has died will be seen by :meth:`Pool.wait`."""
        try:
            self.connection.send(message)
        except OSError:
            pass


class Pool:
    """Worker processes up to a number, started when they are needed (see :class:`ablate.task.executor.Executor`).

    Args:
        orders: One for each worker.
    """

    def __init__(self, orders: Sequence[WorkerSettings]) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._unused = list(reversed(orders))
        self.workers: list[WorkerProcess] = []
        """Alive."""

    @property
    def is_full(self) -> bool:
        """Whether no further worker may be started."""
        return not self._unused

    def start(self) -> WorkerProcess:
        """Start one more worker."""
        orders = self._unused.pop()
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=main, args=(theirs, orders), name=f"ablate worker on {orders.device}")
        resource_tracker.ensure_running()  # this process's own; started with a worker, it would have the worker's mark
        mark = uuid.uuid4().hex
        with _without_interrupts(), _marked(mark):
            process.start()
        theirs.close()
        worker = WorkerProcess(process, ours, orders, mark)
        self.workers.append(worker)
        return worker

    def resettle(self, orders: Sequence[WorkerSettings]) -> None:
        """Go on with these orders: workers that have other ones are ended, none of which may train anything.

        Args:
            orders: One for each worker.
        """
        left = list(orders)
        for worker in list(self.workers):
            if worker.orders in left:
                left.remove(worker.orders)
            else:
                self._bury(worker)
        self._unused = list(reversed(left))

    def shrink(self) -> None:
        """Do with one worker less from now on."""
        self._unused.pop()

    def wait(self, seconds: float) -> Iterator[tuple[WorkerProcess, Answer | Died]]:
        """What the workers have said, or that they have died, once there is anything or the time is up.

        Args:
            seconds: How long to wait at most.
        """
        sources: list[Any] = [worker.connection for worker in self.workers]
        sources += [worker.process.sentinel for worker in self.workers]
        signalled = set(wait(sources, seconds))
        for worker in list(self.workers):
            has_ended = worker.process.sentinel in signalled
            if has_ended or worker.connection in signalled:
                yield from self._read(worker, has_ended)

    def end(self, worker: Worker) -> None:
        """End one at once: what it trains is not wanted any more."""
        self._bury(next(own for own in self.workers if own is worker))

    def stop(self) -> None:
        """Ask all workers to leave off at the end of their epoch."""
        for worker in self.workers:
            worker.send(Stop())

    def close(self) -> None:
        """Let idle workers exit, and end those that do not."""
        self.stop()
        end = time.monotonic() + EXIT_SECONDS
        for worker in self.workers:
            worker.process.join(max(0.0, end - time.monotonic()))
        self.kill()

    def kill(self) -> None:
        """End all workers at once."""
        for worker in self.workers:
            worker.process.kill()
        for worker in list(self.workers):
            self._bury(worker)

    def _read(self, worker: WorkerProcess, has_ended: bool) -> Iterator[tuple[WorkerProcess, Answer | Died]]:
        """All that has arrived; a process that had ended before has said no more than that."""
        while True:
            try:
                if not worker.connection.poll():
                    break
                answer = worker.connection.recv()
            except (EOFError, OSError):
                has_ended = True
                worker.process.join(EXIT_SECONDS)
                break
            if isinstance(answer, Ready):
                worker.hardware, worker.is_ready = dict(answer.hardware), True
            yield worker, answer
        if has_ended:
            reason, is_killed = self._bury(worker)
            yield worker, Died(reason, is_killed)

    def _bury(self, worker: WorkerProcess) -> tuple[str, bool]:
        """Forget a worker that has ended, or else is ended now; returns how, and whether for want of memory."""
        if worker.process.is_alive():
            worker.process.kill()
        worker.process.join()
        end_marked(worker.mark)
        code = worker.process.exitcode or 0
        worker.process.close()
        worker.connection.close()
        self.workers.remove(worker)
        self._unused.append(worker.orders)
        if code >= 0:
            return f"exited with code {code}", False
        name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
        if name != "SIGKILL":
            return f"was ended by {name}", False
        killed = kills()  # for want of memory, by the kernel
        is_sure = None not in (killed, worker.kills) and killed != worker.kills
        return f"was ended by {name} (out of memory{'' if is_sure else '?'})", True


@contextmanager
def _marked(mark: str) -> Iterator[None]:
    """A process that is started has the mark in its environment from its beginning, and so has one that it forks."""
    before = os.environ.get(MARK)
    os.environ[MARK] = mark
    try:
        yield
    finally:
        os.environ.pop(MARK)
        if before is not None:
            os.environ[MARK] = before


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """A child inherits the signal mask: blocked, Ctrl-C cannot hit it before it has said that it ignores it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
