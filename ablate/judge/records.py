"""Runs of a table as records and as the frame of runs: what the analysis and the report read."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ablate.judge.design import JudgedStudy, Levels
from ablate.judge.runs import JudgedRuns
from ablate.judge.table import RawTable
from ablate.task.identity import digest_of
from ablate.task.metric import Metric
from ablate.task.record import Guess, Record, Result

if TYPE_CHECKING:
    import pandas as pd

TASK = "table"
"""What the identity of a judged run names as its task: nobody can train it."""


def records_of_table(
    name: str, table: RawTable, found: JudgedRuns, guesses: Mapping[str, Guess]
) -> dict[tuple[Levels, int], Record]:
    """A record for every run that ended, by its levels and seed.

    Args:
        name: The name of the study, which is a part of the runs' identity: another table's runs are others.
        table: Where they come from.
        found: The runs.
        guesses: What guessing scores, by metric, where somebody said so.
    """
    origin = {"table": table.path.name, "sha256": hashlib.sha256(table.path.read_bytes()).hexdigest()}
    records = {}
    for run in found.runs:
        if run.result is not None:
            identity = _identity(name, found.factors, run.levels, run.seed)
            result = replace(run.result, guesses=guesses)
            records[run.levels, run.seed] = Record(digest_of(identity), identity, result, origin)
    return records


def frame_of_study(
    name: str,
    found: JudgedRuns,
    study: JudgedStudy,
    records: Mapping[tuple[Levels, int], Record],
    metrics: Sequence[Metric],
) -> "pd.DataFrame":
    """The frame of runs, with the columns of :func:`ablate.report.joined_runs.frame_of_runs`.

    A setting's runs that have not ended, or that other settings have and it lacks, have the status ``missing``.
    """
    import pandas as pd

    seeds: dict[Levels, list[int]] = {}
    for run in found.runs:
        seeds.setdefault(run.levels, []).append(run.seed)
    rows = []
    for setting in study.settings:
        for seed in sorted({*study.seeds, *seeds[setting.levels]}):
            record = records.get((setting.levels, seed))
            identity = _identity(name, found.factors, setting.levels, seed)
            result = record.result if record is not None else None
            rows.append(
                {
                    "study": name,
                    "factor": setting.factor,
                    "level": setting.level,
                    "label": setting.label,
                    "order": setting.order,
                    "is_baseline": setting.is_baseline,
                    "seed": seed,
                    "digest": digest_of(identity),
                    "status": result.status if result is not None else "missing",
                    "steps": len(result.curves) if result is not None else 0,
                    "last_step": result.curves[-1].step if result is not None and result.curves else 0,
                    **{metric.name: _last(result, metric.name) for metric in metrics},
                    "seconds": result.seconds if result is not None else math.nan,
                    "engine": None,
                    "error": result.error if result is not None else None,
                    **_guesses(result),
                    **{f"config.{path}": level for path, level in zip(found.factors, setting.levels, strict=True)},
                    "config.seed": seed,
                }
            )
    objects = {"level": object, "error": object, "engine": object}
    names = dict.fromkeys(key for row in rows for key in row)
    frame = pd.DataFrame({key: pd.Series([row.get(key) for row in rows], dtype=objects.get(key)) for key in names})
    return frame.astype({metric.name: "float64" for metric in metrics} | {"seconds": "float64"})


def _identity(name: str, factors: Sequence[str], levels: Levels, seed: int) -> dict[str, Any]:
    setting = {factor.replace(".", "/"): level for factor, level in zip(factors, levels, strict=True)}
    return {"task": TASK, "study": name, "setting": setting, "seed": seed}


def _guesses(result: Result | None) -> dict[str, float | None]:
    """Columns that the analysis reads what guessing scores from."""
    if result is None:
        return {}
    values = {f"guess.{metric}": guess.value for metric, guess in result.guesses.items()}
    return values | {f"guess_samples.{metric}": guess.samples for metric, guess in result.guesses.items()}


def _last(result: Result | None, metric: str) -> float:
    value = result.last(metric) if result is not None else None
    return math.nan if value is None else value
