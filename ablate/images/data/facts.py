"""How many images and classes a data set holds, and how many a run uses: by listing files, not by opening them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.images.config import ImageData, ImageFolder
from ablate.images.config.data import Found, PublishedData
from ablate.images.data.sources import published_set
from ablate.images.parts import DeclaredData
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    from ablate.images.data.layout import Layout


@dataclass(frozen=True)
class DataFacts:
    """What a run uses of a data set."""

    train: int
    """Images that it trains on in an epoch."""
    val: int
    """Images that it is validated on after each epoch; 0 where its protocol does not."""
    test: int
    """Images that it is tested on after each epoch; 0 where its protocol does not."""
    classes: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    """Images of each class in each part as it is stored (``train``, ``test`` and, where the data set itself keeps it
    apart, ``val``): before ``data.train_size`` and a held-out split, which are drawn without looking at classes."""


def facts(config: ImageData) -> DataFacts:
    """Look up what a run uses; brings no torch and opens no picture.

    Args:
        config: An image folder's configuration: where it is.

    Raises:
        ConfigError: An image folder is missing, is no folder of classes, or does not fit ``train_size``, ``val_size``
            and ``test_fraction``.
    """
    if isinstance(config, ImageFolder):
        from ablate.images.data.image_folder import FolderSource

        layout = FolderSource(config).checked_layout()
        counts = {part: layout.counts(part) for part in layout.parts}
        classes = layout.classes
    elif isinstance(config, DeclaredData):
        from ablate.images.data.declared import DeclaredSource

        source = DeclaredSource(config)
        counts, classes = source.checked_counts(), source.classes
    elif isinstance(config, PublishedData):
        published = published_set(config)
        counts = {"train": published.train_counts, "test": published.test_counts}
        classes = published.classes
    else:
        raise TypeError(f"{type(config).__name__} is no data set")
    config = with_found(config, counts, len(classes))
    numbers = (config.training_images, config.validation_images, config.test_images)
    train, val, test = (number or 0 for number in numbers)
    return DataFacts(train, val, test, classes, counts)


def prepared(configs: Iterable[ImageData]) -> list[ImageData]:
    """Fill in what only the disk knows: how many images and classes there are, and a folder's content.

    Args:
        configs: Any; folders that several have in common are looked at once.

    Returns:
        As many, in order; of published data sets as they are.

    Raises:
        ConfigError: Lists everything that is wrong with any of the folders, and sizes that do not fit.
    """
    contents: dict[tuple[str, str], str] = {}
    layouts: dict[tuple[str, float], Layout] = {}
    declared: dict[str, Found] = {}
    done: list[ImageData] = []
    problems: dict[str, None] = {}
    for config in configs:
        if isinstance(config, ImageFolder):
            from ablate.images.data.fingerprint import content_digest
            from ablate.images.data.image_folder import FolderSource

            root = str(config.root)
            key = (root, config.test_fraction)
            try:
                if key not in layouts:
                    layouts[key] = FolderSource(config).layout()
                if config.content is None and (root, config.background) not in contents:
                    contents[root, config.background] = content_digest(root, config.background)
            except ConfigError as error:
                problems |= dict.fromkeys(error.problems)
                continue
            layout = layouts[key]
            problems |= dict.fromkeys(FolderSource(config).misfits(layout))
            counts = {part: layout.counts(part) for part in layout.parts}
            problems |= dict.fromkeys(_test_misfits(config, sum(counts["test"])))
            content = config.content if config.content is not None else contents[root, config.background]
            found = _found(counts, len(layout.classes))
            config = config.model_copy(update={"content": content, "found": found})
        elif isinstance(config, DeclaredData):
            from ablate.images.data.declared import DeclaredSource

            same = config.model_dump_json(
                exclude={"found", "train_size", "test_size", "val_size", "protocol", "split_seed"}
            )
            try:
                if same not in declared:
                    counts = DeclaredSource(config).counts()
                    declared[same] = _found(counts, len(counts["train"]))
                config = config.model_copy(update={"found": declared[same]})
                DeclaredSource(config).check_sizes(declared[same].train)
                problems |= dict.fromkeys(_test_misfits(config, declared[same].test))
            except ConfigError as error:
                problems |= dict.fromkeys(error.problems)
                continue
        done.append(config)
    if problems:
        raise ConfigError(list(problems))
    return done


def with_found(config: ImageData, counts: Mapping[str, tuple[int, ...]], classes: int) -> ImageData:
    """A configuration that knows how many images its folder holds."""
    if not isinstance(config, ImageFolder | DeclaredData):
        return config
    return config.model_copy(update={"found": _found(counts, classes)})


def _test_misfits(config: ImageData, images: int) -> list[str]:
    if config.test_size is None or config.test_size <= images:
        return []
    return [f"data.test_size = {config.test_size}: at most the {images} test images"]


def _found(counts: Mapping[str, tuple[int, ...]], classes: int) -> Found:
    return Found(train=sum(counts["train"]), val=sum(counts.get("val", ())), test=sum(counts["test"]), classes=classes)
