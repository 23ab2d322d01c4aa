"""Compiled kernels that have shown what they can: none trains anything before it was compared with torch."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from ablate.images.engine.compiler import compile_source


class Shape(Protocol):
    """What a kernel is compiled for."""

    def unsupported(self) -> str | None:
        """Say why there is no kernel for this shape; None if there is one."""

    def macros(self) -> dict[str, int]:
        """Return the constants that its source is compiled with."""


S = TypeVar("S", bound=Shape)
K = TypeVar("K")


@dataclass(frozen=True)
class Trial:
    """The same function by a kernel and by torch's operations, and where they are compared.

    Attributes:
        ours: By the kernel; differentiable.
        theirs: By torch.
        shapes: Of its inputs, by name; they are filled with random numbers.
        scales: Standard deviations of inputs other than 1.
        rounding: Inputs whose gradient is nothing but rounding.
    """

    ours: Callable[..., Tensor]
    theirs: Callable[..., Tensor]
    shapes: Mapping[str, tuple[int, ...]]
    scales: Mapping[str, float]
    rounding: tuple[str, ...] = ()


def trusted(
    spec: S, source: Path, load: Callable[[S, Path], K], trial: Callable[[K], Trial]
) -> tuple[K | None, str | None]:
    """Compile a kernel, or load it from the cache, and compare its output and gradients with torch's.

    Args:
        spec: Its shape.
        source: The C file.
        load: Makes it of the shape and the compiled library.
        trial: What it is compared with.

    Returns:
        The kernel and None; or None and why there is none: shape, compiler, cache folder, a wrong result.
    """
    reason = spec.unsupported()
    if reason is not None:
        return None, reason
    try:
        kernel = load(spec, compile_source(source, spec.macros()))
        reason = _difference(trial(kernel))
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        output = getattr(error, "stderr", None)
        return None, f"{type(error).__name__}: {error}" + (f"\n{output}" if output else "")
    return (kernel, None) if reason is None else (None, reason)


def _difference(trial: Trial) -> str | None:
    """Why the kernel is wrong, or None."""
    source = torch.Generator().manual_seed(0)
    options: Any = {"generator": source, "dtype": torch.float32, "device": "cpu"}
    inputs = {name: torch.randn(shape, **options) * trial.scales.get(name, 1.0) for name, shape in trial.shapes.items()}
    grad, results = None, []
    for run in (trial.ours, trial.theirs):
        leaves = [tensor.clone().requires_grad_() for tensor in inputs.values()]
        with torch.enable_grad(), torch.autocast("cpu", enabled=False):
            y = run(*leaves)
        grad = torch.randn(y.shape, **options) if grad is None else grad
        results.append([y.detach(), *torch.autograd.grad(y, leaves, grad, allow_unused=True)])
    for name, ours, theirs in zip(("output", *inputs), *results, strict=True):
        if ours is None or theirs is None or name in trial.rounding:
            continue
        difference = (ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-3)
        if not difference < 1e-3:
            return f"the compiled kernel's {name} (gradient) differs from torch's by {difference:.1e}"
    return None
