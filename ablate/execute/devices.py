"""How many workers train, and on which device each; without PyTorch, which the sweep's process never imports."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ablate.task.errors import ConfigError
from ablate.task.executor import LOCAL, WorkerSettings


def worker_settings(
    device: str,
    workers: int | None,
    runs: int,
    engine: str | None = None,
) -> list[WorkerSettings]:
    """What each of the workers is started with.

    Where there are fewer runs than workers, those share the cores; the number of threads follows from the whole sweep,
    so that it is the same after a restart.

    Args:
        device: ``auto`` (CUDA where there is a GPU), ``cpu``, ``cuda`` (all GPUs) or ``cuda:N``.
        workers: How many; None: one a core, or one a GPU.
        runs: The runs of the whole sweep, those that the store holds included.
        engine: See :class:`WorkerSettings`.

    Returns:
        One for each worker, at least one.

    Raises:
        ConfigError: The device is not there.
    """
    found = devices(device)
    _check(device, found)
    wanted = workers if workers is not None else cores() if found == ["cpu"] else len(found)
    number = max(1, min(wanted, runs))
    threads = max(1, wanted // number) if found == ["cpu"] else 1
    return [WorkerSettings(found[worker % len(found)], threads, engine) for worker in range(number)]


def devices(device: str) -> list[str]:
    """The devices that ``device`` stands for."""
    if device == "auto":
        return [f"cuda:{number}" for number in range(gpus())] if _torch_may_use_cuda() and gpus() else ["cpu"]
    if device == "cuda":
        return [f"cuda:{number}" for number in range(max(1, gpus()))]
    return [device]


def speed_device(orders: list[WorkerSettings], executor: str = LOCAL) -> str:
    """The name under which speeds are kept; elsewhere than here it begins with the executor's."""
    kind = orders[0].device.partition(":")[0]
    name = f"{kind} x{orders[0].threads}" if orders[0].threads > 1 else kind
    return name if executor == LOCAL else f"{executor} {name}"


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> int:
    """NVIDIA GPUs that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        return len([name for name in names if name and name != "-1"])
    folder = Path("/proc/driver/nvidia/gpus")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def free_on(devices: Sequence[str]) -> dict[str, int | None]:
    """Free memory of GPUs, as NVIDIA's own program says.

    Args:
        devices: ``cuda:N``, counted as PyTorch does: among those that ``CUDA_VISIBLE_DEVICES`` names.

    Returns:
        Bytes; None: it is not known, as of a part of a GPU (MIG), or where GPUs of different models may be counted in
        another order than the program's (PyTorch's is that of their speed, but with ``CUDA_DEVICE_ORDER=PCI_BUS_ID``).
    """
    cards, visible = _cards(), os.environ.get("CUDA_VISIBLE_DEVICES")
    is_ordered = len({card.model for card in cards}) == 1 or os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"

    def free(device: str) -> int | None:
        name = device.partition(":")[2]
        if visible is not None:
            names = [one.strip() for one in visible.split(",")]
            name = names[int(name)] if int(name) < len(names) else ""
        if name.isdecimal():
            found = [card.free for card in cards if card.number == name] if is_ordered else []
        else:
            found = [card.free for card in cards if name and card.identity.startswith(name)]
        return found[0] if len(found) == 1 else None

    return {device: free(device) for device in devices}


class _Card(NamedTuple):
    number: str
    identity: str
    model: str
    free: int | None
    """Bytes; None: the GPU is in parts (MIG), and PyTorch sees one of them."""


def _cards() -> list[_Card]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = [program, "--query-gpu=index,uuid,name,mig.mode.current,memory.free", "--format=csv,noheader,nounits"]
    with suppress(OSError, subprocess.SubprocessError, ValueError, TypeError):
        lines = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=20).stdout.splitlines()
        fields = [[field.strip() for field in line.split(",")] for line in lines]
        return [
            _Card(number, identity, model, None if mig == "Enabled" else int(free) * 2**20)
            for number, identity, model, mig, free in fields
        ]
    return []


def _check(device: str, found: list[str]) -> None:
    """See that GPUs that are asked for by name are there.

    The driver's list is believed where it has them; where not (some systems keep it elsewhere), PyTorch is asked.
    """
    asked = {int(name.partition(":")[2]) for name in found if name.startswith("cuda:")}
    if device == "auto" or not asked or (_torch_may_use_cuda() and max(asked) < gpus()):
        return
    seen = _gpus_of_torch()
    if max(asked) >= seen:
        raise ConfigError(f"device = {device}: PyTorch sees {seen} CUDA devices; cpu is always there")


def _gpus_of_torch() -> int:
    code = "import torch; print(torch.cuda.device_count())"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = asked.stdout.split()[-1:]
    return int(last[0]) if asked.returncode == 0 and last and last[0].isdigit() else 0


def _torch_may_use_cuda() -> bool:
    try:
        return "+cpu" not in importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return False
