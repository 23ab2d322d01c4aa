"""Reading a study file's YAML as data and nothing else: bounded, without tags, each key once, keys as they are written.

Plain values are read as Hydra reads those of a command line: ``true``, ``null``, ``5``, ``1e-3`` are what they look
like; ``on``, ``no``, ``007``, ``0x1F``, ``1:30`` and ``2024-01-01``, which YAML takes for something else, are text.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ablate.task.errors import ConfigError

MAX_BYTES = 256 * 1024
MAX_NODES = 20_000
"""Most nodes of a file, every alias counted as all that it stands for."""
MAX_TEXT = 4_000
"""Characters of a key or a value."""
MAX_DEPTH = 24

_WHOLE, _DIGITS = r"(0|[1-9](_?[0-9]){0,99})", r"[0-9](_?[0-9]){0,99}"
_INTEGER = re.compile(f"[-+]?{_WHOLE}")
_FLOAT = re.compile(rf"[-+]?({_WHOLE}\.|{_WHOLE}?\.{_DIGITS}|{_WHOLE}(?=[eE]))([eE][-+]?{_DIGITS})?")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}
_SPECIAL = re.compile(r"([-+]?)\.?(inf|nan)", re.IGNORECASE)
_STR = "tag:yaml.org,2002:str"
_FORBIDDEN = {"Cc", "Cs", "Cn", "Co"}
_BIDI = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def load_study_yaml(file: Path) -> dict[str, Any]:
    """The mapping that a file holds, as plain data.

    Args:
        file: Regular, at most :data:`MAX_BYTES` long, in UTF-8.

    Raises:
        ConfigError: It is no such file, or no YAML within these bounds; says where.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ConfigError(f"{file}: is too large for a study file: more than {MAX_BYTES // 1024} KiB")
        text = raw.decode("utf-8-sig")
        parser = _Reader(str(file))
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            parser.take(event)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is no text in UTF-8: {error.reason} at byte {error.start}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: is no YAML: {_one_line(error, text)}") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    if not isinstance(parser.root, dict):
        raise ConfigError(f"{file}: must be a mapping with a study: node")
    return parser.root


def plain_scalar(text: str) -> Any:
    """What an unquoted value means."""
    lower = text.lower()
    if lower in _WORDS and text in (lower, lower.capitalize(), lower.upper()):
        return _WORDS[lower]
    if _INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    special = _SPECIAL.fullmatch(text)
    return float(special[1] + special[2]) if special else text


@dataclass
class _Open:
    """A collection whose end has not come yet."""

    value: "dict[str, Any] | list[Any]"
    anchor: str | None
    before: "_Size"
    """The size of all that is before it."""
    key: str | None = None
    """That waits for its value."""
    merged: dict[str, Any] | None = None
    """What ``<<`` names."""


@dataclass(frozen=True)
class _Size:
    """The size of values that were read."""

    nodes: int = 0
    characters: int = 0

    def __add__(self, other: "_Size") -> "_Size":
        return _Size(self.nodes + other.nodes, self.characters + other.characters)

    def __sub__(self, other: "_Size") -> "_Size":
        return _Size(self.nodes - other.nodes, self.characters - other.characters)


class _Reader:
    """Builds plain data from events, without recursion, counting as it goes."""

    def __init__(self, place: str) -> None:
        self.root: Any = None
        self._place, self._open, self._size, self._documents = place, list[_Open](), _Size(), 0
        self._anchors: dict[str, tuple[Any, _Size]] = {}

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise self._problem(event, "a second document begins; a study file is one")
            case yaml.AliasEvent():
                if any(opened.anchor == event.anchor for opened in self._open):
                    raise self._problem(event, f"*{event.anchor} stands inside of what it names")
                if event.anchor not in self._anchors:
                    raise self._problem(event, f"*{event.anchor} names nothing")
                value, size = self._anchors[event.anchor]
                self._count(event, size)
                self._put(event, value)
            case yaml.ScalarEvent():
                self._no_tag(event)
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._no_tag(event)
                if len(self._open) >= MAX_DEPTH:
                    raise self._problem(event, f"is nested more than {MAX_DEPTH} deep")
                if self._waits_for_key():
                    raise self._problem(event, "a key must be text")
                empty: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
                self._open.append(_Open(empty, event.anchor, self._size))
                self._count(event, _Size(1))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                done = self._open.pop()
                if isinstance(done.value, dict) and done.merged is not None:
                    done.value = {**done.merged, **done.value}
                if done.anchor is not None:
                    self._anchors[done.anchor] = done.value, self._size - done.before
                self._put(event, done.value)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        text = str(event.value)
        if len(text) > MAX_TEXT:
            raise self._problem(event, f"a text of {len(text):,} characters; at most {MAX_TEXT:,}")
        self._count(event, size := _Size(1, len(text)))
        bad = next((c for c in text if (unicodedata.category(c) in _FORBIDDEN and c not in "\n\t") or c in _BIDI), None)
        if bad is not None:
            raise self._problem(event, f"holds the control character U+{ord(bad):04X}")
        is_plain = event.tag is None and event.implicit[0]
        value = text if self._waits_for_key() or not is_plain else plain_scalar(text)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, size
        self._put(event, value)

    def _put(self, event: yaml.Event, value: Any) -> None:
        if not self._open:
            self.root = value
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is None:
            if not isinstance(value, str):
                raise self._problem(event, "a key must be text")
            if value in top.value or (value == "<<" and top.merged is not None):
                raise self._problem(event, f"the key {value!r} stands here twice")
            top.key = value
        else:
            key, top.key = top.key, None
            if key == "<<":
                if not isinstance(value, dict):
                    raise self._problem(event, "<<: must be an alias of a mapping")
                top.merged = value
            else:
                top.value[key] = value

    def _waits_for_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    def _no_tag(self, event: yaml.NodeEvent) -> None:
        if event.tag not in (None, "!", _STR):
            raise self._problem(event, f"the tag {event.tag} names code or a type; a study file is plain data")

    def _count(self, event: yaml.Event, size: _Size) -> None:
        self._size += size
        if self._size.nodes > MAX_NODES:
            raise self._problem(event, f"holds more than {MAX_NODES:,} values")
        if self._size.characters > MAX_BYTES:
            raise self._problem(event, f"holds more than {MAX_BYTES:,} characters, every alias counted as its text")

    def _problem(self, event: yaml.Event, what: str) -> ConfigError:
        return ConfigError(f"{self._place}, line {event.start_mark.line + 1}: {what}")


def _one_line(error: yaml.YAMLError, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or " ".join(str(error).split())
    if mark is None:
        return str(what)
    line = text.split("\n")[mark.line] if mark.line <= text.count("\n") else ""
    hint = ": a tab; YAML wants spaces" if line[mark.column : mark.column + 1] == "\t" else ""
    return f"line {mark.line + 1}: {what}{hint}"
