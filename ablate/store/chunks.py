"""Long lists in pieces that a statement's parameters allow."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

CHUNK = 500
"""Parameters a statement (SQLite allowed 999 for long, PostgreSQL 32,767)."""


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Successive pieces of ``items``."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
