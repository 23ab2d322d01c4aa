"""The principal colours of training images, along which AlexNet's augmentation moves them.

Source: Krizhevsky, Sutskever & Hinton, "ImageNet classification with deep convolutional neural networks" (2012),
section 4.1. Pixels are scaled to [0, 1] before, as they are for the network.
"""

import torch
from torch import Tensor

CHUNK = 1_000
"""Images whose pixels are looked at together."""


def principal_colours(images: Tensor) -> Tensor:
    """Eigenvectors of the covariance of all pixels' colours, each times its eigenvalue.

    Args:
        images: uint8 ``[N, channels, height, width]``.

    Returns:
        float32 ``[channels, channels]``, a column for each eigenvector; the sign of each is that of its largest part.
    """
    channels = images.shape[1]
    total = torch.zeros(channels, dtype=torch.float64)
    products = torch.zeros(channels, channels, dtype=torch.float64)
    for part in torch.split(images, CHUNK):
        pixels = part.transpose(0, 1).flatten(1).double() / 255.0
        total += pixels.sum(1)
        products += pixels @ pixels.T
    count = images.numel() // channels
    mean = total / count
    values, vectors = torch.linalg.eigh(products / count - torch.outer(mean, mean))
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    made: Tensor = vectors * largest.sign() * values.clamp(min=0.0)
    return made.to(torch.float32)
