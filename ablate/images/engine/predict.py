"""What a trained network says of pictures."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ablate.images.config import ImageData
from ablate.images.data import Images, prepare
from ablate.images.engine import crops
from ablate.images.engine.weights import load_network
from ablate.images.kept_weights import KeptWeights

BATCH = 64
"""Pictures that are looked at together."""


class Predictor:
    """A run's network and the preparation of its images.

    Args:
        kept: The run's weights.

    Raises:
        ConfigError: They are damaged.
    """

    def __init__(self, kept: KeptWeights) -> None:
        self.config: ImageData = kept.run.data
        self.channels = kept.run.model.in_channels or kept.channels
        self.network: nn.Module
        self.network, mean, std = load_network(kept, self.channels)
        nothing = torch.zeros(0)
        self._images = Images(nothing, nothing, nothing, nothing, kept.classes, mean, std)

    def inputs(self, pictures: Tensor) -> Tensor:
        """Pictures as the network sees them, one view each.

        Args:
            pictures: uint8 ``[N, channels, height, width]``, as stored.

        Returns:
            float32 ``[N, channels, ...]``.
        """
        return prepare(self.cut(pictures), self._images, self.config, self.channels)

    def cut(self, pictures: Tensor) -> Tensor:
        """What of pictures the network sees in one view: their middle, where it was trained on crops.

        Args:
            pictures: ``[N, channels, height, width]``, as stored.
        """
        crop = self.config.crop
        return pictures if crop is None else crops.centre(pictures, crop)

    @torch.no_grad()
    def shares(self, pictures: NDArray[np.uint8] | Tensor) -> Tensor:
        """Probabilities of the classes, by the run's own way of evaluation (ten crops, where it has them).

        Args:
            pictures: uint8 ``[N, channels, height, width]``, as stored.

        Returns:
            float32 ``[N, classes]``.
        """
        found = []
        for some in torch.split(torch.as_tensor(pictures), BATCH):
            views, made = 1, self.inputs(some)
            if self.config.evaluation == "ten" and self.config.crop is not None:
                views = crops.TEN
                every = crops.ten(some, self.config.crop).flatten(0, 1)
                made = prepare(every, self._images, self.config, self.channels)
            logits = crops.averaged(self.network(made)[None], views, shares=True)[0]
            found.append(torch.softmax(logits, -1))
        return torch.cat(found)
