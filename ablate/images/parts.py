"""Parts of image classification from outside the package, and what they are made of: the task's extension surface.

Declared by the user's own project or an installed package (see :mod:`ablate.task.finding`): ``networks``,
``datasets``, ``metrics``, ``losses`` and ``augmentations``, each as ``module:name`` of a subclass of one of the classes
below. Nothing here brings torch; a part should import it where it builds, reads or computes.
"""

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ablate.images.config.data import Cifar10, FashionMNIST, ImageData, ImageFolder, Mnist
from ablate.images.config.data import Found as FoundImages
from ablate.images.config.early_lenets import LeNet1, LeNet4
from ablate.images.config.model import AlexNet, LeNet, Network
from ablate.images.config.nin import Nin
from ablate.images.config.resnet import ResNet
from ablate.images.config.train import Train
from ablate.images.config.vgg import Vgg
from ablate.task.code import Code, read_code
from ablate.task.errors import ConfigError
from ablate.task.fields import NOT_IDENTITY
from ablate.task.finding import Found, find_part, find_parts
from ablate.task.metric import Goal

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from ablate.images.data.arrays import Arrays

__all__ = [
    "Augmentation",
    "DeclaredData",
    "ImageLoss",
    "ImageMetric",
    "Network",
    "code_of",
    "made_loss",
    "names_of",
    "part_class",
]

BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    "networks": {
        "lenet": LeNet,
        "lenet1": LeNet1,
        "lenet4": LeNet4,
        "alexnet": AlexNet,
        "vgg": Vgg,
        "nin": Nin,
        "resnet": ResNet,
    },
    "datasets": {"fashion_mnist": FashionMNIST, "mnist": Mnist, "cifar10": Cifar10, "image_folder": ImageFolder},
    "losses": {"cross_entropy": None, "mse": None},
    "metrics": dict.fromkeys(("f1", "balanced_acc", "top5", "gap", "parameters", "multiply_adds", "step_ms")),
    "augmentations": {},
}
"""The names that are taken, by group; None: known to the engine alone."""


class DeclaredData(ImageData):
    """A data set from outside the package: arrays that its class reads or makes.

    A subclass has a field ``name`` whose default is the name that it is declared by, and says in ``stored_size`` how
    large an image is, where that is not 28x28. Its code is part of a run's identity; what it reads from files of its
    own should be, too: in a field ``content`` (a digest).
    """

    found: FoundImages | None = Field(default=None, json_schema_extra=NOT_IDENTITY)
    """How many images and classes it holds; filled in when a study is planned."""

    @abstractmethod
    def read(self) -> "Arrays":
        """All images and labels; the same at every call.

        Raises:
            ConfigError: Something that it needs is missing or damaged.
        """

    @property
    def whole(self) -> FoundImages | None:
        """See :class:`ablate.images.config.data.ImageData`."""
        return self.found


class ImageMetric(ABC):
    """A metric of a classifier's outputs, accumulated on the device for all members of a cohort at once."""

    goal: ClassVar[Goal]
    """``max``: higher is better; ``min``: lower is better."""
    label: ClassVar[str] = ""
    """Printed name; empty: its name with blanks."""
    unit: ClassVar[str] = ""
    low: ClassVar[float | None] = None
    high: ClassVar[float | None] = None

    @abstractmethod
    def count(self, outputs: "Tensor", labels: "Tensor") -> "Tensor":
        """Return what one batch contributes; contributions of batches are added up.

        Args:
            outputs: float32 ``[K, B, classes]``, the logits of K members.
            labels: int64 ``[K, B]``.

        Returns:
            ``[K, ...]`` of one shape for every batch, float64 so that sums are exact.
        """

    @abstractmethod
    def value(self, total: "Tensor") -> "Tensor":
        """The metric of each member, ``[K]``.

        Args:
            total: The sum of all that :meth:`count` returned.
        """

    def guess(self, shares: Sequence[float]) -> float | None:
        """Return what a model scores that knows nothing but the shares of the classes; None: not known."""
        return None


class ImageLoss(ABC):
    """A loss of a classifier's outputs; its hyperparameters come from ``train.loss_options``.

    Args:
        options: Keyword arguments of the subclass.
    """

    @abstractmethod
    def __call__(self, outputs: "Tensor", labels: "Tensor") -> "Tensor":
        """The loss of every sample, of which the engine takes each member's mean.

        Args:
            outputs: float32 ``[K, B, classes]``, the logits of K members.
            labels: int64 ``[K, B]``.

        Returns:
            ``[K, B]``.
        """


