"""Changes of a setting as overrides in Hydra's grammar, each a word of its own."""

import math
import re
from collections.abc import Mapping
from typing import Any

from ablate.task.errors import ConfigError

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
"""Texts that need no quotes."""
_WORDS = ("true", "false", "null", "nan", "inf")
_PATH = re.compile(r"(\+{0,2})[A-Za-z_][\w-]*([./][\w-]+|\[\d+\])*(@[\w.:-]*)?")
_CALLING = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")
"""Keys by which ``hydra.utils.instantiate`` calls what a configuration names."""
_RESOLVER = re.compile(r"\$\{[^${}]*:")


def override_of(path: str, value: Any) -> str:
    """A change as an override.

    Args:
        path: Dotted path, or configuration group; ``+`` before it adds what the configuration leaves out.
        value: Plain data.

    Raises:
        ConfigError: It is about Hydra itself, or names code: a study file is data.
    """
    problems = refusals(path, value)
    if problems:
        raise ConfigError(problems)
    return f"{path}={text_of(value)}"


def refusals(path: str, value: Any) -> list[str]:
    """What must not be changed by a study file or a command line, one line each."""
    first = path.lstrip("+~").replace("/", ".").partition(".")[0]
    if first == "hydra":
        return [f"{path}: Hydra's own settings are the application's; a study does not change them"]
    if not _PATH.fullmatch(path):
        return [f"{path}: is no path such as optimizer.lr, and no configuration group"]
    if re.split(r"[./]", path.partition("@")[0])[-1] in _CALLING:
        return [f"{path}: names code to be called; a study is data, so make it an option of a configuration group"]
    return _refused(path, value)


def _refused(path: str, value: Any) -> list[str]:
    if isinstance(value, float) and math.isnan(value):
        return [f"{path} = {value}: is no level: it equals nothing, not even itself"]
    if isinstance(value, str) and _RESOLVER.search(value):
        return [f"{path} = {value!r}: a study is data: links such as ${{optimizer.lr}} are followed, resolvers are not"]
    if isinstance(value, Mapping):
        called = [f"{path}.{key}: names code to be called; a study is data" for key in value if key in _CALLING]
        return called + [problem for key, child in value.items() for problem in _refused(f"{path}.{key}", child)]
    if isinstance(value, list | tuple):
        return [problem for index, child in enumerate(value) for problem in _refused(f"{path}.{index}", child)]
    return []


def text_of(value: Any) -> str:
    """A value in Hydra's grammar, read back as the same value."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return (
            repr(value)
            if math.isfinite(value)
            else {True: "inf", False: "-inf"}.get(value > 0, "nan")
            if value == value
            else "nan"
        )
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_key(str(key))}:{text_of(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(text_of, value)) + "]"
    text = str(value)
    return text if _BARE.fullmatch(text) and text.lower() not in _WORDS else _quoted(text)


def _quoted(text: str) -> str:
    """The text in single quotes; only backslashes before a quote are doubled, as the grammar wants it."""
    escaped = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    return f"'{escaped}'"


def _key(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_0-9][\w./%@?|-]*", text):
        raise ConfigError(f"{text!r}: is no key of a mapping that can be given to Hydra")
    return text


def folder_override(folder: str) -> str:
    """The override that lets a run write into a folder of ours, an absolute one without quotes in its name."""
    return f"hydra.run.dir='{folder}'"
