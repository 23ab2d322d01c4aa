"""Claims of a study whose seeds are added look by look: which levels they still need, and what came of them.

A claim is judged at each look by the first seeds of its own levels, with p over all looks
(:mod:`ablate.analyse.claim_evidence`): it is tested by itself at alpha over all looks together, whatever becomes of
the levels' comparisons with the baseline and of other claims. It ends where it is supported or refuted. Until then
those of its levels go on that can still change the verdict, by this rule:

- ``better``: both levels.
- ``equivalent``: those of pairs that are not yet shown to be equivalent.
- ``monotone``: those of steps (with a margin: of pairs) that do not yet go the right way.
- ``best_in`` and ``peaks_inside``: each level outside that is not yet shown to be worse than one inside, and those
  inside that it is not yet shown to beat; where nothing but a step back on a slope forbids the peak, its two levels.

A pair of which the t interval, with the share of the error that the look has, lies within the study's margin of what is
claimed is in question no more: it is given up, which never errs. So is a level outside with all its pairs, where the
inside level with the best mean is so near to it. A level that was left out gets no more seeds for the
claim. Where no level is in question, the claim ends undecided.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import special

from ablate.analyse.best import simes
from ablate.analyse.claim_evidence import Evidence, LookedAt
from ablate.analyse.claim_texts import course_text, stated_text
from ablate.analyse.claims import hold_together, judge_evidence, peak_levels, reversal_of
from ablate.analyse.courses import ClaimLook
from ablate.analyse.errors import AnalysisError
from ablate.analyse.inputs import Metrics, by_name, find_metric
from ablate.analyse.panel import Panel, make_panel
from ablate.analyse.results import Verdict
from ablate.analyse.sequential import Looks
from ablate.analyse.sign_flip import Pairwise
from ablate.task.claim import Claim


@dataclass(frozen=True)
class ClaimPath:
    """How far a claim got; [levels] are those that it is about."""

    verdict: Verdict
    levels: tuple[int, ...]
    """Their order in the study."""
    counts: tuple[int, ...]
    """Seeds that count for each."""
    wanted: tuple[int, ...]
    """Seeds of each that the next look waits for; those that count where there is none."""
    looks: int
    """Looks that were made."""
    is_settled: bool
    """Whether no further look is made: it is decided, given up, or at the last look."""


Observe = Callable[[Sequence[int]], Panel]
"""From the number of seeds that count for each level of a claim to their panel. Nothing of it may depend on other runs
than those that count."""


def judge_along(
    runs: pd.DataFrame,
    claims: Sequence[Claim],
    metrics: Metrics,
    looks: Looks,
    *,
    by: str,
    stated_after: Mapping[str, int] | None = None,
    seed: int = 0,
) -> tuple[Verdict, ...]:
    """Judge the claims of a study whose seeds were added look by look, as far as its runs allow.

    Args: as of :func:`claim_path`; ``stated_after`` as of :func:`ablate.analyse.study.analyse`.
    """
    late, found = stated_after or {}, []
    for claim in claims:
        verdict = claim_path(runs, claim, metrics, looks, by=by, seed=seed).verdict
        look = late.get(claim.id, 0)
        found.append(replace(verdict, stated_after=look, evidence=verdict.evidence + stated_text(look)))
    return hold_together(found)


def claim_path(
    runs: pd.DataFrame, claim: Claim, metrics: Metrics, looks: Looks, *, by: str, seed: int = 0
) -> ClaimPath:
    """Follow a claim through the runs of its study.

    Args:
        runs: frame of runs of one study; further runs than those that count are left out.
        claim: of the study.
        metrics: as of :func:`ablate.analyse.claims.judge`.
        looks: as they were fixed.
        by: name of the metric by which the study is looked at; no claim about another has its margin.
        seed: of the random sign flips.

    Raises:
        AnalysisError: as of :func:`ablate.analyse.claims.judge`.
    """
    declared = by_name(metrics)
    metric = find_metric(declared, claim.metric)
    whole = make_panel(runs, metric, claim.factor, declared.values())
    rows = levels_of(whole, claim)
    orders = [whole.levels[row].order for row in rows]
    place = {value: index for index, value in enumerate(sorted(runs["seed"].unique()))}
    own = runs[(runs["factor"] == claim.factor) & runs["order"].isin(orders)]
    position = own["seed"].map(place)

    def observe(counts: Sequence[int]) -> Panel:
        limits = dict(zip(orders, counts, strict=True))
        there = own[position < own["order"].map(limits)]
        return make_panel(there, metric, claim.factor, declared.values()) if len(there) else whole.subset(rows)

    own_looks = looks if claim.metric == by else replace(looks, margin=0.0)
    return follow_claim(claim, observe, tuple(orders), own_looks, seed=seed)


def levels_of(panel: Panel, claim: Claim) -> list[int]:
    """The rows of a factor's levels that a claim is about, in the study's order.

    Raises:
        AnalysisError: There is no such level.
    """
    named = {panel.index(level) for level in (*claim.levels, *claim.among)}
    everyone = claim.kind in ("best_in", "peaks_inside") and not claim.among
    return list(range(len(panel.levels))) if everyone else sorted(named)


def follow_claim(claim: Claim, observe: Observe, levels: tuple[int, ...], looks: Looks, *, seed: int = 0) -> ClaimPath:
    """Look at a claim, look after look, as far as its runs allow.

    Args:
        claim: What is claimed.
        observe: Gives what is there.
        levels: The order in the study of each level that it is about.
        looks: As they were fixed.
        seed: Of the random sign flips.
    """
    made, course = list[LookedAt](), list[ClaimLook]()
    counts, active, is_settled = [0] * len(levels), np.ones(len(levels), dtype=bool), False
    verdict: Verdict | None = None
    end = ""
    for look, (n, share) in enumerate(zip(looks.at, looks.shares(), strict=True)):
        wanted = [n if active[row] else counts[row] for row in range(len(levels))]
        panel = observe(wanted)
        ended = (panel.complete | panel.diverged).sum(axis=1)
        if len(panel.levels) < len(levels) or (ended[active] < n).any():
            break
        counts = wanted
        made.append(LookedAt(panel, active.copy(), share / looks.alpha))
        evidence = Evidence(made, claim, seed, looks.alpha)
        verdict = judge_evidence(evidence)
        labels = tuple(level.label for level, goes_on in zip(panel.levels, active, strict=True) if goes_on)
        course.append(ClaimLook(n, labels, verdict.outcome, verdict.p, verdict.p_against))
        if verdict.outcome != "undecided" or look == len(looks.at) - 1:
            is_settled = True
            break
        question = _in_question(evidence, looks)
        if not question:
            is_settled, end = True, _given_up(looks)
            break
        active &= np.isin(np.arange(len(levels)), list(question))
    if verdict is None:
        nothing = LookedAt(observe([looks.at[-1]] * len(levels)), np.ones(len(levels), dtype=bool), 0.0)
        verdict = judge_evidence(Evidence([nothing], claim, seed, looks.alpha))
    following = looks.at[min(len(made), len(looks.at) - 1)]
    return ClaimPath(
        replace(
            verdict,
            evidence=verdict.evidence + course_text(course, end),
            needed="" if end else verdict.needed,
            course=tuple(course),
        ),
        levels,
        tuple(counts),
        tuple(following if active[row] and not is_settled else counts[row] for row in range(len(levels))),
        len(made),
        is_settled,
    )


def _given_up(looks: Looks) -> str:
    if not looks.margin:
        return "No level is in question any more."
    return f"No more seeds: what is in question still lies within the margin of {looks.margin:g}."


@dataclass(frozen=True)
class _Pair:
    """Two levels about which a claim asks something that is not decided."""

    rows: tuple[int, int]
    tests: Pairwise
    at: tuple[int, int]
    """Where they stand in the tests."""
    shift: float
    """The difference that is asked about."""

    def is_within(self, margin: float, alpha: float) -> bool:
        """Whether the difference is known to lie within a margin of what is asked about."""
        n = int(self.tests.n[self.at])
        if n < 2 or not 0 < alpha < 1:
            return False
        half = float(special.stdtrit(n - 1, 1 - alpha / 2) * self.tests.sd[self.at] / np.sqrt(n))
        return abs(float(self.tests.difference[self.at]) - self.shift) + half < margin


def _in_question(evidence: Evidence, looks: Looks) -> set[int]:
    """Rows that can still change the verdict."""
    last = evidence.looks[-1]
    if last.share == 0:  # nothing could be decided yet
        return set(np.flatnonzero(last.active).tolist())

    def is_given_up(pair: _Pair) -> bool:
        return pair.is_within(looks.margin, last.share * looks.alpha)

    found = set[int]()
    for pair in _pairs(evidence, is_given_up):
        if last.active[list(pair.rows)].all() and not is_given_up(pair):
            found |= set(pair.rows)
    return found


def _pairs(evidence: Evidence, is_given_up: Callable[[_Pair], bool]) -> Iterator[_Pair]:
    """Pairs about which nothing is decided."""
    claim, side = evidence.claim, evidence.side
    if claim.kind in ("best_in", "peaks_inside"):
        yield from _pairs_of_best(evidence, is_given_up)
        return
    rows = evidence.rows(claim.levels)
    if claim.kind == "better":
        yield _Pair((rows[0], rows[1]), evidence.tests(rows, claim.margin), (0, 1), claim.margin)
    elif claim.kind == "equivalent":
        tests = evidence.tests(rows, 0.0)
        for i, j in combinations(range(len(rows)), 2):
            try:
                is_open = evidence.equivalence(rows[i], rows[j], claim.margin).p > evidence.alpha
            except AnalysisError:  # fewer than two pairs
                is_open = True
            if is_open:
                yield _Pair((rows[i], rows[j]), tests, (i, j), np.inf)
    else:
        tests = evidence.tests(rows, -claim.margin, 1.0 if claim.direction == "rising" else -1.0)
        steps = [(i, j) for i, j in combinations(range(len(rows)), 2) if claim.margin > 0 or j == i + 1]
        for i, j in steps:
            if tests.p[j, i] > side:
                yield _Pair((rows[i], rows[j]), tests, (j, i), -claim.margin)


def _pairs_of_best(evidence: Evidence, is_given_up: Callable[[_Pair], bool]) -> Iterator[_Pair]:
    claim = evidence.claim
    inside, among = (
        peak_levels(evidence)
        if claim.kind == "peaks_inside"
        else (evidence.rows(claim.levels), evidence.all_or(claim.among))
    )
    outside = [row for row in among if row not in inside]
    rows = inside + outside
    ins = range(len(inside))
    tests, against = evidence.tests(rows, -claim.margin), evidence.tests(rows, claim.margin)
    is_open = [out for out in range(len(inside), len(rows)) if simes(tests.p[ins, out]) > evidence.side]
    means = evidence.means(inside) * evidence.sign
    best = int(np.argmax(np.where(np.isfinite(means), means, -np.inf)))
    for out in is_open:
        if is_given_up(_Pair((rows[best], rows[out]), tests, (best, out), -claim.margin)):
            continue
        for i in ins:
            if against.p[out, i] > evidence.side / len(outside):
                yield _Pair((rows[i], rows[out]), tests, (i, out), -claim.margin)
    if not is_open and claim.kind == "peaks_inside":
        _, i, j = reversal_of(evidence, inside, among)
        yield _Pair((i, j), evidence.tests([i, j], claim.margin), (0, 1), claim.margin)
