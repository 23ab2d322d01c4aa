"""What becomes of one picture file: 8-bit RGB, by the rule in :mod:`ablate.images.data.image_folder`, or a refusal."""

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ablate.images.data.picture_names import FORMATS, ending

RULE = 2
"""Version of the rule; 1 turned nothing, dropped alpha channels and cut off what 8 bits do not hold."""

MOST_PIXELS = 178_956_970
"""Most pixels of a picture that is decoded (about 13,000 x 13,000): more is refused before it is decoded."""

BACKGROUNDS = {"white": (255, 255, 255), "grey": (128, 128, 128), "black": (0, 0, 0)}
"""What is seen through transparent pixels, by ``data.background``."""

_ORIENTATION = 0x0112
"""EXIF: which side of the stored picture is up; 1: as stored."""
_TIFF_BITS, _TIFF_PHOTOMETRIC = 258, 262


@dataclass(frozen=True)
class Picture:
    """What a file holds and what was done to it."""

    format: str
    mode: str
    """Pillow's name of its kind of pixels."""
    width: int
    height: int
    """The height in pixels, as stored."""
    changed: tuple[str, ...] = ()
    """How its pixels differ from those of the first version of the rule: ``turned``, ``transparent``,
    ``sixteen bits``, ``float``."""
    remarks: tuple[str, ...] = ()
    """What else people may want to know of it."""
    brightest: int | None = None
    """The greatest value, of 255, of a picture with more than 8 bits after scaling."""


def read_picture(file: BufferedReader, name: str, background: str) -> tuple[Image.Image, Picture]:
    """Decode a picture.

    Args:
        file: As opened by :func:`opened`, at its beginning.
        name: The name of the file; only its ending is looked at.
        background: A key of :data:`BACKGROUNDS`.

    Returns:
        An RGB image, the right way up, and what was done.

    Raises:
        UnreadableError: It cannot be had.
    """
    with _reasons():
        with Image.open(file, formats=_formats()) as image:
            picture = _header(image, name)
            depth = _depth(image)
            image.load()
            upright = _upright(image, picture)
            brightest = None
            changed = picture.changed
            if depth is not None:
                rgb, brightest = _scaled(upright, depth, BACKGROUNDS[background])
            elif upright.has_transparency_data:
                rgb, shines_through, left = _on_background(upright, BACKGROUNDS[background])
                changed += ("transparent",) if shines_through else ()
                if not left:
                    raise UnreadableError(
                        "holds all that it shows in its alpha channel: nothing of it is left on "
                        f"{background} (data.background)",
                        replace(picture, changed=changed),
                    )
            else:
                rgb = upright.convert("RGB")
        return rgb, replace(picture, changed=changed, brightest=brightest)


def look_at(file: BufferedReader, name: str, background: str) -> Picture:
    """What a picture's header says; decodes it only where it may be transparent.

    Args:
        file: As opened by :func:`opened`, at its beginning.
        name: The name of the file.
        background: A key of :data:`BACKGROUNDS`.

    Raises:
        UnreadableError: It is no picture.
    """
    with _reasons(), Image.open(file, formats=_formats()) as image:
        picture = _header(image, name)
        _depth(image)
        transparent = image.has_transparency_data
    if transparent:
        file.seek(0)
        return read_picture(file, name, background)[1]
    return picture


class UnreadableError(ValueError):
    """A file that is no picture, a damaged one, or one whose values have no meaning as colours; says why.

    Args:
        reason: What is wrong.
        picture: What is known of a picture that can be decoded, but not used.
    """

    def __init__(self, reason: str, picture: Picture | None = None) -> None:
        super().__init__(reason)
        self.picture = picture


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """Open a file that must be a regular one: whatever lies there by now, opening it never waits.

    Raises:
        UnreadableError: It is none, is empty, or cannot be read.
    """
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise UnreadableError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        os.close(number)
        raise UnreadableError("is empty" if stat.S_ISREG(status.st_mode) else "is no regular file")
    with open(number, "rb") as file:
        yield file


