"""What was done in a study, sentence by sentence, each from what the analysis holds and never a fixed text."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablate.analyse.describe import RESAMPLES
from ablate.analyse.max_t import LEAST_PAIRS
from ablate.analyse.mean_interval import WITHIN_OBSERVATIONS_FROM
from ablate.analyse.power import POWER
from ablate.analyse.sequential import VECTORS
from ablate.analyse.sign_flip import EXACT_UP_TO, FLIPS
from ablate.report.view import Cited, FactorView, Sentence, StudyView

if TYPE_CHECKING:
    from ablate.analyse import Comparison, StudyAnalysis

MOST_LISTED = 12
"""Levels, or seeds with gaps, that are named one by one."""
DESIGNS = {
    "one-at-a-time": "one factor at a time from a shared baseline",
    "grid": "every combination of levels",
    "leave-one-out": "components switched off one at a time",
}
LIBRARIES = {"torch": ("PyTorch", "paszke2019"), "torchvision": ("torchvision", ""), "numpy": ("NumPy", "harris2020")}
"""Packages whose versions records keep: how they are called, and what to cite."""


def method_sentences(
    view: StudyView, runs: pd.DataFrame, records: pd.DataFrame, analysis: "StudyAnalysis"
) -> Iterator[Sentence]:
    """Design, seeds, measures, intervals, tests, corrections, claims, published numbers and software, in that order.

    Args:
        view: The study.
        runs: The frame of runs.
        records: A row a record, with ``provenance.*``.
        analysis: Of these runs.
    """
    yield from view.origin
    yield from _design(view, runs)
    yield from _seeds(runs)
    yield from _measures(view)
    yield from _levels(view, analysis)
    yield from _comparisons(view, analysis)
    yield from _ranking(view, analysis)
    yield from _claims(view, analysis)
    yield from _published(view, analysis)
    yield from _software(view, records)


def _design(view: StudyView, runs: pd.DataFrame) -> Iterator[Sentence]:
    designs = " and ".join(DESIGNS.get(name, name) for name in view.design.split(" + "))
    yield (f"Study {view.name} varies {_factors(view)} ({designs}).",)
    based = runs[runs["is_baseline"].astype(bool)].groupby("factor")["label"].first().to_dict()
    parts = [_levels_of(factor, based.get(factor.path)) for factor in view.factors]
    yield (f"The levels are: {'; '.join(parts)}.",)
    if view.baseline:
        values = ", ".join(f"{path} = {value}" for path, value in view.baseline.items())
        yield (f"The baseline departs from the default configuration in {values}.",)


def _factors(view: StudyView) -> str:
    count = sum(len(_parts(factor)) or 1 for factor in view.factors)
    return f"{count} factor{'' if count == 1 else 's'}"


def _parts(factor: FactorView) -> dict[str, list[Any]]:
    """The factors that a grid's combined factor consists of, each with its values; empty: it is no such factor."""
    names, levels = factor.path.split(" x "), [level.value for level in factor.levels]
    if len(names) < 2 or not all(isinstance(level, tuple | list) and len(level) == len(names) for level in levels):
        return {}
    shown = factor.name.split(" x ")
    shown = shown if len(shown) == len(names) else names
    return {name: list({repr(v[i]): v[i] for v in levels}.values()) for i, name in enumerate(shown)}


def _levels_of(factor: FactorView, baseline: str | None) -> str:
    labels = [level.label for level in factor.levels]
    if parts := _parts(factor):
        each = " and ".join(f"{name} ({', '.join(map(str, values))})" for name, values in parts.items())
        text = f"{each}, {len(labels)} combinations"
    elif len(labels) > MOST_LISTED:
        text = f"{factor.axis}, {len(labels)} from {labels[0]} to {labels[-1]}"
    else:
        text = f"{factor.axis} {', '.join(labels)}"
    return f"{text} (baseline {baseline})" if baseline not in (None, "baseline") else text


