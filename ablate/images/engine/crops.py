"""Squares that are cut out of images: at random places for training, at fixed ones for an evaluation."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ablate.images.config import ImageData
from ablate.images.engine.streams import stream

TEN = 10
"""Views of an image where an evaluation averages over them (AlexNet's: four corners and the centre, and their mirror
images)."""


def draw_places(config: ImageData, seeds: Sequence[int], epoch: int, samples: int, device: torch.device) -> Tensor:
    """Draw where the images of an epoch are cut.

    What is drawn depends on a run's seed and the epoch alone: runs with crops of another size cut at the same share of
    the way.

    Args:
        config: Says how large a crop is.
        seeds: One for each of R rows of batches.
        epoch: Counted from 0.
        samples: N, in the order in which they are trained on.
        device: Where the result is wanted.

    Returns:
        int64 ``[2, R, N]``: first row and first column.
    """
    assert config.crop is not None
    reach = torch.tensor([side - config.crop + 1 for side in config.stored_size])
    drawn = {}
    for seed in dict.fromkeys(seeds):
        share = torch.rand(2, samples, generator=stream(seed, "crop", epoch))
        drawn[seed] = (share * reach[:, None]).long()
    return torch.stack([drawn[seed] for seed in seeds], dim=1).to(device)


def cut(images: Tensor, places: Tensor, side: int) -> Tensor:
    """Cut a square out of each image.

    Args:
        images: ``[B, C, H, W]``.
        places: int64 ``[2, B]``, as from :func:`draw_places`.
        side: The side of the squares, in pixels.

    Returns:
        ``[B, C, side, side]``.
    """
    steps = torch.arange(side, device=images.device)
    rows, columns = (place[:, None] + steps for place in places)
    at = (rows[:, :, None] * images.shape[-1] + columns[:, None, :]).flatten(1)
    found = images.flatten(2).gather(2, at[:, None].expand(-1, images.shape[1], -1))
    return found.view(*images.shape[:2], side, side)


def centre(images: Tensor, side: int) -> Tensor:
    """The square in the middle (torchvision's ``center_crop``).

    Args:
        images: ``[..., H, W]``.
        side: The side in pixels.
    """
    top, left = (round((size - side) / 2.0) for size in images.shape[-2:])
    return images[..., top : top + side, left : left + side]


def ten(images: Tensor, side: int) -> Tensor:
    """Four corners and the centre, then the same of the mirrored image (torchvision's ``ten_crop``).

    Args:
        images: ``[B, C, H, W]``.
        side: The side in pixels.

    Returns:
        ``[10, B, C, side, side]``.
    """
    first, last = slice(None, side), slice(-side, None)
    corners = [(first, first), (first, last), (last, first), (last, last)]
    views = list[Tensor]()
    for some in (images, images.flip(-1)):
        views += [some[..., rows, columns] for rows, columns in corners]
        views.append(centre(some, side))
    return torch.stack(views)


def averaged(outputs: Tensor, views: int, *, shares: bool) -> Tensor:
    """The prediction of several views of each image.

    Args:
        outputs: ``[K, views * B, classes]``, view after view.
        views: The views of an image.
        shares: Whether outputs are logits, of whose softmax the mean is taken (the paper's way); else their own mean.

    Returns:
        ``[K, B, classes]``: logits again, the logarithms of the mean shares; or the mean outputs.
    """
    if views == 1:
        return outputs
    apart = torch.unflatten(outputs, 1, (views, -1))
    if not shares:
        return apart.mean(1)
    return torch.log_softmax(apart, -1).logsumexp(1) - torch.log(torch.tensor(float(views), device=outputs.device))
