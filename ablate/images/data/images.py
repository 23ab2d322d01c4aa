"""A data set on the device, its split and the preparation of a batch."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ablate.images.config import ImageData
from ablate.images.data.colour import principal_colours
from ablate.images.data.sources import source
from ablate.task.errors import ConfigError

_SUBSET_SEED = 20170825
"""Seed of the shuffle that ``data.train_size`` and ``data.test_size`` cut: the same for every run, so that a larger cut
holds the smaller."""


@dataclass(frozen=True, eq=False)
class Images:
    """A data set as tensors on one device; pixels stay 8-bit until :func:`prepare`."""

    train_images: torch.Tensor
    """uint8 ``[N, channels, height, width]``, cut to ``data.train_size``."""
    train_labels: torch.Tensor
    """int64 ``[N]``, indices into ``classes``."""
    test_images: torch.Tensor
    """uint8 ``[M, channels, height, width]``, cut to ``data.test_size``."""
    test_labels: torch.Tensor
    """int64 ``[M]``."""
    classes: tuple[str, ...]
    mean: torch.Tensor
    """float32 ``[channels]``: of the training images (those held out later included) scaled to [0, 1]."""
    std: torch.Tensor
    """float32 ``[channels]``: their standard deviation (divided by the number of pixels)."""
    colours: torch.Tensor | None = None
    """float32 ``[channels, channels]``: their principal colours (:mod:`ablate.images.data.colour`), where they are
    wanted."""
    val: int = 0
    """So many of the last training images are a validation part that the data set itself keeps apart: never trained on,
    and in neither ``mean`` nor ``std``."""


def load(config: ImageData, device: torch.device) -> Images:
    """Read, verify and cut a data set; one that is missing and can be downloaded is downloaded.

    Args:
        config: Which one, where, and how many training images.
        device: Where the tensors are put.

    Returns:
        The data set; its training images are in the order of the files.

    Raises:
        ConfigError: It is missing or damaged, has fewer images than ``data.train_size`` or ``data.test_size``, or a
            constant channel that ``data.normalize`` cannot divide by.
    """
    found = source(config)
    if found.where() is None:
        found.fetch()
    arrays = found.read()
    train_images, train_labels = _tensor(arrays.train_images), _tensor(arrays.train_labels)
    if config.train_size is not None:
        if config.train_size > len(train_labels):
            raise ConfigError(f"data.train_size = {config.train_size}: at most the {len(train_labels)} training images")
        kept = _shuffled(len(train_labels))[: config.train_size].sort().values
        train_images, train_labels = train_images[kept], train_labels[kept]
    test_images, test_labels = _tensor(arrays.test_images), _tensor(arrays.test_labels)
    if config.test_size is not None:
        if config.test_size > len(test_labels):
            raise ConfigError(f"data.test_size = {config.test_size}: at most the {len(test_labels)} test images")
        kept = _shuffled(len(test_labels))[: config.test_size].sort().values
        test_images, test_labels = test_images[kept], test_labels[kept]
    mean, std = _statistics(train_images)
    colours = principal_colours(train_images) if config.colour_noise > 0.0 else None
    val = 0
    if arrays.val_images is not None and arrays.val_labels is not None:
        val = len(arrays.val_labels)
        train_images = torch.cat([train_images, _tensor(arrays.val_images)])
        train_labels = torch.cat([train_labels, _tensor(arrays.val_labels)])
    if config.normalize and bool((std == 0.0).any()):
        raise ConfigError("data.normalize = True: a channel of the training images is constant, its deviation is 0")
    return Images(
        train_images=train_images.to(device),
        train_labels=train_labels.to(device),
        test_images=test_images.to(device),
        test_labels=test_labels.to(device),
        classes=arrays.classes,
        mean=mean.to(device),
        std=std.to(device),
        colours=None if colours is None else colours.to(device),
        val=val,
    )


def split(images: Images, config: ImageData, seed: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Choose the training images to train on and those to hold out.

    Args:
        images: As loaded with ``config``.
        config: Names the protocol; its ``split_seed``, where given, replaces the run's seed.
        seed: The run's seed.

    Returns:
        Indices (int64, ascending, on the images' device) of the training and of the held-out images; the latter is None
        under the protocol ``article``, which holds nothing out. A validation part that the data set itself keeps apart
        is the one that is held out; ``val_size`` and the seeds are without effect then.

    Raises:
        ConfigError: Holding out ``data.val_size`` images leaves none to train on.
    """
    total, device = len(images.train_labels) - images.val, images.train_labels.device
    if images.val:
        held_out = torch.arange(total, total + images.val, device=device) if config.validates else None
        return torch.arange(total, device=device), held_out
    if not config.validates:
        return torch.arange(total, device=device), None
    if config.val_size >= total:
        raise ConfigError(f"data.val_size = {config.val_size}: must be below the {total} training images in use")
    stream = config.split_seed if config.split_seed is not None else seed
    shuffled = torch.randperm(total, generator=_generator(stream))
    held_out, trained = shuffled[: config.val_size], shuffled[config.val_size :]
    return trained.sort().values.to(device), held_out.sort().values.to(device)


