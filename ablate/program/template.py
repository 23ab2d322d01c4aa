"""How a setting becomes a command line."""

import json
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ablate.task.errors import ConfigError
from ablate.task.identity import flatten, lookup

Switches = Literal["on", "on-off", "value"]
"""How true and false become flags: ``--x`` or nothing; ``--x`` or ``--no-x``; ``--x true`` or ``--x false``."""

RESERVED = ("seed", "folder", "project")
"""Placeholders that are no fields: the run's seed, the run's own folder, the project's folder."""


@dataclass(frozen=True)
class Template:
    """A command line with placeholders such as ``{optimizer.lr}``; ``{{`` and ``}}`` stand for braces."""

    command: Sequence[str]
    """Words. A word that is one placeholder alone becomes as many words as a list has elements."""
    flags: str = ""
    """Words for each field that is named nowhere else, such as ``--{name} {value}``; ``{name}`` is its dotted path,
    ``{dashed}`` that with dashes for underscores, ``{leaf}`` its last part. Null is left out. Empty: no such flags."""
    switches: Switches = "on"
    environment: Mapping[str, str] = field(default_factory=dict)

    def problems(self, defaults: Mapping[str, Any]) -> list[str]:
        """What cannot be right, whatever the setting: a placeholder that is no field, a field that goes nowhere.

        Args:
            defaults: All fields, nested.
        """
        problems = [f"defaults.{name}: is what {{{name}}} stands for; choose another name" for name in RESERVED[1:]]
        problems = [problem for problem, name in zip(problems, RESERVED[1:], strict=True) if name in defaults]
        if not self.command:
            return [*problems, "command: is empty"]
        fields = flatten(defaults)
        named: set[str] = set()
        for place, text in self._texts():
            try:
                found = list(_placeholders(text))
            except ValueError as error:
                problems.append(f"{place}: {text!r}: {error}; write {{{{ and }}}} for braces")
                continue
            for name in found:
                named.add(name)
                if name not in RESERVED and not _has(defaults, name):
                    allowed = ", ".join([*RESERVED, *fields])
                    problems.append(f"{place}: {text!r}: there is no field {name!r}; fields are {allowed}")
        if problems:
            return problems
        if self.flags:
            return self._flag_problems()
        lost = [path for path in fields if not any(path == name or path.startswith(f"{name}.") for name in named)]
        return [f"{path}: reaches the program nowhere; name {{{path}}} in command, or set flags" for path in lost]

    @property
    def uses_seed(self) -> bool:
        """Whether the program is told the seed."""
        return any("seed" in _placeholders(text) for _, text in self._texts())

    def words(self, values: Mapping[str, Any], reserved: Mapping[str, str]) -> list[str]:
        """The command line of a setting.

        Args:
            values: The setting, nested.
            reserved: Texts for :data:`RESERVED`.

        Raises:
            ConfigError: A value that is no text stands in the middle of one; lists all.
        """
        problems: list[str] = []
        named = {name for _, text in self._texts() for name in _placeholders(text)}
        words = [word for text in self.command for word in _filled(text, values, reserved, problems)]
        if self.flags:
            for path, value in flatten(values).items():
                if not any(path == name or path.startswith(f"{name}.") for name in named):
                    words += self._flag(path, value, problems)
        if problems:
            raise ConfigError(problems)
        return words

    def variables(self, values: Mapping[str, Any], reserved: Mapping[str, str]) -> dict[str, str]:
        """The environment of a setting; see :meth:`words`."""
        problems: list[str] = []
        found = {name: " ".join(_filled(text, values, reserved, problems)) for name, text in self.environment.items()}
        if problems:
            raise ConfigError(problems)
        return found

    def _texts(self) -> Iterator[tuple[str, str]]:
        yield from (("command", word) for word in self.command)
        yield from ((f"environment.{name}", text) for name, text in self.environment.items())

    def _flag_problems(self) -> list[str]:
        allowed = ("name", "dashed", "leaf", "value")
        words = self.flags.split()
        try:
            named = [name for word in words for name in _placeholders(word)]
        except ValueError as error:
            return [f"flags = {self.flags!r}: {error}"]
        problems = [
            f"flags = {self.flags!r}: there is no {{{name}}}; allowed are {', '.join(allowed)}"
            for name in named
            if name not in allowed
        ]
        if not problems and not any(word == "{value}" or word.endswith("={value}") for word in words):
            problems = [f"flags = {self.flags!r}: must have {{value}} as a word of its own, or after ="]
        return problems

    def _flag(self, path: str, value: Any, problems: list[str]) -> list[str]:
        if value is None or (isinstance(value, Mapping) and not value):
            return []
        names = {"name": path, "dashed": path.replace("_", "-"), "leaf": path.rpartition(".")[2]}
        words = self.flags.split()
        if isinstance(value, bool) and self.switches != "value":
            bare = [word.removesuffix("={value}") for word in words if word != "{value}"]
            switch = [word.format(**names) for word in bare]
            if value:
                return switch
            return [f"--no-{switch[0].removeprefix('--')}", *switch[1:]] if self.switches == "on-off" else []
        filled = []
        for word in words:
            if word == "{value}" and isinstance(value, list):
                filled += [_text(entry, path, problems) for entry in value]
            else:
                filled.append(word.format(**names, value=_text(value, path, problems) if "{value}" in word else ""))
        return filled


def _placeholders(text: str) -> Iterator[str]:
    for _, name, form, conversion in string.Formatter().parse(text):
        if name is not None:
            if not name or form or conversion:
                raise ValueError("a placeholder is a field's name in braces, such as {optimizer.lr}")
            yield name


def _has(values: Mapping[str, Any], path: str) -> bool:
    try:
        lookup(values, path)
    except KeyError:
        return False
    return True


def _filled(text: str, values: Mapping[str, Any], reserved: Mapping[str, str], problems: list[str]) -> list[str]:
    """A word of the template as words of the command line."""
    parts = list(string.Formatter().parse(text))
    filled = ""
    for literal, name, _, _ in parts:
        filled += literal
        if name is None:
            continue
        if name in reserved:
            filled += reserved[name]
            continue
        try:
            value = lookup(values, name)
        except KeyError:
            problems.append(f"{name}: is asked for by {text!r}, but is not in the setting")
            continue
        if isinstance(value, list) and len(parts) == 1 and not literal:
            return [_text(entry, name, problems) for entry in value]
        filled += _text(value, name, problems)
    return [filled]


def _text(value: Any, path: str, problems: list[str]) -> str:
    """A value as programs are given it."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, list | Mapping):
        shown = json.dumps(value)
        problems.append(f"{path} = {shown}: has no text that a program could be given here")
        return ""
    return json.dumps(value)
