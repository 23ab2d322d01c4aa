"""Workers that outlast a sweep: where one process trains again and again, as a search does, a start takes longer."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from ablate.execute.choice import make_executor
from ablate.execute.pool import Pool
from ablate.task.executor import LOCAL, Executor, ExecutorChoice, WorkerSettings
from ablate.task.memory import resident


class WarmWorkers:
    """The idle workers of one sweep for the next one; they end with the block that this manages.

    Only local ones on the CPU: others hold what somebody else may wait for, a place in a cluster or a GPU's memory.
    """

    def __init__(self) -> None:
        self._pool: Pool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.close()

    @property
    def held(self) -> int:
        """Bytes of memory that they have."""
        return sum(resident(worker.process.pid) for worker in self._pool.workers) if self._pool is not None else 0

    def executor(self, choice: ExecutorChoice, settings: Sequence[WorkerSettings]) -> Executor:
        """Make an executor that has them, as far as they were started with these settings.

        Args:
            choice: The executor that was chosen.
            settings: Of each of its workers.

        Raises:
            ConfigError: There is none, or it cannot be made.
        """
        pool, self._pool = self._pool, None
        if pool is None or choice.name != LOCAL:
            return make_executor(choice, settings)
        pool.resettle(settings)
        return pool

    def leave(self, executor: Executor) -> bool:
        """Take the workers of a sweep that has ended well.

        Args:
            executor: None of its workers trains anything.

        Returns:
            Whether they go on; else they are to be ended as always.
        """
        if type(executor) is not Pool or any(worker.orders.device != "cpu" for worker in executor.workers):
            return False
        self._pool = executor
        return True
