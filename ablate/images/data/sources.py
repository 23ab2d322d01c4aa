"""From a data configuration to its source: the only place that knows them all."""

from ablate.images.config import DataConfig, FashionMNIST, ImageFolder, Mnist
from ablate.images.data.arrays import Source
from ablate.images.data.fashion_mnist import FASHION_MNIST
from ablate.images.data.idx_source import IdxSource
from ablate.images.data.image_folder import FolderSource
from ablate.images.data.mnist import MNIST


def source(config: DataConfig) -> Source:
    """The source that a configuration names.

    Args:
        config: Its ``root`` says where to look.

    Returns:
        A source that has not been looked for yet.
    """
    match config:
        case FashionMNIST():
            return IdxSource(FASHION_MNIST, config.root)
        case Mnist():
            return IdxSource(MNIST, config.root)
        case ImageFolder():
            return FolderSource(config)
