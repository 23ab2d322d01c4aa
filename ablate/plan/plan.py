"""From studies to runs, each planned once however many studies ask for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ablate.plan.compose import Source
from ablate.plan.design import Setting, expand
from ablate.plan.study import Study
from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.run import Run

MAX_RUNS = 1_000_000


@dataclass(frozen=True)
class Point:
    """A run in its place in a study: a level of a factor with a seed."""

    study: Study
    setting: Setting
    run: Run


@dataclass(frozen=True)
class Plan:
    """What one or more studies need to have trained."""

    studies: tuple[Study, ...]
    """In order; included ones before the union that includes them."""
    points: tuple[Point, ...]
    """In the order of studies, factors, levels and seeds; a run may appear at several."""

    @cached_property
    def runs(self) -> tuple[Run, ...]:
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
    known: dict[tuple[str, int], Run] = {}
    for source in sources:
        studies.append(source.study)
        try:
            settings = _prepared(source.task, expand(source.study, source.departing))
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


def _prepared(task: str, settings: Sequence[Setting]) -> list[Setting]:
    """The settings with what only the disk knows of their runs."""
    runs = find_task(task).prepare([setting.config for setting in settings])
    return [replace(setting, config=run) for setting, run in zip(settings, runs, strict=True)]
