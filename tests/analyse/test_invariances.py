"""Writing the same data otherwise changes no statistic: properties over generated studies.

The order of rows, the names of seeds and levels, the unit of the metric and whether more or less is called better are
no part of what was measured. Values are whole numbers, so that ties are frequent, and units powers of two, so that they
stay ties.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ablate.analyse import Published, analyse, curves, equivalent, sequential
from ablate.analyse.along_looks import compare_along
from ablate.analyse.compare import compare
from ablate.analyse.errors import AnalysisError
from ablate.analyse.results import Interval
from ablate.analyse.sequential import Looks
from ablate.analyse.spans import spans
from ablate.task.claim import Claim
from ablate.task.metric import Metric

FEW = settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
ENDINGS = ["diverged", "failed", "missing", None]
OPPOSITE = {"rising": "falling", "falling": "rising"}


@pytest.fixture(autouse=True, scope="module")
def few_vectors():
    """What is drawn for looks takes most of the time, and fewer vectors have the same symmetries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequential, "VECTORS", 399)
        yield


@dataclass(frozen=True)
class Study:
    runs: pd.DataFrame
    metric: Metric
    claims: tuple[Claim, ...]
    published: tuple[Published, ...]
    looks: Looks


@st.composite
def studies(draw, metric=None):
    """One factor, two that share a baseline, or a grid; some runs lost, levels at chance, seeds in no order."""
    design = draw(st.sampled_from(["one", "one", "two", "grid"]))
    count = 4 if design == "grid" else draw(st.integers(3, 4))
    seeds = draw(st.lists(st.integers(0, 99), min_size=6, max_size=8, unique=True))
    metric = metric or Metric("score", draw(st.sampled_from(["max", "min"])), **draw(st.sampled_from([{}, RANGE])))
    guess = draw(st.sampled_from([math.nan, 3.0]))
    entry = st.one_of(*[st.integers(0, 15)] * 12, st.sampled_from(ENDINGS))
    factors = {"a": [f"a{i}" for i in range(count)]} | ({"b": ["a0", "b1", "b2"]} if design == "two" else {})
    values = [(0, 0), (0, 1), (1, 0), (1, 1)] if design == "grid" else list(range(count))
    shared, rows = [draw(entry) for _ in seeds], []
    for factor, labels in factors.items():
        for order, label in enumerate(labels):
            entries = shared if order == 0 else [draw(entry) for _ in seeds]
            for seed, value in zip(seeds, entries, strict=True):
                if value is not None:
                    complete = isinstance(value, int)
                    rows.append(
                        {
                            **{"study": "s", "factor": factor if design != "grid" else "a x b", "level": values[order]},
                            **{"label": label, "order": order, "is_baseline": order == 0, "seed": seed},
                            **{"digest": f"{label}/{seed}", "status": "complete" if complete else value},
                            **{"seconds": 1.0, "engine": 1, "guess.score": guess},
                            "score": float(value) if complete else math.nan,
                        }
                    )
    runs = pd.DataFrame(rows)
    factor = str(runs["factor"].iloc[0])
    there = [label for label in factors["a"] if (runs["label"] == label).any()]
    margin = draw(st.sampled_from([1.0, 4.0]))
    claims = (
        Claim("better", "t", "better", factor, "score", tuple(there[1:] + there[:1])[:2]),
        Claim("by", "t", "better", factor, "score", tuple(there[:2]), margin=margin),
        Claim("best", "t", "best_in", factor, "score", tuple(there[1:2]), among=tuple(there)),
        Claim("equal", "t", "equivalent", factor, "score", tuple(there[:3]), margin=4 * margin),
        Claim("steps", "t", "monotone", factor, "score", tuple(there), direction="rising"),
        Claim("trend", "t", "monotone", factor, "score", tuple(there), direction="falling", margin=margin),
        Claim("peak", "t", "peaks_inside", factor, "score", tuple(there[1:2]), among=tuple(there), margin=margin),
    )
    kept = [claim for claim in claims if len(there) > 2 or claim.kind == "better"]
    published = tuple(Published(factor, label, "score", 7.25, 3, 0.25) for label in there)
    return Study(runs, metric, tuple(kept) if len(there) > 1 else (), published, Looks((6, 7, 8), 0.05, 6.0))


RANGE = {"low": 0.0, "high": 15.0}


@dataclass(frozen=True)
class Unit:
    """What became of a number: ``scale`` times it, plus ``shift``."""

    scale: float = 1.0
    shift: float = 0.0

    def place(self, value):
        return None if value is None else (value - self.shift) / self.scale

    def difference(self, value):
        return None if value is None else value / self.scale

    def size(self, value):
        return None if value is None else value / abs(self.scale)

    def ends(self, interval, back):
        return None if interval is None else tuple(sorted((back(interval.low), back(interval.high))))


