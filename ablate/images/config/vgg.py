"""VGG's hyperparameters."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import model_validator

from ablate.images.config.layers import LENET_WORK, Conv, Planned, Pool, maps, work
from ablate.images.config.model import Network
from ablate.task.fields import Activation, Fraction, Pooling, Positive

if TYPE_CHECKING:
    from torch import nn

STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""The convolutions of each stage, by depth (configurations A, B, D and E of the paper's table 1)."""


class Vgg(Network):
    """Stages of small convolutions, each ended by a pooling, and three linear layers (Simonyan & Zisserman 2015)."""

    varies: ClassVar[tuple[str, ...]] = ("dropout",)

    name: Literal["vgg"] = "vgg"
    form: Literal["torchvision", "small"] = "small"
    """``torchvision``: for 224x224 in colour; ``small``: for 28x28, poolings keep incomplete windows (28, 14, 7, 4, 2,
    1) and the linear layers are narrow."""
    depth: Literal[11, 13, 16, 19] = 11
    """Layers with weights: the convolutions and three linear ones."""
    width: Positive = 64
    """Channels of the first stage; the others have 2, 4, 8 and 8 times as many."""
    hidden: Positive
    """Units of each of the two hidden linear layers; left out: 4096, in the small form 512."""
    norm: bool = False
    """Batch norm after every convolution (torchvision's ``_bn``)."""
    stacked: bool = True
    """Whether a stage is a stack of 3x3 convolutions; else one convolution that sees as far: 5x5 for two, 7x7 for three
    (the paper's section 2.3)."""
    activation: Activation = "relu"
    """The activation after every convolution and the two hidden linear layers."""
    pooling: Pooling = "max"
    """The pooling at the end of each stage."""
    dropout: Fraction = 0.5
    """Probability of dropping a unit, after each hidden linear layer's activation."""

    @model_validator(mode="before")
    @classmethod
    def _form_defaults(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        hidden = 512 if data.get("form", "small") == "small" else 4096
        return {"hidden": hidden} | {k: v for k, v in data.items() if v is not None}

    @property
    def in_channels(self) -> int | None:
        """Three, but for the small form."""
        return None if self.form == "small" else 3

    @property
    def default_members(self) -> int:
        """Like AlexNet: stacking many gains little and costs memory."""
        return 4 if self.form == "small" else 1

    def planned(self) -> list[Planned]:
        """The convolutions and poolings."""
        layers = list[Planned]()
        for stage, count in enumerate(STAGES[self.depth], start=1):
            channels = self.width * (1, 2, 4, 8, 8)[stage - 1]
            kernels = [3] * count if self.stacked else [2 * count + 1]
            layers += [
                Conv(f"conv{stage}_{index}", channels, kernel, padding=kernel // 2)
                for index, kernel in enumerate(kernels, start=1)
            ]
            layers.append(Pool(f"pool{stage}", 2, ceil=self.form == "small"))
        return layers

    def feature_maps(self, height: int, width: int) -> list[tuple[str, int, int]]:
        """See :meth:`ablate.images.config.model.Network.feature_maps`."""
        return list(maps(self.planned(), height, width))

    def relative_work(self, height: int, width: int) -> float:
        """See :meth:`ablate.images.config.model.Network.relative_work`."""
        _, *size = self.feature_maps(height, width)[-1]
        area = size[0] * size[1] if self.form == "small" else 49
        linear = self.hidden * (8 * self.width * area + self.hidden)
        return (work(self.planned(), self.in_channels or 1, height, width) + linear) / LENET_WORK

    def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> "nn.Module":
        """See :func:`ablate.images.networks.vgg.build_vgg`."""
        from ablate.images.networks.vgg import build_vgg

        return build_vgg(self, in_channels, input_size, classes)
