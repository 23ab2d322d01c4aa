"""How many workers train, and on which device each; without PyTorch, which the sweep's process never imports."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

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
