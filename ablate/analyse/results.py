"""Frozen results of the analysis: what every function of this package returns and what reports print.

Conventions: a number that the data cannot carry is ``None`` (too few seeds, nothing measured), never 0 or NaN. ``n`` is
the number of runs or of paired seeds behind the numbers beside it. ``warnings`` are whole sentences meant for the
reader of the report. ``level`` is the native value, ``label`` its printed form, ``order`` its position in the study.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ablate.analyse.courses import ClaimLook, Course, Outcome
from ablate.analyse.power import NeededSeeds
from ablate.analyse.signed_rank import Practically
from ablate.analyse.table import Table
from ablate.task.claim import Claim

Standing = Literal["better", "worse", "undecided", "exact", "identical"]


@dataclass(frozen=True)
class Interval:
    """An interval estimate."""

    low: float
    high: float
    confidence: float
    """Nominal coverage as a fraction, e.g. 0.95."""
    method: str
    """``t``, ``simultaneous``, ``repeated``, ``crossed``, ``percentile``, ``wilson`` or ``prediction``."""

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"[{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class LevelSummary:
    """One metric at one level, over the level's seeds. Statistics are over complete runs with the metric measured."""

    study: str
    factor: str
    level: object
    label: str
    order: int
    is_baseline: bool
    metric: str
    n: int
    """Complete runs with the metric measured: what the statistics below are of."""
    complete: int
    diverged: int
    failed: int
    missing: int
    at_chance: int | None
    """Complete runs that cannot be told from guessing; None where it is not known what guessing scores."""
    mean: float | None
    median: float | None
    iqm: float | None
    """Interquartile mean: the mean without the lowest and the highest quarter of the runs (n >= 4)."""
    sd: float | None
    """Standard deviation over seeds (n - 1); None, as the interval is, where the value is exact."""
    minimum: float | None
    maximum: float | None
    interval: Interval | None
    """The 95 % interval of the mean (``ablate.analyse.mean_interval``)."""
    is_uneven: bool
    """Whether some runs stand apart from the others or a tail is long (``ablate.analyse.uneven``)."""
    apart: int
    """How many of the ``n`` runs stand apart, those at chance among them."""
    apart_share: Interval | None
    """Wilson's 95 % interval of their share; uneven levels only."""
    iqm_interval: Interval | None
    """Percentile bootstrap of the interquartile mean (Agarwal et al. 2021); uneven levels only."""
    sampling_sd: float | None
    """How much the mean would vary with the samples on which it is measured, all runs on the same ones: that of a
    share of so many samples, an upper limit as runs differ. None: no share, or its samples are not known."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Description(Table):
    """All levels of a study, one entry per factor, level and metric, in the study's order."""

    levels: tuple[LevelSummary, ...]
    warnings: tuple[str, ...] = ()

    def _rows(self) -> Sequence[Any]:
        return self.levels


@dataclass(frozen=True)
class ShareTest:
    """Shares of diverged runs at two levels, compared."""

    diverged: int
    total: int
    baseline_diverged: int
    baseline_total: int
    p: float | None
    """Exact two-sided p; None where no run diverged at either level or there are no runs."""
    test: Literal["mcnemar", "fisher", "none"]
    """McNemar where seeds are paired, Fisher where they are not, none where there is nothing to test."""


@dataclass(frozen=True)
class Improvement:
    """A level against the baseline by which run is better on each seed (``ablate.analyse.improvement``)."""

    n: int
    """Seeds that ended at both."""
    better: int
    worse: int
    """Seeds, of the ``n``, on which the level does better, and worse."""
    probability: float
    """The probability that a run of the level beats the baseline's with the same seed; equal values count half."""
    interval: Interval
    """Wilson's 95 % interval of the probability, for this level by itself."""
    e: float
    """Evidence that level and baseline are not alike, which holds whenever seeds are added: 1 is none, 20 is 5 %."""


