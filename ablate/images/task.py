"""Image classification as a task: how its runs are checked, prepared and named. Brings no torch."""

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from typing import Any, get_args

from ablate import __version__
from ablate.images.config import ImageData, ImageFolder, ScheduleConfig
from ablate.images.data import fetch, verify, where
from ablate.images.data.facts import prepared
from ablate.images.metrics import DEFAULT_METRICS, METRICS, guesses_of
from ablate.images.parts import code_of, declared_options
from ablate.images.run import RunConfig, parse_run
from ablate.images.searching import SEARCHING
from ablate.task.errors import ConfigError
from ablate.task.identity import digest_of
from ablate.task.metric import Metric
from ablate.task.packaged import packaged
from ablate.task.record import Guess, Record
from ablate.task.task import Configuration

GROUPS = ("model", "data", "optimizer", "schedule", "train")
"""Configuration groups: a factor of this name has the group's options as levels."""

BALANCED = {"fashion_mnist": 10, "mnist": 10}
"""Published data sets of older records, with their numbers of equally frequent classes (MNIST: within 1 %)."""

_DEPENDS_ON_EPOCHS: dict[str, bool] = {
    schedule.model_fields["name"].default: schedule.depends_on_epochs
    for schedule in get_args(get_args(ScheduleConfig)[0])
}


class ImageClassification:
    """The built-in task; see :class:`ablate.task.task.Task`."""

    name = "images"
    metrics: Mapping[str, Metric] = METRICS
    default_metrics = DEFAULT_METRICS
    step = "epoch"
    searching = SEARCHING

    @property
    def configuration(self) -> Configuration:
        """See :class:`ablate.task.task.Task`."""
        options = {group: declared_options(parts) for group, parts in (("model", "networks"), ("data", "datasets"))}
        return Configuration(folder=packaged() / "conf", groups=GROUPS, options=options)

    @property
    def code(self) -> str:
        """See :class:`ablate.task.task.Task`."""
        return f"ablate {__version__}"

    def parse(self, values: Mapping[str, Any]) -> RunConfig:
        """See :class:`ablate.task.task.Task`."""
        return parse_run(values)

    def prepare(self, runs: Sequence[RunConfig]) -> list[RunConfig]:
        """The runs with their image folders' content, which becomes part of their identity, and number of images.

        Raises:
            ConfigError: Lists every data set that is not where the configuration says.
        """
        problems: list[str] = []
        for config in sources_of(runs):
            try:
                where(config)
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(list(dict.fromkeys(problems)))
        found = prepared(run.data for run in runs)
        return [_with_code(run, data) for run, data in zip(runs, found, strict=True)]

    def provide(self, runs: Sequence[RunConfig]) -> None:
        """Download what is missing (in a process of its own, which needs torch) and verify every file.

        Raises:
            ConfigError: A file cannot be had or is damaged.
        """
        for config in sources_of(runs):
            if where(config) is None:
                with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                    pool.submit(fetch, config).result()
            verify(config)

    def why_not_measured(self, run: RunConfig, metric: str) -> str | None:
        """See :meth:`ablate.task.task.MeasuresSome.why_not_measured`."""
        data, (part, *_) = run.data, metric.split("_")
        if part == "val" and not data.validates:
            return f"data.protocol = {data.protocol} holds out no training images; must be holdout or holdout_test"
        if part == "test" and not data.tests:
            return f"data.protocol = {data.protocol} reads no test images; must be article or holdout_test"
        return None

    def why_not_kept(self, run: RunConfig, what: str) -> str | None:
        """See :meth:`ablate.images.run.RunConfig.why_not_kept`."""
        return run.why_not_kept(what)

    def trajectory_of(self, identity: Mapping[str, Any]) -> str:
        """See :class:`ablate.task.task.Task`."""
        if not _DEPENDS_ON_EPOCHS.get(identity.get("schedule", {}).get("name"), True):
            identity = {**identity, "train": {k: v for k, v in identity["train"].items() if k != "epochs"}}
        return digest_of(identity)

    def length_of(self, identity: Mapping[str, Any]) -> int | None:
        """See :class:`ablate.task.task.Task`."""
        epochs = identity["train"]["epochs"]
        return int(epochs)

    def guesses(self, record: Record) -> Mapping[str, Guess]:
        """What the engine counted; for older records, what is known of published data sets."""
        classes = BALANCED.get(record.config.get("data", {}).get("name", ""))
        if record.result.guesses or classes is None:
            return record.result.guesses
        data = record.config["data"]
        used = data["train_size"] or 60_000
        held = data["val_size"] if data["protocol"] != "article" else 0
        return _guesses_of_balanced(classes, used - held, held, 10_000)

    def changed_code(self, record: Record) -> str | None:
        """See :class:`ablate.task.task.Task`."""
        changed = []
        for part, version in record.config.get("code", {}).items():
            group, _, name = part.partition(".")
            try:
                code = code_of(group, name)
            except ConfigError:
                changed.append(f"{group.removesuffix('s')} {name} is not declared any more")
                continue
            if code is not None and code.identity != version:
                notes = record.result.notes.get("code", {}).get(part)
                files = code.changes_since(notes) if notes is not None else ["it is not known in which file"]
                changed.append(f"{group.removesuffix('s')} {name} ({', '.join(files)})")
        return "; ".join(changed) or None


IMAGES = ImageClassification()


@lru_cache(maxsize=64)
def _guesses_of_balanced(classes: int, train: int, val: int, test: int) -> Mapping[str, Guess]:
    """What guessing scores where all classes have equal shares, each a whole number of images where that is so."""
    images = {"train": train, "val": val, "test": test}
    return guesses_of({part: [n // classes] * classes for part, n in images.items() if n >= classes})


def sources_of(runs: Sequence[RunConfig]) -> list[ImageData]:
    """One configuration for each place that data comes from, and each way of reading it."""
    return list({_place(run.data): run.data for run in runs}.values())


def _place(data: ImageData) -> tuple[object, ...]:
    ways = (data.test_fraction, data.background) if isinstance(data, ImageFolder) else ()
    return (data.name, data.root, *ways)


def _with_code(run: RunConfig, data: ImageData) -> RunConfig:
    """The run with its data as it was found, and the versions of the code of its parts from outside the package."""
    used = [("networks", run.model.name), ("datasets", data.name), ("losses", run.train.loss)]
    used += [("metrics", name) for name in run.train.metrics]
    used += [("augmentations", name) for name in data.augment]
    code = {f"{group}.{name}": found.identity for group, name in used if (found := code_of(group, name)) is not None}
    if code == run.code and data is run.data:
        return run
    fields = {name: getattr(run, name) for name in RunConfig.model_fields}
    return RunConfig(**fields | {"code": code, "data": data})
