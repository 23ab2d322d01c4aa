"""From a data configuration to its source: the only place that knows them all."""

from ablate.images.config import FashionMNIST, ImageData, ImageFolder, Mnist
from ablate.images.data.arrays import Source
from ablate.images.data.declared import DeclaredSource
from ablate.images.data.fashion_mnist import FASHION_MNIST
from ablate.images.data.idx_source import IdxSet, IdxSource
from ablate.images.data.image_folder import FolderSource
from ablate.images.data.mnist import MNIST
from ablate.images.parts import DeclaredData


def source(config: ImageData) -> Source:
    """The source that a configuration names.

    Args:
        config: Its ``root`` says where to look.

    Returns:
        A source that has not been looked for yet.
    """
    match config:
        case ImageFolder():
            return FolderSource(config)
        case FashionMNIST() | Mnist():
            return IdxSource(published_set(config), config.root)
        case DeclaredData():
            return DeclaredSource(config)
        case _:
            raise TypeError(f"{type(config).__name__} is no data set")


def published_set(config: FashionMNIST | Mnist) -> IdxSet:
    """The published data set that a configuration names."""
    match config:
        case FashionMNIST():
            return FASHION_MNIST
        case Mnist():
            return MNIST
