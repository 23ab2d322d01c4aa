"""What the runs say about a claim: supported, refuted or undecided.

A claim is supported where the hypothesis that it is false is rejected at 2.5 %, and refuted where the hypothesis that
it is true is; the tests are one-sided sign-flip tests paired by seed, so that both together are the two-sided test at
5 % that the tables make. (Equivalence is tested by t at 5 % on either side, as a 90 % interval within the margin is.)
Levels that are alike get a false verdict in at most 5 % of studies, for each claim by itself; levels with equal means
but different shapes may get one far more often, which a warning says (:mod:`ablate.analyse.uneven`). Claims about
several levels are put together from pairs so that this holds without choosing levels by the data first:

- all pairs must speak for it (intersection-union, Berger 1982, *Technometrics* 24): every pair, no correction;
- one of several must (union-intersection): Simes' or Bonferroni's rule.

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
from ablate.analyse.bootstrap import Floats
from ablate.analyse.claim_texts import certainty, least, p_text, probable, unresolvable
from ablate.analyse.equivalence import equivalence_of
from ablate.analyse.errors import AnalysisError
from ablate.analyse.family import holm
from ablate.analyse.inputs import Metrics, by_name, find_metric
from ablate.analyse.panel import Panel, diverged_text, make_panel
from ablate.analyse.power import ALPHA, half_width, needed_range
from ablate.analyse.results import Outcome, Verdict
from ablate.analyse.sign_flip import Pairwise, least_pairs, pairwise
from ablate.analyse.trend import page
from ablate.analyse.uneven import UNEVEN
from ablate.task.claim import Claim

SIDE = ALPHA / 2
"""Level of the test for a claim, and of the test against it."""

MOST_TEXTS = 3
"""Sentences about pairs of levels that are no evidence."""


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
    declared = by_name(metrics)
    panel = make_panel(runs, find_metric(declared, claim.metric), claim.factor, declared.values())
    return judge_panel(panel, claim, seed=seed, alpha=alpha)


def judge_panel(panel: Panel, claim: Claim, *, seed: int = 0, alpha: float = ALPHA) -> Verdict:
    """``judge`` by the panel of the claim's factor and metric."""
    evidence = _Evidence(panel, claim, seed)
    finding = {
        "better": _better,
        "best_in": _best_in,
        "equivalent": _equivalent,
        "monotone": _monotone,
        "peaks_inside": _peaks_inside,
    }[claim.kind](evidence)
    outcome: Outcome = "undecided"
    level = alpha if claim.kind == "equivalent" else alpha / 2
    speaks_for = finding.p is not None and finding.p <= level
    speaks_against = finding.p_against is not None and finding.p_against <= level
    if speaks_for != speaks_against:
        outcome = "supported" if speaks_for else "refuted"
    text = f"{finding.text}.{certainty(finding.p, finding.p_against, outcome, level)}" if finding.text else ""
    if outcome == "undecided" and finding.by_chance is not None:
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


def hold_together(verdicts: Sequence[Verdict], alphas: Sequence[float] | None = None) -> tuple[Verdict, ...]:
    """The verdicts of a study, each told whether it also holds for all claims together, by Holm's correction.

    Args:
        verdicts: of all claims.
        alphas: level of each one's tests; None: 5 %.
    """
    each = [min(1.0 if p is None else p for p in (verdict.p, verdict.p_against)) for verdict in verdicts]
    sides = [1 if verdict.claim.kind == "equivalent" else 2 for verdict in verdicts]
    scales = [ALPHA / alpha if alpha > 0 else np.inf for alpha in alphas or [ALPHA] * len(verdicts)]
    corrected = holm([min(1.0, scale * side * p) for scale, side, p in zip(scales, sides, each, strict=True)])
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


