"""The IDX file format: a header of big-endian numbers, then bytes.

Source: http://yann.lecun.com/exdb/mnist/, "File formats for the MNIST database".
"""

import gzip
import hashlib
import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class IdxFile:
    """A file as it was published."""

    name: str
    """The name without ``.gz``."""
    shape: tuple[int, ...]
    """``(images, height, width)``, or ``(images,)`` for labels."""
    sha256: str
    """The SHA-256 of the decompressed file, in hex."""

    @property
    def digest(self) -> str:
        """Which hash it is, and its hexadecimal digits."""
        return f"SHA-256 {self.sha256}"


def read_idx(path: Path, file: IdxFile, remedy: str) -> "NDArray[np.uint8]":
    """Read and verify an IDX file of unsigned bytes.

    Args:
        path: The file; decompressed first where its name ends in ``.gz``.
        file: What it has to be.
        remedy: What the user can do about a bad file; ends the error's message.

    Returns:
        Its content in the shape of ``file``, read-only.

    Raises:
        ConfigError: Names the file, what is wrong with it and the remedy.
    """
    import numpy as np

    expected = _header_size(file) + math.prod(file.shape)
    try:
        # No more than is wanted is ever read, whatever a header or a compressed file promises. The byte beyond it shows
        # that a file is too long, and makes gzip check the whole.
        with open(path, "rb") as raw, gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw as stream:
            content = stream.read(expected + 1)
            size = len(content) if path.suffix == ".gz" else os.fstat(raw.fileno()).st_size
    except EOFError:
        raise ConfigError(f"{path}: is truncated (the compressed data ends early); {remedy}") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ConfigError(f"{path}: cannot be decompressed ({error}); {remedy}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error}); {remedy}") from None
    problem = _problem(content, size, file)
    if problem is not None:
        raise ConfigError(f"{path}: {problem}; {remedy}")
    return np.frombuffer(content, np.uint8, offset=_header_size(file)).reshape(file.shape)


def _problem(content: bytes, length: int, file: IdxFile) -> str | None:
    """What is wrong with a file's content, from the coarse to the fine, or None.

    Args:
        content: At most one byte more than is wanted.
        length: Bytes in the file; of a compressed one, in ``content``.
        file: What it has to be.
    """
    size = _header_size(file)
    if len(content) < size:
        return f"is truncated (only {len(content)} bytes)"
    magic, *shape = struct.unpack(f">{1 + len(file.shape)}I", content[:size])
    expected_magic = 0x0800 + len(file.shape)  # 0x08: unsigned bytes; then the number of dimensions
    if magic != expected_magic:
        return f"is no IDX file of {_shape(file.shape)} unsigned bytes (it starts with {magic:#010x})"
    if tuple(shape) != file.shape:
        return f"holds {_shape(shape)} bytes, not the {_shape(file.shape)} that were published"
    expected_bytes = size + math.prod(file.shape)
    if length < expected_bytes:
        return f"is truncated ({length} of {expected_bytes} bytes)"
    if length > expected_bytes:
        return f"is too long ({length} of {expected_bytes} bytes, or more)"
    digest = hashlib.sha256(content).hexdigest()
    if digest != file.sha256:
        return f"is corrupt (its content's SHA-256 is {digest}, not {file.sha256})"
    return None


def _header_size(file: IdxFile) -> int:
    return 4 * (1 + len(file.shape))


def _shape(shape: tuple[int, ...] | list[int]) -> str:
    return "x".join(map(str, shape))
