"""Which images a run trains on, how they are split and what is done to a batch of them."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ablate.task.fields import IDENTITY_IF_SET, NOT_IDENTITY, Fields, Positive

Protocol = Literal["article", "holdout", "holdout_test"]
Background = Literal["white", "grey", "black"]


class Found(Fields):
    """What a data set holds, whatever a run uses of it."""

    train: Annotated[int, Field(ge=0)]
    """Images of the training part; those that a protocol holds out of it are counted here."""
    val: Annotated[int, Field(ge=0)] = 0
    """Images of a validation part that the data set itself keeps apart; 0: it has none."""
    test: Annotated[int, Field(ge=0)]
    """Images of the test part."""
    classes: Annotated[int, Field(ge=2)]


class ImageData(Fields):
    """Fields that every data source shares."""

    name: str

    root: str | None = Field(default=None, json_schema_extra=NOT_IDENTITY)
    """Folder that holds the files; null: look in the places that the data source knows."""
    protocol: Protocol = "article"
    """``article``: train on the whole training part and report the test set (reproduction only). ``holdout``: report a
    validation split of the training part, the test set stays unread. ``holdout_test``: the same, the test set read."""
    train_size: Positive | None = None
    """Use the first N training images after a fixed shuffle; null: all."""
    test_size: Positive | None = Field(default=None, json_schema_extra=IDENTITY_IF_SET)
    """Use the first N test images after a fixed shuffle; null: all."""
    val_size: Positive = 10_000
    """Training images held out under the ``holdout`` protocols."""
    split_seed: Annotated[int, Field(ge=0)] | None = None
    """Seed of the held-out split; null: the run's own seed."""
    normalize: bool = False
    """After scaling to [0, 1]: subtract the training part's mean, divide by its standard deviation, each channel."""
    image_size: Annotated[int, Field(ge=8, le=1024)] | None = None
    """Resize a batch to a square of so many pixels (bilinear, antialiased) on the device; null: as stored."""
    flip: bool = Field(default=False, json_schema_extra=IDENTITY_IF_SET)
    """Training images are mirrored left to right, each with probability 1/2 in each epoch."""
    shift: Annotated[int, Field(ge=0)] = Field(default=0, json_schema_extra=IDENTITY_IF_SET)
    """Training images are moved by up to so many pixels (as stored) down or up and left or right, drawn uniformly for
    each in each epoch, before they are resized; black comes in."""
    crop: Positive | None = Field(default=None, json_schema_extra=IDENTITY_IF_SET)
    """Side of a square, in pixels as stored, that is cut out of every image and takes its place (AlexNet's 224 of 256);
    null: whole images. Random crops of padded images are ``shift``: a padding of 2 is a shift of up to 2."""
    crop_at: Literal["random", "centre"] = Field(default="random", json_schema_extra=IDENTITY_IF_SET)
    """Where training images are cut: at a place drawn for each in each epoch, or in the middle."""
    colour_noise: Annotated[float, Field(ge=0.0, le=10.0)] = Field(default=0.0, json_schema_extra=IDENTITY_IF_SET)
    """Standard deviation (AlexNet's: 0.1) of the random numbers, drawn for each training image in each epoch, by which
    it is moved along the principal colours of all; 0: none."""
    evaluation: Literal["centre", "ten"] = Field(default="centre", json_schema_extra=IDENTITY_IF_SET)
    """Where images are cut that are validated or tested on: in the middle; or ten times (corners, middle, and all of
    that mirrored), the predictions averaged."""
    augment: dict[str, dict[str, float | int | bool | str]] = Field(default={}, json_schema_extra=IDENTITY_IF_SET)
    """Declared augmentations with their settings; applied in the order of their names, after mirroring and moving."""

    @model_validator(mode="after")
    def _shift_leaves_something(self) -> "ImageData":
        if self.shift >= min(self.stored_size):
            raise ValueError(
                f"shift = {self.shift}: must be below the {min(self.stored_size)} pixels of an image as stored"
            )
        return self

    @model_validator(mode="after")
    def _crops_fit(self) -> "ImageData":
        least, problems = min(self.stored_size), list[str]()
        if self.crop is not None and self.crop > least:
            problems.append(f"crop = {self.crop}: at most the {least} pixels of an image as stored")
        if self.crop is None and self.crop_at != "random":
            problems.append(f"crop_at = {self.crop_at}: needs a crop, the side of the square that is cut out")
        if self.evaluation == "ten" and (self.crop is None or self.crop >= max(self.stored_size)):
            problems.append(f"evaluation = ten: needs a crop below the {least} pixels of an image as stored")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def validates(self) -> bool:
        """Whether part of the training images is held out."""
        return self.protocol != "article"

    @property
    def tests(self) -> bool:
        """Whether the test set is read."""
        return self.protocol != "holdout"

    @property
    def whole(self) -> Found | None:
        """What the data set holds; None: nobody has looked yet."""
        return None

    @property
    def training_images(self) -> int | None:
        """Images that a run trains on in an epoch; None: nobody has looked yet."""
        if self.whole is None:
            return None
        images = self.train_size if self.train_size is not None else self.whole.train
        return images - (self.val_size if self.validates and not self.whole.val else 0)

    @property
    def validation_images(self) -> int | None:
        """Images that a run is validated on after each epoch; None: nobody has looked yet."""
        if self.whole is None:
            return None
        return (self.whole.val or self.val_size) if self.validates else 0

    @property
    def test_images(self) -> int | None:
        """Images that a run is tested on after each epoch; None: nobody has looked yet."""
        if self.whole is None:
            return None
        images = self.test_size if self.test_size is not None else self.whole.test
        return images if self.tests else 0

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width of a stored image, in pixels."""
        return (28, 28)

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width that the network sees, in pixels."""
        side = self.image_size if self.image_size is not None else self.crop
        return (side, side) if side is not None else self.stored_size


