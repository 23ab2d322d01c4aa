"""How many images and classes a data set holds, and how many a run uses: by listing files, not by opening them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ablate.images.config import DataConfig, ImageFolder
from ablate.images.config.data import Found
from ablate.images.data.fingerprint import content_digest
from ablate.images.data.image_folder import FolderSource
from ablate.images.data.layout import Layout
from ablate.images.data.sources import published_set
from ablate.task.errors import ConfigError


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


def facts(config: DataConfig) -> DataFacts:
    """Look up what a run uses; brings no torch and opens no picture.

    Args:
        config: Of an image folder: where it is.

    Raises:
        ConfigError: An image folder is missing, is no folder of classes, or does not fit ``train_size``, ``val_size``
            and ``test_fraction``.
    """
    if isinstance(config, ImageFolder):
        layout = FolderSource(config).checked_layout()
        counts = {part: layout.counts(part) for part in layout.parts}
        classes = layout.classes
    else:
        published = published_set(config)
        counts = {"train": published.train_counts, "test": published.test_counts}
        classes = published.classes
    config = with_found(config, counts, len(classes))
    numbers = (config.training_images, config.validation_images, config.test_images)
    train, val, test = (number or 0 for number in numbers)
    return DataFacts(train, val, test, classes, counts)


def prepared(configs: Iterable[DataConfig]) -> list[DataConfig]:
    """Fill in what only the disk knows of image folders: their content and how many images and classes they hold.

    Args:
        configs: Any; folders that several have in common are looked at once.

    Returns:
        As many, in order; of other data sets as they are.

    Raises:
        ConfigError: Lists everything that is wrong with any of the folders, and sizes that do not fit.
    """
    contents: dict[tuple[str, str], str] = {}
    layouts: dict[tuple[str, float], Layout] = {}
    done: list[DataConfig] = []
    problems: dict[str, None] = {}
    for config in configs:
        if isinstance(config, ImageFolder):
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
            content = config.content if config.content is not None else contents[root, config.background]
            found = _found(counts, len(layout.classes))
            config = config.model_copy(update={"content": content, "found": found})
        done.append(config)
    if problems:
        raise ConfigError(list(problems))
    return done


def with_found(config: DataConfig, counts: Mapping[str, tuple[int, ...]], classes: int) -> DataConfig:
    """A configuration that knows how many images its folder holds."""
    if not isinstance(config, ImageFolder):
        return config
    return config.model_copy(update={"found": _found(counts, classes)})


def _found(counts: Mapping[str, tuple[int, ...]], classes: int) -> Found:
    return Found(train=sum(counts["train"]), val=sum(counts.get("val", ())), test=sum(counts["test"]), classes=classes)
