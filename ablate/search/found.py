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
from ablate.search.space import key_of
from ablate.search.trials import longest_trials, values_of
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
    """At the greatest length at which it was tried."""
    value: float | None
    """Mean over its seeds; None: it has none, as it was stopped, diverged or failed."""
    won: bool
    at: str = ""
    """The length, where that is less than the full one."""

    @property
    def title(self) -> str:
        """Its name, and how long it was trained where that is less than it could be."""
        return f"{self.name} at {self.at}" if self.at else self.name


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
    fidelity, ladder, found = order.search.fidelity, order.ladder, []
    tried = [(values_of(trial), trial) for trial in longest_trials(study, order.search)]
    winner = key_of(values_of(best), fidelity) if best is not None else None
    for name, params in order.starts.items():
        given = {factor: value for factor, value in params.items() if factor != fidelity}
        own, trial = next(((own, trial) for own, trial in tried if own.items() >= given.items()), ({}, None))
        if trial is not None:
            value = trial.values[0] if trial.state.name == "COMPLETE" and math.isfinite(trial.values[0]) else None
            length = own.get(str(fidelity), 0)
            at = f"{fidelity} = {length}" if ladder is not None and length < ladder.full else ""
            found.append(Start(name, trial.number, value, key_of(own, fidelity) == winner, at))
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
        ladder = order.ladder
        whole = "" if ladder is None else f" at full length ({ladder.factor.path} = {ladder.full})"
        return (f"No setting is complete{whole}: nothing is found.",)
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
    known = {start.title: start.value for start in starts if start.value is not None}
    if not known:
        return (said, "None of the settings that the search was given came to its end.")
    near = min(known, key=lambda name: abs(known[name] - value))
    text = f"No setting that the search was given is as good; the nearest is {near} with {number(known[near], digits)}."
    return (said, text)


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