class Augmentation(ABC):
    """A random change to training images; its settings come from ``data.augment``.

    What is drawn may depend on the generator alone, which derives from the run's seed and the epoch: so a seed means
    the same changes at every level and in every company.
    """

    @abstractmethod
    def draw(self, samples: int, generator: "Generator") -> "Tensor":
        """Random numbers of one epoch, on the CPU.

        Args:
            samples: N, in the order in which images are trained on.
            generator: The generator to draw from.

        Returns:
            ``[N, ...]``.
        """

    @abstractmethod
    def apply(self, images: "Tensor", drawn: "Tensor") -> "Tensor":
        """Change some images, on their device.

        Args:
            images: uint8 ``[B, channels, height, width]``, as stored.
            drawn: The rows of :meth:`draw` that belong to them.

        Returns:
            uint8 of the same shape.
        """


BASES: Mapping[str, type] = {
    "networks": Network,
    "datasets": DeclaredData,
    "metrics": ImageMetric,
    "losses": ImageLoss,
    "augmentations": Augmentation,
}


def names_of(group: str) -> list[str]:
    """Names of all parts of a group, built-in ones first."""
    return [*BUILT_IN[group], *(found.name for found in find_parts(group))]


def part_class(group: str, name: str) -> Any:
    """The class of a part.

    Args:
        group: One of :data:`BASES`.
        name: As configuration has it.

    Raises:
        ConfigError: There is none, it cannot be loaded, or it is no subclass of what the group's parts must be.
    """
    declared = next((found for found in find_parts(group) if found.name == name), None)
    if name in BUILT_IN[group]:
        if declared is not None:
            what = f"{declared.origin}: {group[:-1]} {name!r}"
            raise ConfigError(f"{what}: this name is taken by a built-in one; choose another")
        return BUILT_IN[group][name]
    found = find_external(group, name)
    loaded = found.load()
    base, what = BASES[group], f"{group[:-1]} {name!r} ({found.origin})"
    if not (isinstance(loaded, type) and issubclass(loaded, base)):
        raise ConfigError(f"{what}: must be a subclass of {base.__module__}.{base.__name__}")
    own = getattr(loaded, "model_fields", {}).get("name")
    if own is not None and own.default != name:
        raise ConfigError(f"{what}: its field name must have the default {name!r}, not {own.default!r}")
    return loaded


def made_loss(train: Train) -> ImageLoss | None:
    """The declared loss that a configuration names, with its options; None: a built-in one.

    Raises:
        ConfigError: There is none of that name, or it does not take these options.
    """
    if part_class("losses", train.loss) is None:
        return None
    made: ImageLoss = _made("losses", train.loss, train.loss_options)
    return made


def made_augmentations(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Augmentation]:
    """The declared augmentations that a configuration names, in the order of their names.

    Args:
        settings: The keyword arguments of its class, by name.

    Raises:
        ConfigError: There is none of that name, or it does not take these settings.
    """
    return {name: _made("augmentations", name, settings[name]) for name in sorted(settings)}


def _made(group: str, name: str, options: Mapping[str, Any]) -> Any:
    kind = part_class(group, name)
    try:
        return kind(**options)
    except Exception as error:
        given = ", ".join(f"{key} = {value!r}" for key, value in options.items()) or "no options"
        raise ConfigError(f"{name!r} cannot be made with {given}: {type(error).__name__}: {error}") from None


def declared_options(group: str) -> dict[str, dict[str, Any]]:
    """Options of a configuration group that declared parts make, with the defaults of their fields.

    A part that cannot be loaded has its name alone; the error comes where it is used.

    Args:
        group: ``networks`` or ``datasets``.
    """
    options: dict[str, dict[str, Any]] = {}
    for found in find_parts(group):
        if found.name in BUILT_IN[group]:
            continue
        try:
            model_fields = part_class(group, found.name).model_fields
        except ConfigError:
            model_fields = {}
        defaults = {name: info.default for name, info in model_fields.items() if not info.is_required()}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
        options[found.name] = plain | {"name": found.name}
    return options


def find_external(group: str, name: str) -> Found:
    """Say where a part from outside is declared.

    Raises:
        ConfigError: There is none of that name; says which there are.
    """
    if any(found.name == name for found in find_parts(group)):
        return find_part(group, name)
    raise ConfigError(f"there is no such {group[:-1]}; {group} are {', '.join(names_of(group))}")


def code_of(group: str, name: str) -> Code | None:
    """The code behind a part from outside; None for a built-in one, whose version is the engine's."""
    if name in BUILT_IN[group]:
        return None
    found = find_external(group, name)
    module = found.place.partition(":")[0]
    if found.project is not None:
        return read_code(found.project.folder, found.project.roots, modules=[module])
    spec = importlib.util.find_spec(module.partition(".")[0])
    origin = Path(spec.origin) if spec is not None and spec.origin is not None else Path()
    root = origin.parent.parent if spec is not None and spec.submodule_search_locations else origin.parent
    return read_code(root, [root], modules=[module])
