"""Random changes to training images, drawn anew for every image in every epoch: mirrored, moved, coloured.

What is drawn depends on a run's seed and the epoch alone, so that members with one seed go on sharing their batches,
and runs that differ in ``shift`` move an image the same way, farther.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ablate.images.config import ImageData
from ablate.images.engine.streams import stream
from ablate.images.parts import Augmentation


def draw(config: ImageData, seeds: Sequence[int], epoch: int, samples: int, device: torch.device) -> Tensor | None:
    """Draw how the images of an epoch are changed.

    Args:
        config: Says what may be done to them.
        seeds: One for each of R rows of batches.
        epoch: Counted from 0.
        samples: N, in the order in which they are trained on.
        device: Where the result is wanted.

    Returns:
        int64 ``[3, R, N]``: pixels down, pixels to the right, and whether (1) or not (0) it is mirrored first; None
        where nothing is to be done.
    """
    if not (config.flip or config.shift):
        return None
    drawn = {}
    for seed in dict.fromkeys(seeds):
        share = torch.rand(2, samples, generator=stream(seed, "shift", epoch))
        moves = (share * (2 * config.shift + 1)).long() - config.shift
        mirrored = torch.randint(2, (1, samples), generator=stream(seed, "flip", epoch)) * int(config.flip)
        drawn[seed] = torch.cat([moves, mirrored])
    return torch.stack([drawn[seed] for seed in seeds], dim=1).to(device)


def draw_colours(
    config: ImageData, colours: Tensor | None, seeds: Sequence[int], epoch: int, samples: int, device: torch.device
) -> Tensor | None:
    """Draw how far the images of an epoch are moved along their principal colours.

    Args:
        config: Says how far: the standard deviation.
        colours: The colours of the data set, ``[C, C]``.
        seeds: One for each of R rows of batches.
        epoch: Counted from 0.
        samples: N, in the order in which they are trained on.
        device: Where the result is wanted.

    Returns:
        float32 ``[R, N, C]``, to be added to pixels in [0, 1]; None where nothing is to be done.
    """
    if not config.colour_noise or colours is None:
        return None
    drawn = {
        seed: torch.randn(samples, len(colours), generator=stream(seed, "colour", epoch))
        for seed in dict.fromkeys(seeds)
    }
    amounts = torch.stack([drawn[seed] for seed in seeds]).to(device)
    return config.colour_noise * amounts @ colours.T


def draw_declared(
    name: str, augmentation: Augmentation, seeds: Sequence[int], epoch: int, samples: int, device: torch.device
) -> Tensor:
    """Draw what a declared augmentation does to the images of an epoch.

    Args:
        name: The name of the augmentation, part of its random stream.
        augmentation: Draws.
        seeds: One for each of R rows of batches.
        epoch: Counted from 0.
        samples: N.
        device: Where the result is wanted.

    Returns:
        ``[R, N, ...]``.
    """
    drawn = {}
    for seed in dict.fromkeys(seeds):
        generator = stream(seed, "augment", name, epoch)
        assert generator is not None
        drawn[seed] = augmentation.draw(samples, generator)
        if len(drawn[seed]) != samples:
            raise ValueError(f"augmentation {name}: draw({samples}, ...) gave {len(drawn[seed])} rows")
    return torch.stack([drawn[seed] for seed in seeds]).to(device)


def change(images: Tensor, changes: Tensor, shift: int) -> Tensor:
    """Apply what was drawn.

    Args:
        images: uint8 ``[B, C, H, W]``.
        changes: int64 ``[3, B]``, as from :func:`draw`.
        shift: The farthest that an image is moved, in pixels.

    Returns:
        Images of the same shape and type; 0 (black) where nothing was.
    """
    height, width = images.shape[-2:]
    down, right, mirrored = changes[:, :, None]
    rows = torch.arange(height, device=images.device) - down + shift
    columns = torch.arange(width, device=images.device) - right
    columns = torch.where(mirrored == 1, width - 1 - columns, columns) + shift
    padded = torch.nn.functional.pad(images, (shift,) * 4)
    places = (rows[:, :, None] * padded.shape[-1] + columns[:, None, :]).flatten(1)
    return padded.flatten(2).gather(2, places[:, None].expand(-1, images.shape[1], -1)).view_as(images)
