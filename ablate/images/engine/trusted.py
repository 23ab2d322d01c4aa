"""Compiled kernels that have shown what they can: none trains anything before it was compared with torch.

Where the default device is ``meta``, nothing is computed: kernels without a library stand for them, which make the same
tensors (see :mod:`ablate.images.engine.memory`).
"""

from __future__ import annotations

import ctypes
import functools
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from ablate.images.engine.compiler import compile_source
from ablate.images.engine.exhaustion import is_out_of_memory

NO_LIBRARY = Path(os.devnull)


class Shape(Protocol):
    """What a kernel is compiled for."""

    def unsupported(self) -> str | None:
        """Say why there is no kernel for this shape; None if there is one."""

    def macros(self) -> dict[str, int]:
        """Return the constants that its source is compiled with."""


S = TypeVar("S", bound=Shape)
K = TypeVar("K")


@dataclass(frozen=True)
class CrossCheck:
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
    spec: S, source: Path, load: Callable[[S, Path], K], compare: Callable[[K], CrossCheck]
) -> tuple[K | None, str | None]:
    """Compile a kernel, or load it from the cache, and compare its output and gradients with torch's.

    Args:
        spec: Its shape.
        source: The C file.
        load: Makes it of the shape and the compiled library.
        compare: What it is compared with, and where.

    Returns:
        The kernel and None; or None and why there is none: shape, compiler, cache folder, a wrong result.
    """
    reason = spec.unsupported()
    if reason is not None:
        return None, reason
    if _counts():
        return load(spec, NO_LIBRARY), None
    try:
        kernel = load(spec, compile_source(source, spec.macros()))
        reason = _difference(compare(kernel))
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        if is_out_of_memory(error):  # nothing is wrong with the kernel
            raise
        output = getattr(error, "stderr", None)
        return None, f"{type(error).__name__}: {error}" + (f"\n{output}" if output else "")
    return (kernel, None) if reason is None else (None, reason)


def cached(build: Callable[[S], tuple[K | None, str | None]]) -> Callable[[S], tuple[K | None, str | None]]:
    """``functools.cache`` for what makes kernels; those that compute nothing are made anew.

    Args:
        build: Calls :func:`trusted`.
    """
    kept = functools.cache(build)

    @functools.wraps(build)
    def found(spec: S) -> tuple[K | None, str | None]:
        return build(spec) if _counts() else kept(spec)  # type: ignore[arg-type]

    found.cache_clear = kept.cache_clear  # type: ignore[attr-defined]
    return found


def opened(library: Path) -> Any:
    """The functions of a library.

    Args:
        library: Compiled; :data:`NO_LIBRARY`: its functions do nothing.
    """
    return _NoLibrary() if library == NO_LIBRARY else ctypes.CDLL(str(library))


def place_of(library: Path) -> str:
    """The kind of device on which its tensors must be."""
    return "meta" if library == NO_LIBRARY else "cpu"


class _NoLibrary:
    """Has functions of any name."""

    def __getattr__(self, name: str) -> Any:
        function = _Nothing()
        setattr(self, name, function)
        return function


class _Nothing:
    """A function as those of ctypes, which does nothing."""

    argtypes: Any
    restype: Any

    def __call__(self, *_: object) -> int:
        return 0


def _counts() -> bool:
    return torch.get_default_device().type == "meta"


def pointer(tensor: Tensor | None) -> int | None:
    """Where a tensor's numbers begin, for a function in C; None: a null pointer."""
    return None if tensor is None else tensor.data_ptr()


def _difference(check: CrossCheck) -> str | None:
    """Why the kernel is wrong, or None."""
    source = torch.Generator().manual_seed(0)
    options: Any = {"generator": source, "dtype": torch.float32, "device": "cpu"}
    inputs = {name: torch.randn(shape, **options) * check.scales.get(name, 1.0) for name, shape in check.shapes.items()}
    grad, results = None, []
    for run in (check.ours, check.theirs):
        leaves = [tensor.clone().requires_grad_() for tensor in inputs.values()]
        with torch.enable_grad(), torch.autocast("cpu", enabled=False):
            y = run(*leaves)
        grad = torch.randn(y.shape, **options) if grad is None else grad
        results.append([y.detach(), *torch.autograd.grad(y, leaves, grad, allow_unused=True)])
    for name, ours, theirs in zip(("output", *inputs), *results, strict=True):
        if ours is None or theirs is None or name in check.rounding:
            continue
        difference = (ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-3)
        if not difference < 1e-3:
            return f"the compiled kernel's {name} (gradient) differs from torch's by {difference:.1e}"
    return None
