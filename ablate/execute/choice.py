"""The executor that was chosen: how many workers it has, and itself."""

from collections.abc import Sequence
from typing import Any

from ablate.execute.devices import worker_settings
from ablate.task.errors import ConfigError
from ablate.task.executor import Executor, ExecutorChoice, WorkerSettings
from ablate.task.executor_options import executor_options
from ablate.task.finding import Found, find_part


def load_executor(name: str) -> tuple[Found, Any]:
    """Where an executor is declared, and what makes it.

    Raises:
        ConfigError: There is none of that name, or it cannot be loaded.
    """
    found = find_part("executors", name)
    maker = found.load()
    if not callable(maker):
        what = f"executor {name} ({found.origin}): {found.place}"
        raise ConfigError(f"{what}: must be a class that is made with the settings of workers, not {maker!r}")
    return found, maker


def settings_on(
    choice: ExecutorChoice, device: str, workers: int | None, runs: int, engine: str | None = None
) -> list[WorkerSettings]:
    """What each of the workers is started with.

    An executor whose class has ``settings`` (made with its options, the device, the number of workers and of runs, and
    the engine) says so itself: on another machine there are other cores and GPUs than here.

    Args:
        choice: The executor.
        device: As for :func:`ablate.execute.devices.worker_settings`.
        workers: How many; None: as many as the place has.
        runs: The runs of the whole sweep.
        engine: See :class:`WorkerSettings`.

    Returns:
        One for each worker, at least one.

    Raises:
        ConfigError: There is no such executor, or it cannot have these workers.
    """
    _, maker = load_executor(choice.name)
    if hasattr(maker, "settings"):
        own: list[WorkerSettings] = maker.settings(executor_options(maker, choice), device, workers, runs, engine)
        return own
    return worker_settings(device, workers, runs, engine)


def make_executor(choice: ExecutorChoice, settings: Sequence[WorkerSettings]) -> Executor:
    """The executor.

    Raises:
        ConfigError: There is none, or it cannot be made.
    """
    found, maker = load_executor(choice.name)
    options = executor_options(maker, choice)
    arguments: tuple[Any, ...] = (settings,) if options is None else (settings, options, choice)
    try:
        made: Executor = maker(*arguments)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"executor {choice.name} ({found.origin}): cannot be made: {type(error).__name__}: {error}"
        ) from error
    lacking = [member for member in vars(Executor) if not member.startswith("_") and not hasattr(made, member)]
    if lacking:
        raise ConfigError(f"executor {choice.name} ({found.origin}): is no executor: it has no {', '.join(lacking)}")
    return made