@dataclass(frozen=True)
class Comparison:
    """A level against the factor's baseline, paired by seed. Differences are level minus baseline."""

    study: str
    factor: str
    level: object
    label: str
    order: int
    baseline: object
    baseline_label: str
    metric: str
    seeds: tuple[int, ...]
    """Seeds complete at both levels: the pairs."""
    n: int
    mean: float | None
    baseline_mean: float | None
    """Means over the pairs only."""
    difference: float | None
    interval: Interval | None
    """95 % t interval of the mean difference, by itself."""
    simultaneous: Interval | None
    """An interval that holds together with those of all levels compared on this metric, in 95 % of studies."""
    p: float | None
    """Two-sided sign-flip permutation p, by itself."""
    p_corrected: float | None
    """Two-sided p of all levels that the study compares on this metric together (``ablate.analyse.family``)."""
    p_t: float | None
    """Where no p can be small with so few pairs: that of the paired t test after Holm's correction; decides nothing."""
    exact: bool
    """True: all sign flips enumerated; False: Monte Carlo."""
    smallest_p: float | None
    """The smallest ``p`` that this many pairs can give, 2 / 2^n exactly (0.0625 for five seeds)."""
    effect: float | None
    """Cohen's d_z: mean difference / sd of the differences."""
    effect_corrected: float | None
    """d_z with Hedges' small-sample correction."""
    standing: Standing
    """Better or worse than the baseline at 5 % for all levels together, in the metric's direction. Where runs diverged
    it is decided with each of them ranked below every finished one, and withheld where the complete pairs say the
    opposite. ``identical``: both have exactly the same value on every seed, two or more. ``exact``: the metric follows
    from the setting (:class:`ablate.task.metric.Metric`), and the difference is what it is; there is neither interval
    nor p."""
    needed: NeededSeeds | None
    """Seeds that would settle an undecided difference of this size (80 % power, 5 % after correction), with a range;
    None: decided, no estimate possible, or more than ``power.MOST_SEEDS``."""
    difference_counting_diverged: float | None
    """Mean difference with each diverged run ranked below every finished one; None where none diverged at
    either level."""
    p_counting_diverged: float | None
    """Its sign-flip p, corrected like ``p_corrected``."""
    divergence: ShareTest
    correlation: float | None = None
    """Correlation of the level's and the baseline's runs over the pairs; None: fewer than three, or no spread."""
    pairing: float | None = None
    """Length of the interval over that of an unpaired one: sd of the differences over the root of summed variances."""
    improvement: Improvement | None = None
    """None: no seed ended at both levels, or there is no evidence."""
    told_open_ended: bool = False
    """Whether it is told from the baseline by ``improvement.e`` (e-BH at 5 %): that holds whenever seeds are added."""
    no_evidence: str = ""
    """Why these runs can show nothing whatever their values, in words (they learned nothing, or every seed gave the
    same value); then there is no ``p``. Empty: they can."""
    warnings: tuple[str, ...] = ()
    course: Course | None = None
    """Where the level stands in a study that adds seeds look by look. Then there is no corrected ``p``."""
    with_samples: Interval | None = None
    """95 % interval of the mean difference for other seeds and other samples, by itself (``ablate.analyse.crossed``);
    None: it was not kept which samples every run gets right."""
    samples: int | None = None
    """That ``with_samples`` is of."""
    samples_lack: str = ""
    """Why there is no ``with_samples`` where that was kept of some runs."""


@dataclass(frozen=True)
class Identical:
    """Levels of a factor that have exactly the same values of a metric on every seed."""

    factor: str
    metric: str
    labels: tuple[str, ...]
    """Two or more, in the study's order."""
    seeds: int
    """That they have in common."""
    in_all: bool
    """Whether all other metrics of the study are the same, too, up to rounding, but for what a run costs."""


@dataclass(frozen=True)
class LevelChance:
    """How likely one level is the best of its factor."""

    level: object
    label: str
    order: int
    mean: float
    probability: float | None
    """The t posterior's probability that its mean is the best; None below five seeds, where that says nothing."""
    p: float
    """p of the hypothesis that this level is the best or equal to it."""
    in_set: bool
    """True: cannot be told from the best: ``p`` > 5 %, or (:func:`ablate.analyse.study.analyse`) one of the two is the
    baseline, and their comparison is undecided."""


@dataclass(frozen=True)
class Best(Table):
    """The best level of a factor on one metric, and those that cannot be told from it."""

    study: str
    factor: str
    metric: str
    n: int
    """Seeds complete at every level ranked."""
    levels: tuple[LevelChance, ...]
    best: str
    """Label of the level with the best mean."""
    indistinguishable: tuple[str, ...]
    """Labels of the 95 % confidence set of the best level, ``best`` included, in the study's order."""
    left_out: tuple[str, ...] = ()
    """Labels of levels that could not be ranked (no or too few complete runs)."""
    warnings: tuple[str, ...] = ()

    def _rows(self) -> Sequence[Any]:
        return self.levels


