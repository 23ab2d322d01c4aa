"""The base of every configuration class, and the one error that bad configuration raises."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

NOT_IDENTITY: dict[str, JsonValue] = {"identity": False}
"""``json_schema_extra`` of a field that cannot change a run's result and is left out of its digest."""

IDENTITY_IF_SET: dict[str, JsonValue] = {"identity": "if set"}
"""``json_schema_extra`` of a field that came after runs had been recorded: left out of the digest while it has its
default, with which a run is what it was before."""

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]
Activation = Literal["identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "scaled_tanh"]
Pooling = Literal["avg", "max", "mixed", "stochastic"]


class Fields(BaseModel):
    """Frozen, strict (no silent conversion, except int to float) and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)


def identity_fields(config: BaseModel) -> dict[str, Any]:
    """The fields of ``config``, nested, that count towards a run's identity.

    Args:
        config: Any configuration object.

    Returns:
        Plain JSON data.
    """
    fields: dict[str, Any] = {}
    for name, info in type(config).model_fields.items():
        value = getattr(config, name)
        counts = info.json_schema_extra.get("identity", True) if isinstance(info.json_schema_extra, dict) else True
        if counts is False or (counts == "if set" and value == info.default):
            continue
        fields[name] = identity_fields(value) if isinstance(value, BaseModel) else _plain(value)
    return fields


SHOWN = 200
"""Characters of a value in a message."""

TAGGED = frozenset({"optimizer", "schedule"})
"""Fields of the built-in task's run that are unions: pydantic puts the tag of the kind that was chosen behind them."""


def problems_of(error: ValidationError, prefix: str = "", tagged: Collection[str] = TAGGED) -> list[str]:
    """One line for each problem that pydantic found: where, what was given, what is allowed.

    Args:
        error: As raised by a validation.
        prefix: Put before every place, such as ``study.``.
        tagged: Top-level fields that are tagged unions.

    Returns:
        Lines such as ``optimizer.lr = 'fast': input should be a valid number``.
    """
    return [_problem(dict(details), prefix, tagged) for details in error.errors(include_url=False)]


def _problem(details: Mapping[str, Any], prefix: str, tagged: Collection[str]) -> str:
    place = prefix + ".".join(_path(details["loc"], tagged))
    kind = details["type"]
    if kind == "missing":
        return f"{place}: is missing"
    if kind == "extra_forbidden":
        return f"{place}: there is no such field"
    if kind == "value_error":
        return f"{place}: {details['ctx']['error']}" if place else str(details["ctx"]["error"])
    message, given = details["msg"], repr(details["input"])
    given = given if len(given) <= SHOWN else f"{given[:SHOWN]}..."
    return f"{place} = {given}: {message[0].lower()}{message[1:]}"


def _path(loc: Sequence[int | str], tagged: Collection[str]) -> Iterator[str]:
    """The dotted path of a place, without the tag that pydantic inserts after a union's name."""
    for position, part in enumerate(loc):
        if position == 1 and loc[0] in tagged:
            continue
        yield str(part)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
