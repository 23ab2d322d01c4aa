"""Which design a table's runs follow, and its settings: levels of factors, with their place and the baseline."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ablate.judge.levels import Kind, Level, label_of, read_level
from ablate.judge.request import JudgedDesign
from ablate.judge.runs import JudgedRuns
from ablate.task.claim import JOINED
from ablate.task.errors import ConfigError

Levels = tuple[Level, ...]


@dataclass(frozen=True)
class JudgedSetting:
    """A level of a factor, as a study has it."""

    factor: str
    level: Any
    label: str
    order: int
    is_baseline: bool
    levels: Levels
    """Levels of all factors: the setting whose runs these are."""


@dataclass(frozen=True)
class JudgedStudy:
    """A table's runs in their places."""

    design: JudgedDesign
    settings: tuple[JudgedSetting, ...]
    """The settings by factor and level; with several factors one at a time the baseline is a level of each."""
    baseline: Levels | None
    seeds: tuple[int, ...]
    """The seeds that every setting should have: ascending; empty where runs are not paired by seed."""
    notes: tuple[str, ...] = ()


def arrange(
    found: JudgedRuns, baseline: Sequence[str], design: JudgedDesign | None, printed: Mapping[str, str] | None = None
) -> JudgedStudy:
    """Find the settings of a table's runs.

    Args:
        found: The runs.
        baseline: A level of the only factor, or ``FACTOR=LEVEL`` for each.
        design: None: one at a time where every setting differs from the baseline in one factor at most, else a grid.
        printed: Names of factors for people.

    Raises:
        ConfigError: The baseline is none of the levels, or the runs do not follow the design.
    """
    levels = [_ordered([run.levels[i] for run in found.runs], kind) for i, kind in enumerate(found.kinds)]
    based = _baseline(found, levels, baseline)
    there = list(dict.fromkeys(run.levels for run in found.runs))
    if based is not None and based not in there:
        raise ConfigError(f"--baseline {_written(found.factors, based)}: there is no run of it")
    chosen = design or _design(found, there, based, levels)
    notes = []
    if chosen == "one-at-a-time":
        settings = _one_at_a_time(found, there, based, levels, design is not None)
    else:
        settings = _grid(found, there, based, levels, printed or {})
        whole = 1
        for of_factor in levels:
            whole *= len(of_factor)
        if len(there) < whole:
            notes.append(f"of the grid's {whole} settings {whole - len(there)} are not in the table")
    seeds, said = _seeds(found, there)
    return JudgedStudy(chosen, tuple(settings), based, seeds, tuple(notes + said))


def _ordered(levels: Sequence[Level], kind: Kind) -> list[Level]:
    """Distinct levels: numbers by size, false before true, texts as the table has them."""
    distinct = list(dict.fromkeys(levels))
    return distinct if kind == "text" else sorted(distinct)


def _baseline(found: JudgedRuns, levels: Sequence[Sequence[Level]], given: Sequence[str]) -> Levels | None:
    """The baseline's level of every factor.

    Raises:
        ConfigError: Lists every problem.
    """
    if not given:
        return None
    single = len(found.factors) == 1
    chosen: dict[str, Level] = {}
    problems: list[str] = []
    for text in given:
        name = max((f for f in found.factors if text.startswith(f"{f}=")), key=len, default=None)
        if name is None and not single:
            problems.append(f"--baseline {text}: with several factors it is FACTOR=LEVEL, one for each")
            continue
        value = text if name is None else text[len(name) + 1 :]
        name = found.factors[0] if name is None else name
        index = found.factors.index(name)
        try:
            level = read_level(value.strip(), found.kinds[index])
        except ValueError:
            level = value
        if level not in levels[index]:
            labels = [label_of(each) for each in levels[index]]
            close = get_close_matches(value, labels, n=1) if found.kinds[index] == "text" else []
            hint = f"did you mean {close[0]}? " if close else ""
            more = f" and {len(labels) - 20} more" if len(labels) > 20 else ""
            problems.append(
                f"--baseline {text}: is no level of {name}; {hint}levels are {', '.join(labels[:20])}{more}"
            )
        elif name in chosen:
            problems.append(f"--baseline {text}: {name} has one already")
        else:
            chosen[name] = level
    lacking = [name for name in found.factors if name not in chosen]
    if lacking and not problems:
        problems.append(f"--baseline: needs a level of {', '.join(lacking)} too, such as --baseline {lacking[0]}=LEVEL")
    if problems:
        raise ConfigError(problems)
    return tuple(chosen[name] for name in found.factors)