def class_counts(images: Images, config: ImageData, seed: int) -> dict[str, list[int]]:
    """How many images of each class a run really uses: its subset, its own held-out split, and what it is tested on.

    Args:
        images: As loaded with ``config``.
        config: Names the protocol.
        seed: The run's seed.

    Returns:
        For ``train``, ``val`` and ``test``, where the protocol uses them: the number of images of each class.
    """
    trained, held_out = split(images, config, seed)
    labels = {"train": images.train_labels[trained]}
    if held_out is not None:
        labels["val"] = images.train_labels[held_out]
    if config.tests:
        labels["test"] = images.test_labels
    return {part: own.bincount(minlength=len(images.classes)).tolist() for part, own in labels.items()}


def prepare(
    batch: torch.Tensor, images: Images, config: ImageData, channels: int | None, moved: torch.Tensor | None = None
) -> torch.Tensor:
    """Turn 8-bit pixels into a network's input, on their device and without waiting for it.

    Args:
        batch: uint8 ``[batch, channels, height, width]`` from ``images``.
        images: Their mean and standard deviation are used where ``config.normalize``.
        config: The size and normalisation wanted.
        channels: Colour channels that the network wants; None: the data's own.
        moved: float32 ``[batch, channels]``, added to every pixel of an image once it is scaled; None: nothing is.

    Returns:
        float32 ``[batch, channels, height, width]``: scaled to [0, 1], moved, resized (bilinear, antialiased),
        normalised, grey repeated as colour.

    Raises:
        ValueError: The network wants fewer channels than the images have.
    """
    x = batch / 255.0
    if moved is not None:
        x = x + moved[:, :, None, None]
    if config.image_size is not None and tuple(x.shape[-2:]) != config.input_size:
        x = torch.nn.functional.interpolate(x, config.input_size, mode="bilinear", antialias=True)
    if config.normalize:
        x = (x - images.mean[:, None, None]) / images.std[:, None, None]
    if channels is not None and channels != x.shape[1]:
        if x.shape[1] != 1:
            raise ValueError(f"images of {x.shape[1]} channels cannot become {channels}")
        # Last: the same numbers as before the resizing, at a third of its cost.
        x = x.expand(-1, channels, -1, -1)
    return x


def _statistics(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each channel, exact, from counts of the 256 grey values."""
    values = torch.arange(256, dtype=torch.float64) / 255.0
    counts = torch.stack([torch.bincount(images[:, c].flatten(), minlength=256) for c in range(images.shape[1])])
    shares = counts.to(torch.float64) / counts.sum(dim=1, keepdim=True)
    mean = shares @ values
    variance = (shares * (values - mean[:, None]) ** 2).sum(dim=1)
    return mean.to(torch.float32), variance.sqrt().to(torch.float32)


def _shuffled(images: int) -> torch.Tensor:
    return torch.randperm(images, generator=torch.Generator().manual_seed(_SUBSET_SEED))


def _generator(seed: int) -> torch.Generator:
    """The random stream of a run's split, apart from its other streams."""
    digest = hashlib.sha256(f"{seed}/split".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _tensor(array: NDArray[np.generic]) -> torch.Tensor:
    """A tensor; of a buffer that must not be written (a file's bytes), a copy."""
    return torch.from_numpy(array if array.flags.writeable else np.array(array))
