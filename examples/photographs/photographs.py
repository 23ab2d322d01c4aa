"""Writes a folder of real colour pictures in five classes: tiles of five photographs that come with packages.

    pip install scikit-image
    python photographs.py data/photographs

The photographs are scikit-learn's china and flower, and scikit-image's cat (Chelsea), coffee and rocket; nothing is
downloaded. A class is a photograph, its pictures are squares of it that do not overlap: training, validation and test
pictures show different places of the same photographs. What is learned is to tell five photographs apart, not flowers.
"""

import random
import sys
from pathlib import Path

from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

SIDE = 48
"""Of a tile, in pixels."""
PARTS = {"train": 30, "val": 10, "test": 10}
"""Tiles of each class in each part."""
PHOTOGRAPHS = {
    "cat": data.chelsea,
    "china": lambda: load_sample_image("china.jpg"),
    "coffee": data.coffee,
    "flower": lambda: load_sample_image("flower.jpg"),
    "rocket": data.rocket,
}


def write(folder: Path) -> None:
    """Cut the photographs; the same tiles each time."""
    for name, photograph in PHOTOGRAPHS.items():
        pixels = photograph()
        rows, columns = pixels.shape[0] // SIDE, pixels.shape[1] // SIDE
        places = [(row, column) for row in range(rows) for column in range(columns)]
        random.Random(name).shuffle(places)
        for part, count in PARTS.items():
            out = folder / part / name
            out.mkdir(parents=True, exist_ok=True)
            for _ in range(count):
                row, column = places.pop()
                tile = pixels[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
                Image.fromarray(tile).save(out / f"{row:02}_{column:02}.png")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "data/photographs"))
