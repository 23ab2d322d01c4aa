"""A training function: found, checked, and its configuration turned into what it declares."""

import ast
import dataclasses
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError

from ablate.task.errors import ConfigError
from ablate.task.fields import problems_of
from ablate.task.finding import load_object
from ablate.task.modules import find_module
from ablate.task.project import make_importable

WANTED = "must be called as train(config, seed, report)"


class Values(dict[str, Any]):
    """Nested values whose fields are attributes as well: ``config.optimizer.lr`` is ``config["optimizer"]["lr"]``."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the configuration has no field {name!r}; fields are {', '.join(self)}") from None


def nested(values: Any) -> Any:
    """Plain data with every mapping as :class:`Values`."""
    if isinstance(values, Mapping):
        return Values({key: nested(value) for key, value in values.items()})
    return [nested(value) for value in values] if isinstance(values, list) else values


def load_function(place: str, roots: Sequence[Path]) -> Callable[..., Any]:
    """The function at ``module:name``.

    Raises:
        ConfigError: It cannot be imported, is no function, or does not take a configuration, a seed and a report.
    """
    make_importable(tuple(roots))
    found = load_object(place, "function")
    if (what := _no_function(found)) is not None:
        raise ConfigError(f"function = {place!r}: is {what}; it {WANTED}")
    try:
        signature = inspect.signature(found)
        signature.bind(None, 0, None)
    except (TypeError, ValueError):
        raise ConfigError(f"function = {place!r}: takes {_parameters(found)}; it {WANTED}") from None
    function: Callable[..., Any] = found
    return function


def _no_function(found: Any) -> str | None:
    """What stands in place of a function that does its work when it is called; None: it is one."""
    if inspect.isclass(found):
        return "a class, no function"
    if not callable(found):
        return f"of type {type(found).__name__}, no function"
    bodies = (found, inspect.getattr_static(found, "__call__", None))  # an object that can be called, too
    if any(map(inspect.iscoroutinefunction, bodies)):
        return "an async function, which would never be awaited"
    if any(map(inspect.isgeneratorfunction, bodies)) or any(map(inspect.isasyncgenfunction, bodies)):
        return "a generator function, which yields instead of training"
    return None


def _parameters(function: Any) -> str:
    try:
        return str(inspect.signature(function))
    except (TypeError, ValueError):
        return "unknown arguments"


def looks_typed(place: str, roots: Sequence[Path]) -> bool:
    """Whether the function's first argument is annotated, as far as its source tells without importing it.

    Returns:
        True where it is, and where the function's definition is not at the top of its module.
    """
    module, _, name = place.partition(":")
    file = find_module(module, roots)
    if file is None or file.suffix != ".py":
        return True
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return True
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name and not node.decorator_list:
            arguments = [*node.args.posonlyargs, *node.args.args]
            return bool(arguments) and arguments[0].annotation is not None
    return True


@cache
def configuration_type(function: Callable[..., Any], place: str) -> type | None:
    """The dataclass or pydantic model that the first argument is annotated with; None: plain nested values.

    Raises:
        ConfigError: The annotation cannot be resolved.
    """
    first = next(iter(inspect.signature(function).parameters.values()))
    if first.annotation is inspect.Parameter.empty:
        return None
    try:
        found = get_type_hints(inspect.unwrap(function)).get(first.name)
    except Exception as error:
        raise ConfigError(f"function = {place!r}: annotation {first.annotation!r}: {error}") from error
    if isinstance(found, type) and (dataclasses.is_dataclass(found) or issubclass(found, BaseModel)):
        return found
    return None


def typed(kind: type, values: Mapping[str, Any]) -> Any:
    """An object of the function's own type; nothing is converted silently, but a whole number to a float.

    Args:
        kind: A dataclass or a pydantic model.
        values: Nested plain data.

    Raises:
        ConfigError: Lists every problem.
    """
    try:
        return _adapter(kind).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise ConfigError(problems_of(error, tagged=())) from None


def plain(kind: type, found: Any) -> dict[str, Any]:
    """An object of the function's own type as nested plain data, defaults included."""
    values: dict[str, Any] = _adapter(kind).dump_python(found, mode="json")
    return values


def defaults_of(kind: type) -> dict[str, Any]:
    """The defaults of a type, nested; a field without a default is left out."""
    defaults: dict[str, Any] = {}
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        for entry in dataclasses.fields(kind):
            if not entry.init:
                continue
            if entry.default is not dataclasses.MISSING:
                defaults[entry.name] = _dumped(hints[entry.name], entry.default)
            elif entry.default_factory is not dataclasses.MISSING:
                defaults[entry.name] = _dumped(hints[entry.name], entry.default_factory())
            elif _is_model(hints[entry.name]):
                defaults[entry.name] = defaults_of(hints[entry.name])
    elif issubclass(kind, BaseModel):
        for name, info in kind.model_fields.items():
            if not info.is_required():
                defaults[name] = _dumped(info.annotation, info.get_default(call_default_factory=True))
            elif _is_model(info.annotation):
                assert isinstance(info.annotation, type)
                defaults[name] = defaults_of(info.annotation)
    return defaults


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and (dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel))


def _dumped(kind: Any, value: Any) -> Any:
    return TypeAdapter(kind).dump_python(value, mode="json")


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
