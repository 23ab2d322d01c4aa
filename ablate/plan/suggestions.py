"""What a user may have meant by a name that there is not."""

from collections.abc import Iterable
from difflib import get_close_matches

MOST_HINTS = 100
"""Most suggestions on the problems of one file; looking for names that are alike takes time."""


def did_you_mean(word: str, known: Iterable[str], rest: str = "") -> str:
    """A hint for the end of a message.

    Args:
        word: What was written: a dotted path, or any name.
        known: What there is.
        rest: The rest of what was written, such as a value; it is put behind each name.

    Returns:
        ``; did you mean optimizer.lr?``, or nothing where nothing else is like it. A path whose last part is the word,
        or the other way round, is taken for what was meant before one that is spelt like it.
    """
    names = [name for name in dict.fromkeys(known) if name != word]
    ends = [name for name in names if name.rpartition(".")[2] == word or name == word.rpartition(".")[2]]
    likely = ends or get_close_matches(word, names, n=3, cutoff=0.7)
    if not likely and "." in word:
        likely = [name for name in names if name.rpartition(".")[2] == word.rpartition(".")[2]]
    if not likely:
        last = {name.rpartition(".")[2]: name for name in reversed(names)}
        likely = [last[match] for match in get_close_matches(word.rpartition(".")[2], last, n=3, cutoff=0.75)]
    return f"; did you mean {' or '.join(name + rest for name in likely[:3])}?" if likely else ""
