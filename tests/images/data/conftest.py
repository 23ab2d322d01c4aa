import gzip
import hashlib
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from ablate.images.config import FashionMNIST
from ablate.images.data import fetch
from ablate.images.data.fashion_mnist import FASHION_MNIST
from ablate.images.data.idx import IdxFile
from ablate.images.data.idx_source import idx_set

torch.set_num_threads(1)


def idx_bytes(array):
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture
def contents():
    """The four files of a small data set: twelve training and five test images of 3x4."""
    rng = np.random.default_rng(0)
    return {
        "train-images": idx_bytes(rng.integers(0, 256, (12, 3, 4))),
        "train-labels": idx_bytes(np.arange(12) % 3),
        "t10k-images": idx_bytes(rng.integers(0, 256, (5, 3, 4))),
        "t10k-labels": idx_bytes(np.arange(5) % 3),
    }


@pytest.fixture
def published(contents, tmp_path):
    """That small data set as if it had been published, with a folder of the system that does not exist yet."""
    shapes = [(12, 3, 4), (12,), (5, 3, 4), (5,)]
    return idx_set(
        name="tiny",
        title="Tiny",
        classes=("a", "b", "c"),
        files=tuple(
            IdxFile(name, shape, hashlib.sha256(content).hexdigest())
            for (name, content), shape in zip(contents.items(), shapes, strict=True)
        ),
        train_counts=(4, 4, 4),
        test_counts=(2, 2, 1),
        torchvision="Tiny",
        system=(tmp_path / "system",),
        package="dataset-tiny",
    )


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A user's cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return tmp_path / "xdg" / "ablate"


@pytest.fixture(scope="session")
def fashion():
    """Where the real Fashion-MNIST lies; downloaded into the user's cache on a machine that lacks it."""
    return fetch(FashionMNIST())


@pytest.fixture
def compressed(fashion, tmp_path):
    """The real Fashion-MNIST, compressed, in a folder whose files a test may replace (they may be links)."""
    folder = tmp_path / "fashion"
    folder.mkdir()
    for file in FASHION_MNIST.files:
        path = folder / f"{file.name}.gz"
        if (fashion / path.name).is_file():
            path.symlink_to(fashion / path.name)
        else:
            path.write_bytes(gzip.compress((fashion / file.name).read_bytes(), 1))
    return folder


@pytest.fixture
def photos(tmp_path):
    """Three classes of ten small images of several sizes, forms and colour modes."""
    root = tmp_path / "photos"
    rng = np.random.default_rng(1)
    for label, name in enumerate(["ant", "bee", "Cat"]):
        (root / name / "more").mkdir(parents=True)
        for index in range(10):
            height, width = rng.integers(9, 40, 2)
            image = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
            folder = root / name / ("more" if index > 7 else ".")
            image.convert(["RGB", "L", "RGBA"][label]).save(folder / f"{index}.{'PNG' if index % 2 else 'png'}")
        (root / name / "notes.txt").write_text("no image")
    return root
