"""What runs are to leave beside their records (``keep=weights``), refused where they cannot."""

from collections.abc import Iterable, Sequence

from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.run import Run
from ablate.task.task import leaves_more


def check_keeps(runs: Iterable[Run], keeps: Sequence[str]) -> None:
    """See that these runs can leave what is asked for, before anything is trained.

    Args:
        runs: The runs that would be trained.
        keeps: What is asked for; see :attr:`ablate.plan.launch.Launch.keep`.

    Raises:
        ConfigError: Says of each kind why a run leaves none of it.
    """
    if not keeps:
        return
    reasons = (f"keep = {what}: {why}" for run in runs for what in keeps if (why := _why_not_kept(run, what)))
    if problems := list(dict.fromkeys(reasons)):
        raise ConfigError(problems)


def _why_not_kept(run: Run, what: str) -> str | None:
    task = find_task(run.task)
    if not leaves_more(task):
        return f"runs of task {run.task} leave no {what} that could be kept"
    return task.why_not_kept(run, what)
