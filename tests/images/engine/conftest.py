"""Real images for the engine's tests, cut to sizes that train in a moment."""

import pytest
import torch

from ablate.images.config import FashionMNIST
from ablate.images.data import Images, load


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data() -> FashionMNIST:
    return FashionMNIST(train_size=1_000)


@pytest.fixture(scope="session")
def images(data: FashionMNIST) -> Images:
    loaded = load(data, torch.device("cpu"))
    return Images(**{**vars(loaded), "test_images": loaded.test_images[:300], "test_labels": loaded.test_labels[:300]})
