"""What of a complete run is kept beside its result, on request: its weights, and which test images it gets right."""

import hashlib
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ablate.images.data import Images
from ablate.images.engine.cohort import FusedCohort
from ablate.images.engine.weights import save_weights
from ablate.images.kept_weights import weights_file
from ablate.images.run import RunConfig
from ablate.task.correctness import save_correctness
from ablate.task.record import NOT_KEPT

Keep = Callable[[Path, RunConfig, FusedCohort, int, Images], object]
"""Writes something of a run (in the row of a cohort) into a folder."""

_FINGERPRINTS: "weakref.WeakKeyDictionary[Images, str]" = weakref.WeakKeyDictionary()


def _weights(folder: Path, run: RunConfig, cohort: FusedCohort, row: int, images: Images) -> None:
    save_weights(folder, run, cohort.state(row), images, cohort.epoch)


def _correctness(folder: Path, run: RunConfig, cohort: FusedCohort, row: int, images: Images) -> None:
    right = cohort.test_right(row).cpu().numpy()
    save_correctness(folder, run.digest, "test_acc", fingerprint(images), right)


def keep_more(
    folders: Mapping[str, Path], run: RunConfig, cohort: FusedCohort, row: int, images: Images
) -> dict[str, Any]:
    """Keep of a complete run what is asked for; a file that cannot be written costs nothing but itself.

    Args:
        folders: The folder of each thing that is kept.
        run: The run.
        cohort: In which it was trained.
        row: Its position among the members in training.
        images: The data.

    Returns:
        A note for the record on the files that are missing, and why.
    """
    missing = []
    for what, folder in folders.items():
        try:
            KEEP[what](folder, run, cohort, row, images)
        except (OSError, SafetensorError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            missing.append(f"{weights_file(folder, run.digest)}: cannot be written: {why or error}")
    return {NOT_KEPT: missing} if missing else {}


KEEP: Mapping[str, Keep] = {"weights": _weights, "correctness": _correctness}
"""What can be kept, by name."""


def fingerprint(images: Images) -> str:
    """SHA-256 over the test images as they are stored, their labels and their order."""
    if images not in _FINGERPRINTS:
        total = hashlib.sha256(repr(tuple(images.test_images.shape)).encode())
        for part in (images.test_images, images.test_labels):
            total.update(part.cpu().contiguous().numpy().tobytes())
        _FINGERPRINTS[images] = total.hexdigest()
    return _FINGERPRINTS[images]
