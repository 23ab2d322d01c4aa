"""The networks' hyperparameters, and the arithmetic of their feature maps (no torch: planning checks them)."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ablate.images.config.layers import convolved, pooled
from ablate.task.fields import IDENTITY_IF_SET, Activation, Fields, Fraction, Pooling, Positive

if TYPE_CHECKING:
    from torch import nn

Kernel = Annotated[int, Field(ge=1, le=15)]


NEVER_NEGATIVE = ("sigmoid", "relu")
"""Activations after which stochastic pooling may stand."""


class Network(Fields):
    """A network: its hyperparameters as fields, and how it is built from them."""

    varies: ClassVar[tuple[str, ...]] = ()
    """Fields in which members of one cohort may differ, because the engine gives each member its own value."""

    name: str

    @abstractmethod
    def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> "nn.Module":
        """Build the network; torch is imported here and not before.

        Args:
            in_channels: Colour channels of a batch.
            input_size: Height and width of a batch, in pixels.
            classes: Width of the output.

        Returns:
            Any module, ``[batch, in_channels, height, width]`` to ``[batch, classes]`` (logits).
        """

    @property
    def in_channels(self) -> int | None:
        """Colour channels that the network wants, or None where it takes the data's own."""
        return None

    @property
    def default_members(self) -> int:
        """Runs that a cohort holds where nothing was measured.

        Ten stacked LeNets were measured to pay; larger cohorts pay little more and lose more when one is killed.
        """
        return 10

    def relative_work(self, height: int, width: int) -> float:
        """Multiply-adds for an input of this size, as a rough multiple of LeNet's 0.42 million on 28x28."""
        return height * width / 28**2

    def feature_maps(self, height: int, width: int) -> list[tuple[str, int, int]]:
        """Height and width after each layer that changes them; none are owed, and then none are checked.

        Args:
            height: The height of the input, in pixels.
            width: The width of the input, in pixels.

        Returns:
            ``(layer, height, width)`` in order; a size may be below 1, which :meth:`check_input` refuses.
        """
        return []

    def check_input(self, height: int, width: int) -> None:
        """Refuse an input on which a feature map shrinks to nothing.

        Raises:
            ValueError: Names the first layer without an output, and the sizes.
        """
        previous = (height, width)
        for layer, h, w in self.feature_maps(height, width):
            if h < 1 or w < 1:
                raise ValueError(
                    f"model.{layer}: its input of {previous[0]}x{previous[1]} leaves an output of {h}x{w}; "
                    "a smaller kernel or pooling window, or a larger data.image_size, is needed"
                )
            previous = (h, w)

    @model_validator(mode="after")
    def _stochastic_pooling_sees_nothing_negative(self) -> "Network":
        kind, before = getattr(self, "pooling", None), getattr(self, "activation", None)
        if kind == "stochastic" and before not in NEVER_NEGATIVE:
            raise ValueError(
                f"pooling = stochastic: draws in proportion to activations, some of which activation = {before} makes "
                f"negative; allowed with it are {', '.join(NEVER_NEGATIVE)}"
            )
        return self


class LeNet(Network):
    """LeNet-5 as the article trains it, every choice a field (defaults: the article's baseline)."""

    varies: ClassVar[tuple[str, ...]] = ("dropout",)

    name: Literal["lenet"] = "lenet"
    activation: Activation = "sigmoid"
    """The activation after each of the two convolutions (the article's Table 5 varies this one only)."""
    activation_c5: Activation = "sigmoid"
    """The activation after the first linear layer, 400 to 120: LeCun's C5, in 1998 a convolution."""
    activation_f6: Activation = "sigmoid"
    """The activation after the second linear layer, 120 to 84: LeCun's F6."""
    pooling: Pooling = "avg"
    """The pooling after each convolution; ``mixed`` is the mean of average and max (Lee et al. 2016, fixed proportion
    0.5), ``stochastic`` draws a pixel in proportion to its value (Zeiler & Fergus 2013; after sigmoid or relu)."""
    kernel_size: Kernel = 5
    """The kernel size of the first convolution, in pixels; its padding stays 2."""
    kernel_size_2: Kernel = 5
    """The kernel size of the second convolution, in pixels; no padding."""
    pool_size: Positive = 2
    """Window of both poolings, in pixels; the stride stays 2, so that 1 is plain subsampling."""
    pool_stride: Positive = 2
    """Stride of both poolings, in pixels; the article keeps 2."""
    channels: tuple[Positive, Positive] = (6, 16)
    """Feature maps of the two convolutions."""
    widths: tuple[Positive, Positive] = (120, 84)
    """Units of the two hidden linear layers."""
    dropout: Fraction = 0.0
    """Probability of dropping a unit, after each hidden linear layer's activation; the article has none."""
    subsampling: Literal["plain", "trainable"] = Field(default="plain", json_schema_extra=IDENTITY_IF_SET)
    """``trainable``: a pooling's maps are multiplied by a coefficient and moved by a bias each, and go through the
    activation again, as in 1998."""
    connections: Literal["full", "table"] = Field(default="full", json_schema_extra=IDENTITY_IF_SET)
    """Which maps of the first convolution those of the second (C3) see: all, or those of 1998's table I."""
    output: Literal["linear", "rbf"] = Field(default="linear", json_schema_extra=IDENTITY_IF_SET)
    """``rbf``: Euclidean units with fixed codes, as in 1998; with cross-entropy, classes are Gaussians around them."""

    @model_validator(mode="before")
    @classmethod
    def _lists_to_tuples(cls, data: Any) -> Any:
        return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()} if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _table_fits(self) -> "LeNet":
        if self.connections == "table" and self.channels != (6, 16):
            raise ValueError(f"channels = {list(self.channels)}: connections = table is for the channels [6, 16]")
        return self

    def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> "nn.Module":
        """See :func:`ablate.images.networks.lenet.build_lenet`."""
        from ablate.images.networks.lenet import build_lenet

        return build_lenet(self, in_channels, input_size, classes)

    def feature_maps(self, height: int, width: int) -> list[tuple[str, int, int]]:
        """See :meth:`Network.feature_maps`."""
        maps, size = [], (height, width)
        for name, kernel, padding in (("conv1", self.kernel_size, 2), ("conv2", self.kernel_size_2, 0)):
            size = convolved(size, kernel, padding=padding)
            maps.append((f"{name} ({kernel}x{kernel})", *size))
            size = convolved(size, self.pool_size, stride=self.pool_stride)
            maps.append((f"pool{name[-1]} ({self.pool_size}x{self.pool_size})", *size))
        return maps


