"""Train what the store lacks."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ablate.execute.checkpoints import KeptCheckpoints
from ablate.execute.choice import settings_on
from ablate.execute.interrupts import Interrupts
from ablate.execute.limits import Limits
from ablate.execute.progress import Progress
from ablate.execute.summary import Summary
from ablate.execute.sweep import Sweep
from ablate.execute.warm import WarmWorkers
from ablate.store import Store
from ablate.task.executor import LOCAL, ExecutorChoice
from ablate.task.record import StopRule
from ablate.task.run import Run


def execute(
    runs: Iterable[Run],
    store: Store,
    *,
    workers: int | None = None,
    device: str = "auto",
    executor: ExecutorChoice | str = LOCAL,
    engine: str | None = None,
    progress: Progress | None = None,
    max_members: int | None = None,
    stops: Mapping[str, StopRule] | None = None,
    kept: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    checkpoints: KeptCheckpoints | None = None,
    interim: Path | None = None,
    warm: WarmWorkers | None = None,
) -> Summary:
    """Train those of ``runs`` that the store has no final record of; write records as soon as their cohort is done.

    Runs that another sweep on the same store is training are waited for, and taken over should it die. A run that
    fails, diverges or kills its worker process does not stop the others.

    Args:
        runs: What has to be in the store at the end.
        store: Written by this process only, never by its workers.
        workers: Processes that train at the same time; None: one a core on the CPU, one a GPU on CUDA.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        executor: What starts the workers, by name or with options; see :mod:`ablate.task.executor`.
        engine: ``module:class`` of an engine that trains all runs, instead of the one that each run names.
        progress: Shows what happens; None: nothing.
        max_members: Most members of a cohort; None: see :func:`ablate.plan.cohorts.default_members`.
        stops: What a run must reach to go on, by its digest; else its record has the status ``stopped``.
        kept: What of complete runs is kept beside their records, and the folder of each; None: nothing.
        limits: What ends the sweep early; None: nothing.
        checkpoints: What cohorts that were cut off go on from, and leave while they train; None: nothing.
        interim: Folder in which a file tells what runs in training have measured so far; None: none does.
        warm: Where workers come from and stay; None: they end with the sweep.

    Returns:
        Counts, and the runs that failed.

    Raises:
        ConfigError: There is no such executor, or a worker found the data missing or damaged, or the device not there.
        StoreUnavailable: The store cannot be used any more (disk full, file moved, server gone): what was in training
            has been trained to its end and lies in a file that the next call with this store takes up.
        Interrupted: After Ctrl-C or SIGTERM: finished runs are in the store.
        RuntimeError: Workers cannot be started.
    """
    unique = list({run.digest: run for run in runs}.values())
    choice = executor if isinstance(executor, ExecutorChoice) else ExecutorChoice(executor)
    settings = settings_on(choice, device, workers, len(unique), engine)
    orders = [replace(order, kept=kept or {}) for order in settings]
    progress = progress if progress is not None else Progress()
    if checkpoints is not None and (trouble := checkpoints.make_folder()) is not None:
        progress.say(trouble)
        checkpoints = None
    if checkpoints is not None:
        orders = [checkpoints.settings(order) for order in orders]
    with Interrupts() as interrupts:
        sweep = Sweep(
            unique, store, orders, choice, progress, max_members, stops or {}, interrupts, checkpoints, interim, warm
        )
        try:
            return sweep.run(limits or Limits())
        finally:
            if checkpoints is not None:
                checkpoints.close()


def measure_speeds(
    runs: Iterable[Run],
    store: Store,
    *,
    workers: int | None = None,
    device: str = "auto",
    executor: ExecutorChoice | str = LOCAL,
    progress: Progress | None = None,
) -> None:
    """Measure what a sweep would measure before it starts, however short it is, and keep that in the store.

    Args:
        runs: That a sweep would train.
        store: Where the speeds are kept.
        workers: As for :func:`execute`.
        device: As for :func:`execute`.
        executor: As for :func:`execute`.
        progress: Says what happens; None: nothing.

    Raises:
        ConfigError: A worker found the data missing or damaged, or the device not there.
        Interrupted: After Ctrl-C or SIGTERM.
    """
    wanted = list({run.digest: run for run in runs}.values())
    choice = executor if isinstance(executor, ExecutorChoice) else ExecutorChoice(executor)
    orders = settings_on(choice, device, workers, len(wanted))
    with Interrupts() as interrupts:
        Sweep(wanted, store, orders, choice, progress or Progress(), None, {}, interrupts).measure()
