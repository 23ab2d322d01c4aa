"""Studies that are generated: their structure, the file that says it, and which settings it means."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from ablate.plan.compose import sources
from ablate.plan.design import Levels
from ablate.plan.plan import Plan, make_plan
from ablate.task.errors import ConfigError
from tests.plan.spelling import Spelt, names, quoted

Changes = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Level:
    sets: Mapping[str, Spelt]
    name: Spelt | None = None
    """Of a named level."""


@dataclass(frozen=True)
class Factor:
    name: str
    """The path of a field, where the levels have no names."""
    levels: tuple[Level, ...]
    text: str = ""
    """How the levels are written, if not as a list or as named ones."""

    @property
    def is_named(self) -> bool:
        return self.levels[0].name is not None

    def yaml(self, alone: bool) -> list[str]:
        """Lines of the file; ``alone``: its one level is the component switched off."""
        if self.text:
            return [f"    {self.name}: {self.text}"]
        if self.is_named:
            lines = [f"    {quoted(self.name)}:"]
            for level in self.levels:
                assert level.name is not None
                inner = ", ".join(f"{path}: {spelt.text}" for path, spelt in level.sets.items())
                lines.append(f"      {level.name.text}: {{{inner}}}")
            return lines
        values = [spelt.text for level in self.levels for spelt in level.sets.values()]
        # Brackets are those of levels, and nothing behind a colon may be forgotten: a level that is a list, or null.
        is_scalar = alone and not isinstance(next(iter(self.levels[0].sets.values())).value, list | None)
        return [f"    {self.name}: {values[0] if is_scalar else '[' + ', '.join(values) + ']'}"]


@dataclass(frozen=True)
class Generated:
    design: str
    factors: tuple[Factor, ...]
    baseline: Mapping[str, Spelt]
    """By path."""
    seeds: tuple[int, ...]
    choices: Mapping[str, str] = field(default_factory=dict)
    """Options of groups that the baseline has."""
    task: str | None = None

    def yaml(self) -> str:
        lines = ["study:"] + ([f"  task: {self.task}"] if self.task else [])
        lines += [f"  design: {self.design}", f"  seeds: {list(self.seeds)}", "  factors:"]
        for factor in self.factors:
            lines += factor.yaml(self.design == "leave-one-out")
        if self.choices:
            lines += ["defaults:", *(f"  - override /{group}: {option}" for group, option in self.choices.items())]
        nested: dict[str, Any] = {}
        for path, spelt in self.baseline.items():
            *parents, last = path.split(".")
            node = nested
            for part in parents:
                node = node.setdefault(part, {})
            node[last] = spelt
        return "\n".join([*lines, *_block(nested, "")]) + "\n"

    def settings(self) -> dict[str, list[tuple[Spelt | None, Changes]]]:
        """By factor: the settings that are meant, with names that levels were given; the baseline changes nothing."""
        rows: dict[str, list[tuple[Spelt | None, Changes]]] = {}
        of = {factor.name: [(level.name, _changes(level)) for level in factor.levels] for factor in self.factors}
        if self.design == "one-at-a-time":
            return {name: [(None, ()), *levels] for name, levels in of.items()}
        if self.design == "grid":
            combinations = itertools.product(*of.values())
            rows[" x ".join(of)] = [
                (c[0][0] if len(c) == 1 else None, tuple(change for _, changes in c for change in changes))
                for c in combinations
            ]
            return rows
        rows["without"] = [(None, ()), *itertools.chain(*of.values())]
        if len(of) > 1:
            rows["without"].append((None, tuple(change for levels in of.values() for _, cs in levels for change in cs)))
        return rows


def _changes(level: Level) -> Changes:
    return tuple((path, spelt.value) for path, spelt in level.sets.items())


def _block(node: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for key, value in node.items():
        if isinstance(value, Spelt):
            lines.append(f"{indent}{key}: {value.text}")
        else:
            lines += [f"{indent}{key}:", *_block(value, f"{indent}  ")]
    return lines


def studies(
    fields: Mapping[str, st.SearchStrategy[Spelt]],
    *,
    choices: st.SearchStrategy[dict[str, str]] | None = None,
    ranges: Mapping[str, tuple[int, int, int]] | None = None,
    task: str | None = None,
) -> st.SearchStrategy[Generated]:
    """Studies over some fields.

    Args:
        fields: Path to what it may be set to, rightly or wrongly.
        choices: Options of groups for the baseline.
        ranges: By path of a numeric field: least and greatest number of a range, and the exponent of its unit.
        task: Whose.
    """

    @st.composite
    def made(draw: Any) -> Generated:
        design = draw(st.sampled_from(["one-at-a-time", "grid", "leave-one-out"]))
        paths = draw(st.permutations(sorted(fields)))
        baseline_paths = draw(st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True))
        # A file that chooses a group's option and sets its fields says it in `defaults`.
        groups = {path.partition(".")[0] for path in fields if "." in path}
        baseline = {path: draw(fields[path]) for path in baseline_paths if path not in groups}
        factors = []
        used: set[str] = set()
        for number in range(draw(st.integers(1, 3))):
            free = [path for path in paths if path not in used]
            kind = draw(st.sampled_from(["list", "list", "named", "range"]))
            most = 1 if design == "leave-one-out" and kind != "named" else 3
            if kind == "named":
                sets = draw(st.lists(st.sampled_from(free), min_size=1, max_size=2, unique=True))
                used |= set(sets)
                titles = draw(st.lists(names, min_size=1, max_size=most, unique_by=lambda spelt: spelt.value))
                levels = tuple(Level({path: draw(fields[path]) for path in sets}, title) for title in titles)
                factors.append(Factor(f"f{number}", levels))
            elif kind == "range" and design != "leave-one-out" and (ranged := [p for p in free if p in (ranges or {})]):
                assert ranges is not None
                path = draw(st.sampled_from(ranged))
                used.add(path)
                factors.append(_range(draw, path, *ranges[path]))
            else:
                path = free[0]
                used.add(path)
                values = draw(st.lists(fields[path], min_size=1, max_size=most))
                factors.append(Factor(path, tuple(Level({path: value}) for value in values)))
        seeds = draw(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=2, unique=True))
        chosen = draw(choices) if choices is not None else {}
        return Generated(design, tuple(factors), baseline, tuple(seeds), chosen, task)

    return made()


def _range(draw: Any, path: str, low: int, high: int, exponent: int) -> Factor:
    """In whole multiples of a power of ten, so that every level is known without any arithmetic of fractions."""
    start, step, count = draw(st.integers(low, high)), draw(st.integers(1, 7)), draw(st.integers(1, 4))
    stop = start + (count - 1) * step + draw(st.integers(0, step - 1))

    def spelt(units: int) -> Spelt:
        if exponent == 0:
            return Spelt(str(units), units)
        text = f"{units / 10**-exponent:.{-exponent}f}"
        return Spelt(text, float(text))

    levels = tuple(Level({path: spelt(start + index * step)}) for index in range(count))
    text = f"{{start: {spelt(start).text}, stop: {spelt(stop).text}, step: {spelt(step).text}}}"
    return Factor(path, levels, text)


def planned(study: Generated, file: Any) -> Plan | ConfigError:
    """The plan of a study that is written into a file ``sweeps/made.yaml``, or why there is none."""
    file.write_text(study.yaml(), encoding="utf-8")
    try:
        return make_plan(sources(["sweeps=made"]))
    except ConfigError as error:
        return error


def check(
    study: Generated,
    found: Plan | ConfigError,
    meant: Callable[[Changes], Mapping[str, Any] | None],
    is_that: Callable[[Mapping[str, Any], Mapping[str, Any]], bool],
    printed: Callable[[str, Any], str],
) -> bool:
    """Hold a plan against what its study means.

    Args:
        study: As generated.
        found: What planning made of it.
        meant: Changes of the baseline to the configuration that they mean; None: there can be no such run.
        is_that: Whether a run's configuration is what is meant.
        printed: A path and its value in a configuration that is meant, as a level is printed.

    Returns:
        Whether it was planned.
    """
    rows = study.settings()
    every = {factor: [(name, meant(changes)) for name, changes in levels] for factor, levels in rows.items()}
    possible = meant(()) is not None and all(config is not None for levels in every.values() for _, config in levels)
    if isinstance(found, ConfigError):
        assert not possible or _may_be_refused(study, every, printed), f"{study.yaml()}\nrefused: {found}"
        return False
    assert possible, f"{study.yaml()}\nwas planned"
    baseline = meant(())
    assert baseline is not None
    for factor, levels in every.items():
        points = [point for point in found.points if point.setting.factor == factor]
        settings = {point.setting.order: point.setting for point in points}
        assert len({setting.config.digest for setting in settings.values()}) == len(settings)
        claimed: set[int] = set()
        for name, config in levels:
            assert config is not None
            matching = [order for order, setting in settings.items() if is_that(setting.config.config, config)]
            assert len(matching) == 1, f"{study.yaml()}\n{factor}: {name} means {config}\n{settings}"
            setting = settings[matching[0]]
            claimed.add(matching[0])
            if name is not None and study.design != "grid":
                assert Levels((setting,)).meant(str(name.value)), (name, setting)
            assert setting.is_baseline == is_that(setting.config.config, baseline)
        assert claimed == set(settings), f"{study.yaml()}\n{factor} has settings that nobody asked for"
        for order, setting in settings.items():
            runs = [point.run for point in points if point.setting.order == order]
            assert [run.seed for run in runs] == list(study.seeds)
            assert all(run.config == setting.config.config for run in runs)
    return True


def _may_be_refused(
    study: Generated, every: Mapping[str, list[tuple[Any, Any]]], printed: Callable[[str, Any], str]
) -> bool:
    """Whether two levels would be told apart by nobody, or there is nothing to compare."""
    for factor in study.factors:
        if not factor.is_named:
            path = factor.name
            values = [repr(level.sets[path].value) for level in factor.levels]
            configs = [config for name, levels in every.items() if path in name.split(" x ") for _, config in levels]
            if study.design == "grid":
                labels = [printed("", level.sets[path].value) for level in factor.levels]
            else:
                labels = list({repr(config): printed(path, config) for config in configs}.values())
            if len(set(values)) < len(values) or len(set(labels)) < len(labels):
                return True
        elif "baseline" in [str(level.name.value) for level in factor.levels if level.name is not None]:
            return True
    labels = [factor.name.rpartition(".")[2].replace("_", " ") for factor in study.factors]
    titles = [str(level.name.value) for f in study.factors for level in f.levels if level.name is not None]
    if study.design == "leave-one-out" and len({*labels, *titles}) < len(labels) + len(titles):
        return True
    return any(len(levels) > 1 and all(config == levels[0][1] for _, config in levels) for levels in every.values())
