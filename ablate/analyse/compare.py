"""Each level against the baseline, paired by seed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ablate.analyse.bootstrap import CONFIDENCE, Floats, t_interval
from ablate.analyse.family import Correction, correct, floor_alpha, holm
from ablate.analyse.improvement import improvements, told_by
from ablate.analyse.max_t import HUGE, LEAST_PAIRS, exploded
from ablate.analyse.panel import Panel, checked, factors_of, make_panel
from ablate.analyse.power import ALPHA, hedges_correction, needed_range
from ablate.analyse.results import Comparison, Improvement, Interval, ShareTest, Standing
from ablate.analyse.sign_flip import EXACT_UP_TO, FLIPS, least_pairs, patterns, sign_flip
from ablate.analyse.uneven import UNEVEN_BASELINE, UNEVEN_LEVEL
from ablate.task.metric import Metric


def compare(
    runs: pd.DataFrame,
    *,
    metric: Metric,
    factor: str | None = None,
    seed: int = 0,
    declared: Iterable[Metric] = (),
    correction: Correction = "max-t",
) -> tuple[Comparison, ...]:
    """Compare every level of a study with its factor's baseline.

    All comparisons returned are corrected together: a study's levels on one metric are one family.

    Args:
        runs: frame of runs of one study.
        metric: a metric with a column of its name.
        factor: compare the levels of this factor only; None: of all.
        seed: of the random sign flips, used beyond 14 pairs.
        declared: further metrics, which may tell whether a run is at chance.
        correction: ``max-t``, by joint sign flips (:mod:`ablate.analyse.max_t`); ``holm``, of each level's own p.

    Raises:
        AnalysisError: no baseline, or several, in a factor; no such metric or factor.
    """
    runs = checked(runs, (metric.name,))
    names = factors_of(runs) if factor is None else (factor,)
    panels = [make_panel(runs, metric, name, declared) for name in names]
    return compare_panels(panels, seed=seed, correction=correction)


def compare_panels(
    panels: Sequence[Panel], *, seed: int = 0, correction: Correction = "max-t"
) -> tuple[Comparison, ...]:
    """What :func:`compare` does, with one metric of each factor as a matrix."""
    made: list[_Made] = []
    for panel in panels:
        counted = panel.counted
        base = panel.baseline()
        complete = _paired(panel.values, base, seed)
        ended = _paired(counted, base, seed) if panel.diverged.any() else complete
        won = improvements(panel, base)
        others = [row for row in range(len(panel.levels)) if row != base]
        made += [_Made(panel, row, base, _pair(panel, complete, ended, won[row], row, base)) for row in others]
    return tuple(_corrected(made, panels[0].metric, correction, seed)) if made else ()


def share_test(panel: Panel, level: int, baseline: int) -> ShareTest:
    """Compare the shares of diverged runs at two levels (rows of the panel), exactly.

    McNemar's test on the seeds that ended, complete or diverged, at both levels; Fisher's where they share no seed.
    """
    ended = panel.complete | panel.diverged
    both = ended[level] & ended[baseline]
    paired = bool(both.any())
    use = (both, both) if paired else (ended[level], ended[baseline])
    counts = [int(panel.diverged[row][mask].sum()) for row, mask in zip((level, baseline), use, strict=True)]
    totals = [int(mask.sum()) for mask in use]
    if sum(counts) == 0 or 0 in totals:
        return ShareTest(counts[0], totals[0], counts[1], totals[1], None, "none")
    from scipy import stats  # takes a second, and is seldom needed

    if not paired:
        table = [[counts[0], totals[0] - counts[0]], [counts[1], totals[1] - counts[1]]]
        return ShareTest(counts[0], totals[0], counts[1], totals[1], float(stats.fisher_exact(table).pvalue), "fisher")
    only_level = int((panel.diverged[level] & ~panel.diverged[baseline] & both).sum())
    only_base = int((panel.diverged[baseline] & ~panel.diverged[level] & both).sum())
    discordant = only_level + only_base
    p = float(stats.binomtest(only_level, discordant).pvalue) if discordant else 1.0
    return ShareTest(counts[0], totals[0], counts[1], totals[1], p, "mcnemar")


@dataclass(frozen=True)
class _Made:
    """A comparison by itself, and where it is of."""

    panel: Panel
    row: int
    base: int
    entry: Comparison


@dataclass(frozen=True)
class _Paired:
    """Every level minus the baseline over the seeds that both have; [levels], NaN where there are too few."""

    pairs: NDArray[np.bool_]
    """[levels, seeds]."""
    mean: Floats
    baseline_mean: Floats
    difference: Floats
    sd: Floats
    low: Floats
    high: Floats
    p: Floats
    p_t: Floats
    correlation: Floats
    pairing: Floats


def _paired(values: Floats, base: int, seed: int) -> _Paired:
    """The statistics of all levels, those with the same seeds together."""
    pairs: NDArray[np.bool_] = np.isfinite(values) & np.isfinite(values[base])
    mean, baseline_mean, difference, sd, low, high, p, p_t, correlation, pairing = np.full((10, len(values)), np.nan)
    for pattern, rows in patterns(pairs):
        if not pattern.any():
            continue
        # In rows, so that a sum does not depend on which other levels there are.
        sample, baseline = np.ascontiguousarray(values[rows][:, pattern]), values[base][pattern]
        differences = sample - baseline
        mean[rows], baseline_mean[rows], difference[rows] = sample.mean(1), baseline.mean(), differences.mean(1)
        if pattern.sum() >= 2:
            sd[rows] = differences.std(axis=1, ddof=1)
            low[rows], high[rows] = t_interval(differences)
            p[rows] = sign_flip(differences, seed).two_sided
            p_t[rows] = t_test(differences)
        if pattern.sum() >= 3:
            correlation[rows], pairing[rows] = _gained(sample, baseline, sd[rows])
    return _Paired(pairs, mean, baseline_mean, difference, sd, low, high, p, p_t, correlation, pairing)


def _gained(sample: Floats, baseline: Floats, sd: Floats) -> tuple[Floats, Floats]:
    """Pearson's correlation with the baseline, and the length of a paired interval for one of an unpaired one."""
    variances, variance = sample.var(axis=1, ddof=1), float(baseline.var(ddof=1))
    spread = np.sqrt(variances * variance)
    covariance = (variances + variance - sd**2) / 2
    known = (np.ptp(sample, axis=1) > 0) & (np.ptp(baseline) > 0) & (spread > 0)
    correlation = np.divide(covariance, spread, out=np.full(len(sample), np.nan), where=known)
    unpaired = np.sqrt(variances + variance)
    return correlation, np.divide(sd, unpaired, out=np.full(len(sample), np.nan), where=known)