def _seeds(runs: pd.DataFrame) -> Iterator[Sentence]:
    counts = runs.groupby(["factor", "label"])["seed"].nunique()
    seeds = sorted(int(seed) for seed in runs["seed"].unique())
    few, many = int(counts.min()), int(counts.max())
    number = f"{many}" if few == many else f"{few} to {many}"
    if seeds == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 1:
        which = f" ({seeds[0]} to {seeds[-1]})"
    else:
        which = f" ({', '.join(map(str, seeds))})" if len(seeds) <= MOST_LISTED else ""
    unique = runs.drop_duplicates("digest")
    ended = unique["status"].value_counts()
    lost = [f"{ended[s]} {s}" for s in ("diverged", "failed", "missing") if s in ended]
    outcome = f"{len(unique)} runs, of which {', '.join(lost)}" if lost else f"{len(unique)} runs, all complete"
    text = f"Every level has {number} seed{'' if many == 1 else 's'}{which}: {outcome}"
    if many == 1:
        yield (f"{text}.",)
    else:
        cited = Cited("bouthillier2021")
        yield f"{text}; a seed is the same at every level, and seeds are what all intervals are over", cited, "."


def _measures(view: StudyView) -> Iterator[Sentence]:
    better = "higher" if view.metric.goal == "max" else "lower"
    others = [metric.title for metric in view.metrics if metric != view.metric]
    more = f"; {', '.join(others)} {'is' if len(others) == 1 else 'are'} reported beside it" if others else ""
    yield (f"The primary measure is {view.metric.title} ({better} is better){more}.",)
    if exact := [metric.title for metric in view.metrics if metric.exact]:
        one = len(exact) == 1
        follows = f"{'follows' if one else 'follow'} from the setting and not from the seed"
        yield (f"{', '.join(exact)} {follows}, and {'is' if one else 'are'} compared without a test.",)


def _levels(view: StudyView, analysis: "StudyAnalysis") -> Iterator[Sentence]:
    levels = analysis.description.levels
    if not any(level.interval is not None for level in levels):
        return
    text = "Means are of complete runs, with 95 % intervals by Student's t"
    cuts = []
    if any(metric.low is not None or metric.high is not None for metric in view.metrics):
        cuts.append("to the range of the metric")
    if any(level.interval is not None and level.n >= WITHIN_OBSERVATIONS_FROM for level in levels):
        cuts.append(f"from {WITHIN_OBSERVATIONS_FROM} runs on to that of the runs")
    yield text, Cited("student1908"), f", cut {' and '.join(cuts)}." if cuts else "."
    if any(level.iqm_interval is not None for level in levels):
        text = "Where runs stand apart from the others or a tail is long, the interquartile mean with its percentile "
        parts: list[str | Cited] = [f"{text}bootstrap interval ({RESAMPLES:,} resamples)", Cited("agarwal2021")]
        if any(level.apart_share is not None and level.apart for level in levels):
            parts += [" and the share of runs that stand apart with Wilson's interval", Cited("wilson1927")]
        yield *parts, " are given as well."


def _comparisons(view: StudyView, analysis: "StudyAnalysis") -> Iterator[Sentence]:
    tested = [entry for entry in analysis.comparisons if entry.p is not None]
    by_looks = [entry for entry in tested if entry.course is not None]
    if by_looks:
        yield from _by_looks(view, by_looks)
    at_once = [entry for entry in tested if entry.course is None]
    if at_once:
        yield from _at_once(view, at_once, analysis)
    elif not tested:
        yield ("No level is tested against a baseline.",)
    if any(entry.improvement is not None for entry in tested):
        yield (
            "How often a run does better than the baseline's with the same seed",
            Cited("bouthillier2021"),
            " has Wilson's interval",
            Cited("wilson1927"),
            ", and an e-value, which holds whenever seeds are added",
            Cited("howard2021"),
            ", with e-BH over all levels",
            Cited("wang2022"),
            ".",
        )
    if any(entry.with_samples is not None for entry in tested):
        yield (
            "Intervals for other seeds and other test samples are of crossed random effects, whose half lengths add up "
            "as squares",
            Cited("graybill1980"),
            ".",
        )
    if any(entry.difference_counting_diverged is not None for entry in tested):
        yield ("Diverged runs are in no mean; in tests each ranks below every finished run.",)


