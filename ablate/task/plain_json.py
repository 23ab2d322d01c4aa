"""JSON that somebody else may have written."""

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    """What a text in JSON says.

    Raises:
        ValueError: It is no JSON, or is nested more deeply than Python's parser goes.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
