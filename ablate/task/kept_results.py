"""Results that are kept with a digest of all that they are made of, so that they are made anew only where that changed.

Files of them may be lost, damaged or of another version at any time: then what they hold is made again.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ablate.task.plain_json import loads
from ablate.task.whole_files import aside


def user_cache() -> Path:
    """The user's folder of what can be had again: ``$XDG_CACHE_HOME/ablate``, by default ``~/.cache/ablate``.

    Raises:
        RuntimeError: There is no home folder.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ablate"


def key_of(content: Any) -> str:
    """A digest of what a result is made of.

    Args:
        content: Plain data; of anything else in it, its ``repr`` counts.
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=repr).encode()).hexdigest()


def read_kept(file: Path, key: str) -> Any:
    """The result that a file holds; None: the file is not there, is damaged, or is of other content.

    Args:
        file: Where the result is kept.
        key: The digest of what it is made of now.
    """
    if not file.is_file():  # a pipe would be waited for
        return None
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = loads(file.read_text(encoding="utf-8"))
        if kept["key"] == key and kept["check"] == _check(kept["key"], kept["value"]):
            return kept["value"]
    return None


def keep(file: Path, key: str, value: Any) -> None:
    """Keep a result in place of an older one; where that cannot be written, it is made again the next time.

    Args:
        file: Where to keep it; the folder is made where needed.
        key: The digest of what it is made of.
        value: JSON data, and no None.
    """
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with aside(file) as place:
            text = json.dumps({"key": key, "check": _check(key, value), "value": value})
            place.write_text(text, encoding="utf-8")


def _check(key: str, value: Any) -> str:
    return hashlib.sha256(f"{key}{json.dumps(value, sort_keys=True)}".encode()).hexdigest()