def _pair(panel: Panel, complete: _Paired, ended: _Paired, won: Improvement | None, row: int, base: int) -> Comparison:
    pairs = complete.pairs[row]
    n = int(pairs.sum())
    level, baseline = panel.levels[row], panel.levels[base]
    difference, spread = float(complete.difference[row]), float(complete.sd[row])
    effect = difference / spread if n >= 2 and spread > 0 else None
    enumerated, is_exact = n <= EXACT_UP_TO, n > 0 and bool(panel.exact[[row, base]].all())
    diverged, silent = bool(panel.diverged[[row, base]].any()), panel.no_evidence(row, base)
    tested = not silent and not is_exact
    alone = Interval(float(complete.low[row]), float(complete.high[row]), CONFIDENCE, "t")
    return Comparison(
        *(panel.study, panel.factor, level.value, level.label, level.order, baseline.value, baseline.label),
        panel.metric.name,
        seeds=tuple(s for s, there in zip(panel.seeds, pairs.tolist(), strict=True) if there),
        n=n,
        mean=_known(complete.mean[row]),
        baseline_mean=_known(complete.baseline_mean[row]),
        difference=_known(difference),
        interval=alone if n >= 2 and not is_exact else None,
        simultaneous=None,
        p=_known(complete.p[row]) if tested else None,
        p_corrected=None,
        p_t=_known(complete.p_t[row]) if tested else None,
        exact=enumerated,
        smallest_p=(2 / 2**n if enumerated else 1 / (FLIPS + 1)) if n >= 2 and not is_exact else None,
        effect=effect,
        effect_corrected=effect * hedges_correction(n) if effect is not None and n >= 3 else None,
        standing="exact" if is_exact else "identical" if n >= 2 and panel.alike(row, [base])[0] else "undecided",
        needed=None,
        difference_counting_diverged=_known(ended.difference[row]) if diverged and not is_exact else None,
        p_counting_diverged=_known(ended.p[row]) if diverged and tested else None,
        divergence=share_test(panel, row, base),
        correlation=_known(complete.correlation[row]),
        pairing=_known(complete.pairing[row]),
        improvement=won if tested else None,
        no_evidence=silent,
        warnings=panel.warnings + (() if is_exact else _warnings(panel, row, base, pairs, silent)),
    )


