"""What every data source promises."""

import numpy as np
import pytest

from ablate.images.config import FashionMNIST, ImageFolder
from ablate.images.data.idx_source import IdxSource
from ablate.images.data.sources import source


@pytest.fixture(params=["fashion_mnist", "tiny", "image_folder"])
def found(request, contents, published, tmp_path):
    match request.param:
        case "fashion_mnist":
            return source(FashionMNIST(root=str(request.getfixturevalue("fashion"))))
        case "tiny":
            for name, content in contents.items():
                (tmp_path / name).write_bytes(content)
            return IdxSource(published, str(tmp_path))
        case _:
            return source(ImageFolder(root=str(request.getfixturevalue("photos")), stored=256))


def test_contract(found):
    folder = found.where()
    assert folder.is_dir()
    assert found.verify() == found.fetch() == folder
    arrays, description = found.read(), found.describe()
    assert description["folder"] == str(folder)
    assert description["classes"] == list(arrays.classes)
    for part in ("train", "test"):
        images, labels = getattr(arrays, f"{part}_images"), getattr(arrays, f"{part}_labels")
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
        assert images.shape == (description[part], *description["shape"])
        assert labels.shape == (description[part],)
        assert set(labels.tolist()) == set(range(len(arrays.classes)))
