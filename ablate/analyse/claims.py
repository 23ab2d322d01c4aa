"""What the runs say about a claim: supported, refuted or undecided.

A claim is supported where the hypothesis that it is false is rejected at 2.5 %, and refuted where the hypothesis that
it is true is; the tests are one-sided sign-flip tests paired by seed, so that both together are the two-sided test at
5 % that the tables make. (Equivalence is tested by t at 5 % on either side, as a 90 % interval within the margin is.)
Levels that are alike get a false verdict in at most 5 % of studies, for each claim by itself; levels with equal means
but different shapes may get one far more often, which a warning says (:mod:`ablate.analyse.uneven`). Claims about
several levels are put together from pairs so that this holds without choosing levels by the data first:

- all pairs must speak for it (intersection-union, Berger 1982, *Technometrics* 24): every pair, no correction;
- one of several must (union-intersection): Simes' or Bonferroni's rule;
- a claim over the levels of another factor, such as several data sets: :mod:`ablate.analyse.over`.

Where seeds are added look by look, p is that over all looks (:mod:`ablate.analyse.claim_evidence`), and levels that are
no longer in question for any claim get no more (:mod:`ablate.analyse.claims_along`).

A diverged run ranks below every finished one (:func:`ablate.analyse.panel.worst_of`); a pair that says the opposite
among complete runs alone speaks for nothing. Neither does a pair of levels that both learned nothing, or whose
seeds all gave the same value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablate.analyse.best import simes
from ablate.analyse.claim_evidence import SIDE, Evidence, LookedAt
from ablate.analyse.claim_texts import certainty, least, p_text, probable, unresolvable
from ablate.analyse.courses import Outcome
from ablate.analyse.errors import AnalysisError
from ablate.analyse.family import holm
from ablate.analyse.inputs import Metrics, by_name, find_metric
from ablate.analyse.over import parts_of, together
from ablate.analyse.panel import Panel, diverged_text, make_panel
from ablate.analyse.power import ALPHA, half_width, needed_range
from ablate.analyse.results import Verdict
from ablate.analyse.sign_flip import Pairwise, least_pairs
from ablate.analyse.uneven import UNEVEN
from ablate.task.claim import Claim
from ablate.task.numbers import interval, number, signed, spread


def judge(runs: pd.DataFrame, claim: Claim, metrics: Metrics, *, seed: int = 0, alpha: float = ALPHA) -> Verdict:
    """Judge a claim by the runs of its study.

    Args:
        runs: frame of runs of one study.
        claim: as :func:`ablate.task.claim.parse_claim` gives it.
        metrics: declared ones, the claim's among them; the others may tell whether a run is at chance.
        seed: of the random sign flips, used beyond 14 pairs.
        alpha: level of the test for and of that against together.

    Raises:
        AnalysisError: the study has no such factor, metric or level, or the claim fits no levels of it.
    """
    if claim.over:
        alone = replace(claim, over=())
        parts, place = {}, f"claim {claim.id!r}"
        try:
            for name, part in parts_of(runs, claim.factor, claim.over).items():
                place = f"claim {claim.id!r}: {name}"
                parts[name] = judge(part, alone, metrics, seed=seed, alpha=alpha)
        except AnalysisError as error:
            raise AnalysisError(f"{place}: {error}") from None
        return together(claim, parts, _level(claim, alpha))
    declared = by_name(metrics)
    panel = make_panel(runs, find_metric(declared, claim.metric), claim.factor, declared.values())
    return judge_panel(panel, claim, seed=seed, alpha=alpha)


def judge_panel(panel: Panel, claim: Claim, *, seed: int = 0, alpha: float = ALPHA) -> Verdict:
    """``judge`` by the panel of the claim's factor and metric."""
    looked = LookedAt(panel, np.ones(len(panel.levels), dtype=bool))
    return judge_evidence(Evidence([looked], claim, seed, alpha))