class AlexNet(Network):
    """AlexNet in four forms; what a form does not settle is a switch (defaults: the form's own)."""

    varies: ClassVar[tuple[str, ...]] = ("dropout",)

    name: Literal["alexnet"] = "alexnet"
    form: Literal["paper", "merged", "torchvision", "small"] = "small"
    """``paper`` (Krizhevsky et al. 2012), ``merged`` (its two towers as one), ``torchvision``, ``small`` (28x28)."""
    activation: Activation = "relu"
    """The activation after every convolution and the two hidden linear layers."""
    pooling: Pooling = "max"
    """The pooling after convolutions 1, 2 and 5."""
    overlap: bool
    """Pooling windows of 3 with stride 2 rather than 2 with stride 2."""
    lrn: bool
    """Local response normalisation after convolutions 1 and 2."""
    dropout: Fraction
    """Probability of dropping a unit, at each of the two hidden linear layers."""
    width: Annotated[int, Field(ge=2, multiple_of=2)] | None = Field(default=None, json_schema_extra=IDENTITY_IF_SET)
    """Channels of the first convolution, an even number, with which all others and the hidden units go in proportion;
    left out: the form's own (96, 96, 64, 64)."""

    @model_validator(mode="before")
    @classmethod
    def _form_defaults(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        form = data.get("form", "small")
        return {
            "overlap": form != "small",
            "lrn": form == "paper",
            "dropout": 0.25 if form == "small" else 0.5,
        } | {k: v for k, v in data.items() if v is not None}

    def proportional(self, channels: int) -> int:
        """Channels or units at this width, an even number, at least 2.

        Args:
            channels: Their number at the form's own width.
        """
        return channels if self.width is None else 2 * max(1, self.width * channels // (2 * self.own_width))

    @property
    def own_width(self) -> int:
        """Channels of the form's first convolution, where ``width`` is left out."""
        return 96 if self.form in ("paper", "merged") else 64

    @property
    def default_members(self) -> int:
        """Hundreds of times LeNet's parameters: stacking many gains little and costs memory."""
        return 4 if self.form == "small" else 1

    def relative_work(self, height: int, width: int) -> float:
        """See :meth:`Network.relative_work`."""
        narrower = ((self.width or self.own_width) / self.own_width) ** 2
        if self.form == "small":
            return 182.0 * narrower * height * width / 28**2
        work = {"paper": 1530.0, "merged": 2410.0, "torchvision": 1700.0}[self.form]
        return work * narrower * height * width / 224**2

    @property
    def in_channels(self) -> int | None:
        """Three, but for the 28x28 form."""
        return None if self.form == "small" else 3

    def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> "nn.Module":
        """See :func:`ablate.images.networks.alexnet.build_alexnet`."""
        from ablate.images.networks.alexnet import build_alexnet

        return build_alexnet(self, in_channels, input_size, classes)

    def feature_maps(self, height: int, width: int) -> list[tuple[str, int, int]]:
        """See :meth:`Network.feature_maps`."""
        small = self.form == "small"
        first = (3, 1, 1) if small else (11, 4, {"paper": 0, "merged": 0, "torchvision": 2}[self.form])
        later = [3, 3, 3, 3] if small else [5, 3, 3, 3]
        window, stride = (3, 2) if self.overlap else (2, 2)
        maps, size = [], (height, width)
        for index, (kernel, step, padding) in enumerate([first, *((k, 1, k // 2) for k in later)], start=1):
            size = convolved(size, kernel, step, padding)
            maps.append((f"conv{index} ({kernel}x{kernel})", *size))
            if index in (1, 2, 5):
                size = pooled(size, window, stride, ceil=small)
                maps.append((f"pool{index} ({window}x{window})", *size))
        return maps
