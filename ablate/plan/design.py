"""From a study and its baseline to settings: one-at-a-time, grid, leave-one-out.

A setting is counted once, whatever it is called: levels that turn out to be one setting (a named level equal to the
baseline, ``1`` beside ``1.0``, a component that is off already) are merged into the first of them, and a note says so.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ablate.plan.application import ApplicationBaseline
from ablate.plan.baseline import NO_FIELD, Baseline, Change
from ablate.plan.study import Study
from ablate.task.claim import JOINED
from ablate.task.errors import ConfigError
from ablate.task.identity import lookup
from ablate.task.run import Run
from ablate.task.searching import searching_of
from ablate.task.task import MeasuresSome, Task

AnyBaseline = Baseline | ApplicationBaseline

MAX_SETTINGS = 10_000
MAX_RUNS = 100_000
"""Most runs of all studies of a command line together."""
MAX_PROBLEMS = 20
"""Most problems of a study's levels that are listed."""
WITHOUT = "without"
"""The factor of a leave-one-out study."""


@dataclass(frozen=True)
class Setting:
    """One level of one factor as a full configuration without a seed."""

    factor: str
    level: Any
    label: str
    order: int
    """Position of the level among its factor's."""
    is_baseline: bool
    config: Run
    """The configuration with seed 0."""
    also: tuple[Any, ...] = ()
    """What else the study calls it: levels and labels that are this very setting, or its level before validation."""

    def run(self, seed: int) -> Run:
        """This setting with a seed."""
        return self.config if seed == self.config.seed else self.config.with_seed(seed)


@dataclass(frozen=True)
class Levels:
    """The levels of a factor, found by what a study file calls them."""

    settings: tuple[Setting, ...] = ()
    """The settings in order."""

    def meant(self, name: Any) -> Setting | None:
        """The level that a study file means: first by its own value and label, then by its other names."""
        key = _key(name)
        return None if key is None else self._own.get(key) or self._other.get(key)

    @cached_property
    def _own(self) -> Mapping[Any, Setting]:
        return self._by_name([(name, setting) for setting in self.settings for name in (setting.level, setting.label)])

    @cached_property
    def _other(self) -> Mapping[Any, Setting]:
        return self._by_name([(name, setting) for setting in self.settings for name in setting.also])

    @staticmethod
    def _by_name(named: Sequence[tuple[Any, Setting]]) -> Mapping[Any, Setting]:
        return {key: setting for name, setting in reversed(named) if (key := _key(name)) is not None}


def _key(name: Any) -> Any:
    """Equal for names of one level, as of :func:`is_same`; None: what holds a mapping is no name."""
    name = _native(name)
    try:
        hash(name)
    except TypeError:
        return None
    return isinstance(name, bool), name


@dataclass(frozen=True)
class Expansion:
    """The settings of a study, and what had to be decided to make them."""

    settings: tuple[Setting, ...]
    notes: tuple[str, ...]
    """Sentences for whoever reads the plan or the report."""
    metrics: tuple[str, ...]
    """What the study's runs are compared by, the main one last."""


def expand(study: Study, baseline: AnyBaseline) -> Expansion:
    """All settings of a study, level by level; the baseline is a level of every factor.

    Args:
        study: What varies.
        baseline: What every level departs from.

    Returns:
        Settings in the order of the factors and of their levels, each once a factor.

    Raises:
        ConfigError: Lists the problems of every level that is no valid configuration.
    """
    _check_overlaps(study)
    rows = list({"one-at-a-time": _one_at_a_time, "grid": _grid, "leave-one-out": _leave_one_out}[study.design](study))
    built, problems = _build(study, baseline, rows)
    if problems:
        raise ConfigError(problems)
    first, *runs = baseline.task.prepare([baseline.run, *(entry.config for entry in built)])
    entries: dict[str, list[_Entry]] = {}
    for entry, run in zip(built, runs, strict=True):
        entries.setdefault(entry.factor, []).append(replace(entry, config=run))
    settings, notes = list[Setting](), dict.fromkeys(_group_notes(baseline, rows))
    for factor, levels in entries.items():
        if study.design != "grid" and not any(level.config.digest == first.digest for level in levels):
            levels = _with_baseline(levels, baseline, factor, first)
        merged, said = _merged(study, levels)
        settings += [
            Setting(factor, e.level, e.label, order, e.config.digest == first.digest, e.config, e.also)
            for order, e in enumerate(merged)
        ]
        notes |= dict.fromkeys(said)
        problems += _label_problems(merged)
        if len(merged) == 1 and len(levels) > 1:
            names = " and ".join(dict.fromkeys(level.label for level in levels))
            problems.append(f"{factor}: {names} are one and the same setting; there is nothing to compare")
    if problems:
        raise ConfigError(problems)
    return Expansion(tuple(settings), tuple(notes), _measured(study, baseline.task, [first, *runs]))


