"""A worker process: trains the cohorts that it is handed, and ends with the process that started it."""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from ablate.execute.interrupts import STOP_SIGNALS
from ablate.execute.messages import Epoch, Probe, Probed, Raised, Ready, Refused, Stop, Train, Trained
from ablate.images.config import DataConfig
from ablate.task.errors import ConfigError
from ablate.task.record import Result

KEPT_DATA_SETS = 2


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is started with."""

    device: str
    """``cpu`` or ``cuda:N``."""
    threads: int
    train: Callable[..., Sequence[Result]] | None = None
    """Instead of :func:`ablate.images.engine.train`."""
    load: Callable[[DataConfig, Any], Any] | None = None
    """Instead of :func:`ablate.images.data.load`."""


def main(connection: "Connection[Any, Any]", orders: WorkerSettings) -> None:
    """Serve until told to stop.

    Args:
        connection: To the sweep's process.
        orders: How to train.
    """
    for number in STOP_SIGNALS:  # The sweep's process decides what Ctrl-C means.
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    _end_with_parent()
    try:
        engine = _Engine(orders)
        connection.send(Ready(engine.hardware))
        while not isinstance(message := connection.recv(), Stop):
            _measure(message, engine, connection) if isinstance(message, Probe) else _serve(message, engine, connection)
    except ConfigError as error:
        connection.send(Refused(tuple(error.problems)))
    except (EOFError, BrokenPipeError, ConnectionResetError, _Stopped):
        pass
    except Exception:
        connection.send(Raised(traceback.format_exc()))


class _Stopped(BaseException):
    """Raised at the end of an epoch to leave off; no Exception, so that the engine takes it for no member's fault."""


class _Engine:
    """Data and training on this worker's device; where both are replaced, torch is not even imported."""

    def __init__(self, orders: WorkerSettings) -> None:
        self.device: Any = orders.device
        self.hardware: dict[str, Any] = {"device": orders.device, "gpu": None, "threads": orders.threads}
        self.train, self.load = orders.train, orders.load
        self._images: dict[str, Any] = {}
        if self.train is not None and self.load is not None:
            return
        import torch

        from ablate.images.data import load
        from ablate.images.engine import train
        from ablate.images.engine.kernels import keep_freed_memory

        self.train, self.load = self.train or train, self.load or load
        torch.set_num_threads(orders.threads)
        self.device = torch.device(orders.device)
        if self.device.type == "cpu":
            keep_freed_memory()
        else:
            if not torch.cuda.is_available() or self.device.index >= torch.cuda.device_count():
                seen = torch.cuda.device_count()
                raise ConfigError(f"device = {orders.device}: PyTorch sees {seen} CUDA devices; cpu is always there")
            torch.cuda.set_device(self.device)
            self.hardware["gpu"] = torch.cuda.get_device_name(self.device)

    def images(self, data: DataConfig) -> Any:
        """The data set, loaded once."""
        key = data.model_dump_json(exclude={"split_seed"})
        if key not in self._images:
            assert self.load is not None
            images = self.load(data, self.device)
            while len(self._images) >= KEPT_DATA_SETS:
                del self._images[next(iter(self._images))]
            self._images[key] = images
        return self._images[key]


def _serve(order: Train, engine: _Engine, connection: "Connection[Any, Any]") -> None:
    def on_epoch(epoch: int, members: Sequence[int]) -> None:
        connection.send(Epoch(epoch, tuple(members)))
        if connection.poll() and isinstance(connection.recv(), Stop):
            raise _Stopped

    runs, more = order.runs, {"stops": dict(order.stops)} if order.stops else {}
    try:
        images = engine.images(runs[0].data)
    except Exception as error:
        if isinstance(error, ConfigError):
            raise
        connection.send(Raised(traceback.format_exc()))
        return
    start = time.perf_counter()
    try:
        assert engine.train is not None
        results = tuple(engine.train(runs, images, device=engine.device, on_epoch=on_epoch, **more))
        seconds = time.perf_counter() - start
        if len(results) != len(runs):
            raise RuntimeError(f"{len(results)} results of {len(runs)} runs")
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception:
        connection.send(Raised(traceback.format_exc()))
    else:
        connection.send(Trained(results, seconds))


def _measure(order: Probe, engine: _Engine, connection: "Connection[Any, Any]") -> None:
    from ablate.images.engine.measure import measure

    try:
        images = engine.images(order.runs[0].data)
        found = measure(order.runs, images, device=engine.device, seconds=order.seconds)
    except ConfigError:
        raise
    except Exception:  # a shape that cannot be measured can still be tried in earnest, where its fault is recorded
        connection.send(Probed(0.0, 0))
    else:
        connection.send(Probed(found.samples_per_second, found.bytes))


def _end_with_parent() -> None:
    """Exit as soon as the sweep's process is gone, even if it was killed and this one is deep in a computation."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()
