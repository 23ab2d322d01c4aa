"""Files and links of every kind that a picture folder may hold, each with what has to become of it."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 8
"""Pixels of a picture's side, which is that of a stored one: nothing is resized."""

USED, LEFT_OUT, REFUSED, ANY = "used", "left out", "refused", "any"
"""``any``: damaged at random; it may be readable, but has to be used or named."""


@dataclass
class Item:
    """A file, link or folder below a root."""

    path: bytes
    """Relative to the root."""
    outcome: str
    pixels: NDArray[np.float64] | None = field(default=None, repr=False)
    """``[SIDE, SIDE, 3]`` where it is used and they are known."""
    tolerance: float = 0.0
    """Mean difference that a lossy format may have."""
    kind: str = ""


Made = tuple[bytes, NDArray[np.float64] | None, float]
"""Content, pixels and tolerance."""


def noise(random: Random, channels: int = 3, most: int = 255) -> NDArray[np.float64]:
    """Random values ``[SIDE, SIDE, channels]``, black and white among them."""
    values = np.array([random.randint(0, most) for _ in range(SIDE * SIDE * channels)], np.float64)
    values[:channels], values[channels : 2 * channels] = 0, most
    return values.reshape(SIDE, SIDE, channels)


def smooth(random: Random) -> NDArray[np.float64]:
    """Corners of four colours, blended: lossy formats keep it, and every turn shows."""
    corners = np.array([random.randint(0, 255) for _ in range(12)], np.float64).reshape(2, 2, 3)
    y, x = np.meshgrid(*[np.linspace(0, 1, SIDE)] * 2, indexing="ij")
    weights = [(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x]
    return np.rint(sum(w[..., None] * c for w, c in zip(weights, corners.reshape(4, 3), strict=True)))


def saved(image: Image.Image, form: str, **more: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **more)
    return file.getvalue()


def eight(values: NDArray[np.float64], mode: str | None = None) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8).squeeze(), mode)


