"""The Ray executor: workers are actors of a cluster, placed by their CPUs and their GPU, or a part of one.

An actor needs the package and the data, and no database: the sweep's process writes the records. Actors end with the
sweep's process; what they had trained by then is in the store, and what they were training is trained again.
"""

import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ablate.execute.worker import serve
from ablate.store.provenance import collect
from ablate.task.errors import ConfigError
from ablate.task.executor import (
    Answer,
    Died,
    ExecutorChoice,
    MeasureSpeed,
    Ready,
    Stop,
    TrainCohort,
    Trained,
    Worker,
    WorkerSettings,
)
from ablate.task.fields import Fields
from ablate.task.marked_processes import MARK

EXIT_SECONDS = 3.0
"""Given to actors to exit by themselves."""

HEAR_SECONDS = 20.0
"""An actor that has nothing to say answers after so long."""

CONNECT_SECONDS = 10.0

LOCAL = "local"


class RayOptions(Fields):
    """Which cluster, and what each actor takes of it: ``executor.address=host:6379 executor.gpus=0.5``."""

    address: Annotated[str, Field(pattern=r"^(local|auto|ray://.+|[^:/]+:\d+)$")] = LOCAL
    """``local``: started for the sweep on this machine; ``auto``: the one that runs on it; ``HOST:PORT``, ``ray://...``."""
    cpus: Annotated[float, Field(gt=0.0)] = 1.0
    """Processor cores of each actor; on the CPU it trains with as many threads (at least one)."""
    gpus: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """GPUs of each actor: 0.5 places two on each GPU."""
    memory: Annotated[float, Field(gt=0.0)] | None = None
    """GB that each actor takes of its node; None: it is not counted."""


class _Line:
    """The actor's end of the line to the sweep; see :class:`ablate.execute.worker.Line`."""

    def __init__(self, place: dict[str, Any]) -> None:
        self.told: queue.SimpleQueue[TrainCohort | MeasureSpeed | Stop] = queue.SimpleQueue()
        self.said: queue.SimpleQueue[Answer | Died] = queue.SimpleQueue()
        self._place = place

    def send(self, message: Answer) -> None:
        if isinstance(message, Ready | Trained):
            message = replace(message, hardware={**collect(), **message.hardware, **self._place})
        self.said.put(message)

    def recv(self) -> TrainCohort | MeasureSpeed | Stop:
        return self.told.get()

    def poll(self) -> bool:
        return not self.told.empty()


class RayWorker:
    """The actor: a thread trains, and two more hear and answer.

    Args:
        settings: How to train.
        path: ``sys.path`` of the sweep: modules of the user's project are found there.
        folder: Working folder of the sweep; used where it exists.
    """

    def __init__(self, settings: WorkerSettings, path: Sequence[str], folder: str) -> None:
        sys.path[:] = [*path, *(entry for entry in sys.path if entry not in path)]
        if Path(folder).is_dir():
            os.chdir(folder)
        import ray

        self._line = _Line({"ray_node": ray.get_runtime_context().get_node_id()})
        self._thread = threading.Thread(target=self._serve, args=(settings,), daemon=True)
        self._thread.start()

    def tell(self, message: TrainCohort | MeasureSpeed | Stop) -> None:
        """Hand it a message."""
        self._line.told.put(message)

    def hear(self) -> list[Answer | Died]:
        """All that it has to say, once there is anything, or after a while."""
        try:
            found = [self._line.said.get(timeout=HEAR_SECONDS)]
        except queue.Empty:
            return []
        while not self._line.said.empty():
            found.append(self._line.said.get())
        return found

    def _serve(self, settings: WorkerSettings) -> None:
        os.environ.pop(MARK, None)  # of whoever started the cluster
        try:
            serve(self._line, settings)
        finally:
            self._line.said.put(Died("has left"))


@dataclass(eq=False)
class Actor:
    """A worker, seen from the sweep."""

    handle: Any
    settings: WorkerSettings
    hearing: Any
    """What it will say next: a reference of Ray's."""
    is_ready: bool = False
    hardware: dict[str, Any] = field(default_factory=dict)

    def send(self, message: TrainCohort | MeasureSpeed | Stop) -> None:
        """Say something; one that has died will be seen by :meth:`Ray.wait`."""
        self.handle.tell.remote(message)