def facts(study, *, unit=Unit(), names=None, drawn=True, ordered=True):
    """Every number of an analysis in the unit that it had, by statistic and place.

    Args:
        names: old names of levels by new ones.
        drawn: whether random resamples are the same ones.
        ordered: whether levels are in the order that they had.
    """
    whole = analyse(study.runs, metrics=[study.metric], claims=study.claims, published=study.published)
    name = (lambda label: label) if names is None else names.__getitem__
    found = {}
    for one in whole.description.levels:
        found["level", one.factor, name(one.label)] = {
            **{field: getattr(one, field) for field in ("n", "complete", "diverged", "failed", "missing")},
            **{field: getattr(one, field) for field in ("at_chance", "is_uneven", "apart", "apart_share")},
            **{field: unit.place(getattr(one, field)) for field in ("mean", "median", "iqm")},
            "sd": unit.size(one.sd),
            "ends": None if one.n == 0 else sorted((unit.place(one.minimum), unit.place(one.maximum))),
            "interval": unit.ends(one.interval, unit.place),
            "iqm_interval": unit.ends(one.iqm_interval, unit.place) if drawn else None,
            "warnings": len(one.warnings),
        }
    for kind, entries in (
        ("max-t", whole.comparisons),
        ("holm", compare(study.runs, metric=study.metric, correction="holm")),
        ("looks", compare_along(study.runs, metric=study.metric, looks=study.looks)),
    ):
        for one in entries:
            found[kind, one.factor, name(one.label)] = _compared(one, unit)
    for one in whole.best:
        top = max(one.levels, key=lambda level: study.metric.sign * level.mean)
        assert next(level for level in one.levels if level.label == one.best).mean == top.mean
        for level in one.levels:
            found["best", one.factor, name(level.label)] = {
                **{"n": one.n, "mean": unit.place(level.mean), "p": level.p, "in_set": level.in_set},
                "probability": level.probability if drawn and ordered else None,
            }
        found["left out", one.factor, ""] = sorted(map(name, one.left_out))
    for one in whole.trends if ordered else ():
        p = (one.p_rising, one.p_falling) if unit.scale > 0 else (one.p_falling, one.p_rising)
        turn = math.copysign(1, unit.scale)
        ends = sorted((turn * one.tau_interval.low, turn * one.tau_interval.high))
        direction = one.direction if turn > 0 else OPPOSITE.get(one.direction, one.direction)
        found["trend", one.factor, ""] = [one.n, p, one.exact, turn * one.tau, ends, direction]
    for one in whole.importance:
        terms = {tuple(t.factors): [t.share, t.df, t.f, t.p, unit.size(t.spread)] for t in one.terms}
        found["importance", "", ""] = [one.design, one.n, one.seeds_share, one.residual_share, terms]
    found |= _drawn_things(study, unit, name, ordered)
    for one in whole.published:
        found["published", one.factor, name(one.label)] = [
            *(one.n, one.inside, unit.place(one.mean), unit.difference(one.difference)),
            unit.ends(one.interval, unit.place),
        ]
    for one in whole.verdicts:
        decided = (one.outcome, one.decided_with_others, one.needed)
        found["verdict", one.claim.id, ""] = [one.n, one.p, one.p_against, *decided, len(one.warnings)]
    found["omissions", "", ""] = sorted((one.what, one.factor) for one in whole.omissions if ordered)
    for claim in study.claims:
        if claim.kind == "equivalent":
            found["equivalence", "", ""] = _equivalence(study, claim, unit)
    return found


def _drawn_things(study, unit, name, ordered):
    """What figures show beside: learning curves, here of two epochs, and the span of each factor of a grid."""
    found, runs = {}, study.runs
    step = unit.scale
    epochs = pd.concat([runs[["digest", "score"]].assign(epoch=1, score=runs["score"] - step), runs.assign(epoch=2)])
    points = epochs[["digest", "epoch", "score"]].drop_duplicates()
    for factor in runs["factor"].unique():
        for one in curves(runs, points, metric=replace(study.metric, low=None, high=None), factor=factor):
            ends = [unit.ends(Interval(*pair, 0.95, "t"), unit.place) for pair in zip(one.low, one.high, strict=True)]
            known = [pair for pair in ends if not math.isnan(pair[0])]
            found["curve", factor, name(one.label)] = [one.epochs, one.n, [*map(unit.place, one.mean)], known]
        for span in spans(runs, study.metric, factor) if ordered else ():
            interval = None if span.interval is None else Interval(*span.interval, 0.95, "t")
            ends = unit.ends(interval, unit.difference)
            found["span", span.factor, ""] = [span.best, span.worst, span.n, unit.difference(span.difference), ends]
    return found


