"""Metrics in TensorBoard's event files, read by TensorBoard's own reader (``pip install ablate[tensorboard]``)."""

import importlib.util
import logging
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablate.program.curves import Curves
from ablate.program.reading import ReadTable, files_in
from ablate.task.errors import ConfigError

EVENT_FILES = "**/*tfevents*"


class EventFiles:
    """Follows the event files of a run; see :class:`ablate.program.reading.Source`."""

    def __init__(self, table: ReadTable, folder: Path, metrics: Sequence[str], curves: Curves) -> None:
        check_installed()
        self._folder, self._curves = folder, curves
        self._pattern = table.file or EVENT_FILES
        self._tags = table.keys(metrics)
        self._readers: dict[Path, Any] = {}

    def poll(self) -> None:
        """See :class:`ablate.program.reading.Source`."""
        for directory in dict.fromkeys(file.parent for file in files_in(self._folder, self._pattern)):
            self._read(directory)

    def finish(self) -> list[str]:
        """See :class:`ablate.program.reading.Source`."""
        self.poll()
        files = files_in(self._folder, self._pattern)
        return [f"{file.name}: its last record is cut off" for file in files if is_cut_off(file)]

    def _read(self, directory: Path) -> None:
        from tensorboard.backend.event_processing import event_accumulator
        from tensorboard.util import tensor_util

        logging.getLogger("tensorboard").setLevel(logging.ERROR)
        if directory not in self._readers:
            everything = {event_accumulator.SCALARS: 0, event_accumulator.TENSORS: 0}
            self._readers[directory] = event_accumulator.EventAccumulator(str(directory), size_guidance=everything)
        reader = self._readers[directory]
        reader.Reload()
        kinds = reader.Tags()
        for tag in kinds["scalars"]:
            if tag in self._tags:
                for event in reader.Scalars(tag):
                    self._curves.add(event.step, {self._tags[tag]: float(event.value)})
        for tag in kinds["tensors"]:
            if tag in self._tags:
                for event in reader.Tensors(tag):
                    value = tensor_util.make_ndarray(event.tensor_proto)
                    if value.size == 1:
                        self._curves.add(event.step, {self._tags[tag]: float(value.item())})


def check_installed() -> None:
    """Say what is missing.

    Raises:
        ConfigError: TensorBoard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise ConfigError("read.kind = 'tensorboard': TensorBoard is not installed: pip install 'ablate[tensorboard]'")


def is_cut_off(file: Path) -> bool:
    """Whether an event file ends in the middle of a record.

    A record is its length (8 bytes, little-endian), a checksum (4), the data, a checksum (4): the TFRecord format, see
    tensorflow/core/lib/io/record_writer.h.
    """
    size, at = file.stat().st_size, 0
    with file.open("rb") as opened:
        while at < size:
            opened.seek(at)
            head = opened.read(8)
            if len(head) < 8:
                return True
            at += 16 + int(struct.unpack("<Q", head)[0])
    return at != size
