"""Network in network's hyperparameters."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ablate.images.config.layers import LENET_WORK, Conv, Planned, Pool, maps, work
from ablate.images.config.model import Network
from ablate.task.fields import Activation, Fraction, Positive

if TYPE_CHECKING:
    from torch import nn


class Nin(Network):
    """Blocks of a convolution and 1x1 convolutions, and global pooling instead of linear layers (Lin et al. 2014)."""

    varies: ClassVar[tuple[str, ...]] = ("dropout",)

    name: Literal["nin"] = "nin"
    form: Literal["large", "small"] = "small"
    """``small``: the paper's for CIFAR-10, three blocks; ``large``: four with AlexNet's windows, for 224x224 (the
    textbook Dive into Deep Learning's)."""
    width: Positive
    """Channels of the first convolution, with which all others go in proportion; left out: 192, large form 96."""
    pointwise: Annotated[int, Field(ge=0, le=4)] = 2
    """1x1 convolutions after each block's first; 0: plain convolutions."""
    global_pooling: bool = True
    """Whether each class's map is averaged to its output; else a linear layer reads all maps (the paper's table 5)."""
    activation: Activation = "relu"
    """The activation after every convolution, the last one included."""
    dropout: Fraction = 0.5
    """Probability of dropping a unit: after the first two poolings, in the large form after the third."""

    @model_validator(mode="before")
    @classmethod
    def _form_defaults(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        width = 192 if data.get("form", "small") == "small" else 96
        return {"width": width} | {k: v for k, v in data.items() if v is not None}

    @property
    def default_members(self) -> int:
        """Like AlexNet: stacking many gains little and costs memory."""
        return 4 if self.form == "small" else 1

    def planned(self, classes: int = 10) -> list[Planned]:
        """The convolutions and poolings.

        Args:
            classes: Channels of the last convolution.
        """
        share = [max(1, self.width * n // 6) for n in (6, 5, 3)]
        if self.form == "small":
            blocks = [(Conv("conv1", share[0], 5, padding=2), share[1], share[2])]
            blocks += [(Conv("conv2", share[0], 5, padding=2), share[0], share[0])]
            blocks += [(Conv("conv3", share[0], 3, padding=1), share[0], classes)]
        else:
            second, third = self.width * 8 // 3, self.width * 4
            blocks = [(Conv("conv1", self.width, 11, 4), self.width, self.width)]
            blocks += [(Conv("conv2", second, 5, padding=2), second, second)]
            blocks += [(Conv("conv3", third, 3, padding=1), third, third)]
            blocks += [(Conv("conv4", classes, 3, padding=1), classes, classes)]
        layers = list[Planned]()
        for index, (first, middle, last) in enumerate(blocks, start=1):
            channels = [first.channels, *[middle] * self.pointwise]
            channels[-1] = last
            layers.append(Conv(first.name, channels[0], first.kernel, first.stride, first.padding))
            layers += [Conv(f"conv{index}_{n}", each, 1) for n, each in enumerate(channels[1:], start=1)]
            if index < len(blocks):
                layers.append(Pool(f"pool{index}", 3, ceil=self.form == "small"))
        return [*layers, Pool("pool", None)] if self.global_pooling else layers

    def feature_maps(self, height: int, width: int) -> list[tuple[str, int, int]]:
        """See :meth:`ablate.images.config.model.Network.feature_maps`."""
        return list(maps(self.planned(), height, width))

    def relative_work(self, height: int, width: int) -> float:
        """See :meth:`ablate.images.config.model.Network.relative_work`."""
        return work(self.planned(), 1 if self.form == "small" else 3, height, width) / LENET_WORK

    def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> "nn.Module":
        """See :func:`ablate.images.networks.nin.build_nin`."""
        from ablate.images.networks.nin import build_nin

        return build_nin(self, in_channels, input_size, classes)