def judge_evidence(evidence: Evidence) -> Verdict:
    """``judge`` by all looks at the runs of a claim."""
    panel, claim, alpha = evidence.panel, evidence.claim, evidence.alpha
    finding = {
        "better": _better,
        "best_in": _best_in,
        "equivalent": _equivalent,
        "monotone": _monotone,
        "peaks_inside": _peaks_inside,
    }[claim.kind](evidence)
    outcome: Outcome = "undecided"
    level = _level(claim, alpha)
    speaks_for = finding.p is not None and finding.p <= level
    speaks_against = finding.p_against is not None and finding.p_against <= level
    if speaks_for != speaks_against:
        outcome = "supported" if speaks_for else "refuted"
    text = f"{finding.text}.{certainty(finding.p, finding.p_against, outcome, level)}" if finding.text else ""
    if outcome == "undecided" and finding.by_chance is not None and len(evidence.looks) == 1:
        text += f" Chance alone gives such a lead in {100 * finding.by_chance:.0f} % of studies."
    warnings = list(panel.warnings)
    diverged = int(panel.diverged[finding.rows].sum())
    if diverged:
        warnings.append(diverged_text(panel, diverged))
    warnings += evidence.silent(finding.rows)
    uneven = [panel.levels[row].label for row in finding.rows if panel.uneven[row]]
    if uneven and outcome != "undecided":
        warnings.append(f"Runs of {', '.join(uneven)} {UNEVEN}")
    return Verdict(
        claim,
        outcome,
        text,
        finding.needed if outcome == "undecided" else "",
        finding.n,
        finding.p,
        finding.p_against,
        tuple(warnings),
    )


def _level(claim: Claim, alpha: float) -> float:
    """Level of the test for a claim, and of that against it."""
    return alpha if claim.kind == "equivalent" else alpha / 2


