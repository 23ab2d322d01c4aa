"""The best setting that a search has found, in forms to read and to copy, and whether a given start won."""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate.plan.baseline import Baseline, Change
from ablate.plan.compose import sources
from ablate.plan.design import label_of
from ablate.search.proof import Confirmed, best_settings, changes_of
from ablate.search.request import SearchRequest
from ablate.search.space import Params
from ablate.search.trials import values_of
from ablate.task.errors import ConfigError
from ablate.task.identity import flatten
from ablate.task.numbers import decimals, number
from ablate.task.numbers import interval as bracketed
from ablate.task.run import Run

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class FoundSetting:
    """The best setting."""

    label: str
    """Its name in the proof."""
    trial: "FrozenTrial"
    rows: tuple[tuple[str, Any, str], ...]
    """A row for each factor: its dotted path, its value, and what the baseline has."""
    yaml: str
    """As a study file has it: below a name of ``compare``, as an entry of ``start``, or as a named level."""
    command: str
    """Trains it as it was searched; empty: no command of this program says just that."""


@dataclass(frozen=True)
class Start:
    """A setting that the search was given to start from, and how far it came."""

    name: str
    trial: int
    value: float | None
    """Mean over its seeds; None: it has none, as it was stopped, diverged or failed."""
    won: bool


def found_setting(order: SearchRequest, study: "Study") -> FoundSetting | None:
    """The best setting in all its forms; None: none is complete.

    Args:
        order: What was searched.
        study: Its trials.
    """
    best = best_settings(order, study)
    if not best:
        return None
    label, trial = best[0]
    changes = changes_of(order, trial)
    base = flatten(order.baseline.run.config)
    chosen: Mapping[str, Any] = getattr(order.baseline, "chosen", {})
    rows = tuple((path, value, _base_value(path, base, chosen)) for path, value in changes)
    return FoundSetting(label, trial, rows, _yaml(changes), _command(order, changes))


def starts_of(order: SearchRequest, study: "Study", best: "FrozenTrial | None") -> tuple[Start, ...]:
    """What became of every setting that the search was given, in the order of the file.

    Args:
        order: What was searched.
        study: Its trials.
        best: The best setting.
    """
    found = []
    for name, params in order.starts.items():
        trial = next((t for t in study.trials if t.state.is_finished() and _is(t, params)), None)
        if trial is not None:
            value = trial.values[0] if trial.state.name == "COMPLETE" and trial.values else None
            won = best is not None and values_of(best) == values_of(trial)
            found.append(Start(name, trial.number, value if value is None or math.isfinite(value) else None, won))
    return tuple(found)


def answer(
    order: SearchRequest,
    setting: FoundSetting | None,
    starts: Sequence[Start],
    tried: int,
    proven: Sequence[Confirmed] = (),
) -> tuple[str, ...]:
    """What was found, what of it fresh seeds confirm, and whether a start won, a sentence each.

    Args:
        order: What was searched.
        setting: The best.
        starts: From :func:`starts_of`.
        tried: Settings.
        proven: The best settings on fresh seeds, as far as they were measured as the search measures.
    """
    if setting is None:
        return ("No setting is complete yet: nothing is found.",)
    value, title, seeds = setting.trial.values[0], order.metric.title, len(setting.trial.user_attrs.get("values", {}))
    digits = decimals([value, *(start.value for start in starts if start.value is not None)])
    said = f"The best of {tried} settings, {setting.label} (trial {setting.trial.number}), reaches a {title} of "
    said += f"{number(value, digits)} over {seeds} seed{'' if seeds == 1 else 's'} of the search."
    for entry in proven:
        if entry.label == setting.label and entry.confirmed is not None:
            said += f" On {entry.n} fresh seeds it is {number(entry.confirmed, digits)}"
            said += f" (95 % interval {bracketed(*entry.interval, digits)})." if entry.interval is not None else "."
    winners = [start.name for start in starts if start.won]
    if winners:
        return (said, f"It is a setting that the search was given: {' and '.join(winners)}. No proposed one beats it.")
    if not starts:
        return (said,)
    known = {start.name: start.value for start in starts if start.value is not None}
    if not known:
        return (said, "None of the settings that the search was given came to its end.")
    near = min(known, key=lambda name: abs(known[name] - value))
    text = f"No setting that the search was given is as good; the nearest is {near} with {number(known[near], digits)}."
    return (said, text)


def _is(trial: "FrozenTrial", params: Params) -> bool:
    return all(name in trial.params and trial.params[name] == value for name, value in params.items())


def _base_value(path: str, base: Mapping[str, Any], chosen: Mapping[str, Any]) -> str:
    if path in chosen:
        return str(chosen[path])
    return label_of(base[path]) if path in base else ""


def _yaml(changes: Sequence[Change]) -> str:
    import yaml

    data = {path: list(value) if isinstance(value, tuple) else value for path, value in changes}
    text: str = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=False)
    return text


def _command(order: SearchRequest, changes: Sequence[Change]) -> str:
    """``ablate run`` with all that a run differs in from the default configuration."""
    if not isinstance(order.baseline, Baseline):
        return ""
    wanted = order.build(changes[len(order.search.fixed) :])
    options = {**order.baseline.chosen, **{p: str(v) for p, v in changes if p in order.baseline.groups}}
    words = [f"task={wanted.task}"] * (wanted.task != "images")
    try:
        default = {**sources(words)[-1].departing.chosen}
        words += [f"{group}={option}" for group, option in options.items() if default.get(group) != option]
        base = flatten(_run(order, words).identity)
        words += [f"{p}={_word(v)}" for p, v in flatten(wanted.identity).items() if p != "seed" and base.get(p) != v]
        same = _run(order, words).digest == wanted.digest
    except ConfigError:
        return ""
    return shlex.join(["ablate", "run", *words]) if same else ""


def _run(order: SearchRequest, words: Sequence[str]) -> Run:
    (run,) = order.task.prepare([sources(words)[-1].departing.configure()])
    return run


def _word(value: Any) -> str:
    """A value in the grammar of overrides."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, tuple | list):
        return f"[{','.join(map(_word, value))}]"
    return repr(value) if isinstance(value, float) else str(value)