@dataclass(frozen=True)
class Trend:
    """Does the metric rise or fall along the ordered levels? Paired by seed."""

    study: str
    factor: str
    metric: str
    labels: tuple[str, ...]
    n: int
    page_l: float
    p_rising: float
    p_falling: float
    """One-sided p of Page's test for a rise and a fall along the order, of the metric itself (whatever is better)."""
    exact: bool
    tau: float
    """Mean over seeds of Kendall's tau-b between the order of the levels and the metric, -1 to 1."""
    tau_interval: Interval | None
    direction: Literal["rising", "falling", "undecided"]
    """The direction at 5 % two-sided."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Equivalence:
    """Two levels within a margin of each other? Paired TOST."""

    factor: str
    metric: str
    a: str
    b: str
    margin: float
    n: int
    difference: float
    """a minus b."""
    interval: Interval
    """90 %: inside the margin exactly when TOST is significant at 5 %."""
    p_lower: float
    """p against: the difference lies at or below -margin."""
    p_upper: float
    """p against: the difference lies at or above +margin."""
    p: float
    p_against: float
    """p of the hypothesis that the difference lies within the margin; small speaks against equivalence. 1, like the
    others, where there is no evidence: levels that learned nothing, differences without spread."""
    equivalent: bool
    practically: Practically | None
    """How probable it is by the Bayesian signed rank test that a minus b lies below the margin, within it or above;
    diverged runs ranked below all others. None: no evidence."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportanceTerm:
    """One source of variance."""

    factors: tuple[str, ...]
    """One factor: a main effect. Two: their interaction."""
    share: float
    """Grid: of the total sum of squares. One at a time: of the sum of squares of this factor's own runs, so that the
    shares of several factors do not add up."""
    df: int
    f: float | None
    p: float | None
    spread: float
    """Standard deviation of the effects in the metric's unit."""


@dataclass(frozen=True)
class Importance(Table):
    """How much of the metric's variance each factor explains."""

    study: str
    metric: str
    design: Literal["grid", "one-at-a-time"]
    n: int
    """Runs used."""
    terms: tuple[ImportanceTerm, ...]
    """Largest share first."""
    seeds_share: float | None
    """Share of the seeds (blocks); grid only."""
    residual_share: float | None
    """Share of what neither factors nor seeds explain; grid only."""
    warnings: tuple[str, ...] = ()

    def _rows(self) -> Sequence[Any]:
        return self.terms


@dataclass(frozen=True)
class PublishedCheck:
    """A published number beside ours."""

    factor: str
    level: object
    label: str
    metric: str
    published: float
    repeats: int
    n: int
    mean: float | None
    difference: float | None
    """Ours minus published."""
    interval: Interval | None
    """95 % prediction interval for a mean of ``repeats`` runs, given our ``n``."""
    inside: bool | None
    """None: too few runs to say."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What the runs say about a claim."""

    claim: Claim
    outcome: Outcome
    evidence: str
    """One line with the numbers that decide, or fail to."""
    needed: str
    """One line: what would decide it; empty once decided."""
    n: int
    """Paired seeds behind it."""
    p: float | None
    """p of the hypothesis that the claim is false; small supports. None where nothing could be tested."""
    p_against: float | None
    """p of the hypothesis that the claim is true; small refutes."""
    warnings: tuple[str, ...] = ()
    decided_with_others: bool = False
    """Whether the verdict also holds where all claims of the study together may err in 5 % of studies (Holm)."""
    course: tuple[ClaimLook, ...] = ()
    """Its looks, in a study that adds seeds look by look; p are then those of all looks up to the last."""
    stated_after: int = 0
    """Looks that had been made when it was stated, or changed; its error holds only where they did not lead to it."""
    parts: tuple[tuple[str, "Verdict"], ...] = ()
    """Of a claim over levels of another factor: the verdict on each of them, by itself."""
    holds_on: int | None = None
    """At how many parts the claim holds at least (``ablate.analyse.over``); None: it has none."""

    @property
    def part_lines(self) -> tuple[str, ...]:
        """A line for each part: its name, its outcome and its numbers."""
        return tuple(f"{name}: {part.outcome}. {part.evidence} {part.needed}".rstrip() for name, part in self.parts)

    def __str__(self) -> str:
        lines = [f"{self.claim.id}: {self.outcome}. {self.evidence} {self.needed}".rstrip(), *self.part_lines]
        return "\n    ".join(lines)
