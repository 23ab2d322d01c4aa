"""Layers that draw: each run has a random stream of its own, whatever company it is trained in."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ablate.images.engine.layers import StackedLayer, spread
from ablate.images.networks.layers import StochasticPool2d


class NoisyLayer(StackedLayer):
    """A layer of K members on noise drawn beforehand from each run's own stream.

    The noise depends on the run's seed and the layer's name only. Drawing is apart from the forward pass, which may be
    compiled or captured.
    """

    def __init__(self, layer: nn.Module, members: int) -> None:
        super().__init__(layer, members)
        self.noise = list[Tensor]()
        """That of each use in a forward pass: a network's code may call a layer more than once."""
        self.used = 0
        """Uses so far."""
        self.shapes = list[tuple[int, ...]]()
        """The shape of one member's sample of noise, for each use."""
        self.learns = False
        """Whether an evaluation is under way that tells the shapes."""

    def draw(self, batch: int, generators: Sequence[torch.Generator | None], device: torch.device) -> None:
        """Draw the noise of the next forward pass.

        Args:
            batch: Samples.
            generators: One for each distinct seed, in the members' order; their number divides K.
            device: Where the members are trained.
        """
        self.used = 0
        self.noise = [
            torch.stack([torch.rand(batch, *shape, generator=each, device=device) for each in generators])
            for shape in self.shapes
        ]

    def learn_shape(self, x: Tensor) -> None:
        """Remember the shape of one member's sample, from a batch in any of the layouts of the engine's layers."""
        if self.learns:
            self.shapes.append((x.shape[1] // self.members, *x.shape[2:]) if x.dim() in (2, 4) else tuple(x.shape[2:]))

    def spread_noise(self) -> Tensor:
        """The noise of all members in the next use, ``[K, B, ...]``."""
        assert len(self.noise) > 0, "the noise of a step is drawn before it"
        use, self.used = self.used, (self.used + 1) % len(self.noise)
        return spread(self.noise[use], self.members)


class StackedDropout(NoisyLayer):
    """Dropout with each member's own rate; members that differ in their rate drop nested sets of units."""

    rate: Tensor

    def __init__(self, layer: nn.Dropout, members: int) -> None:
        super().__init__(layer, members)
        self.register_buffer("rate", torch.full((members,), layer.p))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer in any of the layouts above."""
        if not self.training:
            self.learn_shape(x)
            return x
        noise = self.spread_noise()
        rate = self.rate.view(-1, *[1] * (noise.dim() - 1))
        kept = (noise >= rate).to(x.dtype) / (1.0 - rate).to(x.dtype)
        return x * (kept.transpose(0, 1).flatten(1, 2) if x.dim() in (2, 4) else kept)


class StackedStochasticPool(NoisyLayer):
    """Stochastic pooling; members of one seed draw with the same noise."""

    def __init__(self, layer: StochasticPool2d, members: int) -> None:
        super().__init__(layer, members)
        self.single = layer

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to maps in any of the layouts above."""
        if x.dim() == 5:
            y = self.forward(x.transpose(0, 1).flatten(1, 2))
            return torch.unflatten(y, 1, (len(x), -1)).transpose(0, 1)
        windows = self.single.windows(x)
        if not self.training:
            y = self.single.expected(windows)
            self.learn_shape(y)
            return y
        return self.single.drawn(windows, self.spread_noise().transpose(0, 1).flatten(1, 2))
