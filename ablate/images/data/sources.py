"""Makes the source of a data configuration: the only place that knows them all.

A source that opens pictures or runs code from outside the package is imported when a configuration names it.
"""

from ablate.images.config import Cifar10, ImageData, ImageFolder
from ablate.images.config.data import PublishedData
from ablate.images.data.arrays import Source
from ablate.images.data.cifar10 import CIFAR10, Cifar10Source
from ablate.images.data.fashion_mnist import FASHION_MNIST
from ablate.images.data.idx_source import IdxSource
from ablate.images.data.mnist import MNIST
from ablate.images.data.published_source import PublishedSet
from ablate.images.parts import DeclaredData

PUBLISHED = {published.name: published for published in (FASHION_MNIST, MNIST, CIFAR10)}


def source(config: ImageData) -> Source:
    """The source that a configuration names.

    Args:
        config: Its ``root`` says where to look.

    Returns:
        A source that has not been looked for yet.
    """
    match config:
        case ImageFolder():
            from ablate.images.data.image_folder import FolderSource

            return FolderSource(config)
        case Cifar10():
            return Cifar10Source(CIFAR10, config.root)
        case PublishedData():
            return IdxSource(published_set(config), config.root)
        case DeclaredData():
            from ablate.images.data.declared import DeclaredSource

            return DeclaredSource(config)
        case _:
            raise TypeError(f"{type(config).__name__} is no data set")


def published_set(config: PublishedData) -> PublishedSet:
    """The published data set that a configuration names."""
    return PUBLISHED[config.name]
