"""Whether a program can be started, as far as its file tells."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

BINARIES = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")
"""First bytes of what Linux (ELF) and macOS (Mach-O, one architecture or several) execute."""


def problem_of_program(word: str, folder: Path) -> str | None:
    """Why a program cannot be started; None: nothing is known against it.

    Args:
        word: As the first of a command line: a name on ``PATH``, or a path.
        folder: Where it is to run.
    """
    if os.sep not in word:
        found = shutil.which(word)
        if found is None:
            return f"{word}: there is no such program on PATH"
        file = Path(found)
    else:
        file = folder / word
        if not file.is_file():
            return f"{word}: there is no such program"
        if not os.access(file, os.X_OK):
            return f"{word}: is not executable"
    try:
        with file.open("rb") as opened:
            head = opened.read(1024)
    except OSError:
        return None  # a program that may be executed need not be readable
    if head.startswith(b"#!"):
        return _problem_of_script(word, head.splitlines()[0][2:].decode(errors="replace").split())
    if not head.startswith(BINARIES):
        return f"{word}: is neither a binary nor a script that begins with #!, so that it cannot be executed" + (
            "; it is empty" if not head else "; name what interprets it as the first word of the command"
        )
    return None


def _problem_of_script(word: str, interpreter: Sequence[str]) -> str | None:
    """What is wrong with a script with this first line: ``#!/usr/bin/python3 -u``, ``#!/usr/bin/env -S python3 -u``."""
    if not interpreter:
        return f"{word}: its first line, #!, names no interpreter"
    first, *rest = interpreter
    if not os.access(first, os.X_OK) or not os.path.isfile(first):
        return f"{word}: its first line asks for {first}: there is no such program"
    if Path(first).name == "env":
        asked = next((part for part in rest if not part.startswith("-") and "=" not in part), None)
        if asked is not None and shutil.which(asked) is None:
            return f"{word}: its first line asks for {asked}: there is no such program on PATH"
    return None