def _by_looks(view: StudyView, entries: "Sequence[Comparison]") -> Iterator[Sentence]:
    looks = view.looks
    assert looks is not None
    title = view.title(entries[0].metric)
    yield (
        f"Seeds were added by {title}, with looks at {', '.join(map(str, looks.at))} seeds fixed beforehand: "
        f"differences from the baseline, paired by seed, are tested by group-sequential sign flips ({VECTORS + 1:,} "
        "sign vectors)",
        Cited("mehta1994"),
        f" that spend an error of {100 * looks.alpha:g} % over all looks and levels by Pocock's type of spending",
        Cited("lan1983"),
        ", with repeated confidence intervals",
        Cited("jennison1989"),
        f"; levels within {looks.margin:g} of the baseline get no more seeds." if looks.margin else ".",
    )


def _at_once(view: StudyView, tested: "Sequence[Comparison]", analysis: "StudyAnalysis") -> Iterator[Sentence]:
    holm = view.correction == "holm"
    seeds = max(entry.n for entry in tested) if holm else len({seed for entry in tested for seed in entry.seeds})
    first: list[str | Cited] = ["Levels are compared with the baseline by the mean of the differences paired by seed, "]
    first += ["in two-sided sign-flip permutation tests", Cited("fisher1935")]
    exact = seeds <= EXACT_UP_TO
    first += ["over all sign vectors" if exact else f"with {FLIPS:,} random sign vectors"]
    first[-1] = f" {first[-1]}"
    yield (*first, "." if exact else Cited("phipson2010"), *([] if exact else ["."]))
    families = len({factor.family for factor in view.factors})
    per = max(sum(entry.metric == name for entry in tested) for name in {entry.metric for entry in tested})
    of = f"The {per} comparisons" if per > 1 else "The comparison"
    within = f" of each of the {families} studies that this one unites" if families > 1 else ""
    title = f"{of} on each measure" if len(view.metrics) > 1 else of
    enough = any(entry.n >= LEAST_PAIRS for entry in tested)
    if holm:
        rule: list[str | Cited] = ["corrected by Holm's rule", Cited("holm1979"), ", with Bonferroni's t intervals"]
    else:
        rule = ["corrected by step-down max-T over joint sign flips", Cited("westfall1993")]
        rule.append(", with simultaneous 95 % intervals ")
        rule.append("by the same flips that agree with the tests" if enough else "by Bonferroni's quantile of t")
        rule += [Cited("strassburger2008")] if enough else []
    yield f"{title}{f', those{within} together,' if within else ''} are " if per > 1 else f"{title} is ", *rule, "."
    if any(entry.p_t is not None for entry in tested):
        by_t: list[str | Cited] = [f"With fewer than {LEAST_PAIRS} pairs sign flips can decide nothing at 5 %; the "]
        by_t += ["paired t test's p", Cited("student1908"), " with Holm's correction", Cited("holm1979")]
        yield *by_t, " stands beside theirs and decides nothing."
    if any(entry.needed is not None for entry in tested):
        text = f"Seeds that would settle an undecided difference are those of a power of {100 * POWER:g} %, over the "
        yield f"{text}quartiles of what its standardised size may be", Cited("hedges1985"), "."


def _ranking(view: StudyView, analysis: "StudyAnalysis") -> Iterator[Sentence]:
    if any(best.metric == view.metric.name for best in analysis.best):
        yield (
            "Levels that cannot be told from the best form a 95 % confidence set of it",
            Cited("gupta1965", "hsu1984"),
            ", by paired one-sided sign-flip tests put together by Simes' rule",
            Cited("simes1986"),
            "; what the comparisons with the baseline do not tell from the best stays in it.",
        )
    if any(trend.metric == view.metric.name for trend in analysis.trends):
        yield (
            "Trends along ordered levels are tested by Page's test",
            Cited("page1963"),
            " and described by Kendall's tau-b",
            Cited("kendall1945"),
            ".",
        )