class PublishedData(ImageData):
    """A published data set, of which everything is known without looking."""

    @property
    def whole(self) -> Found:
        """See :class:`ImageData`."""
        return Found(train=60_000, test=10_000, classes=10)

    @model_validator(mode="after")
    def _split_fits(self) -> "PublishedData":
        whole = self.whole
        images = self.train_size if self.train_size is not None else whole.train
        if images > whole.train:
            raise ValueError(f"train_size = {images}: at most the {whole.train} training images")
        if self.test_size is not None and self.test_size > whole.test:
            raise ValueError(f"test_size = {self.test_size}: at most the {whole.test} test images")
        if self.validates and self.val_size >= images:
            raise ValueError(f"val_size = {self.val_size}: must be below the {images} training images in use")
        return self


class FashionMNIST(PublishedData):
    """Zalando's clothes: 60,000 / 10,000 grey images of 28x28 in 10 classes (Xiao et al. 2017)."""

    name: Literal["fashion_mnist"] = "fashion_mnist"


class Mnist(PublishedData):
    """Handwritten digits: 60,000 / 10,000 grey images of 28x28 in 10 classes (LeCun et al. 1998)."""

    name: Literal["mnist"] = "mnist"


class Cifar10(PublishedData):
    """Small photographs: 50,000 / 10,000 colour images of 32x32 in 10 classes (Krizhevsky 2009)."""

    name: Literal["cifar10"] = "cifar10"

    @property
    def whole(self) -> Found:
        """See :class:`ImageData`."""
        return Found(train=50_000, test=10_000, classes=10)

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width of a stored image, in pixels."""
        return (32, 32)


class ImageFolder(ImageData):
    """A folder of image files with one folder per class, resized to squares and split by a seed.

    Which files are read, and what becomes of them, is written down in :mod:`ablate.images.data.image_folder`.
    """

    name: Literal["image_folder"] = "image_folder"
    root: str | None = Field(default=None, json_schema_extra=NOT_IDENTITY)
    """The folder; required. Its content, not its path, is part of a run's identity (see ``content``)."""
    content: str | None = None
    """SHA-256 of the folder's relative paths and bytes; filled in when a study is planned."""
    found: Found | None = Field(default=None, json_schema_extra=NOT_IDENTITY)
    """How many images and classes it holds; filled in when a study is planned."""
    stored: Annotated[int, Field(ge=8, le=1024)] = 256
    """Side of the square to which every file is resized when it is loaded, in pixels."""
    test_fraction: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """Share of the files held back as the test set (a fixed seeded split, the same for every run); without effect where
    the folder has a ``test`` folder of its own."""
    background: Background = Field(default="white", json_schema_extra=IDENTITY_IF_SET)
    """What is seen through transparent pixels."""

    @property
    def whole(self) -> Found | None:
        """See :class:`ImageData`."""
        return self.found

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width of a stored image, in pixels."""
        return (self.stored, self.stored)

    @model_validator(mode="before")
    @classmethod
    def _needs_root(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("root") is None:
            raise ValueError("root: an image_folder needs the folder that holds one folder per class")
        return data
