"""A run's measurements in one row: whole arrays instead of a row a value.

The layout is JSON, ``[points, [[metric, values], ...]]``; the data are little-endian arrays of 8-byte numbers, one
after another: the steps (integers), the seconds, and for each metric its values, before them, where it was not
measured at every point, the positions (integers from 0) of the points where it was. NaN and infinities stay as they
are, bit by bit.
"""

import json
import sys
from array import array
from collections.abc import Sequence
from zlib import crc32

from ablate.task.record import Measurement


def pack(curves: Sequence[Measurement]) -> tuple[str, bytes]:
    """Measurements as a layout and data.

    Args:
        curves: The measurements in order.

    Raises:
        TypeError: A step is no integer, or a value no number.
    """
    positions: dict[str, array[int]] = {}
    values: dict[str, array[float]] = {}
    for position, point in enumerate(curves):
        for name, value in point.values.items():
            if name not in values:
                positions[name], values[name] = array("q"), array("d")
            positions[name].append(position)
            values[name].append(value)
    arrays: list[array[int] | array[float]] = [
        array("q", (point.step for point in curves)),
        array("d", (point.seconds for point in curves)),
    ]
    for name, measured in values.items():
        arrays += [measured] if len(measured) == len(curves) else [positions[name], measured]
    layout = [len(curves), [[name, len(measured)] for name, measured in values.items()]]
    return json.dumps(layout, separators=(",", ":")), b"".join(map(_little_endian, arrays))


def unpack(layout: str, data: bytes) -> tuple[Measurement, ...]:
    """The measurements that :func:`pack` was given.

    Raises:
        ValueError: Layout and data do not belong together.
    """
    points, metrics = json.loads(layout)
    sizes = [2 * points, *(count if count == points else 2 * count for _, count in metrics)]
    if len(data) != 8 * sum(sizes):
        raise ValueError(f"{len(data)} bytes of measurements, {8 * sum(sizes)} expected")
    start = 0

    values: list[dict[str, float]]

    def take(kind: str, count: int) -> "array[int] | array[float]":
        nonlocal start
        found = array(kind, data[start : start + 8 * count])
        start += 8 * count
        if sys.byteorder == "big":
            found.byteswap()
        return found

    steps, seconds = take("q", points), take("d", points)
    if metrics and all(count == points for _, count in metrics):  # The usual case, which has to be fast.
        names = [name for name, _ in metrics]
        columns = [take("d", points) for _ in names]
        values = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    else:
        values = [{} for _ in range(points)]
        for name, count in metrics:
            places = values if count == points else [values[int(position)] for position in take("q", count)]
            for place, value in zip(places, take("d", count), strict=True):
                place[name] = value
    rows = zip(steps, values, seconds, strict=True)
    return tuple(Measurement(int(step), measured, wall) for step, measured, wall in rows)


def checksum(*parts: object) -> int:
    """A checksum of texts, numbers and bytes: what was written is what is read, or the store is damaged."""
    total = 0
    for part in parts:
        total = crc32(part if isinstance(part, bytes) else f"{part}\0".encode(), total)
    return total


def _little_endian(numbers: "array[int] | array[float]") -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