class _Evidence:
    """The panel of a claim and its pairwise tests."""

    def __init__(self, panel: Panel, claim: Claim, seed: int) -> None:
        self.panel, self.claim, self._seed = panel, claim, seed
        self.sign = panel.metric.sign
        self.counted = panel.counted
        self.title = panel.metric.title

    def rows(self, levels: tuple[object, ...]) -> list[int]:
        rows = [self.panel.index(level) for level in levels]
        if len(set(rows)) < len(rows):
            raise AnalysisError(f"claim {self.claim.id!r}: a level is named twice")
        return rows

    def tests(
        self,
        rows: list[int],
        margin: float,
        sign: float | None = None,
        wanted: NDArray[np.bool_] | None = None,
    ) -> Pairwise:
        """Pairwise tests among these rows, of the metric times ``sign`` (None: so that higher is better).

        A pair that is contradicted by the complete runs alone, or that is no evidence, gets p = 1.
        """
        sign = self.sign if sign is None else sign
        tests = pairwise(self.counted[rows] * sign, margin=margin, seed=self._seed, wanted=wanted)
        if self.panel.diverged[rows].any():
            alone = pairwise(self.panel.values[rows] * sign, margin=-margin, seed=self._seed)
            tests.p[alone.p.T <= SIDE] = 1.0
        tests.p[~self.panel.told[np.ix_(rows, rows)]] = 1.0
        return tests

    def silent(self, rows: list[int]) -> list[str]:
        """Why pairs of these levels are no evidence, a sentence each."""
        told = self.panel.told
        pairs = [(a, b) for place, a in enumerate(rows) for b in rows[place + 1 :] if not told[a, b]]
        texts = [self.panel.no_evidence(a, b) for a, b in pairs]
        more = [f"{len(texts) - MOST_TEXTS} more pairs of levels are no evidence."] if len(texts) > MOST_TEXTS else []
        return [f"{text[:1].upper()}{text[1:]}." for text in texts[:MOST_TEXTS]] + more

    def means(self, rows: list[int]) -> Floats:
        """Mean of each level over its own seeds; NaN without any."""
        known = np.isfinite(self.counted[rows])
        sums = np.where(known, self.counted[rows], 0).sum(axis=1)
        return np.where(known.any(axis=1), sums / np.maximum(known.sum(axis=1), 1), np.nan)

    def label(self, row: int) -> str:
        return self.panel.levels[row].label


def _better(evidence: _Evidence) -> _Finding:
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


def _best_in(evidence: _Evidence) -> _Finding:
    inside = evidence.rows(evidence.claim.levels)
    among = evidence.rows(evidence.claim.among) if evidence.claim.among else list(range(len(evidence.panel.levels)))
    return _within(evidence, inside, [row for row in among if row not in inside])


def _peaks_inside(evidence: _Evidence) -> _Finding:
    claim = evidence.claim
    among = evidence.rows(claim.among) if claim.among else list(range(len(evidence.panel.levels)))
    inside = evidence.rows(claim.levels) if claim.levels else among[1:-1]
    places = [among.index(row) for row in inside if row in among]
    if not places or len(places) < len(inside) or not 0 < min(places) <= max(places) < len(among) - 1:
        raise AnalysisError(f"claim {claim.id!r}: a peak inside needs levels on either side of it")
    finding = _within(evidence, inside, [row for row in among if row not in inside])
    if finding.p is None or finding.p_against is None:
        return finding
    return _without_reversals(evidence, finding, among, min(places), max(places))


def _without_reversals(evidence: _Evidence, finding: _Finding, among: list[int], first: int, last: int) -> _Finding:
    """A peak, if no level before it is better than a later one, and none after it than an earlier one."""
    tests = evidence.tests(among, evidence.claim.margin)
    slopes = (list(range(first + 1)), list(range(len(among) - 1, last - 1, -1)))
    pairs = [(i, j) for slope in slopes for place, i in enumerate(slope) for j in slope[place + 1 :]]
    i, j = min(pairs, key=lambda pair: float(tests.p[pair]))
    reversal = min(1.0, len(pairs) * float(tests.p[i, j]))
    against = min(1.0, 2 * min(float(finding.p_against or 1.0), reversal))
    if reversal > SIDE:
        return replace(finding, p_against=against)
    back = f" On the way to the peak {evidence.label(among[i])} is better than {evidence.label(among[j])}"
    return replace(finding, text=f"{finding.text}.{back} ({p_text(reversal)})", p=1.0, p_against=against)


def _within(evidence: _Evidence, inside: list[int], outside: list[int]) -> _Finding:
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
    if p > SIDE and hardest != rival:
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


