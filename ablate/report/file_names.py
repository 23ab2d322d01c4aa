"""Names of files made from names of factors and levels: safe on every system, short, and never the same for two."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

MOST = 48
"""Characters of a name, so that path, ending and what is put behind it stay far below 255 bytes."""
PLAIN = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*", re.ASCII)
"""Names that become files' names by turning their dots into ``_``."""
RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"{name}{digit}" for name in ("com", "lpt") for digit in range(10))]
)
"""Names that Windows keeps for devices, whatever their ending."""


def file_name(text: str) -> str:
    """A name for files about something: ``model.pool_size`` is ``model_pool_size``.

    Args:
        text: Any, also empty.

    Returns:
        Lower-case ASCII letters, digits, ``_`` and ``-``, at most 48 of them; where that loses anything of ``text``,
        a digest of it stands at the end, so that different texts have different names whatever the case matters.
    """
    if PLAIN.fullmatch(text) and len(text) <= MOST and text not in RESERVED:
        return text.replace(".", "_")
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    readable = re.sub(r"[^a-z0-9]+", "_", folded).strip("_")[: MOST - 11].rstrip("_")
    return f"{readable or 'name'}-{_short(text)}"


def unique_names(texts: Iterable[str]) -> dict[str, str]:
    """A name for each of several texts, no two alike: ``a.b_c`` and ``a_b.c`` get a digest each.

    Args:
        texts: Different from each other.
    """
    names = {text: file_name(text) for text in texts}
    counts = Counter(names.values())
    return {text: name if counts[name] == 1 else f"{name}-{_short(text)}" for text, name in names.items()}


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