def _measured(study: Study, task: Task, runs: Sequence[Run]) -> tuple[str, ...]:
    """The study's metrics; where its file names none, those of the task's that any run measures.

    Raises:
        ConfigError: No run measures one that the file names.
    """
    if not isinstance(task, MeasuresSome):
        return study.metrics
    lacking = {}
    for metric in dict.fromkeys([*study.metrics, searching_of(task).metric or study.metrics[-1]]):
        is_lacking = all(task.why_not_measured(run, metric) for run in runs)
        lacking[metric] = task.why_not_measured(runs[0], metric) if is_lacking else None
    if "metrics" not in study.model_fields_set:
        main = study.metrics[-1]
        return study.metrics if lacking[main] is None else tuple(m for m, why in lacking.items() if why is None)
    problems = [
        f"metrics = {list(study.metrics)}: no run measures {metric}: {lacking[metric]}"
        for metric in study.metrics
        if lacking[metric] is not None
    ]
    if problems:
        raise ConfigError(problems)
    return study.metrics


@dataclass(frozen=True)
class _Row:
    """A level as the file has it."""

    factor: str
    level: Any
    label: str
    changes: tuple[Change, ...]
    source: str = ""
    """The one factor of the file that it is of; empty: several."""


@dataclass(frozen=True)
class _Entry:
    """A level as a run."""

    factor: str
    level: Any
    label: str
    config: Run
    given: str
    """Its label before validation."""
    also: tuple[Any, ...] = ()


def check_size(studies: Sequence[Study]) -> None:
    """Refuse what is too large, before any of it is built.

    Raises:
        ConfigError: Lists every study that is; or all of them together are.
    """
    problems, total = [], 0
    for study in studies:
        counts = [len(levels) for levels in study.factors.values()]
        settings = (math.prod(counts) if study.design == "grid" else sum(counts)) if counts else 0
        runs = settings * len(study.seeds)
        total += runs
        if settings > MAX_SETTINGS or runs > MAX_RUNS:
            place = f"study {study.name}: " if study.name != "multirun" else ""
            problems.append(
                f"{place}makes {settings:,} settings with {len(study.seeds):,} seeds, {runs:,} runs; at "
                f"most {MAX_SETTINGS:,} settings and {MAX_RUNS:,} runs"
            )
    if problems or total > MAX_RUNS:
        names = ", ".join(study.name for study in studies)
        raise ConfigError(problems or f"studies {names}: make {total:,} runs together; at most {MAX_RUNS:,}")


def _check_overlaps(study: Study) -> None:
    """Refuse factors that set the same field where levels of both are made together."""
    if study.design == "one-at-a-time":
        return
    owners: dict[str, str] = {}
    problems = []
    for factor in study.factors:
        for path in sorted({path for _, _, changes in _levels(study, factor) for path, _ in changes}):
            first = owners.setdefault(path, factor)
            if first != factor:
                said = f"both set {path}; a {study.design} study cannot have both at once"
                problems.append(f"factors {first} and {factor}: {said}")
    if problems:
        raise ConfigError(problems[:MAX_PROBLEMS])


def _one_at_a_time(study: Study) -> Iterator[_Row]:
    for factor in study.factors:
        for level, label, changes in _levels(study, factor):
            yield _Row(factor, level, label, changes, factor)


def _grid(study: Study) -> Iterator[_Row]:
    name = JOINED.join(study.factors)
    for combination in itertools.product(*(list(_levels(study, factor)) for factor in study.factors)):
        parts = [
            label if len(study.factors) == 1 else f"{study.label(f)} {label}"
            for f, (_, label, _) in zip(study.factors, combination, strict=True)
        ]
        levels = [level for level, _, _ in combination]
        yield _Row(
            name,
            levels[0] if len(levels) == 1 else tuple(levels),
            ", ".join(parts),
            tuple(change for _, _, changes in combination for change in changes),
        )


def _leave_one_out(study: Study) -> Iterator[_Row]:
    off: list[Change] = []
    yield _Row(WITHOUT, "nothing", "nothing (baseline)", ())
    for factor, given in study.factors.items():
        if factor not in study.level_names and len(given) > 1:
            raise ConfigError(
                f"{factor} = {list(given)}: a factor of a leave-one-out study has one level, the component switched off"
            )
        for _, label, changes in _levels(study, factor):
            off += changes
            yield _Row(WITHOUT, factor, label if factor in study.level_names else study.label(factor), changes, factor)
    if len(study.factors) > 1:
        yield _Row(WITHOUT, "all", "all of them", tuple(off))


def _levels(study: Study, factor: str) -> Iterator[tuple[Any, str, tuple[Change, ...]]]:
    names = study.level_names.get(factor)
    for index, level in enumerate(study.factors[factor]):
        if names is not None:
            yield names[index], names[index], tuple(level.items())
        else:
            yield level, label_of(level), ((factor, level),)


