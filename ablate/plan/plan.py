"""From studies to runs, each planned once however many studies ask for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ablate.plan.compose import Source
from ablate.plan.design import Levels, Setting, check_size, expand
from ablate.plan.study import Study
from ablate.task.errors import ConfigError
from ablate.task.run import Run


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
    """The studies in order; included ones before the union that includes them."""
    points: tuple[Point, ...]
    """The points in the order of studies, factors, levels and seeds; a run may appear at several."""
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The notes by study: sentences on what was decided when planning, such as levels that are one setting."""

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Distinct runs, in order of first appearance."""
        return tuple({point.run.digest: point.run for point in self.points}.values())

    def levels(self, study: Study, factor: str) -> Levels:
        """A factor's levels; none where it is no factor of the study."""
        return self._levels.get((study.name, factor), Levels())

    @cached_property
    def _levels(self) -> Mapping[tuple[str, str], Levels]:
        found: dict[tuple[str, str], dict[int, Setting]] = {}
        for point in self.points:
            own = found.setdefault((point.study.name, point.setting.factor), {})
            own[point.setting.order] = point.setting
        return {key: Levels(tuple(own[order] for order in sorted(own))) for key, own in found.items()}

    def of(self, study: Study) -> "Plan":
        """The part of one study, with the studies that it includes."""
        names = {study.name}
        for other in reversed(self.studies):
            if other.name in names:
                names |= set(other.includes)
        return Plan(
            tuple(s for s in self.studies if s.name in names),
            tuple(p for p in self.points if p.study.name in names),
            {name: notes for name, notes in self.notes.items() if name in names},
        )


def make_plan(sources: Iterable[Source]) -> Plan:
    """Expand studies into runs.

    Args:
        sources: Studies with their baselines.

    Raises:
        ConfigError: Lists every problem of every study; or they are too many runs.
    """
    sources = list(sources)
    check_size([source.study for source in sources])
    studies: list[Study] = []
    points: list[Point] = []
    problems: list[str] = []
    notes: dict[str, tuple[str, ...]] = {}
    known: dict[tuple[str, int], Run] = {}
    for source in sources:
        study = source.study
        studies.append(study)
        if not study.factors:
            continue
        try:
            found = expand(study, source.departing)
        except ConfigError as error:
            problems += [f"study {study.name}: {p}" if study.name != "multirun" else p for p in error.problems]
            continue
        if found.metrics != study.metrics:
            studies[-1] = study = study.model_copy(update={"metrics": found.metrics})
        if source.notes or found.notes:
            notes[study.name] = (*source.notes, *found.notes)
        for setting in found.settings:
            for seed in study.seeds:
                key = (setting.config.digest, seed)
                if key not in known:
                    known[key] = setting.run(seed)
                points.append(Point(study, setting, known[key]))
    if problems:
        raise ConfigError(problems)
    return Plan(tuple(studies), tuple(points), notes)
