"""What each member of a cohort sees, and when: one order for each seed, the same at every level of every factor."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from ablate.images.data import Images, prepare, split
from ablate.images.engine import augment, crops
from ablate.images.engine.streams import stream
from ablate.images.parts import made_augmentations
from ablate.images.run import RunConfig

CHUNK_BYTES = 2**24
"""Memory for prepared input: so many bytes of images are gathered and prepared at once, then cut into batches."""


EVALUATION_BATCH = 256
"""Images in a batch of an evaluation, whatever the training batch."""

Changed = Callable[[Tensor, slice], tuple[Tensor, Tensor | None]]
"""Images of a part of the samples to what is made of them, and by how much their colours are moved."""


class Batches:
    """The batches of a cohort, held on the device.

    Members with the same seed (and the same held-out images) share their batches; where each seed has equally many
    members, a batch is made once for each seed, else once for each member.

    Args:
        members: Runs that share data and batch size, sorted by :func:`share_key`.
        images: Their data set.
    """

    def __init__(self, members: Sequence[RunConfig], images: Images) -> None:
        self.images, self.config = images, members[0].data
        self.batch_size, self.channels = members[0].train.batch_size, members[0].model.in_channels
        self.augmentations = made_augmentations(self.config.augment)
        self.keys = [share_key(config) for config in members]
        self._set_rows()
        parts = {key: split(images, self.config.model_copy(update={"split_seed": key[1]}), key[0]) for key in self.rows}
        self.trained = {key: trained for key, (trained, _) in parts.items()}
        self.held_out = {key: held_out for key, (_, held_out) in parts.items()}
        self.samples = len(next(iter(self.trained.values())))
        self.steps = -(-self.samples // self.batch_size)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an input."""
        channels = self.channels if self.channels is not None else self.images.train_images.shape[1]
        return (channels, *self.config.input_size)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Training batches; nothing is read back from the device.

        Args:
            epoch: Counted from 0; its order depends on the seed and on it alone.

        Yields:
            Input ``[R, B, C, H, W]`` and labels ``[R, B]`` for R distinct batches; the last may be smaller.
        """
        device = self.images.train_labels.device
        orders = {}
        for key in dict.fromkeys(self.rows):
            shuffled = torch.randperm(self.samples, generator=stream(key[0], "order", epoch))
            orders[key] = self.trained[key][shuffled.to(device)]
        rows = [orders[key] for key in self.rows]
        seeds = [seed for seed, _ in self.rows]
        changes = augment.draw(self.config, seeds, epoch, self.samples, device)
        drawn = {
            name: augment.draw_declared(name, made, seeds, epoch, self.samples, device)
            for name, made in self.augmentations.items()
        }
        crop, places = self.config.crop, None
        if crop is not None and self.config.crop_at == "random":
            places = crops.draw_places(self.config, seeds, epoch, self.samples, device)
        moved = augment.draw_colours(self.config, self.images.colours, seeds, epoch, self.samples, device)

        def changed(images: Tensor, part: slice) -> tuple[Tensor, Tensor | None]:
            if changes is not None:
                images = augment.change(images, changes[:, :, part].flatten(1), self.config.shift)
            for name, numbers in drawn.items():
                images = self.augmentations[name].apply(images, numbers[:, part].flatten(0, 1))
            if crop is not None and places is not None:
                images = crops.cut(images, places[:, :, part].flatten(1), crop)
            elif crop is not None:
                images = crops.centre(images, crop)
            return images, None if moved is None else moved[:, part].flatten(0, 1)

        yield from self._cut(self.images.train_images, self.images.train_labels, rows, self.batch_size, changed)

    def validation(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The held-out images in the same form, one row for each distinct split; see :attr:`views`."""
        indices = [held_out for key in self.rows if (held_out := self.held_out[key]) is not None]
        yield from self._evaluated(self.images.train_images, self.images.train_labels, indices, self.views)

    def trained_on(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Training images, unchanged and one view each; of more than there are test images every n-th."""
        count = min(self.samples, len(self.images.test_labels))
        every = torch.arange(count, device=self.images.train_labels.device) * self.samples // count
        indices = [self.trained[key][every] for key in self.rows]
        yield from self._evaluated(self.images.train_images, self.images.train_labels, indices, 1)

    def test(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The test images, which all members share: R is 1; see :attr:`views`."""
        labels = self.images.test_labels
        every = torch.arange(len(labels), device=labels.device)
        yield from self._evaluated(self.images.test_images, labels, [every], self.views)

    @property
    def views(self) -> int:
        """Views of each image in an evaluation, whose batches hold them in turn: ``[R, views * B, C, H, W]``."""
        return crops.TEN if self.config.evaluation == "ten" else 1

    def keep(self, members: Sequence[int]) -> None:
        """Go on with some of the members.

        Args:
            members: Their positions, ascending.
        """
        self.keys = [self.keys[k] for k in members]
        self._set_rows()

    def _set_rows(self) -> None:
        counts = {key: self.keys.count(key) for key in self.keys}
        self.rows = list(counts) if len(set(counts.values())) == 1 else self.keys

    def _evaluated(
        self, images: Tensor, labels: Tensor, indices: list[Tensor], views: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        crop = self.config.crop
        if views == 1:
            yield from self._cut(
                images,
                labels,
                indices,
                EVALUATION_BATCH,
                lambda x, part: (x if crop is None else crops.centre(x, crop), None),
            )
            return
        assert crop is not None
        order = torch.stack(indices)
        for some in torch.split(order, EVALUATION_BATCH // views, dim=1):
            made = crops.ten(images[some.flatten()], crop)
            x = prepare(made.flatten(0, 1), self.images, self.config, self.channels)
            apart = torch.unflatten(x, 0, (views, *some.shape))
            yield apart.transpose(0, 1).flatten(1, 2), labels[some]

    def _cut(
        self, images: Tensor, labels: Tensor, indices: list[Tensor], size: int, changed: "Changed"
    ) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.stack(indices)
        channels, height, width = self.shape
        chunk = max(1, CHUNK_BYTES // (4 * len(order) * channels * height * width) // size) * size
        for start in range(0, order.shape[1], chunk):
            some = order[:, start : start + chunk]
            x, moved = changed(images.index_select(0, some.flatten()), slice(start, start + chunk))
            x = torch.unflatten(prepare(x, self.images, self.config, self.channels, moved), 0, some.shape)
            yield from zip(torch.split(x, size, dim=1), torch.split(labels[some], size, dim=1), strict=True)


def share_key(config: RunConfig) -> tuple[int, int]:
    """What runs must have in common to share their batches: the seed of the order and that of the held-out split."""
    return config.seed, config.data.split_seed if config.data.split_seed is not None else config.seed
