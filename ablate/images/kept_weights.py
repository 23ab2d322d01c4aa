"""Where the weights of runs are kept on request, and how they are found again; brings no torch."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.images.run import RunConfig, parse_run
from ablate.task.errors import ConfigError
from ablate.task.plain_json import loads

FOLDER = "weights"
"""The weights' folder in the folder of results, beside the store."""
ENDING = ".safetensors"
LONGEST_HEADER = 100_000_000
"""Bytes of a file's header (the format's own limit)."""


@dataclass(frozen=True)
class KeptWeights:
    """A run's weights as they lie on the disk."""

    file: Path
    run: RunConfig
    classes: tuple[str, ...]
    channels: int
    """The channels of the images, as stored."""
    epoch: int
    """The epoch after which they were kept."""


def weights_file(folder: Path, digest: str) -> Path:
    """Where the weights of a run belong.

    Args:
        folder: The folder of weights.
        digest: The digest of the run.
    """
    return folder / f"{digest}{ENDING}"


def find_weights(results: Path, start: str) -> KeptWeights:
    """The kept weights of a run.

    Args:
        results: Folder of results.
        start: The start of the run's digest, as ``ablate runs`` prints it.

    Raises:
        ConfigError: None are kept, several runs begin so, or the file is damaged or of another version's configuration.
    """
    if not start or set(start) - set("0123456789abcdef"):
        raise ConfigError(
            f"{start!r}: is no run; a run is named by the beginning of its digest, as ablate runs shows it"
        )
    found = sorted((results / FOLDER).glob(f"{start}*{ENDING}"))
    if not found:
        raise ConfigError(
            f"run {start}: its weights were not kept in {results / FOLDER}; they are where it is trained with "
            "keep=weights (a run that is in the store already: with store=ANOTHER.db)"
        )
    if len(found) > 1:
        names = ", ".join(file.stem[:12] for file in found[:5])
        raise ConfigError(f"run {start}: several begin so: {names}{' ...' if len(found) > 5 else ''}")
    about = header_of(found[0])
    try:
        run = parse_run(loads(about["config"]))
        classes = tuple(loads(about["classes"]))
        kept = KeptWeights(found[0], run, classes, int(about["channels"]), int(about["epoch"]))
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{found[0]}: says nothing of its run ({type(error).__name__}: {error})") from None
    except ConfigError as error:
        raise ConfigError([f"{found[0]}: {problem}" for problem in error.problems]) from None
    return kept


def header_of(file: Path) -> Mapping[str, Any]:
    """What a safetensors file says of itself (``__metadata__``).

    Raises:
        ConfigError: It is none.
    """
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            if length > LONGEST_HEADER:
                raise ValueError("its header is too long")
            found = loads(opened.read(length)).get("__metadata__", {})
    except (OSError, ValueError, struct.error, AttributeError) as error:
        raise ConfigError(f"{file}: is no file of weights ({error})") from None
    if not isinstance(found, Mapping):
        raise ConfigError(f"{file}: is no file of weights (its metadata are no mapping)")
    return found