def _equivalent(evidence: _Evidence) -> _Finding:
    margin, rows = evidence.claim.margin, evidence.rows(evidence.claim.levels)
    pairs = [(i, j) for i in range(len(rows)) for j in range(i + 1, len(rows))]
    tests = evidence.tests(rows, 0.0)
    n = min(int(tests.n[pair]) for pair in pairs)
    try:
        found = [equivalence_of(evidence.panel, rows[i], rows[j], margin) for i, j in pairs]
    except AnalysisError as error:
        return _Finding(rows, str(error), "At least two seeds complete at every level.", n, None, None)
    worst = max(found, key=lambda entry: entry.p)
    wrong = min(1.0, len(found) * min(entry.p_against for entry in found))
    text = (
        f"In {evidence.title} {worst.a} minus {worst.b} is {worst.difference:+.4f} over {worst.n} seeds, 90 % interval "
        f"[{worst.interval.low:+.4f}, {worst.interval.high:+.4f}], which would have to lie within ±{margin:g}"
    )
    if worst.practically is not None:
        text += f"; that they are practically the same has a probability of {probable(worst.practically.same)}"
        text += " (Bayesian signed rank)"
    i, j = pairs[found.index(worst)]
    room = margin - abs(worst.difference)
    spread = float(tests.sd[i, j])
    goal, power = ("show it", 0.9) if room > 0 else ("refute it", 0.8)
    range_of = needed_range(room / spread, worst.n, power=power, two_sided=False) if spread > 0 else None
    known = range_of is not None and range_of.seeds is not None
    needed = f"About {range_of} seeds would {goal}, if the difference is what it seems." if known else unresolvable()
    return _Finding(rows, text, needed, n, worst.p, wrong)


def _monotone(evidence: _Evidence) -> _Finding:
    claim = evidence.claim
    rows, margin, rising = evidence.rows(claim.levels), claim.margin, claim.direction == "rising"
    sign = 1.0 if rising else -1.0
    pairs = [(i, j) for i in range(len(rows)) for j in range(i + 1, len(rows))]
    steps = [(i, j) for i, j in pairs if j == i + 1] if margin == 0 else pairs
    tests, against = evidence.tests(rows, -margin, sign), evidence.tests(rows, margin, sign)
    p = max(float(tests.p[j, i]) for i, j in steps)
    if margin > 0:  # flat within the margin is not yet a rise
        p = max(p, _trend_p(evidence, rows, rising))
    p_against = min(1.0, len(pairs) * min(float(against.p[pair]) for pair in pairs))
    counts = np.array([tests.n[pair] for pair in pairs])
    n = int(counts.min())
    i, j = max(steps, key=lambda step: float(tests.p[step[1], step[0]]))
    means = ", ".join(
        f"{evidence.label(row)}: {mean:.4f}" for row, mean in zip(rows, evidence.means(rows), strict=True)
    )
    weakest = f"{evidence.label(rows[i])} to {evidence.label(rows[j])}"
    text = (
        f"Mean {evidence.title} along the levels is {means}; the least certain step is {weakest}{_over_pairs(counts)}"
    )
    return _Finding(
        rows,
        text,
        _needed(evidence, tests, j, i, -margin, SIDE),
        n,
        *_carried(n, p, p_against),
    )


def _trend_p(evidence: _Evidence, rows: list[int], rising: bool) -> float:
    """P of Page's test for a trend in the claimed direction, of the sign-flip test for two levels."""
    if len(rows) == 2:
        return float(evidence.tests(rows, 0.0, 1.0 if rising else -1.0).p[1, 0])
    values = evidence.counted[rows]
    common = values[:, np.isfinite(values).all(axis=0)].T
    return page(common if rising else common[:, ::-1]).pvalue if len(common) >= 2 else 1.0


def _pair_text(evidence: _Evidence, rows: list[int], tests: Pairwise, i: int, j: int) -> str:
    means = evidence.means([rows[i], rows[j]])
    a, b = evidence.label(rows[i]), evidence.label(rows[j])
    n, lead = int(tests.n[i, j]), float(tests.difference[i, j])
    if not n:
        return f"{a} and {b} have no seed in common"
    half = f" ± {half_width(n, float(tests.sd[i, j])):.4f}" if n >= 2 else ""
    verb = "leads" if lead >= 0 else "trails"
    text = f"{a} {verb} {b} by {abs(lead):.4f}{half} over {n} paired seeds"
    return f"{text} ({means[0]:.4f} against {means[1]:.4f})"


def _over_pairs(counts: NDArray[np.int64]) -> str:
    """Which numbers of seeds stand behind a p that is of several pairs; empty where all have as many."""
    low, high = int(counts.min()), int(counts.max())
    return f"; p is of pairs of levels with {low} to {high} seeds in common" if low < high else ""


def _needed(evidence: _Evidence, tests: Pairwise, i: int, j: int, margin: float, alpha: float) -> str:
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
