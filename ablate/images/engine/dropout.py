"""Dropout of K members, each with a rate and a random stream of its own."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ablate.images.engine.layers import StackedLayer, spread


class StackedDropout(StackedLayer):
    """Dropout with each member's own rate, on noise drawn beforehand from each run's own stream.

    The noise depends on the run's seed and the layer's name only: members that differ in their rate drop nested sets of
    units. Drawing is apart from the forward pass, which may be compiled or captured.
    """

    rate: Tensor

    def __init__(self, layer: nn.Dropout, members: int) -> None:
        super().__init__(layer, members)
        self.register_buffer("rate", torch.full((members,), layer.p))
        self.noise: Tensor | None = None
        self.shape: tuple[int, ...] = ()
        """Of one member's sample; known once a batch went through."""

    def draw(self, batch: int, generators: Sequence[torch.Generator | None]) -> None:
        """Draw the noise of the next forward pass.

        Args:
            batch: Samples.
            generators: One for each distinct seed, in the members' order; their number divides K.
        """
        device = self.rate.device
        noise = [torch.rand(batch, *self.shape, generator=generator, device=device) for generator in generators]
        self.noise = torch.stack(noise)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer in any of the layouts above."""
        if not self.training:
            if x.dim() in (2, 4):
                self.shape = (x.shape[1] // self.members, *x.shape[2:])
            else:
                self.shape = tuple(x.shape[2:])
            return x
        assert self.noise is not None, "the noise of a step is drawn before it"
        rate = self.rate.view(-1, *[1] * (self.noise.dim() - 1))
        kept = (spread(self.noise, self.members) >= rate).to(x.dtype) / (1.0 - rate).to(x.dtype)
        return x * (kept.transpose(0, 1).flatten(1, 2) if x.dim() in (2, 4) else kept)