def label_of(level: Any) -> str:
    """A level as it is printed."""
    if isinstance(level, bool) or level is None:
        return {True: "on", False: "off", None: "none"}[level]
    if isinstance(level, tuple | list):
        return "-".join(label_of(v) for v in level)
    return str(level)


def _build(study: Study, baseline: AnyBaseline, rows: Sequence[_Row]) -> tuple[list[_Entry], list[str]]:
    """The rows' runs; where any is invalid, the problems."""
    _ = baseline.run
    entries, problems = list[_Entry](), dict[str, None]()
    for row in rows:
        try:
            config = baseline.configure(row.changes)
        except ConfigError as error:
            place = row.label if study.design == "grid" else f"{row.factor} = {row.label}"
            named = study.level_names.get(row.source or row.factor)
            alone = f"{row.changes[0][0]} = " if len(row.changes) == 1 and named is None else None
            for problem in error.problems:
                if alone is not None and problem.startswith(alone):
                    problems[problem] = None  # it says the factor and the level itself
                    continue
                path, is_no_field, _ = problem.partition(NO_FIELD)
                is_factor = bool(is_no_field) and path in study.factors  # the same of all levels
                problems[f"study.factors.{problem}" if is_factor else f"{place}: {problem}"] = None
            if len(problems) > MAX_PROBLEMS:
                return entries, [*list(problems)[:MAX_PROBLEMS], "and perhaps more"]
            continue
        typed = study.design == "one-at-a-time" and row.factor not in study.level_names
        level, label, also = row.level, row.label, tuple[Any, ...]()
        if typed and row.factor not in baseline.groups:
            level = _native(lookup(config.config, row.factor))
            label = label_of(level)
            also = tuple(name for name in (row.level, row.label) if not is_same(name, level) and name != label)
        entries.append(_Entry(row.factor, level, label, config, row.label, also))
    return entries, list(problems)


def _group_notes(baseline: AnyBaseline, rows: Sequence[_Row]) -> Iterator[str]:
    """What an option of a group leaves of the baseline's changes."""
    chosen = dict.fromkeys((path, value) for row in rows for path, value in row.changes if path in baseline.groups)
    for group, option in chosen:
        if note := baseline.note(group, option):
            yield note


def _with_baseline(levels: list[_Entry], baseline: AnyBaseline, factor: str, run: Run) -> list[_Entry]:
    """The baseline among its factor's levels: by size where they are numbers in order, else first."""
    if factor in baseline.groups:
        value: Any = baseline.chosen.get(factor)
    else:
        try:
            value = _native(lookup(run.config, factor))
        except KeyError:
            value = None
    label = "baseline" if value is None or isinstance(value, Mapping) else label_of(value)
    entry = _Entry(factor, value, label, run, label)
    numbers = [level.level for level in levels]
    if _is_number(value) and all(map(_is_number, numbers)) and numbers == sorted(numbers):
        return sorted([*levels, entry], key=lambda level: level.level)
    return [entry, *levels]


def _merged(study: Study, levels: Sequence[_Entry]) -> tuple[list[_Entry], list[str]]:
    """Levels without those that are the same setting as one before them, and sentences that say so."""
    kept: dict[str, _Entry] = {}
    others: dict[str, list[str]] = {}
    for entry in levels:
        first = kept.setdefault(entry.config.digest, entry)
        if first is not entry:
            kept[entry.config.digest] = replace(first, also=(*first.also, entry.level, entry.label, *entry.also))
            others.setdefault(entry.config.digest, []).append(entry.given)
    notes = [
        f"{_name(study, kept[digest].factor)}: {', '.join(names)} {'is' if len(names) == 1 else 'are'} the same "
        f"setting as {kept[digest].given}, and counted once."
        for digest, names in others.items()
    ]
    if len(notes) > MAX_PROBLEMS:
        notes = [*notes[:MAX_PROBLEMS], f"{len(notes) - MAX_PROBLEMS} more settings have several names, too."]
    return list(kept.values()), notes


def _name(study: Study, factor: str) -> str:
    return study.label(factor) if factor in study.factors else factor


def _label_problems(levels: Sequence[_Entry]) -> list[str]:
    """Different settings that would be printed alike."""
    counts = Counter(level.label for level in levels)
    return [
        f"{levels[0].factor}: two different levels are printed as {label!r}; give them names"
        for label, count in counts.items()
        if count > 1
    ]


def _native(value: Any) -> Any:
    return tuple(_native(v) for v in value) if isinstance(value, list | tuple) else value


def is_same(a: Any, b: Any) -> bool:
    """Whether two levels are the same value: 8 is 8.0, but true is not 1."""
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
