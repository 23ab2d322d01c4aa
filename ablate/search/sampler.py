"""Optuna's samplers by name, reseeded for every proposal so that a search that was killed goes on as it would have."""

import hashlib
from typing import TYPE_CHECKING

from ablate.search.settings import Sampler
from ablate.search.storage import quiet
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

NEEDS = {"cmaes": "cmaes", "gp": "torch"}
"""What a sampler needs beside Optuna."""


def make_sampler(name: Sampler, seed: int, number: int) -> "BaseSampler":
    """The sampler that proposes one trial.

    What it has learnt is in the trials; of its own it has only a random state, which is a function of its arguments
    here.

    Args:
        name: ``grid`` proposes nothing itself: its settings are queued (Optuna's own fails on the last tell).
        seed: The seed of the search.
        number: The number of the trial.

    Raises:
        ConfigError: A library that it needs is not installed.
    """
    from optuna import samplers

    state = int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4])
    try:
        with quiet():
            match name:
                case "tpe":
                    return samplers.TPESampler(seed=state, multivariate=True, group=True)
                case "cmaes":
                    return samplers.CmaEsSampler(seed=state, warn_independent_sampling=False)
                case "gp":
                    return samplers.GPSampler(seed=state, warn_independent_sampling=False)
                case _:
                    return samplers.RandomSampler(seed=state)
    except ImportError:
        raise ConfigError(
            f"study.search.sampler = {name}: needs the package {NEEDS[name]}: pip install {NEEDS[name]}"
        ) from None
