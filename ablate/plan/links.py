"""Links: values that stand for another value of the same configuration, written ``${optimizer.lr}``."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ablate.task.errors import ConfigError
from ablate.task.identity import lookup

MAX_SIZE = 100_000
"""Values and characters that a configuration may come to with every link followed."""

_PLAIN = re.compile(r"\$\{([A-Za-z_]\w*(?:\.\w+)*)\}")
_LINK = re.compile(r"\$\{\.*([A-Za-z_][\w\-/]*(\.[\w\-/]+|\[\w+\])*)\}")


def resolve_links(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values with every link followed.

    Args:
        values: Plain data, in which a link is text; a whole configuration, from whose top links lead.

    Raises:
        ConfigError: A link leads nowhere, or in a circle.
    """
    if not has_links(values):
        return dict(values)
    _Expansion(values).check()
    try:
        return dict(_Following(values).follow(values))
    except _Unusual:
        pass
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        plain = OmegaConf.to_container(OmegaConf.create(dict(values)), resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"a link cannot be followed: {first_line(error)}") from None
    except RecursionError:
        raise ConfigError("a link leads in a circle") from None
    return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}


def has_links(value: Any) -> bool:
    """Whether there is a link anywhere in plain data."""
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, Mapping):
        return any(has_links(item) for item in value.values())
    return isinstance(value, list | tuple) and any(has_links(item) for item in value)


def link_problems(values: Any, place: str = "") -> Iterator[str]:
    """What in a stranger's values is more than a link to a value of the configuration: resolvers, nested links.

    Args:
        values: Plain data.
        place: Dotted path of it, for messages.
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            if "${" in str(key):
                yield f"{place}: the key {key!r} must be plain text"
            yield from link_problems(value, f"{place}.{key}" if place else str(key))
    elif isinstance(values, list | tuple):
        for index, value in enumerate(values):
            yield from link_problems(value, f"{place}.{index}")
    elif isinstance(values, str) and "${" in _LINK.sub("", values):
        allowed = "a study file may link to values of its configuration, ${optimizer.lr}, and no more"
        yield f"{place} = {values!r}: {allowed}"


class _Expansion:
    """How large values become: links to what holds links, some levels deep, could fill any memory."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values, self._known, self._open = values, dict[str, int](), set[str]()

    def check(self) -> None:
        """Refuse what grows too large.

        Raises:
            ConfigError: It does, or links lead in a circle.
        """
        if self._size(self._values) > MAX_SIZE:
            raise ConfigError(f"links: what they stand for comes to more than {MAX_SIZE:,} values")

    def _size(self, value: Any) -> int:
        if isinstance(value, Mapping):
            return 1 + sum(map(self._size, value.values()))
        if isinstance(value, list | tuple):
            return 1 + sum(map(self._size, value))
        if not isinstance(value, str):
            return 1
        return 1 + len(value) // 8 + sum(self._target(match[1]) for match in _LINK.finditer(value))

    def _target(self, path: str) -> int:
        if path in self._open:
            raise ConfigError(f"${{{path}}}: links lead in a circle")
        if path not in self._known:
            self._open.add(path)
            try:
                self._known[path] = self._size(lookup(self._values, path))
            except KeyError:
                self._known[path] = 1
            self._open.discard(path)
        return self._known[path]


class _Unusual(Exception):
    """OmegaConf decides: resolvers and relative links of one's own configuration, and links that lead nowhere."""


class _Following:
    """Follows what is a plain link from the top, as OmegaConf would, which takes milliseconds for every setting."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values, self._known = values, dict[str, Any]()

    def follow(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self.follow(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.follow(item) for item in value]
        if not isinstance(value, str) or "${" not in value:
            return value
        if (whole := _PLAIN.fullmatch(value)) is not None:
            return self._target(whole[1])
        if "\\" in value or "${" in _PLAIN.sub("", value):
            raise _Unusual
        return _PLAIN.sub(self._text, value)

    def _text(self, link: re.Match[str]) -> str:
        found = self._target(link[1])
        if isinstance(found, Mapping | list | tuple):
            raise _Unusual
        return str(found)

    def _target(self, path: str) -> Any:
        if path not in self._known:
            node: Any = self._values
            for part in path.split("."):
                if not isinstance(node, Mapping) or part not in node:
                    raise _Unusual
                node = node[part]
            if node == "???":
                raise _Unusual
            self._known[path] = self.follow(node)
        return self._known[path]


def first_line(error: Exception) -> str:
    """The first line of an error of OmegaConf's, which is followed by its places."""
    lines = str(error).splitlines()
    return lines[0].strip() if lines else type(error).__name__