class Ray:
    """Actors up to a number (see :class:`ablate.task.executor.Executor`).

    Args:
        settings: One for each actor.
        options: The cluster, and what an actor takes of it.
        choice: As it was made on the command line.

    Raises:
        ConfigError: Ray is not installed, there is no such cluster, or no node of it has what an actor needs.
    """

    Options = RayOptions

    def __init__(self, settings: Sequence[WorkerSettings], options: RayOptions, choice: ExecutorChoice) -> None:
        self._unused = list(reversed(settings))
        self._options = options
        self.workers: list[Actor] = []
        self._owns = _connect(options, len(settings))
        self._is_closed = False

    @classmethod
    def settings(
        cls, options: RayOptions, device: str, workers: int | None, runs: int, engine: str | None
    ) -> list[WorkerSettings]:
        """See :func:`ablate.execute.choice.settings_on`."""
        problems = []
        if workers is None:
            problems.append(
                "workers: is missing; executor=ray needs to know how many actors may run at a time: workers=8"
            )
        if device.startswith("cuda") and not options.gpus:
            problems.append(
                f"device = {device!r}: an actor has no GPU; ask for one with executor.gpus=1, or a part of one"
            )
        elif device not in ("auto", "cpu", "cuda", "cuda:0"):
            problems.append(f"device = {device!r}: must be auto, cpu or cuda: an actor has one GPU at most")
        if problems:
            raise ConfigError(problems)
        found = "cuda:0" if options.gpus and device != "cpu" else "cpu"
        threads = max(1, int(options.cpus)) if found == "cpu" else 1
        return [WorkerSettings(found, threads, engine)] * max(1, min(workers or 1, runs))

    @property
    def is_full(self) -> bool:
        """Whether no further worker may be started."""
        return not self._unused

    def start(self) -> Actor:
        """Start one more worker; it waits until the cluster has place for it."""
        ray = _ray()
        settings = self._unused.pop()
        wanted = _resources(self._options)
        actor = ray.remote(RayWorker).options(max_concurrency=3, max_restarts=0, **wanted)
        handle = actor.remote(settings, [entry for entry in sys.path if entry], os.getcwd())
        worker = Actor(handle, settings, handle.hear.remote())
        self.workers.append(worker)
        return worker

    def shrink(self) -> None:
        """Do with one worker less from now on."""
        self._unused.pop()

    def wait(self, seconds: float) -> Iterable[tuple[Worker, Answer | Died]]:
        """What workers have said, or that they have died, once there is anything or the time is up."""
        ray = _ray()
        if not self.workers:
            time.sleep(seconds)
            return
        by_hearing = {worker.hearing: worker for worker in self.workers}
        done, _ = ray.wait(list(by_hearing), timeout=seconds, fetch_local=True)
        if done:  # and all else that has been said
            done, _ = ray.wait(list(by_hearing), num_returns=len(by_hearing), timeout=0)
        for reference in done:
            yield from self._heard(by_hearing[reference])

    def end(self, worker: Worker) -> None:
        """End one at once: what it trains is not wanted any more."""
        self._bury(next(own for own in self.workers if own is worker))

    def stop(self) -> None:
        """Ask all workers to leave off at the end of their step."""
        for worker in self.workers:
            worker.send(Stop())

    def close(self) -> None:
        """Let idle workers exit, and end those that do not."""
        self.stop()
        end = time.monotonic() + EXIT_SECONDS
        while self.workers and time.monotonic() < end:
            for _ in self.wait(0.1):
                """What they say is not wanted any more."""
        self.kill()

    def kill(self) -> None:
        """End all workers at once, and a cluster that was started for the sweep."""
        ray = _ray()
        for worker in list(self.workers):
            self._bury(worker)
        if not self._is_closed and self._owns:
            ray.shutdown()
        self._is_closed = True

    def _heard(self, worker: Actor) -> Iterator[tuple[Worker, Answer | Died]]:
        ray = _ray()
        try:
            answers = ray.get(worker.hearing)
        except ray.exceptions.ActorUnavailableError:  # its node is out of reach: nothing is known
            worker.hearing = worker.handle.hear.remote()
            return
        except ray.exceptions.RayError as error:
            self._bury(worker)
            yield worker, Died(f"(an actor of Ray) has died: {_reason(error)}")
            return
        worker.hearing = worker.handle.hear.remote()
        for answer in answers:
            if isinstance(answer, Ready):
                worker.hardware, worker.is_ready = dict(answer.hardware), True
            elif isinstance(answer, Died):
                self._bury(worker)
            yield worker, answer

    def _bury(self, worker: Actor) -> None:
        ray = _ray()
        if ray.is_initialized():  # an actor ends with the connection that made it; to kill it then would begin another
            ray.kill(worker.handle)
        self.workers.remove(worker)
        self._unused.append(worker.settings)


def _ray() -> Any:
    """The library, which is imported only where it is used.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import ray
    except ImportError:
        raise ConfigError("executor = 'ray': needs Ray: pip install 'ablate[ray]'") from None
    return ray


def _resources(options: RayOptions) -> dict[str, float]:
    """The resources as Ray's options of an actor."""
    memory = {"memory": options.memory * 2**30} if options.memory is not None else {}
    return {"num_cpus": options.cpus, "num_gpus": options.gpus, **memory}


def _connect(options: RayOptions, workers: int) -> bool:
    """Reach the cluster; returns whether this was not done before.

    Raises:
        ConfigError: It cannot be, or no node has what an actor needs.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray = _ray()
    owns = not ray.is_initialized()
    if owns:
        _check_reachable(options.address)
        local = {"num_cpus": max(os.cpu_count() or 1, int(workers * options.cpus)), "include_dashboard": False}
        try:
            ray.init(
                address=options.address,
                log_to_driver=False,
                logging_level="error",
                **(local if options.address == LOCAL else {}),
            )
        except Exception as error:
            raise ConfigError(f"executor.address = {options.address!r}: cannot be reached: {_reason(error)}") from None
    wanted = {"CPU": options.cpus, "GPU": options.gpus, "memory": (options.memory or 0.0) * 2**30}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(all(node.get(name, 0.0) >= amount for name, amount in wanted.items()) for node in nodes):
        if owns:
            ray.shutdown()
        text = f"executor.cpus = {options.cpus:g}, executor.gpus = {options.gpus:g}"
        text += f", executor.memory = {options.memory:g}" if options.memory is not None else ""
        raise ConfigError(f"{text}: no node of the cluster has as much")
    return owns


def _check_reachable(address: str) -> None:
    """Ray itself tries for minutes.

    Raises:
        ConfigError: Nobody listens there.
    """
    host, _, port = address.removeprefix("ray://").partition("/")[0].rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise ConfigError(f"executor.address = {address!r}: cannot be reached: {error.strerror or error}") from None


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
