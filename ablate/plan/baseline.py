"""What every setting departs from, and how a setting's changes become a run.

Links (``activation_c5: ${model.activation}``) are followed after the changes have been made, so that they follow every
level.

Configuration groups: an option that a level chooses (``optimizer: [sgd, adam]``) brings its own values. What a study
file or a command line changes in the group (``optimizer: {lr: 0.1, momentum: 0.9}``) belongs to the option that the
baseline has, and does not carry over to another: a learning rate for SGD is none for Adam, and no level is altered
without a word. :meth:`Baseline.note` says what does not carry over; a level that should have it sets it itself, by a
name (``adam 0.1: {optimizer: adam, optimizer.lr: 0.1}``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ablate.plan.links import resolve_links
from ablate.plan.suggestions import did_you_mean
from ablate.task.errors import ConfigError
from ablate.task.identity import flatten
from ablate.task.run import Run
from ablate.task.task import Task

NO_FIELD = ": there is no such field"
"""The end of a problem with a path that names nothing."""

MOST_FIELDS = 30
"""Fields that a problem lists where nothing is like what was written."""

Change = tuple[str, Any]
"""Dotted path, or configuration group, and its value."""


def no_options(group: str, option: str) -> Mapping[str, Any]:
    """Options for a baseline whose groups have no further options."""
    raise ConfigError(f"{group} = {option!r}: there is no such option")


@dataclass(frozen=True)
class Baseline:
    """Nested values, their links unresolved, of a task's runs."""

    task: Task
    values: Mapping[str, Any]
    chosen: Mapping[str, str] = field(default_factory=dict)
    """The option that the baseline has in each configuration group."""
    own_values: Callable[[str, str], Mapping[str, Any]] = no_options
    """``(group, option)`` to the values that the option brings, links unresolved."""

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Configuration groups, whose options may be levels."""
        return self.task.configuration.groups

    def configure(self, changes: Sequence[Change] = ()) -> Run:
        """The baseline with changes, as a run with seed 0.

        Args:
            changes: Made in order, but for options of groups, which are set first.

        Raises:
            ConfigError: Lists every problem.
        """
        values: dict[str, Any] = {key: value for key, value in self.values.items() if key != "seed"}
        for path, value in sorted(changes, key=lambda change: change[0] not in self.groups):
            if path in self.groups:
                values[path] = dict(self.option(path, value))
            else:
                _set(values, path, value)
        options = {**self.chosen, **{path: value for path, value in changes if path in self.groups}}
        if problems := [problem for group in self.groups if (problem := self._kept(group, values, options))]:
            raise ConfigError(problems)
        try:
            return self.task.parse({**resolve_links(values), "seed": 0})
        except ConfigError as error:
            raise ConfigError(list(_hinted(self._told(error.problems, values, options), self.values))) from None

    @cached_property
    def run(self) -> Run:
        """The baseline itself, with seed 0.

        Raises:
            ConfigError: Lists every problem.
        """
        return self.configure()

    def option(self, group: str, option: Any) -> Mapping[str, Any]:
        """The values of a group under one of its options.

        Raises:
            ConfigError: There is no such option.
        """
        option = option_name(group, option)
        found = self.values.get(group) if self.chosen.get(group) == option else self.own_values(group, option)
        if not isinstance(found, Mapping):
            raise ConfigError(f"{group} = {option!r}: the option is no mapping of fields to values")
        return found

    def note(self, group: str, option: str) -> str:
        """What of the baseline's changes in a group an option does not take over, as a sentence; empty: nothing.

        Raises:
            ConfigError: There is no such option.
        """
        has = self.chosen.get(group)
        if has is None or has == option:
            return ""
        own, now = flatten(self.own_values(group, has)), flatten(self.option(group, has))
        changed = {path: value for path, value in now.items() if path not in own or own[path] != value}
        return not_carried_over(group, has, changed, option, flatten(self.option(group, option)))

    def _renamed(self, group: str, values: Mapping[str, Any], options: Mapping[str, Any]) -> str | None:
        """The name that a group has in place of its option's own; None: it has that one, or none."""
        node, has = values.get(group), options.get(group)
        name = node.get("name") if isinstance(node, Mapping) else None
        if not isinstance(name, str) or has is None or name == has or "${" in name:
            return None
        return None if self.own_values(group, has).get("name") in (None, name) else name

    def _kept(self, group: str, values: Mapping[str, Any], options: Mapping[str, Any]) -> str:
        """What is wrong with a group whose name alone was changed to another option's; empty: nothing.

        The fields that nobody set would be those of the option before, where the other has them otherwise.
        """
        name, has = self._renamed(group, values, options), options.get(group)
        if name is None or has is None:
            return ""
        try:
            other = flatten(self.own_values(group, name))
        except ConfigError:
            return ""
        own, now = flatten(self.own_values(group, has)), flatten(values[group])
        kept = [path for path in now if path != "name" and path in own and own[path] == now[path]]
        return _name_alone(group, name, has) if any(own[p] != other[p] for p in kept if p in other) else ""

    def _told(self, problems: Sequence[str], values: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
        """Problems, with one in place of all those of a group whose name alone was changed."""
        told = list(problems)
        for group in self.groups:
            name, has = self._renamed(group, values, options), options.get(group)
            if name is None or has is None:
                continue
            of_group = [problem for problem in told if problem.startswith((f"{group}.", f"{group} ", f"{group}:"))]
            of_name = [problem for problem in of_group if problem.startswith(f"{group}.name = ")]
            if not of_group or any(": there is no such " not in problem for problem in of_name):
                continue  # the task itself says what is wrong, such as code that cannot be imported
            try:
                self.own_values(group, name)
                found = _name_alone(group, name, has)
            except ConfigError as error:
                found = f"{group}.name = {name!r}: {str(error).partition(': ')[2]}"
            told = [found, *(problem for problem in told if problem not in of_group)]
        return told


def _name_alone(group: str, name: str, has: str) -> str:
    return (
        f"{group}.name = {name!r}: the name alone would leave the other fields as {has} has them; "
        f"write {group} = {name}, which brings its own"
    )


def with_value(values: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Nested values with one changed.

    Args:
        values: Not changed themselves.
        path: Dotted, of a field or of a new one in a mapping that there is.
        value: The field's value.

    Raises:
        ConfigError: There is no such place.
    """
    found = dict(values)
    _set(found, path, value)
    return found


def _set(values: dict[str, Any], path: str, value: Any) -> None:
    """Set a value, the mappings on the way to it copied.

    Raises:
        ConfigError: There is no such place.
    """
    *parents, last = path.split(".")
    if path == "seed":
        raise ConfigError(f"{path}: is no factor; seeds belong to study.seeds, factors are paths such as optimizer.lr")
    if not parents and path not in values:
        raise ConfigError(list(_hinted([f"{path}{NO_FIELD}"], values)))
    node = values
    for depth, part in enumerate(parents, start=1):
        child = node.get(part)
        if isinstance(child, str) and "${" in child:
            raise ConfigError(
                f"{path}: {'.'.join(parents[:depth])} is the link {child} in the baseline; nothing in it can be "
                "changed by itself"
            )
        if not isinstance(child, Mapping):
            raise ConfigError(list(_hinted([f"{path}{NO_FIELD}"], values)))
        node[part] = dict(child)
        node = node[part]
    node[last] = value


def _hinted(problems: Sequence[str], values: Mapping[str, Any]) -> Iterator[str]:
    """Problems with what may have been meant, where they are about a field that there is not."""
    wrong = tuple(problem.removesuffix(NO_FIELD) for problem in problems if problem.endswith(NO_FIELD))
    within = tuple(f"{path}." for path in wrong)
    fields = [name for name in flatten(values) if name not in ("seed", *wrong) and not name.startswith(within)]
    for problem in problems:
        path = problem.removesuffix(NO_FIELD)
        beside = [name for name in fields if name.startswith(path.rpartition(".")[0] + ".")] or fields
        every = f"; fields are {', '.join(beside)}" if 0 < len(beside) <= MOST_FIELDS else ""
        yield problem if path == problem else problem + (did_you_mean(path, fields) or every)


def option_name(group: str, option: Any) -> str:
    """A level of a configuration group, which has to be a name.

    Raises:
        ConfigError: It is none.
    """
    if not isinstance(option, str):
        problem = f"{group} = {option!r}: the levels of a configuration group are names of its options"
        if isinstance(option, Mapping) and "name" in option:
            fields = "".join(f", {group}.{field}: {value}" for field, value in option.items() if field != "name")
            problem += f"; write {{{group}: {option['name']}{fields}}}"
        raise ConfigError(problem)
    return option


def not_carried_over(group: str, has: str, changed: Mapping[str, Any], option: str, other: Mapping[str, Any]) -> str:
    """What of the baseline's changes in a group another option does not take over, as a sentence; empty: nothing.

    Args:
        group: A configuration group.
        has: The option that the baseline has.
        changed: What the baseline changes in the group, by path within it.
        option: The other option.
        other: The values of the other option, by path within the group.
    """
    if not changed:
        return ""
    said = [f"{path} {_printed(other[path])} (its own)" if path in other else f"{path} left out" for path in changed]
    of_baseline = ", ".join(f"{path} {_printed(value)}" for path, value in changed.items())
    return f"{group} = {option}: {', '.join(said)}; the baseline's {of_baseline} is for {has} alone."


def _printed(value: Any) -> str:
    return "none" if value is None else str(value)


def problems_of_values(baseline: Baseline) -> list[str]:
    """What is wrong with the values of a baseline; empty: nothing."""
    try:
        baseline.configure()
    except ConfigError as error:
        return error.problems
    return []
