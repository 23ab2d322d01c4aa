"""How far studies with looks have got, by their records: what counts, and what the next look waits for.

The comparisons of levels with the baseline and each claim go their own ways: at every look they add seeds to the levels
that they still need. What counts for a study is what counts for any of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ablate.commands.declared import metrics_of
from ablate.commands.study_view import claims_of, looks_of, metric_of
from ablate.plan.plan import Plan, Point
from ablate.plan.study import Study
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    from ablate.task.record import Record


@dataclass(frozen=True)
class Stage:
    """How far a study has got."""

    counted: Plan
    """The part of the plan up to the looks that were made: what is reported."""
    wanted: Plan
    """The part that the next look waits for; all that counts where everything is settled."""
    levels: Mapping[str, tuple[str, int]]
    """How each level stands, and how many seeds count for it."""
    claims: Mapping[str, tuple[str, int, bool]]
    """The outcome of each claim, the most seeds of its levels that count for it, and whether it is settled."""
    looks: int
    """Looks made."""
    is_settled: bool


def stage_of(study: Study, plan: Plan, records: "Mapping[str, Record]") -> Stage:
    """How far a study with looks has got.

    Args:
        study: The study with looks.
        plan: Its part of the plan, up to the cap.
        records: The records by digest.

    Raises:
        ConfigError: It has no baseline.
    """
    from ablate.analyse import AnalysisError
    from ablate.analyse.along_looks import counted_runs
    from ablate.analyse.claims_along import claim_path
    from ablate.report.joined_runs import frame_of_runs

    looks, metric, declared = looks_of(study), metric_of(study), metrics_of([study.task])
    assert looks is not None
    runs = frame_of_runs(plan, records, study.name)
    try:
        _, path = counted_runs(runs, metric=metric, looks=looks, declared=declared)
        claims = [(claim, claim_path(runs, claim, declared, looks, by=metric.name)) for claim in claims_of(plan)]
    except AnalysisError as error:
        raise ConfigError(f"study {study.name}: seeds: {error}") from None
    keys = dict.fromkeys(
        (p.setting.factor, p.setting.order, p.setting.label) for p in _ordered(plan) if not p.setting.is_baseline
    )
    is_settled = path.looks == len(looks.at) or "undecided" not in path.settled
    following = looks.at[min(path.looks, len(looks.at) - 1)]
    now, then, levels = {}, {}, {}
    for (factor, order, label), state, count in zip(keys, path.settled, path.counts, strict=True):
        now[factor, order] = count or following
        then[factor, order] = following if state == "undecided" and not is_settled else count
        levels[f"{factor} = {label}"] = (state, count)
    bases = {(p.setting.factor, p.setting.order) for p in plan.points if p.setting.is_baseline}
    now |= dict.fromkeys(bases, max(now.values()))  # the baseline has as many seeds as any level compared with it
    then |= dict.fromkeys(bases, max(then.values()))
    for claim, found in claims:
        for order, count, wanted in zip(found.levels, found.counts, found.wanted, strict=True):
            key = (claim.factor, order)
            now[key], then[key] = max(now[key], count), max(then[key], wanted)
    return Stage(
        _part(study, plan, now),
        _part(study, plan, then),
        levels,
        {claim.id: (found.verdict.outcome, max(found.counts), found.is_settled) for claim, found in claims},
        max([path.looks, *(found.looks for _, found in claims)]),
        is_settled and all(found.is_settled for _, found in claims),
    )


def counted_plan(plan: Plan, records: "Mapping[str, Record]") -> Plan:
    """A plan without runs of studies with looks that no look has counted."""
    parts = {
        study.name: stage_of(study, plan.of(study), records).counted
        for study in plan.studies
        if study.looks is not None
    }
    return joined(plan, parts)


def _ordered(plan: Plan) -> list[Point]:
    """Points as the analysis has them: factors as they appear, levels by their order."""
    factors = {factor: place for place, factor in enumerate(dict.fromkeys(p.setting.factor for p in plan.points))}
    return sorted(plan.points, key=lambda p: (factors[p.setting.factor], p.setting.order))


def _part(study: Study, plan: Plan, counts: Mapping[tuple[str, int], int]) -> Plan:
    """The points of the first seeds of each level."""
    place = {seed: index for index, seed in enumerate(study.seeds)}
    points = tuple(p for p in plan.points if place[p.run.seed] < counts[p.setting.factor, p.setting.order])
    return replace(plan, points=points)


def joined(plan: Plan, parts: Mapping[str, Plan]) -> Plan:
    """A plan with the points of some studies replaced."""
    kept = {name: set(map(id, part.points)) for name, part in parts.items()}
    points = tuple(p for p in plan.points if p.study.name not in kept or id(p) in kept[p.study.name])
    return replace(plan, points=points)