def t_test(differences: Floats) -> Floats:
    """Two-sided p of Student's paired t test of each sample of [samples, n], n >= 2; 1 without spread."""
    n = differences.shape[1]
    error = differences.std(axis=1, ddof=1) / np.sqrt(n)
    t = np.divide(differences.mean(axis=1), error, out=np.zeros(len(differences)), where=error > 0)
    return np.asarray(2 * special.stdtr(n - 1, -np.abs(t)))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _differences(made: Sequence[_Made], *, counting_diverged: bool) -> Floats:
    """Level minus baseline of every comparison that can show something, [comparisons, seeds of all of them]."""
    seeds = sorted({seed for one in made for seed in one.panel.seeds})
    column = {seed: index for index, seed in enumerate(seeds)}
    differences = np.full((len(made), len(seeds)), np.nan)
    for row, one in enumerate(made):
        if not one.entry.no_evidence and one.entry.standing != "exact":
            values = one.panel.counted if counting_diverged else one.panel.values
            differences[row, [column[seed] for seed in one.panel.seeds]] = values[one.row] - values[one.base]
    return differences


def _corrected(made: Sequence[_Made], metric: Metric, correction: Correction, seed: int) -> list[Comparison]:
    """The comparisons corrected for their number, with their standing and the seeds that would settle them."""
    differences = _differences(made, counting_diverged=False)
    complete, huge = correct(differences, correction, seed), exploded(differences)
    diverged = any(one.entry.difference_counting_diverged is not None for one in made)
    ended = correct(_differences(made, counting_diverged=True), correction, seed) if diverged else complete
    below = [one.entry.p_t if one.entry.n < LEAST_PAIRS else None for one in made]
    by_t = holm(below)
    floor = floor_alpha(correction, int(np.isfinite(complete.p).sum()))
    needs = least_pairs(floor, two_sided=True)
    told = told_by([None if one.entry.improvement is None else one.entry.improvement.e for one in made])
    result = []
    for row, one in enumerate(made):
        entry, p, p_all = one.entry, _known(complete.p[row]), _known(ended.p[row])
        of_complete = _standing(entry.difference, p, metric)
        standing = of_complete if entry.standing == "undecided" else entry.standing
        if entry.difference_counting_diverged is not None and standing != "identical":
            of_all = _standing(entry.difference_counting_diverged, p_all, metric)
            standing = of_all if of_complete in (of_all, "undecided") else "undecided"
        needed, warnings = None, entry.warnings
        if standing == "undecided" and entry.effect is not None and p is not None:
            found = needed_range(entry.effect, entry.n, alpha=float(complete.each[row]), exact_alpha=floor)
            needed = found if found.seeds is not None else None
        if 2 <= entry.n < needs and standing == "undecided" and not entry.no_evidence:
            warnings += (
                f"Cannot be decided with {entry.n} seeds, however large the difference: needs {needs}. The paired t "
                "test's p stands beside it, which takes differences to be normal and decides nothing.",
            )
        if huge[row] and standing != "better":
            warnings += (
                f"All differences of this level are more than {HUGE:.0f} times as large as is usual here, and scatter: "
                "it has exploded. Their direction is what is tested; its mean and intervals say little.",
            )
        low, high = complete.low[row], complete.high[row]
        known = entry.n >= 2 and bool(np.isfinite(low))
        result.append(
            replace(
                entry,
                simultaneous=Interval(float(low), float(high), CONFIDENCE, "simultaneous") if known else None,
                p_corrected=p,
                p_t=by_t[row],
                p_counting_diverged=p_all if entry.p_counting_diverged is not None else None,
                standing=standing,
                needed=needed,
                told_open_ended=bool(told[row]),
                warnings=warnings,
            )
        )
    return result


def _standing(difference: float | None, p: float | None, metric: Metric) -> Standing:
    if difference is None or p is None or p > ALPHA or difference == 0:
        return "undecided"
    return "better" if metric.is_better(difference, 0.0) else "worse"


def _warnings(panel: Panel, row: int, base: int, pairs: NDArray[np.bool_], silent: str) -> tuple[str, ...]:
    texts = [f"{silent[:1].upper()}{silent[1:]}."] if silent else []
    diverged = int((panel.diverged[row] | panel.diverged[base]).sum())
    if diverged:
        texts.append(
            f"{diverged} seed(s) diverged at one or both levels: not in the difference; for the standing a diverged "
            f"run counts as {panel.worst:.4g}, no better than guessing and all finished runs."
        )
    ended = panel.complete | panel.diverged
    lost = int((ended[row] ^ ended[base]).sum())
    if lost and pairs.any():
        texts.append(f"{lost} seed(s) ran at one of the two levels only and are left out of the pairs.")
    if panel.uneven[row]:
        texts.append(UNEVEN_LEVEL)
    if panel.uneven[base]:
        texts.append(UNEVEN_BASELINE)
    if not pairs.any():
        texts.append("No seed is complete at both levels: there is nothing to compare.")
    elif pairs.sum() == 1:
        texts.append("One pair: neither interval nor test.")
    return tuple(texts)
