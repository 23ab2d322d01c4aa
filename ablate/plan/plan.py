"""From studies to runs, each planned once however many studies ask for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ablate.images.config import ImageFolder
from ablate.images.run import RunConfig
from ablate.plan.compose import Source
from ablate.plan.design import Setting, expand
from ablate.plan.study import Study
from ablate.task.errors import ConfigError

MAX_RUNS = 1_000_000


@dataclass(frozen=True)
class Point:
    """A run in its place in a study: a level of a factor with a seed."""

    study: Study
    setting: Setting
    run: RunConfig


@dataclass(frozen=True)
class Plan:
    """What one or more studies need to have trained."""

    studies: tuple[Study, ...]
    """In order; included ones before the union that includes them."""
    points: tuple[Point, ...]
    """In the order of studies, factors, levels and seeds; a run may appear at several."""

    @cached_property
    def runs(self) -> tuple[RunConfig, ...]:
        """Distinct runs, in order of first appearance."""
        return tuple({point.run.digest: point.run for point in self.points}.values())

    def of(self, study: Study) -> "Plan":
        """The part of one study, with the studies that it includes."""
        names = {study.name}
        for other in reversed(self.studies):
            if other.name in names:
                names |= set(other.includes)
        return Plan(
            tuple(s for s in self.studies if s.name in names), tuple(p for p in self.points if p.study.name in names)
        )


def make_plan(sources: Iterable[Source]) -> Plan:
    """Expand studies into runs.

    Args:
        sources: Studies with their baselines.

    Raises:
        ConfigError: Lists every problem of every study.
    """
    studies: list[Study] = []
    points: list[Point] = []
    problems: list[str] = []
    known: dict[tuple[str, int], RunConfig] = {}
    for source in sources:
        studies.append(source.study)
        try:
            settings = [_with_content(s) for s in expand(source.study, source.baseline, source.compose_group)]
        except ConfigError as error:
            problems += [
                f"study {source.study.name}: {p}" if source.study.name != "multirun" else p for p in error.problems
            ]
            continue
        if len(settings) * len(source.study.seeds) > MAX_RUNS:
            raise ConfigError(f"study {source.study.name}: makes more than {MAX_RUNS} runs")
        for setting in settings:
            for seed in source.study.seeds:
                key = (setting.config.digest, seed)
                if key not in known:
                    known[key] = setting.run(seed)
                points.append(Point(source.study, setting, known[key]))
    if problems:
        raise ConfigError(problems)
    return Plan(tuple(studies), tuple(points))


def sequential_samples(runs: Sequence[RunConfig], images: int = 60_000) -> int:
    """Training samples of runs that share nothing.

    Args:
        runs: Any.
        images: Training images of the data set where the configuration does not say.
    """
    return sum(training_images(run, images) * run.train.epochs for run in runs)


def training_images(run: RunConfig, images: int = 60_000) -> int:
    """Images a run trains on in an epoch."""
    size = run.data.train_size if run.data.train_size is not None else images
    return size - (run.data.val_size if run.data.validates else 0)


def _with_content(setting: Setting) -> Setting:
    """An image folder's content becomes part of the identity here, where the disk is looked at for the first time."""
    data = setting.config.data
    if not isinstance(data, ImageFolder) or data.content is not None:
        return setting
    from ablate.images.data.fingerprint import content_digest

    content = content_digest(str(data.root))
    config = RunConfig(
        **{
            **{name: getattr(setting.config, name) for name in RunConfig.model_fields},
            "data": ImageFolder(**{**data.model_dump(), "content": content}),
        }
    )
    return Setting(setting.factor, setting.level, setting.label, setting.order, setting.is_baseline, config)
