"""Text that somebody else wrote, made fit to be shown: no character of it can steer a terminal or break a file."""

import re
import unicodedata

UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
"""Controls but tab and line feed, marks that turn the direction of writing, half pairs, non-characters."""


def printable(text: str) -> str:
    """The text with a visible stand-in for each character that is none to be seen.

    Args:
        text: Any; a line feed, a tab and everything else that XML 1.0 allows and a terminal only prints stays.

    Returns:
        Control characters as their pictures (``␛`` for escape), all others of that kind as ``�``; a carriage return
        before a line feed is dropped.
    """
    return UNSAFE.sub(_stand_in, text.replace("\r\n", "\n")) if UNSAFE.search(text) else text


def one_line(text: str) -> str:
    """The same on one line: every run of blanks, line feeds among them, is one blank."""
    return " ".join(printable(text).split())


def _stand_in(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return " " if unicodedata.category(character) in ("Zl", "Zp") else "\ufffd"
