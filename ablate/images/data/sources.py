"""From a data configuration to its source: the only place that knows them all."""

from ablate.images.config import DataConfig, FashionMNIST, ImageFolder, Mnist
from ablate.images.data.arrays import Source
from ablate.images.data.fashion_mnist import FASHION_MNIST
from ablate.images.data.idx_source import IdxSet, IdxSource
from ablate.images.data.image_folder import FolderSource
from ablate.images.data.mnist import MNIST


def source(config: DataConfig) -> Source:
    """The source that a configuration names.

    Args:
        config: Its ``root`` says where to look.

    Returns:
        A source that has not been looked for yet.
    """
    return FolderSource(config) if isinstance(config, ImageFolder) else IdxSource(published_set(config), config.root)


def published_set(config: FashionMNIST | Mnist) -> IdxSet:
    """The published data set that a configuration names."""
    match config:
        case FashionMNIST():
            return FASHION_MNIST
        case Mnist():
            return MNIST