def without_sequence(found):
    """What does not depend on which seed came first: not looks, nor what is owned after each seed."""
    kept = {key: value for key, value in found.items() if key[0] != "looks"}
    for key, value in kept.items():
        if key[0] in ("max-t", "holm"):
            value.pop("told_open_ended")
            (value["improvement"] or {"e": 1.0}).pop("e")
    return kept


def _compared(one, unit):
    free = ("n", "p", "p_corrected", "p_t", "smallest_p", "exact", "standing", "needed", "p_counting_diverged")
    free += ("correlation", "pairing", "told_open_ended")
    turn = math.copysign(1, unit.scale)
    return {
        **{field: getattr(one, field) for field in (*free, "divergence", "course")},
        **{field: unit.place(getattr(one, field)) for field in ("mean", "baseline_mean")},
        "difference": unit.difference(one.difference),
        "counting": unit.difference(one.difference_counting_diverged),
        "effects": [None if effect is None else turn * effect for effect in (one.effect, one.effect_corrected)],
        "interval": unit.ends(one.interval, unit.difference),
        "simultaneous": unit.ends(one.simultaneous, unit.difference),
        "silent": one.no_evidence != "",
        "improvement": None if one.improvement is None else vars(one.improvement),
    }


def _equivalence(study, claim, unit):
    a, b = claim.levels[:2]
    try:
        one = equivalent(study.runs, metric=study.metric, a=a, b=b, margin=claim.margin, factor=claim.factor)
    except AnalysisError:
        return None
    sides = (one.p_lower, one.p_upper) if unit.scale > 0 else (one.p_upper, one.p_lower)
    ends = unit.ends(one.interval, unit.difference)
    return [one.n, unit.difference(one.difference), ends, sides, one.p, one.p_against, one.equivalent]


