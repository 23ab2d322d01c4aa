"""What workers take of memory: looked up in the user's cache folder, where it is kept once it was worked out.

PyTorch, which works it out, is imported by a process of its own.
"""

import math
import multiprocessing
import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress

from ablate.images.config import LeNet
from ablate.images.run import RunConfig
from ablate.task.code_digest import code_digest
from ablate.task.identity import digest_of
from ablate.task.kept_results import keep, key_of, read_kept, user_cache

FILE = "memory.json"
KEPT = 20_000
"""Cohorts whose memory is kept; the oldest are forgotten."""

SPAWNED = 2
"""So often a process has others work it out, each of which imports PyTorch; then it does so itself, as a search will
go on asking."""

_spawned = [0]
"""How often this process did."""
_unknown = set[str]()
"""What this process could not work out, and does not try again: the next one may have the data, or the memory."""


def memory_of(cohorts: Sequence[Sequence[RunConfig]], device: str, below: float | None = None) -> list[int | None]:
    """The most memory that a worker takes which trains a cohort.

    Args:
        cohorts: The members of each.
        device: ``cpu`` or ``cuda:N``.
        below: Nothing is worked out for a cohort that surely takes less; None: everything is.

    Returns:
        Bytes: resident memory of the process, on CUDA memory that PyTorch allocates there. None: it is not known.
    """
    kind = device.partition(":")[0]
    known = _read()
    keys = [_key(cohort, kind) for cohort in cohorts]
    bases = [_key_of_base(cohort[0]) if kind == "cpu" else None for cohort in cohorts]
    shapes = [shape for shape in zip(keys, bases, cohorts, strict=True) if below is None or _bound(shape[2]) > below]
    settled = known.keys() | _unknown
    lacking = {key: cohort for key, _, cohort in shapes if key not in settled}
    first = {base: cohort[0] for _, base, cohort in shapes if base is not None and base not in settled}
    if lacking or first:
        sizes = _worked_out(first, lacking, kind)
        found = {key: size for key, size in sizes.items() if size is not None}
        _unknown.update((lacking.keys() | first.keys()) - found.keys())
        known |= found
        _keep(found)
    return [_sum(known.get(key), 0 if base is None else known.get(base)) for key, base in zip(keys, bases, strict=True)]


def _bound(cohort: Sequence[RunConfig]) -> float:
    """What a cohort takes at the very most, where that is plain: of LeNets, by the numbers in their layers."""
    run, model = cohort[0], cohort[0].model
    if type(model) is not LeNet:
        return math.inf
    maps = model.feature_maps(*run.data.input_size)
    inputs = math.prod(run.data.input_size) * 3
    sizes = [h * w * channels for (_, h, w), channels in zip(maps, sorted(2 * model.channels), strict=True)]
    features, kernel = model.channels[1] * maps[-1][1] * maps[-1][2], max(model.kernel_size, model.kernel_size_2) ** 2
    weights = kernel * model.channels[0] * (3 + model.channels[1]) + sum(model.widths) * (features + sum(model.widths))
    a_member = max(run.train.batch_size, 256) * (2 * inputs + 4 * sum(sizes)) + 15 * (weights + 1_000)
    return 1.5 * 2**30 + 4.0 * len(cohort) * a_member


def _sum(own: int | None, base: int | None) -> int | None:
    return None if own is None or base is None else own + base


def _worked_out(
    bases: dict[str, RunConfig], cohorts: dict[str, Sequence[RunConfig]], kind: str
) -> dict[str, int | None]:
    """Bases are measured in fresh processes, one each; the first works out everything else, too."""
    found: dict[str, int | None] = {}
    with suppress(Exception):  # a process that cannot be started, or is ended: nothing is owed
        if cohorts and not bases and ("torch" in sys.modules or _spawned[0] >= SPAWNED):
            found |= zip(cohorts, _peaks(None, list(cohorts.values()), kind)[1], strict=True)
            cohorts = {}
        _spawned[0] += bool(bases or cohorts)
        for base, config in bases.items() or ({"": None}.items() if cohorts else ()):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                size, peaks = pool.submit(_peaks, config, list(cohorts.values()), kind).result()
            found |= {base: size} if base else {}
            found |= zip(cohorts, peaks, strict=True)
            cohorts = {}
    return found


def _peaks(
    config: RunConfig | None, cohorts: Sequence[Sequence[RunConfig]], kind: str
) -> tuple[int | None, list[int | None]]:
    from ablate.images.engine.memory import base_bytes, peaks

    return (None if config is None else base_bytes(config)), peaks(cohorts, kind)


def _key(cohort: Sequence[RunConfig], kind: str) -> str:
    """What the memory of a cohort depends on."""
    of_members = sorted(
        {(getattr(run.optimizer, "momentum", 0.0) > 0.0, run.optimizer.weight_decay > 0.0) for run in cohort}
    )
    shape = [cohort[0].cohort_key, cohort[0].train.compile, len(cohort), sorted(_shared(cohort)), of_members]
    return digest_of({"kind": kind, "cohort": shape})


def _shared(cohort: Sequence[RunConfig]) -> list[int]:
    """How many members see each order of the data."""
    orders = [run.data_order for run in cohort]
    return [orders.count(order) for order in dict.fromkeys(orders)]


def _key_of_base(run: RunConfig) -> str:
    return digest_of({"base": run.code})


def _code() -> str:
    """What takes memory beside a run's own: this program's code, Python and PyTorch."""
    return key_of([platform.python_version(), code_digest(("images", "task"), ("torch",))])


def _read() -> dict[str, int]:
    with suppress(RuntimeError):
        found = read_kept(user_cache() / FILE, _code())
        return dict(found) if isinstance(found, dict) else {}
    return {}


def _keep(found: dict[str, int]) -> None:
    """Add to what is kept; where another process does the same now, some of it is worked out again."""
    with suppress(RuntimeError):
        kept = list((_read() | found).items())[-KEPT:]
        keep(user_cache() / FILE, _code(), dict(kept))