def _claims(view: StudyView, analysis: "StudyAnalysis") -> Iterator[Sentence]:
    claims = [verdict.claim for verdict in analysis.verdicts]
    if not claims:
        return
    count = f"{len(claims)} claims are" if len(claims) > 1 else "One claim is"
    kinds, each = {claim.kind for claim in claims}, ", each by itself" if len(claims) > 1 else ""
    parts: list[str | Cited] = [f"{count} judged{each}: "]
    if kinds - {"equivalent"}:
        share = "at 2.5 %" if view.looks is None else f"at {50 * view.looks.alpha:g} % over all looks"
        parts.append(f"by one-sided sign-flip tests paired by seed, {share} for and against it")
    if kinds & {"best_in", "peaks_inside", "monotone"}:
        parts += [", where all pairs of levels must speak for it", Cited("berger1982")]
    if kinds & {"best_in", "peaks_inside"}:
        parts += [" or one of several, by Simes' rule", Cited("simes1986")]
    if "equivalent" in kinds:
        margins = sorted({claim.margin for claim in claims if claim.kind == "equivalent"})
        parts.append("; " if kinds - {"equivalent"} else "")
        parts.append(f"equivalence within {' or '.join(f'{margin:g}' for margin in margins)} by two one-sided paired ")
        parts += [
            "t tests at 5 %" if view.looks is None else f"t tests at {100 * view.looks.alpha:g} % over all looks",
            Cited("schuirmann1987"),
        ]
        parts += [", with its probability by the Bayesian signed rank test", Cited("benavoli2017")]
    if any(claim.over for claim in claims):
        parts += ["; at all levels of another factor where all of them must support it", Cited("berger1982")]
        parts += [", and at how many at least by partial conjunction", Cited("benjamini2008", "dror2017")]
    if len(claims) > 1:
        parts += ["; which of them also hold together is told by Holm's rule", Cited("holm1979")]
    yield *parts, "."


def _published(view: StudyView, analysis: "StudyAnalysis") -> Iterator[Sentence]:
    if not any(check.interval is not None for check in analysis.published):
        return
    sources = list(dict.fromkeys(factor.source for factor in view.factors if factor.source))
    of = f" ({'; '.join(sources)})" if sources else ""
    repeats = sorted({check.repeats for check in analysis.published})
    text = f"Published means{of} are held against 95 % prediction intervals for the mean of "
    runs = f"{' or '.join(map(str, repeats))} further run{'' if repeats == [1] else 's'}"
    yield f"{text}{runs}", Cited("hahn1991"), "."


def _software(view: StudyView, records: pd.DataFrame) -> Iterator[Sentence]:
    parts: list[str | Cited] = []
    for name in ("ablate", "python", *view.libraries):
        if known := _values(records, f"provenance.versions.{name}"):
            title, key = LIBRARIES.get(name, ({"python": "Python"}.get(name, name), ""))
            parts += [", " if parts else "", f"{title} {' and '.join(known)}", *([Cited(key)] if key else [])]
    where = _values(records, "provenance.gpu") or _values(records, "provenance.cpu")
    if parts:
        yield "Runs were made with ", *parts, f", on {' and '.join(where)}." if where else "."
    yield (
        f"The analysis was made with ablate {_own_version()}, NumPy {version('numpy')}",
        *([] if Cited("harris2020") in parts else [Cited("harris2020")]),
        f" and SciPy {version('scipy')}",
        Cited("virtanen2020"),
        ".",
    )


def _own_version() -> str:
    from ablate import __version__

    return __version__


def _values(records: pd.DataFrame, column: str) -> list[str]:
    """The values that records have, each once."""
    if column not in records:
        return []
    return list(dict.fromkeys(str(value) for value in records[column] if value is not None and value == value))
