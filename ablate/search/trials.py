"""The trials of a search as a table and as a file from which Optuna's study can be rebuilt without its database."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.search.budget import SPENT, WORK
from ablate.search.settings import Search
from ablate.search.space import exact, key_of
from ablate.search.trial import PROBLEM, SECONDS, STATUS, VALUES
from ablate.task.errors import ConfigError
from ablate.task.plain_json import loads

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study
    from optuna.trial import FrozenTrial


def frame_of_trials(study: "Study", search: Search, unit: str) -> "pd.DataFrame":
    """A row a trial that has ended.

    Args:
        study: Its trials.
        search: What was searched.
        unit: The unit in which the task counts work: ``samples``, ``cost``, ``steps`` or ``runs``.

    Returns:
        trial, status (complete, stopped, diverged, failed, invalid), the metric (mean over seeds; NaN where the
        setting has no value), seeds (how many it got), the second objective where there is one, the work in its unit,
        seconds, spent, problem and ``param.<name>`` (None where the factor's condition does not hold).
    """
    import pandas as pd

    names = list(dict.fromkeys(name for trial in study.trials for name in trial.params))
    rows = []
    for trial in study.trials:
        if not trial.state.is_finished():
            continue
        values = trial.user_attrs.get(VALUES, {})
        complete = trial.state.name == "COMPLETE"
        row: dict[str, Any] = {
            "trial": trial.number,
            "status": trial.user_attrs.get(STATUS, "failed"),
            search.metric: trial.values[0] if complete else float("nan"),
            "seeds": len(values),
        }
        if search.against is not None:
            row[f"{search.against}_of_run"] = trial.values[1] if complete else float("nan")
        row |= {
            unit: trial.user_attrs.get(WORK, 0),
            "seconds": trial.user_attrs.get(SECONDS, 0.0),
            "spent": trial.user_attrs.get(SPENT, 0.0),
            "problem": trial.user_attrs.get(PROBLEM),
        }
        rows.append(row | {f"param.{name}": values_of(trial).get(name) for name in names})
    return pd.DataFrame(rows)


def best_trials(study: "Study", search: Search, count: int) -> "list[FrozenTrial]":
    """The best settings, each once, the best first; where there is a fidelity those trained at full length alone.

    Args:
        study: With one objective, those with the most seeds are ranked by their mean; with two, the Pareto front is,
            by the metric.
        search: What was searched.
        count: How many there are at most.
    """
    complete = [t for t in study.trials if t.state.name == "COMPLETE"]
    if search.against is not None:
        complete = [t for t in study.best_trials if t.state.name == "COMPLETE"]
    complete = [trial for trial in complete if _is_whole(trial, search)]
    most = max((len(t.user_attrs.get(VALUES, {})) for t in complete), default=0)
    sign = -1.0 if search.higher_is_better else 1.0
    ranked = sorted(complete, key=lambda t: (-len(t.user_attrs.get(VALUES, {})), sign * t.values[0], t.number))
    chosen: dict[str, FrozenTrial] = {}
    for trial in ranked:
        if len(trial.user_attrs.get(VALUES, {})) == most or not chosen:
            chosen.setdefault(key_of(values_of(trial), search.fidelity), trial)
    return list(chosen.values())[:count]


def longest_trials(study: "Study", search: Search) -> "list[FrozenTrial]":
    """Of every setting that was tried the trial that has ended at its greatest length, in the order of their firsts.

    Without a fidelity that is the first.
    """
    found: dict[str, FrozenTrial] = {}
    for trial in study.trials:
        if trial.state.is_finished():
            key = key_of(values_of(trial), search.fidelity)
            if key not in found or _length(trial, search) > _length(found[key], search):
                found[key] = trial
    return list(found.values())


def counts_of(study: "Study", search: Search) -> "Counter[str]":
    """How many settings were tried, by what became of each at its greatest length."""
    return Counter(trial.user_attrs.get(STATUS, "failed") for trial in longest_trials(study, search))


def values_of(trial: "FrozenTrial") -> dict[str, Any]:
    """The parameters of a trial as they were trained."""
    return {name: exact(trial.distributions[name], value) for name, value in trial.params.items()}


def dump_trials(study: "Study") -> str:
    """Everything about the trials that have ended, as JSON."""
    from optuna.distributions import distribution_to_json

    trials = [
        {
            "number": t.number,
            "state": t.state.name,
            "values": t.values,
            "params": t.params,
            "distributions": {name: loads(distribution_to_json(d)) for name, d in t.distributions.items()},
            "intermediate_values": t.intermediate_values,
            "user_attrs": t.user_attrs,
            "start": t.datetime_start.isoformat() if t.datetime_start else None,
            "end": t.datetime_complete.isoformat() if t.datetime_complete else None,
        }
        for t in study.trials
        if t.state.is_finished()
    ]
    directions = [direction.name.lower() for direction in study.directions]
    return json.dumps({"study": study.study_name, "directions": directions, "trials": trials}, indent=1) + "\n"


def read_trials(path: Path) -> "Study":
    """A study in memory from what :func:`dump_trials` wrote.

    Raises:
        ConfigError: The file is missing or no such file.
    """
    import optuna
    from optuna.trial import TrialState

    try:
        data = loads(path.read_text(encoding="utf-8"))
        study = optuna.create_study(study_name=data["study"], directions=data["directions"])
        for trial in data["trials"]:
            study.add_trial(_frozen(trial, TrialState[trial["state"]]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: holds no trials of a search: {error}") from None
    return study


def in_memory(study: "Study") -> "Study":
    """A copy of the ended trials, which can be read without the database."""
    import optuna

    copy = optuna.create_study(study_name=study.study_name, directions=study.directions)
    copy.add_trials([trial for trial in study.trials if trial.state.is_finished()])
    return copy


def _is_whole(trial: "FrozenTrial", search: Search) -> bool:
    """Whether a trial is at full length, the highest of its fidelity, or there is none."""
    return search.fidelity is None or _length(trial, search) == trial.distributions[search.fidelity].high  # type: ignore[attr-defined]


def _length(trial: "FrozenTrial", search: Search) -> int:
    return int(trial.params.get(search.fidelity or "", 0))


def _frozen(data: dict[str, Any], state: Any) -> "FrozenTrial":
    from datetime import datetime

    from optuna.distributions import json_to_distribution
    from optuna.trial import FrozenTrial

    start, end = (datetime.fromisoformat(data[key]) if data[key] else None for key in ("start", "end"))
    if type(data["number"]) is not int or not isinstance(data["user_attrs"], dict):
        raise ValueError(f"trial {data['number']!r} has no number or no attributes")
    return FrozenTrial(
        number=data["number"],
        state=state,
        value=None,
        values=data["values"],
        datetime_start=start,
        datetime_complete=end,
        params=data["params"],
        distributions={name: json_to_distribution(json.dumps(d)) for name, d in data["distributions"].items()},
        user_attrs=data["user_attrs"],
        system_attrs={},
        intermediate_values={int(step): value for step, value in data["intermediate_values"].items()},
        trial_id=data["number"],
    )
