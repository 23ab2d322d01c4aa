"""A run, as plan, execute and search see it: whatever task it is of."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol, Self, runtime_checkable


class Run(Protocol):
    """A setting with a seed: the unit that is trained, stored and counted. Immutable, and sent to worker processes."""

    @property
    def task(self) -> str:
        """Name of the task that it is of."""

    @property
    def engine(self) -> str:
        """``module:class`` of the engine that trains it (see :class:`ablate.task.engine.Engine`)."""

    @property
    def seed(self) -> int:
        """The seed of all random streams of the run, from 0 to 2**31 - 1."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The setting: nested plain values, as validated, without the seed; the level of a factor is found here."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that can change the result, the seed among it, as nested JSON data."""

    @property
    def digest(self) -> str:
        """SHA-256 of :attr:`identity` in hex: the run's key in the store."""

    @property
    def trajectory(self) -> str:
        """A digest that runs share when the shorter is a prefix of the longer; else the run's own digest."""

    @property
    def cohort_key(self) -> str:
        """A digest that runs share when an engine can train them together; a run that trains alone has its own."""

    @property
    def speed_keys(self) -> tuple[str, ...]:
        """Digests under which measured speeds are kept; runs that share one take about as long for a sample.

        The most alike come first: a run that was not measured under the first is estimated by the next one.
        """

    @property
    def data_order(self) -> Hashable:
        """Equal for runs of one cohort key that see the same batches."""

    @property
    def length(self) -> int | None:
        """Steps to its end; None: not known before it has ended."""

    @property
    def samples(self) -> int:
        """Work to its end, in training samples (or any unit that is proportional to its time), at least 1."""

    @property
    def default_members(self) -> int:
        """Runs like this that should train together where nothing was measured, at least 1."""

    @property
    def guessed_speed(self) -> float:
        """:attr:`samples` a second of one core where nothing was measured; may be wrong by a factor of three."""

    def with_seed(self, seed: int) -> Self:
        """The same setting with another seed."""


@runtime_checkable
class TimeLimited(Protocol):
    """What a run has beside :class:`Run` that may take so long and no longer."""

    @property
    def time_limit(self) -> float | None:
        """Seconds. Its engine leaves it then; where it cannot, the sweep ends the worker. None: any time."""


@runtime_checkable
class SizedInMemory(Protocol):
    """What a run has beside :class:`Run` of which it is known how much memory its training takes."""

    @classmethod
    def memory_of(
        cls, cohorts: Sequence[Sequence[Self]], device: str, below: float | None = None
    ) -> Sequence[int | None]:
        """Return the most bytes that a worker takes which trains each cohort: resident, on CUDA allocated there.

        Args:
            cohorts: The members of each.
            device: ``cpu`` or ``cuda:N``.
            below: Nothing is worked out, which may take seconds, for a cohort that surely takes less; None: everything.

        Returns:
            One for each cohort; None: it is not known, or surely below.
        """