def _design(
    found: JudgedRuns, there: Sequence[Levels], based: Levels | None, levels: Sequence[Sequence[Level]]
) -> JudgedDesign:
    """The design that the settings follow.

    Raises:
        ConfigError: They depart one at a time from a setting that nobody called the baseline.
    """
    if len(found.factors) == 1:
        return "one-at-a-time"
    if based is not None:
        return "one-at-a-time" if all(_distance(each, based) <= 1 for each in there) else "grid"
    centres = [centre for centre in there if all(_distance(each, centre) <= 1 for each in there)]
    varied = sum(len(of_factor) > 1 for of_factor in levels)
    if len(centres) == 1 and varied > 1 and len(there) > 2:
        given = " ".join(f"--baseline {n}={label_of(v)}" for n, v in zip(found.factors, centres[0], strict=True))
        raise ConfigError(
            f"every setting differs from {_written(found.factors, centres[0])} in one factor: give {given} to compare "
            "one factor at a time, or --design grid"
        )
    return "grid"


def _one_at_a_time(
    found: JudgedRuns, there: Sequence[Levels], based: Levels | None, levels: Sequence[Sequence[Level]], asked: bool
) -> list[JudgedSetting]:
    single = len(found.factors) == 1
    if based is None and not single:
        raise ConfigError("--design one-at-a-time: needs --baseline FACTOR=LEVEL for each factor")
    far = [] if based is None else [each for each in there if _distance(each, based) > 1]
    if far:
        raise ConfigError(
            f"--design one-at-a-time: {_written(found.factors, far[0])} differs from the baseline in several factors"
            f"{f', and so do {len(far) - 1} more' if len(far) > 1 else ''}; use --design grid, or choose with --where"
        )
    settings = []
    for index, factor in enumerate(found.factors):
        of_factor = [
            (level, setting)
            for level in levels[index]
            for setting in there
            if setting[index] == level and (based is None or _differs_only_at(setting, based, index))
        ]
        settings += [
            JudgedSetting(factor, level, label_of(level), order, setting == based, setting)
            for order, (level, setting) in enumerate(of_factor)
        ]
    return settings


def _grid(
    found: JudgedRuns,
    there: Sequence[Levels],
    based: Levels | None,
    levels: Sequence[Sequence[Level]],
    printed: Mapping[str, str],
) -> list[JudgedSetting]:
    single = len(found.factors) == 1
    places = [{level: place for place, level in enumerate(of_factor)} for of_factor in levels]
    ordered = sorted(there, key=lambda setting: [place[level] for place, level in zip(places, setting, strict=True)])
    names = [printed.get(name, name.rsplit(".", 1)[-1].replace("_", " ")) for name in found.factors]
    labels = [
        label_of(setting[0]) if single else ", ".join(f"{n} {label_of(v)}" for n, v in zip(names, setting, strict=True))
        for setting in ordered
    ]
    if len(set(labels)) < len(labels):
        labels = [_written(found.factors, setting) for setting in ordered]
    return [
        JudgedSetting(
            JOINED.join(found.factors), setting[0] if single else setting, label, order, setting == based, setting
        )
        for order, (setting, label) in enumerate(zip(ordered, labels, strict=True))
    ]


def _seeds(found: JudgedRuns, there: Sequence[Levels]) -> tuple[tuple[int, ...], list[str]]:
    """The seeds that every setting should have, where at least half of them are at every setting."""
    counts = Counter(run.seed for run in found.runs)
    common = [seed for seed, count in counts.items() if count == len(there)]
    if len(there) == 1 or 2 * len(common) >= len(counts):
        said = ["there is one seed only: neither intervals nor tests"] if len(counts) == 1 else []
        return tuple(sorted(counts)), said
    if not common:
        return (), ["no seed is at every setting: runs are compared over the seeds that two settings share, if any"]
    return (), [
        f"{len(common)} of {len(counts)} seeds are at every setting; where others lack is not counted as missing"
    ]


def _distance(a: Levels, b: Levels) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))


def _differs_only_at(setting: Levels, based: Levels, index: int) -> bool:
    return all(x == y for i, (x, y) in enumerate(zip(setting, based, strict=True)) if i != index)


def _written(factors: Sequence[str], levels: Levels) -> str:
    return ", ".join(f"{name} = {label_of(level)}" for name, level in zip(factors, levels, strict=True))
