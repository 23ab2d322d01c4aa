"""Tiles of three colour photographs that installed packages ship: which photograph is a tile of?

Not a benchmark of anything; real colour pictures without a download. The left three quarters of each photograph are for
training, the rest is for testing, so that no pixel is in both.
"""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ablate.images.data.arrays import Arrays
from ablate.images.parts import DeclaredData

SIDE = 32
STRIDE = 16


class PhotoTiles(DeclaredData):
    """Squares of 32x32 pixels of scikit-learn's china and flower and matplotlib's portrait of Grace Hopper."""

    name: Literal["photo_tiles"] = "photo_tiles"
    val_size: Annotated[int, Field(ge=1)] = 400
    """Training tiles that are held out where the test tiles are not to be seen."""

    @property
    def stored_size(self):
        """Height and width of a tile, in pixels."""
        return (SIDE, SIDE)

    def read(self):
        """Cut the tiles, in the order of the photographs."""
        train, test = [], []
        for label, picture in enumerate(photographs().values()):
            cut = picture.shape[1] * 3 // 4
            train += [(tile, label) for tile in tiles(picture[:, :cut])]
            test += [(tile, label) for tile in tiles(picture[:, cut:])]
        return Arrays(*stacked(train), *stacked(test), classes=tuple(photographs()))


def photographs():
    """RGB pictures by name, uint8 ``[height, width, 3]``."""
    from matplotlib import cbook
    from PIL import Image
    from sklearn.datasets import load_sample_image

    hopper = Image.open(Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))).convert("RGB")
    return {
        "china": load_sample_image("china.jpg"),
        "flower": load_sample_image("flower.jpg"),
        "hopper": np.asarray(hopper),
    }


def tiles(picture):
    """Every tile of a picture, channels first."""
    height, width, _ = picture.shape
    for top in range(0, height - SIDE + 1, STRIDE):
        for left in range(0, width - SIDE + 1, STRIDE):
            yield picture[top : top + SIDE, left : left + SIDE].transpose(2, 0, 1)


def stacked(pairs):
    """Tiles and labels as arrays."""
    pictures = np.ascontiguousarray(np.stack([tile for tile, _ in pairs]), dtype=np.uint8)
    return pictures, np.array([label for _, label in pairs], dtype=np.int64)