def hold_together(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts of a study, each told whether it also holds for all claims together, by Holm's correction."""
    each = [min(1.0 if p is None else p for p in (verdict.p, verdict.p_against)) for verdict in verdicts]
    sides = [1 if verdict.claim.kind == "equivalent" else 2 for verdict in verdicts]
    corrected = holm([min(1.0, side * p) for side, p in zip(sides, each, strict=True)])
    return tuple(
        replace(verdict, decided_with_others=verdict.outcome != "undecided" and p is not None and p <= ALPHA)
        for verdict, p in zip(verdicts, corrected, strict=True)
    )


@dataclass(frozen=True)
class _Finding:
    rows: list[int]
    """Levels looked at."""
    text: str
    needed: str
    n: int
    p: float | None
    p_against: float | None
    by_chance: float | None = None
    """Two-sided p of the pair that the text is about, where it is about one and tests for any lead."""


def _better(evidence: Evidence) -> _Finding:
    margin, rows = evidence.claim.margin, evidence.rows(evidence.claim.levels)
    tests = evidence.tests(rows, margin)
    p, p_against = float(tests.p[0, 1]), float(evidence.tests(rows, -margin).p[1, 0])
    n = int(tests.n[0, 1])
    return _Finding(
        rows,
        f"In {evidence.title} {_pair_text(evidence, rows, tests, 0, 1)}",
        _needed(evidence, tests, 0, 1, margin, SIDE),
        n,
        *_carried(n, p, p_against),
        min(1.0, 2 * min(p, p_against)) if margin == 0 and n >= 2 else None,
    )


def _best_in(evidence: Evidence) -> _Finding:
    inside = evidence.rows(evidence.claim.levels)
    among = evidence.all_or(evidence.claim.among)
    return _within(evidence, inside, [row for row in among if row not in inside])


def _peaks_inside(evidence: Evidence) -> _Finding:
    inside, among = peak_levels(evidence)
    finding = _within(evidence, inside, [row for row in among if row not in inside])
    if finding.p is None or finding.p_against is None:
        return finding
    reversal, i, j = reversal_of(evidence, inside, among)
    against = min(1.0, 2 * min(finding.p_against, reversal))
    if reversal > evidence.side:
        return replace(finding, p_against=against)
    back = f" On the way to the peak {evidence.label(i)} is better than {evidence.label(j)}"
    return replace(finding, text=f"{finding.text}.{back} ({p_text(reversal)})", p=1.0, p_against=against)


def peak_levels(evidence: Evidence) -> tuple[list[int], list[int]]:
    """The rows among which a peak is claimed to lie, and all that are compared.

    Raises:
        AnalysisError: No level is on one side of them.
    """
    claim = evidence.claim
    among = evidence.all_or(claim.among)
    inside = evidence.rows(claim.levels) if claim.levels else among[1:-1]
    places = [among.index(row) for row in inside if row in among]
    if not places or len(places) < len(inside) or not 0 < min(places) <= max(places) < len(among) - 1:
        raise AnalysisError(f"claim {claim.id!r}: a peak inside needs levels on either side of it")
    return inside, among


def reversal_of(evidence: Evidence, inside: list[int], among: list[int]) -> tuple[float, int, int]:
    """P that no level before a peak is better than a later one, none after it than an earlier one; and the likeliest.

    Args:
        evidence: Of the claim.
        inside: As :func:`peak_levels` gives them.
        among: The same.
    """
    places = [among.index(row) for row in inside]
    tests = evidence.tests(among, evidence.claim.margin)
    slopes = (list(range(min(places) + 1)), list(range(len(among) - 1, max(places) - 1, -1)))
    pairs = [(i, j) for slope in slopes for place, i in enumerate(slope) for j in slope[place + 1 :]]
    i, j = min(pairs, key=lambda pair: float(tests.p[pair]))
    return min(1.0, len(pairs) * float(tests.p[i, j])), among[i], among[j]


def _within(evidence: Evidence, inside: list[int], outside: list[int]) -> _Finding:
    """Is the best of ``inside`` better than (all but as good as) every level ``outside``?"""
    if not outside:
        raise AnalysisError(f"claim {evidence.claim.id!r}: every level is named; there is none to compare with")
    margin, rows = evidence.claim.margin, inside + outside
    ins, outs = np.arange(len(inside)), np.arange(len(inside), len(rows))
    wanted = np.zeros((len(rows), len(rows)), dtype=bool)
    wanted[np.ix_(ins, outs)] = True
    tests = evidence.tests(rows, -margin, wanted=wanted)
    against = evidence.tests(rows, margin, wanted=wanted.T)
    each = np.array([simes(tests.p[ins, out]) for out in outs])
    p = float(each.max())
    p_against = simes(against.p[np.ix_(outs, ins)].max(axis=1))
    counts = tests.n[np.ix_(ins, outs)]
    n = int(counts.min())
    means = evidence.means(rows) * evidence.sign
    if np.isnan(means[ins]).all() or np.isnan(means[outs]).all():
        text = "There are no complete runs of the levels named, or none of the others"
        return _Finding(rows, text, least(n), n, None, None)
    top, rival = int(ins[np.nanargmax(means[ins])]), int(outs[np.nanargmax(means[outs])])
    hardest = int(outs[np.argmax(each)])
    text = (
        f"The best of the levels named is {evidence.label(rows[top])}, the best of the others "
        f"{evidence.label(rows[rival])}: in {evidence.title} {_pair_text(evidence, rows, tests, top, rival)}"
    )
    if p > evidence.side and hardest != rival:
        text += f". The hardest to tell from it is {evidence.label(rows[hardest])}"
    text += _over_pairs(counts)
    needed = _needed(evidence, tests, top, hardest if p < 1 else rival, -margin, SIDE / len(ins))
    return _Finding(
        rows,
        text,
        needed,
        n,
        *_carried(n, p, p_against),
    )


def _equivalent(evidence: Evidence) -> _Finding:
    margin, rows = evidence.claim.margin, evidence.rows(evidence.claim.levels)
    pairs = [(i, j) for i in range(len(rows)) for j in range(i + 1, len(rows))]
    tests = evidence.tests(rows, 0.0)
    n = min(int(tests.n[pair]) for pair in pairs)
    try:
        found = [evidence.equivalence(rows[i], rows[j], margin) for i, j in pairs]
    except AnalysisError as error:
        return _Finding(rows, str(error), "At least two seeds complete at every level.", n, None, None)
    worst = max(found, key=lambda entry: entry.p)
    wrong = min(1.0, len(found) * min(entry.p_against for entry in found))
    i, j = pairs[found.index(worst)]
    ends = interval(worst.interval.low, worst.interval.high, evidence.digits)
    of_seeds = "" if evidence.is_exact(rows[i], rows[j]) else f" over {worst.n} seeds, 90 % interval {ends}"
    text = (
        f"In {evidence.title} {worst.a} minus {worst.b} is {signed(worst.difference, evidence.digits)}{evidence.unit}"
        f"{of_seeds}, which would have to lie within ±{margin:g}"
    )
    if worst.practically is not None:
        text += f"; that they are practically the same has a probability of {probable(worst.practically.same)}"
        text += " (Bayesian signed rank)"
    room = margin - abs(worst.difference)
    spread = float(tests.sd[i, j])
    goal, power = ("show it", 0.9) if room > 0 else ("refute it", 0.8)
    range_of = needed_range(room / spread, worst.n, power=power, two_sided=False) if spread > 0 else None
    known = range_of is not None and range_of.seeds is not None
    needed = f"About {range_of} seeds would {goal}, if the difference is what it seems." if known else unresolvable()
    return _Finding(rows, text, needed, n, worst.p, wrong)


def _monotone(evidence: Evidence) -> _Finding:
    claim = evidence.claim
    rows, margin, rising = evidence.rows(claim.levels), claim.margin, claim.direction == "rising"
    sign = 1.0 if rising else -1.0
    pairs = [(i, j) for i in range(len(rows)) for j in range(i + 1, len(rows))]
    steps = [(i, j) for i, j in pairs if j == i + 1] if margin == 0 else pairs
    tests, against = evidence.tests(rows, -margin, sign), evidence.tests(rows, margin, sign)
    p = max(float(tests.p[j, i]) for i, j in steps)
    if margin > 0:  # flat within the margin is not yet a rise
        p = max(p, evidence.trend_p(rows, rising))
    p_against = min(1.0, len(pairs) * min(float(against.p[pair]) for pair in pairs))
    counts = np.array([tests.n[pair] for pair in pairs])
    n = int(counts.min())
    i, j = max(steps, key=lambda step: float(tests.p[step[1], step[0]]))
    means = ", ".join(
        f"{number(mean, evidence.digits)} at {evidence.label(row)}"
        for row, mean in zip(rows, evidence.means(rows), strict=True)
    )
    weakest = f"{evidence.label(rows[i])} to {evidence.label(rows[j])}"
    text = f"The mean {evidence.title} is {means}; the least certain step is {weakest}{_over_pairs(counts)}"
    return _Finding(
        rows,
        text,
        _needed(evidence, tests, j, i, -margin, SIDE),
        n,
        *_carried(n, p, p_against),
    )


def _pair_text(evidence: Evidence, rows: list[int], tests: Pairwise, i: int, j: int) -> str:
    first, second = (number(mean, evidence.digits) for mean in evidence.means([rows[i], rows[j]]))
    a, b = evidence.label(rows[i]), evidence.label(rows[j])
    n, lead = int(tests.n[i, j]), float(tests.difference[i, j])
    if not n:
        return f"{a} and {b} have no seed in common"
    verb = "leads" if lead >= 0 else "trails"
    exact = evidence.is_exact(rows[i], rows[j])
    half = half_width(n, float(tests.sd[i, j])) if n >= 2 and not exact else None
    of_seeds = "" if exact else f" over {n} paired seeds"
    by = f"{spread(abs(lead), half, evidence.digits)}{evidence.unit}{of_seeds}"
    return f"{a} {verb} {b} by {by} ({first} against {second})"


def _over_pairs(counts: NDArray[np.int64]) -> str:
    """Which numbers of seeds stand behind a p that is of several pairs; empty where all have as many."""
    low, high = int(counts.min()), int(counts.max())
    return f"; p is of pairs of levels with {low} to {high} seeds in common" if low < high else ""


def _needed(evidence: Evidence, tests: Pairwise, i: int, j: int, margin: float, alpha: float) -> str:
    """What would decide whether i is better than j by more than the margin."""
    n, spread = int(tests.n[i, j]), float(tests.sd[i, j])
    if n < least_pairs(SIDE, two_sided=False):
        return least(n)
    excess = float(tests.difference[i, j]) - margin
    if not spread > 0:
        return unresolvable()
    needed = needed_range(excess / spread, n, alpha=alpha, two_sided=False)
    if needed.seeds is None:
        return unresolvable()
    goal = "show it" if excess > 0 else "refute it"
    return f"About {needed} seeds would {goal}, if the difference is what it seems."


def _carried(n: int, p: float, p_against: float) -> tuple[float | None, float | None]:
    """Both p, or None where fewer than two pairs stand behind them."""
    return (p, p_against) if n >= 2 else (None, None)
