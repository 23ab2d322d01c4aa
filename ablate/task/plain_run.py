"""A run whose setting is plain data: what tasks that carry out somebody's own code are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ablate.task.identity import digest_of, without

GUESSED_SECONDS = 60.0
"""The guessed duration of a run of which nothing is known yet."""


@dataclass(frozen=True, eq=False)
class PlainRun:
    """A setting of nested plain values with a seed; see :class:`ablate.task.run.Run`."""

    task: str
    engine: str
    config: Mapping[str, Any]
    seed: int
    code: Mapping[str, Any]
    """The version of the code that counts for the identity, as JSON data."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What the engine has to know besides, as plain data; no part of the identity."""
    length: int | None = None
    samples: int = 1
    length_path: str | None = None
    """The field of ``config`` that holds the number of steps, where a shorter run is the beginning of a longer one."""

    @property
    def default_members(self) -> int:
        """One: somebody's own code carries out one run at a time."""
        return 1

    @property
    def guessed_speed(self) -> float:
        """The speed at which every run would take :data:`GUESSED_SECONDS`."""
        return self.samples / GUESSED_SECONDS

    @property
    def time_limit(self) -> float | None:
        """See :class:`ablate.task.run.TimeLimited`; engines that run programs end them without help."""
        found: float | None = self.details.get("time_limit")
        return found

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Task, version of the code, setting and seed."""
        return {"task": self.task, "code": dict(self.code), "config": dict(self.config), "seed": self.seed}

    @cached_property
    def digest(self) -> str:
        """See :class:`ablate.task.run.Run`."""
        return digest_of(self.identity)

    @cached_property
    def trajectory(self) -> str:
        """The digest, or one without the number of steps where :attr:`length_path` is given."""
        if self.length_path is None:
            return self.digest
        return digest_of(trajectory_identity(self.identity, self.length_path))

    @property
    def cohort_key(self) -> str:
        """Every run has a key of its own, as it trains alone."""
        return self.digest

    @property
    def speed_keys(self) -> tuple[str, ...]:
        """That of the setting, whatever its seed and the version of the code; then that of the task."""
        return digest_of({"task": self.task, "config": dict(self.config)}), digest_of({"task": self.task})

    @property
    def data_order(self) -> str:
        """Every run has an order of its own."""
        return self.digest

    def with_seed(self, seed: int) -> "PlainRun":
        """The same setting with another seed (0 to 2**31 - 1)."""
        return replace(self, seed=seed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlainRun) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


def trajectory_identity(identity: Mapping[str, Any], length_path: str) -> dict[str, Any]:
    """An identity without the field of its setting that holds the number of steps."""
    return {**identity, "config": without(identity["config"], length_path)}
