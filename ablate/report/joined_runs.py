"""The frame of runs: a plan's points joined with their records, the input of analysis and report."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from ablate.plan.plan import Plan
from ablate.task.finding import find_task
from ablate.task.identity import flatten
from ablate.task.record import Record
from ablate.task.task import Task

if TYPE_CHECKING:
    import pandas as pd


def frame_of_runs(plan: Plan, records: Mapping[str, Record], study: str | None = None) -> "pd.DataFrame":
    """One row for each study, factor, level and seed.

    Args:
        plan: Which runs belong to which level.
        records: The records by digest; a run without one has the status ``missing``.
        study: Name to give to all rows (of a union); None: each study's own.

    Returns:
        Columns study, factor, level, label, order, is_baseline, seed, digest, status, steps (number of measurements),
        last_step (0: none), the last value of every metric that the studies name or a record holds (NaN where not
        measured) and what guessing scores in it
        (``guess.<metric>``, ``guess_samples.<metric>``; NaN where it is not
        known), seconds, engine, error and ``config.<path>``.
    """
    import pandas as pd

    wanted = {point.run.digest for point in plan.points}
    metrics = list(
        dict.fromkeys(
            [name for s in plan.studies for name in s.metrics]
            + [name for digest in wanted if digest in records for name in records[digest].result.metrics]
        )
    )
    rows, settings, places = [], dict[int, int](), []
    tasks = cache(find_task)
    configs: list[dict[str, Any]] = []
    for point in plan.points:
        setting = point.setting
        if id(setting) not in settings:
            settings[id(setting)] = len(configs)
            configs.append({f"config.{path}": value for path, value in flatten(setting.config.identity).items()})
        places.append(settings[id(setting)])
        record = records.get(point.run.digest)
        # One that a search stopped early is a part of a run, and no record of it.
        result = record.result if record is not None and record.result.status != "stopped" else None
        rows.append(
            {
                "study": study or point.study.name,
                "factor": setting.factor,
                "level": setting.level,
                "label": setting.label,
                "order": setting.order,
                "is_baseline": setting.is_baseline,
                "seed": point.run.seed,
                "digest": point.run.digest,
                "status": result.status if result is not None else "missing",
                "steps": len(result.curves) if result is not None else 0,
                "last_step": result.curves[-1].step if result is not None and result.curves else 0,
                **{metric: _number(result.last(metric) if result is not None else None) for metric in metrics},
                **_guesses(point.run.task, record if result is not None else None, metrics, tasks),
                "seconds": result.seconds if result is not None else float("nan"),
                "engine": point.run.identity.get("engine"),
                "error": result.error if result is not None else None,
            }
        )
    kinds = dict.fromkeys([*metrics, "seconds"], "float64") | dict.fromkeys(["level", "error"], "object")
    columns = {
        key: pd.Series([row[key] for row in rows], dtype=kinds.get(key))
        for key in (rows[0] if rows else dict[str, Any]())
    }
    for key in dict.fromkeys(key for config in configs for key in config):
        of_settings = pd.Series([config.get(key) for config in configs], dtype="object")
        columns[key] = of_settings.take(places).reset_index(drop=True)
    if rows:
        columns["config.seed"] = columns["seed"].astype("object")
    return pd.DataFrame(columns)


def by_step(curves: "pd.DataFrame") -> "pd.DataFrame":
    """The frame of curves with its steps in the column ``step``, whatever the store calls them."""
    return curves.rename(columns={"epoch": "step"})


def _guesses(
    task: str, record: Record | None, metrics: Sequence[str], tasks: Callable[[str], Task]
) -> dict[str, float]:
    """What guessing scores on the run's data; older records do not say, and the task may know it of their data."""
    from ablate.analyse import guess_columns

    known = {} if record is None else record.result.guesses or tasks(task).guesses(record)
    columns: dict[str, float] = {}
    for metric in metrics:
        guess = known.get(metric)
        value, samples = guess_columns(metric)
        columns[value] = math.nan if guess is None else guess.value
        columns[samples] = math.nan if guess is None or guess.samples is None else float(guess.samples)
    return columns


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