def same(a, b, where=()):
    """Equal, numbers up to rounding."""
    if isinstance(a, dict) and isinstance(b, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            same(a[key], b[key], (*where, key))
    elif isinstance(a, list | tuple) and isinstance(b, list | tuple):
        assert len(a) == len(b), where
        for index, pair in enumerate(zip(a, b, strict=True)):
            same(*pair, (*where, index))
    elif isinstance(a, Interval) and isinstance(b, Interval):
        same((a.low, a.high), (b.low, b.high), where)
    elif isinstance(a, float) and isinstance(b, float):
        assert a == pytest.approx(b, rel=1e-7, abs=1e-7), where
    else:
        assert a == b, where


@FEW
@given(studies(), st.randoms(use_true_random=False))
def test_the_order_of_rows_is_no_evidence(study, random):
    places = list(range(len(study.runs)))
    random.shuffle(places)
    first = study.runs["factor"].iloc[0]
    shuffled = study.runs.iloc[places].sort_values("factor", key=lambda f: f != first, kind="stable")
    same(facts(study), facts(replace(study, runs=shuffled)))


@FEW
@given(studies(), st.randoms(use_true_random=False))
def test_seeds_are_names(study, random):
    """Whatever they are called; looks and e-values take them in the order of their numbers, so there they keep it."""
    seeds = sorted(study.runs["seed"].unique())
    new = sorted(random.sample(range(1000), len(seeds)))
    ascending = replace(study, runs=study.runs.assign(seed=study.runs["seed"].map(dict(zip(seeds, new, strict=True)))))
    same(facts(study), facts(ascending))
    random.shuffle(new)
    shuffled = replace(study, runs=study.runs.assign(seed=study.runs["seed"].map(dict(zip(seeds, new, strict=True)))))
    same(*(without_sequence(facts(one, drawn=False)) for one in (study, shuffled)))


@FEW
@given(studies(), st.randoms(use_true_random=False))
def test_levels_are_names_in_any_order(study, random):
    orders = sorted(study.runs["order"].unique())
    places = random.sample(orders, len(orders))
    new = {label: f"level {place}" for place, label in enumerate(sorted(study.runs["label"].unique()))}
    runs = study.runs.assign(
        label=study.runs["label"].map(new), order=study.runs["order"].map(dict(zip(orders, places, strict=True)))
    )
    claims = [
        replace(c, levels=tuple(map(new.get, c.levels)), among=tuple(map(new.get, c.among))) for c in study.claims
    ]
    published = [replace(p, level=new[p.level]) for p in study.published]
    renamed = replace(study, runs=runs, claims=tuple(claims), published=tuple(published))
    back = {label: old for old, label in new.items()}
    same(facts(study, ordered=False), facts(renamed, names=back, ordered=False))


@FEW
@given(studies(), st.sampled_from([0.25, 2.0, 64.0]), st.integers(-100, 100))
def test_the_unit_of_a_metric_is_no_evidence(study, scale, shift):
    same(facts(study), facts(measured(study, scale, shift), unit=Unit(scale, shift)))


@FEW
@given(studies(), st.sampled_from([-1.0, -4.0]), st.integers(-100, 100))
def test_what_is_better_may_be_called_more_or_less(study, scale, shift):
    """Scores turned into costs: whatever was better still is."""
    turned = measured(study, scale, shift)
    turned = replace(turned, metric=replace(turned.metric, goal={"max": "min", "min": "max"}[turned.metric.goal]))
    claims = [replace(c, direction=OPPOSITE[c.direction]) for c in turned.claims]
    turned = replace(turned, claims=tuple(claims))
    same(facts(study, drawn=False), facts(turned, unit=Unit(scale, shift), drawn=False))


@FEW
@given(studies())
def test_better_and_worse_change_places_with_the_goal(study):
    """Where no run diverged, which is worst whatever the goal, the other goal makes every better a worse."""
    runs = study.runs[study.runs["status"] != "diverged"].assign(**{"guess.score": math.nan})
    study = replace(study, runs=runs)
    other = replace(study, metric=replace(study.metric, goal={"max": "min", "min": "max"}[study.metric.goal]))
    swapped = {"better": "worse", "worse": "better", "undecided": "undecided"}
    for kind, one, two in (
        ("max-t", compare(runs, metric=study.metric), compare(runs, metric=other.metric)),
        ("holm", *(compare(runs, metric=m, correction="holm") for m in (study.metric, other.metric))),
        ("looks", *(compare_along(runs, metric=m, looks=study.looks) for m in (study.metric, other.metric))),
    ):
        assert [swapped[entry.standing] for entry in one] == [entry.standing for entry in two], kind
        same([(e.p, e.difference, e.p_corrected) for e in one], [(e.p, e.difference, e.p_corrected) for e in two])


def measured(study, scale, shift):
    """The study with its metric in another unit; a negative scale leaves the goal as it is."""
    ends = [None if end is None else scale * end + shift for end in (study.metric.low, study.metric.high)]
    low, high = ends if scale > 0 else ends[::-1]
    columns = {name: scale * study.runs[name] + shift for name in ("score", "guess.score")}
    return replace(
        study,
        runs=study.runs.assign(**columns),
        metric=replace(study.metric, low=low, high=high),
        claims=tuple(replace(c, margin=abs(scale) * c.margin) for c in study.claims),
        published=tuple(
            replace(p, value=scale * p.value + shift, rounding=abs(scale) * p.rounding) for p in study.published
        ),
        looks=replace(study.looks, margin=abs(scale) * study.looks.margin),
    )


@pytest.mark.parametrize("unit", [Unit(100.0), Unit(0.01, 0.3), Unit(1e6, -1e5), Unit(1e-6)])
def test_percent_are_fractions(unit):
    """Units that round: continuous values, more seeds than are enumerated."""
    generator = np.random.default_rng(3)
    values = generator.normal([[0.8], [0.81], [0.8], [0.83]], 0.02, (4, 16)) - (generator.random((4, 16)) < 0.1) * 0.5
    rows = [
        {
            **{"study": "s", "factor": "a", "level": order, "label": f"a{order}", "order": order},
            **{"is_baseline": order == 0, "seed": seed, "digest": f"{order}/{seed}", "status": "complete"},
            **{"seconds": 1.0, "engine": 1, "guess.score": math.nan, "score": values[order, seed]},
        }
        for order in range(4)
        for seed in range(16)
    ]
    claims = (
        Claim("better", "t", "better", "a", "score", ("a1", "a0"), margin=0.005),
        Claim("equal", "t", "equivalent", "a", "score", ("a1", "a0"), margin=0.05),
        Claim("trend", "t", "monotone", "a", "score", ("a0", "a1", "a3"), margin=0.01),
    )
    published = (Published("a", "a1", "score", 0.815, 10, 0.0005),)
    study = Study(pd.DataFrame(rows), Metric("score", "max"), claims, published, Looks((6, 10, 16), 0.05, 0.02))
    same(facts(study), facts(measured(study, unit.scale, unit.shift), unit=unit))