def square(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """An image's pixels, resized to a square of ``side`` pixels (bilinear, antialiased), as ``[3, side, side]``."""
    # Pillow widens its filter when it shrinks an image: antialiased.
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR)).transpose(2, 0, 1)


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def _reasons() -> Iterator[None]:
    """Whatever a decoder raises becomes one reason."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnreadableError:
        raise
    except Image.DecompressionBombError:
        raise UnreadableError(f"is too large: more than {MOST_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise UnreadableError("is no picture of a format that is read, or its beginning is damaged") from None
    except MemoryError:
        raise UnreadableError("is too large for this machine's memory") from None
    except Exception as error:  # decoders meet damaged files with many kinds, AssertionError among them
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnreadableError(f"is damaged, or of a kind that is not read ({reason})") from None


def _header(image: Image.Image, name: str) -> Picture:
    width, height = image.size
    if width < 1 or height < 1:
        raise UnreadableError(f"has no pixels ({width} x {height})")
    if width * height > MOST_PIXELS:
        raise UnreadableError(f"is too large: {width:,} x {height:,} are more than {MOST_PIXELS:,} pixels")
    kind = {"MPO": "JPEG", "DIB": "BMP"}.get(image.format or "", image.format or "")
    remarks = []
    if ending(name) not in FORMATS[kind]:
        remarks.append(f"its content is {kind}, whatever its ending says")
    try:
        frames = getattr(image, "n_frames", 1)
    except Exception:  # of a file whose first frame may still be sound
        frames = 1
    if frames > 1:
        remarks.append("only its first frame or page is used")
    if image.info.get("icc_profile"):
        remarks.append("its colour profile is not applied")
    if image.mode == "CMYK":
        remarks.append("CMYK is turned into RGB without a profile")
    changed = []
    turned = _orientation(image)
    if turned is None:
        remarks.append("its EXIF data cannot be read; it is not turned")
    elif turned != 1 and kind != "TIFF":  # Pillow has always turned these
        changed.append("turned")
    if image.mode.startswith("I"):
        changed.append("sixteen bits")
    elif image.mode == "F":
        changed.append("float")
    return Picture(kind, image.mode, width, height, tuple(changed), tuple(remarks))


def _orientation(image: Image.Image) -> int | None:
    """1 to 8; None where what should say it is damaged."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow's readers of EXIF data raise many kinds
        return None
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(image: Image.Image, picture: Picture) -> Image.Image:
    return ImageOps.exif_transpose(image) if "turned" in picture.changed else image


@dataclass(frozen=True)
class _Depth:
    white: float
    """The value that is white."""
    inverted: bool
    """Whether 0 is white and that value black."""
    key: float | None
    """The value that is transparent."""


def _depth(image: Image.Image) -> _Depth | None:
    """How the values of a picture of more than 8 bits are meant; None: it has 8 or fewer.

    Raises:
        UnreadableError: That cannot be known.
    """
    mode, tags = image.mode, getattr(image, "tag_v2", {})
    if not (mode.startswith("I") or mode == "F"):
        return None
    inverted = tags.get(_TIFF_PHOTOMETRIC) == 0
    if mode == "F":
        return _Depth(1.0, inverted, None)
    # Pillow widens the 16 bits of a PGM file, and before its version 11.3 those of a PNG file, to 32.
    if mode == "I" and image.format not in ("PPM", "PNG"):
        raise UnreadableError(
            "holds signed or 32-bit integers, of which nobody knows what is white; save it with 8 or 16 bits"
        )
    bits = tags.get(_TIFF_BITS, (16,))
    key = image.info.get("transparency")
    white = 2 ** int(bits[0] if isinstance(bits, tuple) else bits) - 1
    return _Depth(float(white), inverted, float(key) if isinstance(key, int) else None)


def _scaled(image: Image.Image, depth: _Depth, background: tuple[int, int, int]) -> tuple[Image.Image, int]:
    """Grey of 8 bits from grey of more, and its greatest value."""
    values = np.asarray(image)
    if depth.white == 1.0:
        low, high = float(values.min()), float(values.max())
        if not (np.isfinite(values).all() and low >= 0.0 and high <= 1.0):
            raise UnreadableError(
                f"holds floating-point numbers from {low:g} to {high:g}; they are read from 0 (black) to 1 (white) only"
            )
    # In rows, so that a large picture takes little more memory than it has pixels.
    grey = np.empty(values.shape, np.uint8)
    for row, own in zip(grey, values, strict=True):
        np.rint(own * (255.0 / depth.white), casting="unsafe", out=row)
    if depth.inverted:
        np.subtract(255, grey, out=grey)
    brightest = int(grey.max())
    if depth.key is not None:
        grey[values == depth.key] = background[0]
    return Image.fromarray(grey).convert("RGB"), brightest


def _on_background(image: Image.Image, colour: tuple[int, int, int]) -> tuple[Image.Image, bool, bool]:
    """A picture on a ground of one colour, whether any of it shines through, and whether the picture is still seen."""
    layers = image.convert("LA") if image.mode == "La" else image
    layers = layers.convert("RGBA")
    alpha = np.asarray(layers.getchannel("A"))
    if alpha.min() == 255:
        return image.convert("RGB"), False, True
    ground = Image.new("RGBA", layers.size, (*colour, 255))
    ground.alpha_composite(layers)
    flat = ground.convert("RGB")
    left = int(np.ptp(np.asarray(flat), axis=(0, 1)).max())
    return flat, True, int(np.ptp(alpha)) <= 16 * left
