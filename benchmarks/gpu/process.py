"""One process that holds the device and does what it is asked for, and its end where that takes too long.

A fault on a GPU often leaves its process unusable, and a compiler cannot be interrupted: then the process is ended, and
the next request has a new one.
"""

import gc
import multiprocessing
import platform
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from ablate.images.data import Images

START_SECONDS = 120.0
"""Given to the process for its start: importing PyTorch, the GPU's first use, the data."""


class AskedInVainError(Exception):
    """What was asked for failed, or took too long; the message says which."""


class DeviceProcess:
    """The process, as its parent sees it.

    Args:
        device: ``cuda:N`` or ``cpu``.
        data: Folder with Fashion-MNIST's files; None: where it is looked for.
        train_size: First training images to use; None: all.
    """

    def __init__(self, device: str, data: Path | None, train_size: int | None) -> None:
        self._settings = (device, data, train_size)
        self._process: Any = None
        self._connection: Connection[Any, Any] | None = None
        self.facts: dict[str, Any] = {}
        """What it says of device and data."""

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start it unless it runs.

        Raises:
            AskedInVainError: It does not come up, or the device is not there.
        """
        if self._process is not None and self._process.is_alive():
            return
        self.end()
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, *self._settings))
        self._process.start()
        theirs.close()
        self.facts = self._receive(seconds)

    def ask(self, function: Callable[..., Any], *arguments: Any, seconds: float) -> Any:
        """Have a function called in the process.

        Args:
            function: Of a module; called with the data set on the device and the arguments.
            arguments: Further ones.
            seconds: That it may take; where the process is to be started again, that has its own.

        Raises:
            AskedInVainError: It raised, took longer or ended the process.
        """
        self.start()
        assert self._connection is not None
        try:
            self._connection.send((function, arguments))
        except OSError:
            raise AskedInVainError(self._died()) from None
        return self._receive(max(1.0, seconds))

    def end(self, patience: float = 0.0) -> None:
        """End it.

        Args:
            patience: Seconds that it has to end by itself, where it is idle.
        """
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.join(patience)
            self._process.kill()
            self._process.join()
            self._process = None

    def _receive(self, seconds: float) -> Any:
        assert self._connection is not None
        try:
            if not self._connection.poll(seconds):
                self.end()
                raise AskedInVainError(f"took longer than its {seconds:.0f} s")
            failure, answer = self._connection.recv()
        except (EOFError, OSError):
            raise AskedInVainError(self._died()) from None
        if failure is not None:
            raise AskedInVainError(failure)
        return answer

    def _died(self) -> str:
        self._process.join(10)
        code = self._process.exitcode
        self.end()
        return f"its process died with exit code {code}"


def _serve(connection: "Connection[Any, Any]", device: str, data: Path | None, train_size: int | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    try:
        import torch

        images, source = _images(torch.device(device), data, train_size)
        connection.send((None, _facts(torch.device(device)) | {"data": source}))
    except Exception as error:
        connection.send((_said(error), None))
        return
    while True:
        try:
            function, arguments = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = (None, function(images, *arguments))
        except Exception as error:
            answer = (_said(error), None)
        gc.collect()
        if torch.device(device).type == "cuda":
            # after an error of the GPU nothing works any more in this process, and a new one is needed
            try:
                torch.cuda.synchronize()
                torch.cuda.empty_cache()
            except RuntimeError:
                connection.send(answer)
                return
        connection.send(answer)


def _said(error: Exception) -> str:
    """The first line of an error, without the advice that follows it."""
    lines = "".join(traceback.format_exception_only(error)).strip().splitlines()
    return lines[0][:200]


def _images(device: "torch.device", data: Path | None, train_size: int | None) -> tuple["Images", str]:
    """The data set on the device, and which one it is."""
    import torch

    from ablate.images.config import FashionMNIST
    from ablate.images.data import Images, load, where
    from ablate.task.errors import ConfigError

    config, why = FashionMNIST(root=None if data is None else str(data), train_size=train_size), "it is nowhere here"
    try:
        if where(config) is not None:
            return load(config, device), "Fashion-MNIST"
    except ConfigError as error:
        why = str(error)
    generator, size = torch.Generator().manual_seed(0), train_size or 60_000
    pixels = torch.randint(256, (size + 10_000, 1, 28, 28), dtype=torch.uint8, generator=generator).to(device)
    labels = torch.randint(10, (size + 10_000,), generator=generator).to(device)
    mean, std = torch.full((1,), 0.5, device=device), torch.full((1,), 0.289, device=device)
    names = tuple(str(k) for k in range(10))
    noise = Images(pixels[:size], labels[:size], pixels[size:], labels[size:], names, mean, std)
    return noise, f"noise of Fashion-MNIST's shape ({why})"


def _facts(device: "torch.device") -> dict[str, Any]:
    import torch

    facts: dict[str, Any] = {"torch": torch.__version__, "python": platform.python_version()}
    if device.type != "cuda":
        return facts | {"device": f"CPU ({torch.get_num_threads()} threads)"}
    torch.cuda.set_device(device)
    torch.zeros(1, device=device)
    card = torch.cuda.get_device_properties(device)
    return facts | {
        "device": card.name,
        "CUDA": torch.version.cuda,
        "cuDNN": torch.backends.cudnn.version(),
        "memory": f"{card.total_memory / 2**30:.0f} GiB",
        "multiprocessors": card.multi_processor_count,
        "compute capability": f"{card.major}.{card.minor}",
    }


def clocks() -> str:
    """Clocks and temperature as the driver reports them now."""
    import subprocess

    fields = "driver_version,clocks.sm,clocks.max.sm,clocks.mem,power.draw,power.limit,temperature.gpu,utilization.gpu"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return "not reported (no nvidia-smi)"
    values = [value.strip() for value in said.splitlines()[0].split(",")]
    return ", ".join(f"{name} {value}" for name, value in zip(fields.split(","), values, strict=True))
