"""Results and records as JSON data, bit by bit: in files of results that no store has taken yet."""

import base64
from collections.abc import Mapping
from typing import Any

from ablate.store.curves import pack, unpack
from ablate.task.record import Guess, Record, Result


def plain_result(result: Result) -> dict[str, Any]:
    """A result as JSON data."""
    layout, data = pack(result.curves)
    return {
        "status": result.status,
        "error": result.error,
        "notes": dict(result.notes),
        "guesses": {name: [guess.value, guess.samples] for name, guess in result.guesses.items()},
        "layout": layout,
        "data": base64.b64encode(data).decode(),
    }


def result_of(plain: Mapping[str, Any]) -> Result:
    """The result that :func:`plain_result` was given.

    Raises:
        ValueError, KeyError, TypeError: It is none.
    """
    guesses = {name: Guess(*values) for name, values in plain["guesses"].items()}
    curves = unpack(plain["layout"], base64.b64decode(plain["data"]))
    return Result(plain["status"], curves, plain["error"], plain["notes"], guesses)


def plain_record(record: Record) -> dict[str, Any]:
    """A record as JSON data."""
    identified = {"digest": record.digest, "config": dict(record.config), "provenance": dict(record.provenance)}
    return identified | plain_result(record.result)


def record_of(plain: Mapping[str, Any]) -> Record:
    """The record that :func:`plain_record` was given.

    Raises:
        ValueError, KeyError, TypeError: It is none.
    """
    return Record(plain["digest"], plain["config"], result_of(plain), plain["provenance"])
