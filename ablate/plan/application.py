"""The baseline of a task that composes itself: settings are overrides of its own configuration, not values of ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ablate.plan.baseline import Change, not_carried_over, option_name
from ablate.task.identity import flatten
from ablate.task.run import Run
from ablate.task.task import ComposesItself


@dataclass(frozen=True)
class ApplicationBaseline:
    """What every setting departs from; made and asked as :class:`ablate.plan.baseline.Baseline`.

    Links of the application's configuration follow every level, as it is composed anew for each setting. An option that
    a level chooses brings its own values: what the baseline changes in the group belongs to the option that it has.
    """

    task: ComposesItself
    changes: tuple[Change, ...] = ()
    """The baseline's own, from a study file and a command line: options of groups, and values by dotted path."""
    words: tuple[str, ...] = ()
    """Further overrides of the command line, in Hydra's grammar, such as ``~trainer.logger``."""
    _runs: dict[tuple[str, ...], Run] = field(default_factory=dict, repr=False, compare=False)

    @property
    def groups(self) -> tuple[str, ...]:
        """Configuration groups, whose options may be levels."""
        return tuple(self.task.groups)

    @cached_property
    def chosen(self) -> Mapping[str, str]:
        """The option that the baseline has in each configuration group."""
        choices = self.task.compose(self._overrides(())).choices
        return {group: option for group, option in choices.items() if option is not None}

    @property
    def values(self) -> Mapping[str, Any]:
        """Nested values of the baseline, resolved."""
        return self.task.compose(self._overrides(())).values

    def configure(self, changes: Sequence[Change] = ()) -> Run:
        """The baseline with changes, as a run with seed 0.

        Args:
            changes: Values by dotted path, and options of groups.

        Raises:
            ConfigError: Lists every problem.
        """
        key = tuple(self._overrides(changes))
        if key not in self._runs:
            self._runs[key] = self.task.configure(key)
        return self._runs[key]

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
        return self._of_group(self.task.compose(self._overrides([(group, option)])).values, group)

    def note(self, group: str, option: str) -> str:
        """What of the baseline's changes in a group an option does not take over, as a sentence; empty: nothing.

        Raises:
            ConfigError: There is no such option.
        """
        has = self.chosen.get(group)
        if has is None or has == option:
            return ""
        prefix = _prefix(group)
        mine = {path.removeprefix(prefix): value for path, value in self.changes if path.startswith(prefix)}
        return not_carried_over(group, has, mine, option, flatten(self.option(group, option)))

    def _overrides(self, changes: Sequence[Change]) -> list[str]:
        """The baseline's words and those of the changes; of one path or group the last counts."""
        options = {path: value for path, value in changes if path in self.task.groups}
        others = {group for group, option in options.items() if self._has(group) != option}
        kept = [
            (path, value)
            for path, value in self.changes
            if path not in options and not any(path.startswith(_prefix(group)) for group in others)
        ]
        words: dict[str, str] = {}
        for path, value in [*kept, *changes]:
            words.pop(path, None)
            words[path] = self.task.override(path, value)
        return [*words.values(), *self.words]

    def _has(self, group: str) -> str | None:
        given = dict(self.changes).get(group)
        return given if given is not None else self.task.compose(()).choices.get(group)

    @staticmethod
    def _of_group(values: Mapping[str, Any], group: str) -> Mapping[str, Any]:
        node: Any = values
        for part in group.split("/"):
            node = node.get(part) if isinstance(node, Mapping) else None
        return node if isinstance(node, Mapping) else {}


def _prefix(group: str) -> str:
    return f"{group.replace('/', '.')}."


class ApplicationComposer:
    """Composes an application; asked as :class:`ablate.plan.configuration.Composer`."""

    def __init__(self, task: ComposesItself) -> None:
        self._task = task

    def options(self, group: str) -> tuple[str, ...]:
        """The options of a configuration group; none: it is no group."""
        return self._task.groups.get(group, ())

    def compose(self, choices: Sequence[str] = ()) -> dict[str, Any]:
        """The configuration with some overrides as plain nested data, links followed.

        Raises:
            ConfigError: In the words of Hydra.
        """
        return dict(self._task.compose(choices).values)

    def owns(self, key: str) -> bool:
        """Whether a word of the command line about this key is about the configuration."""
        return key in self._task.compose(()).values or bool(self.options(key))
