"""The engine of image classification, as worker processes hold it: a device, and the data sets that lie on it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ablate.images.data import Images, load
from ablate.images.engine.engine import train
from ablate.images.engine.exhaustion import return_freed_memory
from ablate.images.engine.keeping import KEEP
from ablate.images.engine.kernels import keep_freed_memory
from ablate.images.engine.measure import measure
from ablate.images.parts import code_of
from ablate.images.run import RunConfig
from ablate.task.checkpoint import Checkpoints
from ablate.task.engine import OnInterim, OnStep, Speed
from ablate.task.errors import ConfigError
from ablate.task.record import Result, StopRule

KEPT_DATA_SETS = 2
"""Loaded at a time."""


class ImageEngine:
    """See :class:`ablate.task.engine.Engine`; it is also all that an engine may be besides.

    Args:
        device: ``cpu`` or ``cuda:N``.
        threads: That PyTorch may use.

    Raises:
        ConfigError: The device is not there.
    """

    keeps = tuple(KEEP)

    def __init__(self, device: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._device = torch.device(device)
        self.hardware: Mapping[str, Any] = {"gpu": None}
        self._images: dict[str, Images] = {}
        self._keep: dict[str, Path] = {}
        self._checkpoints: Checkpoints | None = None
        self._on_interim: OnInterim | None = None
        if self._device.type == "cpu":
            keep_freed_memory()
            return
        if not torch.cuda.is_available() or self._device.index >= torch.cuda.device_count():
            seen = torch.cuda.device_count()
            raise ConfigError(f"device = {device}: PyTorch sees {seen} CUDA devices; cpu is always there")
        torch.cuda.set_device(self._device)
        self.hardware = {"gpu": torch.cuda.get_device_name(self._device)}

    def keep(self, what: str, folder: str) -> None:
        """See :class:`ablate.task.engine.KeepsMore`."""
        self._keep[what] = Path(folder)

    def keep_checkpoints(self, checkpoints: Checkpoints) -> None:
        """See :class:`ablate.task.engine.Resumable`."""
        self._checkpoints = checkpoints

    def tell_interim(self, on_interim: OnInterim) -> None:
        """See :class:`ablate.task.engine.TellsInterim`."""
        self._on_interim = on_interim

    def load(self, runs: Sequence[RunConfig]) -> None:
        """Load the data set of these runs, once."""
        key = _key(runs)
        if key not in self._images:
            images = load(runs[0].data, self._device)
            return_freed_memory(self._device)
            while len(self._images) >= KEPT_DATA_SETS:
                del self._images[next(iter(self._images))]
            self._images[key] = images

    def train(self, runs: Sequence[RunConfig], on_step: OnStep, stops: Mapping[int, StopRule]) -> Sequence[Result]:
        """See :func:`ablate.images.engine.engine.train`.

        Raises:
            ConfigError: The code of a part from outside the package is no longer that which was planned, or it is to
                be kept which test images are right and none are read.
        """
        self.load(runs)
        for what in self._keep:
            if (why := runs[0].why_not_kept(what)) is not None:
                raise ConfigError(f"keep = {what}: {why}")
        code = code_notes(runs[0])
        images = self._images[_key(runs)]
        results = train(
            runs,
            images,
            device=self._device,
            on_epoch=on_step,
            stops=stops,
            keep=self._keep,
            checkpoints=self._checkpoints,
            on_interim=self._on_interim,
        )
        if not code:
            return results
        return [replace(result, notes={**result.notes, "code": code}) for result in results]

    def probe(self, runs: Sequence[RunConfig], seconds: float) -> Speed | None:
        """See :func:`ablate.images.engine.measure.measure`."""
        self.load(runs)
        return measure(runs, self._images[_key(runs)], device=self._device, seconds=seconds)


def code_notes(run: RunConfig) -> dict[str, Any]:
    """Hashes of the code of a run's parts from outside the package, by part, for its record.

    Raises:
        ConfigError: It changed since the run was planned: the result would be kept under another version's name.
    """
    notes = {}
    for part, planned in run.code.items():
        code = code_of(*part.split(".", 1))
        if code is None or code.identity != planned:
            raise ConfigError(f"{part}: its code has changed since this sweep was planned; start it again")
        notes[part] = code.notes
    return notes


def _key(runs: Sequence[RunConfig]) -> str:
    return runs[0].data.model_dump_json(exclude={"split_seed"})
