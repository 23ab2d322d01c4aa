"""Kinds of values on the command lines of benchmarks, refused before anything is measured."""

import argparse
import math
import os
from pathlib import Path


def positive(text: str) -> int:
    """A whole number from 1 up.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number from 1 up")
    return int(text)


def amount(text: str) -> float:
    """A number above 0 that is finite.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: must be a number above 0")
    return value


def target(text: str) -> Path:
    """A file or folder that can be written, or made.

    Raises:
        argparse.ArgumentTypeError: It cannot.
    """
    path = Path(text)
    there = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    if (there != path.absolute() and not there.is_dir()) or not os.access(there, os.W_OK) or there == Path("/proc"):
        raise argparse.ArgumentTypeError(f"{text}: cannot be written")
    return path
