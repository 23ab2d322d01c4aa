"""What studies can show, before they are trained: which differences are found, and how many seeds decide at all."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

from ablate.commands.study_view import claims_of, metric_of
from ablate.plan.design import Setting
from ablate.plan.plan import Plan
from ablate.plan.visible_differences import expected_runs, fewest_seeds, first_look, spread_of, visible_effect

if TYPE_CHECKING:
    from ablate.store import Store
    from ablate.task.record import Record

MOST_SETTINGS = 24
"""Settings of a study whose runs are read for their spread."""


def prospects(plan: Plan, name: str, store: "Store") -> dict[str, Any]:
    """What a study's seeds can show.

    Args:
        plan: The plan with the study.
        name: The study's.
        store: Open for reading; runs of the study that it holds say how far they scatter.

    Returns:
        JSON data: ``comparisons`` with the baseline (0: there is no baseline), ``seeds``, ``seeds_needed`` to decide
        anything, ``visible_sd`` (the difference found in 80 % of studies, in standard deviations of a paired
        difference; None: nothing can be decided) and, where the store has runs to tell from, ``visible`` (the same in
        the unit of ``metric``; absent where differences do not scatter at all) and ``spread_settings`` (how many
        settings tell); ``unread``: levels (``lr = 0.1``) whose runs in the store have the baseline's value of
        ``metric`` on every seed, two or more. Of a study that adds seeds look by look, its ``looks``, the
        ``first_look`` at which anything can be decided, ``least_runs``, ``most_runs`` and
        ``expected_runs`` where all levels that are compared, by its ``claims`` too, differ by one standard deviation of
        a paired difference.
    """
    study = next(study for study in plan.studies if study.name == name)
    settings: dict[tuple[str, int], Setting] = {}
    for point in plan.points:
        if point.study.name == name:
            settings.setdefault((point.setting.factor, point.setting.order), point.setting)
    baseline = next((s for s in settings.values() if s.is_baseline), None)
    levels = [s for s in settings.values() if not s.is_baseline]
    found: dict[str, Any] = {"seeds": len(study.seeds), "comparisons": len(levels) if baseline else 0}
    if baseline is None or not levels:
        return found | {"seeds_needed": 0}
    effect = visible_effect(len(study.seeds), len(levels), study.correction)
    found |= {"seeds_needed": fewest_seeds(len(levels), study.correction), "visible_sd": effect}
    if study.looks is not None:
        first = first_look(study.looks.looks, study.looks.alpha)
        found |= {"looks": list(study.looks.looks), "first_look": first}
        claims = _pairs_of_claims(plan.of(study), [baseline, *levels])
        expected = expected_runs(study.looks.looks, study.looks.alpha, len(levels), 1.0, claims)
        found |= {"expected_runs": round(expected), "claims": len(claims)}
        found |= {"least_runs": first * (len(levels) + 1), "most_runs": len(study.seeds) * (len(levels) + 1)}
    metric = metric_of(study)
    known = [baseline, *levels[:MOST_SETTINGS]]
    of_baseline, *others = _values(plan, name, known, metric.name, store)
    spread = spread_of(of_baseline, others)
    if effect is not None and spread is not None:
        found |= {"metric": metric.title, "spread_settings": spread.settings}
        found |= {"visible": effect * spread.sd} if spread.sd else {}
    if len(set(of_baseline.values())) > 1:  # where no seed gives another value, equal ones show nothing
        same = [setting for setting, of in zip(known[1:], others, strict=True) if _are_same(of_baseline, of)]
        found |= {"metric": metric.title, "unread": [f"{setting.factor} = {setting.label}" for setting in same]}
    return found


def prospects_line(name: str, found: Mapping[str, Any]) -> str:
    """What :func:`prospects` found, in a sentence; empty where there is nothing to compare."""
    if not found["comparisons"]:
        return ""
    seeds, needed = found["seeds"], found["seeds_needed"]
    if seeds < needed:
        return (
            f"study {name}: {seeds} seeds cannot decide any of its {found['comparisons']} comparisons with the "
            f"baseline at 5 %, however large the differences: that takes {needed} seeds"
        )
    size = f"about {found['visible_sd']:.1f} standard deviations of a paired difference"
    if "spread_settings" in found:
        settings = "1 setting" if found["spread_settings"] == 1 else f"{found['spread_settings']} settings"
    if "visible" in found:
        size = f"about {found['visible']:.2g} in {found['metric']} ({size}, by the spread of {settings} in the store)"
    elif "spread_settings" in found:
        size += f" (how large that is cannot be told: differences of {settings} in the store do not scatter at all)"
    if found.get("looks"):
        looks = ", ".join(map(str, found["looks"]))
        claims = " (levels of claims from each other, too)" if found["claims"] else ""
        return (
            f"study {name}: looks at {looks} seeds, the first that can decide at {found['first_look']}: between "
            f"{found['least_runs']} and {found['most_runs']} runs, about {found['expected_runs']} where every level "
            f"differs by one standard deviation of a paired difference{claims}; with all seeds, differences of "
            f"{size} are found in about 80 % of studies"
        )
    return (
        f"study {name}: with {seeds} seeds and {found['comparisons']} comparisons, differences of {size} are found in "
        f"80 % of studies; below {needed} seeds none"
    )


def unread_line(name: str, found: Mapping[str, Any]) -> str:
    """Which levels may not be read, in a sentence; empty where none is the same as the baseline.

    Args:
        name: The study's.
        found: As :func:`prospects` returns it.
    """
    levels = found.get("unread", ())
    if not levels:
        return ""
    verb, asked = ("is", "is it") if len(levels) == 1 else ("are", "are they")
    return (
        f"study {name}: {', '.join(levels)} {verb} identical to the baseline in {found['metric']} on every seed in the "
        f"store: {asked} read?"
    )


def _pairs_of_claims(plan: Plan, levels: Sequence[Setting]) -> list[list[tuple[int, int]]]:
    """The pairs of levels that each claim asks about, by their place among ``levels``; the baseline is the first."""
    bases = {(s.factor, s.order): 0 for s in levels if s.is_baseline}
    places = {(s.factor, s.order): place for place, s in enumerate(levels)} | bases
    found = []
    for claim in claims_of(plan):
        own = plan.levels(next(s for s in plan.studies if claim.factor in s.factors), claim.factor)
        every = [places.get((s.factor, s.order), 0) for s in own.settings]
        meant = [[own.meant(name) for name in names] for names in (claim.levels, claim.among)]
        named, among = ([places.get((s.factor, s.order), 0) for s in of if s is not None] for of in meant)
        if claim.kind in ("best_in", "peaks_inside"):
            compared = among or every
            inside = named or compared[1:-1]
            pairs = [(i, j) for i in inside for j in compared if j not in inside]
        elif claim.kind == "monotone" and not claim.margin:
            pairs = list(pairwise(named))
        else:
            pairs = list(combinations(named, 2))
        found.append(pairs)
    return found


def _are_same(one: Mapping[int, float], other: Mapping[int, float]) -> bool:
    """Whether two settings have the same value on every seed that both have, two or more."""
    seeds = one.keys() & other.keys()
    return len(seeds) > 1 and all(one[seed] == other[seed] for seed in seeds)


def _values(plan: Plan, name: str, settings: list[Setting], metric: str, store: "Store") -> list[dict[int, float]]:
    """What the store holds of each setting: the last value of a metric by seed."""
    wanted = {id(setting): {} for setting in settings}  # type: dict[int, dict[int, str]]
    for point in plan.points:
        if point.study.name == name and id(point.setting) in wanted:
            wanted[id(point.setting)][point.run.seed] = point.run.digest
    records = store.get({digest for of in wanted.values() for digest in of.values()})
    return [
        {seed: value for seed, digest in of.items() if (value := _last(records.get(digest), metric)) is not None}
        for of in wanted.values()
    ]


def _last(record: "Record | None", metric: str) -> float | None:
    if record is None or record.result.status != "complete":
        return None
    for measurement in reversed(record.result.curves):
        if metric in measurement.values:
            value = measurement.values[metric]
            return value if math.isfinite(value) else None
    return None
