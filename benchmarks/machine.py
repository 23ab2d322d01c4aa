"""The machine, and the work of a training sample."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Hardware, versions and commit, as JSON data, with the load that other programs put on the machine just now."""
    import torch

    from ablate.execute.devices import cores
    from ablate.store.provenance import collect

    found = {key: value for key, value in collect().items() if key != "host"}
    return found | {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": cores(),
        "memory_bytes": _memory(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "bf16": "avx512_bf16" in _flags(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def described(facts: Mapping[str, Any]) -> str:
    """What :func:`machine` found, as a sentence."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['cpu_capability']}; {facts['system']}; {versions}; "
        f"commit {facts['commit']}{' with changes' if facts['dirty'] else ''}; {facts['date']}; "
        f"load average before: {facts['load_before']}."
    )


def flop_per_sample(network: str = "lenet") -> int:
    """Floating-point operations of a training sample of 28x28 pixels, convolutions and linear layers alone.

    A multiply-add counts as two. Backward takes twice the forward's, less the gradient by the input of the first layer,
    which nobody needs.
    """
    from torch import Tensor, nn

    from benchmarks.networks import NETWORKS

    model, products = NETWORKS[network].build(1, (28, 28), 10).eval().to("meta"), list[int]()

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # Each output is a sum of as many products as one filter or one row of the matrix has weights.
        products.append(output[0].numel() * layer.weight[0].numel())  # type: ignore[index]

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    model(Tensor(1, 1, 28, 28).to("meta"))
    return 2 * (3 * sum(products) - products[0])


def _memory() -> int | None:
    names = getattr(os, "sysconf_names", {})
    if "SC_PAGE_SIZE" in names and "SC_PHYS_PAGES" in names:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def _flags() -> str:
    info = Path("/proc/cpuinfo")
    return info.read_text() if info.exists() else ""