def grey(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.repeat(values.reshape(SIDE, SIDE, 1), 3, axis=2)


TURNS: dict[int, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


def colour(random: Random) -> Made:
    values = noise(random)
    form = random.choice(["PNG", "BMP", "TIFF", "PPM", "WEBP", "JPEG2000"])
    packed = random.choice([None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
    more = {"WEBP": {"lossless": True}, "JPEG2000": {"irreversible": False}, "TIFF": {"compression": packed}}.get(
        form, {}
    )
    return saved(eight(values), form, **more), values, 0.0


def lossy(random: Random) -> Made:
    values = smooth(random)
    form = random.choice(["JPEG", "AVIF", "WEBP"])
    return saved(eight(values), form, quality=95, progressive=random.random() < 0.5), values, 12.0


def one_channel(random: Random) -> Made:
    values = noise(random, 1)
    return saved(eight(values), random.choice(["PNG", "BMP", "TIFF", "PPM", "GIF"])), grey(values), 0.0


def one_bit(random: Random) -> Made:
    values = noise(random, 1, 1) * 255
    return saved(eight(values).convert("1"), random.choice(["PNG", "BMP", "TIFF", "PPM", "GIF"])), grey(values), 0.0


def palette(random: Random) -> Made:
    table = noise(random, 4)[:4].reshape(-1)[: 4 * 3].reshape(4, 3)
    index = np.array([random.randrange(4) for _ in range(SIDE * SIDE)], np.uint8).reshape(SIDE, SIDE)
    image = Image.fromarray(index)
    image.putpalette(table.astype(np.uint8).tobytes())
    values, more = table[index], {}
    form = random.choice(["PNG", "GIF", "TIFF", "BMP"])
    if form in ("PNG", "GIF") and random.random() < 0.5:
        clear = random.randrange(4)
        more, values = {"transparency": clear}, np.where((index == clear)[..., None], 255.0, values)
        if np.ptp(values, axis=(0, 1)).max() < 32:
            return palette(random)
    return saved(image, form, **more), values, 0.0


def transparent(random: Random) -> Made:
    alpha = noise(random, 1)
    channels = random.choice([1, 3])
    values = noise(random, channels)
    values[:2] = np.minimum(values[:2], 100)  # something is left on white
    alpha[0] = 255
    on_white = 255 + (values - 255) * alpha / 255
    form = random.choice(["PNG", "TIFF"] if channels == 1 else ["PNG", "TIFF", "WEBP"])
    layers = eight(np.dstack([values, alpha]), "LA" if channels == 1 else "RGBA")
    more = {"lossless": True, "exact": True} if form == "WEBP" else {}
    return saved(layers, form, **more), on_white if channels == 3 else grey(on_white), 1.0


def sixteen(random: Random) -> Made:
    values = noise(random, 1, 65_535)
    image = Image.fromarray(values.astype(np.uint16).squeeze())
    form = random.choice(["PNG", "TIFF", "PPM", "JPEG2000"])
    return saved(image, form, **({"irreversible": False} if form == "JPEG2000" else {})), grey(values / 257), 0.51


def floating(random: Random) -> Made:
    values = noise(random, 1, 1000) / 1000
    return (
        saved(Image.fromarray(values.astype(np.float32).squeeze()), random.choice(["TIFF", "PPM"])),
        grey(values * 255),
        0.51,
    )


def turned(random: Random) -> Made:
    values, orientation = smooth(random), random.randint(1, 8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(eight(values), random.choice(["JPEG", "PNG", "TIFF", "WEBP"]), exif=exif, quality=95)
    return content, TURNS[orientation](values), 12.0


def animated(random: Random) -> Made:
    frames = [one_bit_image(random) for _ in range(random.randint(2, 4))]
    form = random.choice(["GIF", "PNG", "WEBP", "TIFF"])
    more = {"lossless": True} if form == "WEBP" else {}
    images = [eight(frame).convert("RGB") for frame in frames]
    content = saved(images[0], form, save_all=True, append_images=images[1:], **more)
    return content, grey(frames[0]), 0.0


def one_bit_image(random: Random) -> NDArray[np.float64]:
    return noise(random, 1, 1) * 255


def separated(random: Random) -> Made:
    image = eight(smooth(random)).convert("CMYK")
    return saved(image, random.choice(["JPEG", "TIFF"])), None, 0.0


PICTURES = (
    *(colour, lossy, one_channel, one_bit, palette, transparent, sixteen, floating, turned, animated, separated),
)


def empty(random: Random) -> bytes:
    return b""


def text(random: Random) -> bytes:
    return random.choice([b"<html>not found</html>", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0" * 500, b"GIF89a", b"P5 3"])


def cut_off(random: Random) -> bytes:
    form = random.choice(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF"])
    # Of many values, so that no decoder is done before half of the file.
    values = np.array([random.getrandbits(8) for _ in range(24 * 24 * 3)], np.uint8).reshape(24, 24, 3)
    content = saved(Image.fromarray(values), form)
    return content[: random.randint(1, len(content) // 2)]


def out_of_range(random: Random) -> bytes:
    values = (noise(random, 1) * random.choice([1.0, -1.0, float("nan")])).astype(np.float32)
    return saved(Image.fromarray(values.squeeze()), "TIFF")


def integers(random: Random) -> bytes:
    return saved(Image.fromarray(noise(random, 1).astype(np.int32).squeeze()), "TIFF")


def alpha_alone(random: Random) -> bytes:
    return saved(eight(np.dstack([np.full((SIDE, SIDE, 3), 255.0), noise(random, 1)])), "PNG")


def bomb(random: Random) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    side = random.choice([14_000, 100_000, 2**31 - 1])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000)))


DAMAGED = (empty, text, cut_off, out_of_range, integers, alpha_alone, bomb)


def flipped(random: Random) -> bytes:
    """A picture with random bytes changed, put in, left out or added."""
    content = bytearray(random.choice(PICTURES)(random)[0])
    for _ in range(random.randint(1, 8)):
        place = random.randrange(len(content))
        change = random.randrange(3)
        if change == 0:
            content[place] = random.getrandbits(8)
        elif change == 1:
            content[place:place] = bytes([random.getrandbits(8)])
        elif len(content) > 1:
            del content[place]
    return bytes(content)


def write(root: bytes, path: bytes, content: bytes) -> None:
    place = os.path.join(root, path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    Path(os.fsdecode(place)).write_bytes(content)
