"""``ablate predict``: the classes that a run's network sees in pictures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.images.config import ImageFolder
from ablate.images.kept_weights import KeptWeights, find_weights
from ablate.task.errors import ConfigError
from ablate.task.printable import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHOWN = 3
"""Classes of each picture in the table."""


def predict(run: str, files: Sequence[Path], results: Path, *, as_json: bool) -> None:
    """Print what a run's network says of pictures.

    Args:
        run: The beginning of its digest.
        files: Pictures.
        results: Folder of results.
        as_json: A list of objects: ``file``, ``class``, ``probability`` and all ``probabilities`` by class.

    Raises:
        ConfigError: The run's weights were not kept, or files are no pictures (all are named).
    """
    kept = find_weights(results, run)
    pictures = read_pictures(kept, files)
    from ablate.images.engine.predict import Predictor

    shares = Predictor(kept).shares(pictures).tolist()
    rows = []
    for file, own in zip(files, shares, strict=True):
        order = sorted(range(len(own)), key=lambda index: -own[index])
        rows.append((str(file), [(kept.classes[index], own[index]) for index in order]))
    if as_json:
        found = [
            {"file": file, "class": named[0][0], "probability": named[0][1], "probabilities": dict(named)}
            for file, named in rows
        ]
        print(json.dumps(found, indent=2))
        return
    from ablate.report.console import add_column, add_row, output, table

    made = table(f"run {kept.run.digest[:10]}: {kept.run.model.name} after epoch {kept.epoch}")
    for heading in ("picture", "class"):
        add_column(made, heading, left=True)
    add_column(made, "probability")
    add_column(made, "then", left=True)
    for name_of_file, named in rows:
        (first, share), *others = named[:SHOWN]
        then = ", ".join(f"{name} {value:.3f}" for name, value in others)
        add_row(made, printable(name_of_file), printable(first), f"{share:.3f}", printable(then))
    output().print(made)


def read_pictures(kept: KeptWeights, files: Sequence[Path]) -> "NDArray[np.uint8]":
    """Pictures as the run's data set would store them.

    Args:
        kept: Its weights.
        files: The pictures' files, at least one.

    Returns:
        uint8 ``[N, channels, height, width]``, resized (bilinear, antialiased), in grey where the run's images are.

    Raises:
        ConfigError: Names every file that is no picture.
    """
    import numpy as np
    from PIL import Image

    from ablate.images.data.picture import UnreadableError, opened, read_picture

    data = kept.run.data
    background = data.background if isinstance(data, ImageFolder) else "white"
    height, width = data.stored_size
    found, problems = [], []
    for file in files:
        try:
            with opened(file) as stream:
                image, _ = read_picture(stream, file.name, background)
        except UnreadableError as error:
            problems.append(f"{file}: {error}")
            continue
        if kept.channels == 1:
            image = image.convert("L")
        pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
        found.append(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))
    if problems:
        raise ConfigError(problems)
    return np.stack(found)
