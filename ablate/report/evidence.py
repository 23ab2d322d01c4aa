"""What a reader who doubts a table asks next: added seeds, pairing, other data. Behind a fold of the page."""

from statistics import median
from typing import TYPE_CHECKING

from ablate.report.metric_axes import within_difference
from ablate.report.view import FactorView
from ablate.task.metric import Metric
from ablate.task.numbers import NONE, decimals, interval, number, signed

if TYPE_CHECKING:
    from ablate.analyse import StudyAnalysis
    from ablate.analyse.results import Comparison, Interval, LevelSummary


def further_evidence(factor: FactorView, metric: Metric, analysis: "StudyAnalysis") -> list[str]:
    """Sentences about one factor in one metric; empty: no level is compared.

    Args:
        factor: The factor of the study.
        metric: One of its metrics.
        analysis: The analysis of the study.
    """
    place = (factor.path, metric.name)
    compared = [entry for entry in analysis.comparisons if (entry.factor, entry.metric) == place]
    levels = [entry for entry in analysis.description.levels if (entry.factor, entry.metric) == place]
    other = other_samples(metric, factor, analysis) or _other_data(metric, levels) + _lacking(compared)
    varied = [entry for entry in compared if entry.standing != "identical"]
    texts = (_open_ended(metric, varied), _pairing(metric, varied), other)
    return [text for text in texts if text] if compared else []


def other_samples(metric: Metric, factor: FactorView, analysis: "StudyAnalysis") -> str:
    """Intervals for other seeds and other samples, where it was kept which samples runs get right; else empty."""
    compared = [c for c in analysis.comparisons if (c.factor, c.metric) == (factor.path, metric.name)]
    known = [entry for entry in compared if entry.with_samples is not None]
    if not known:
        return ""
    digits = decimals([entry.mean for entry in known])
    parts = []
    for entry in known:
        alone, both = (_printed(metric, ends, digits) for ends in (entry.interval, entry.with_samples))
        parts.append(f"{entry.label}: {signed(entry.difference, digits)}, {alone} for other seeds, {both} for both")
    return (
        f"Other data: it was kept which of {known[0].samples:,} samples each run gets right, so that there are "
        f"intervals for other seeds and other samples of the same kind, too. Difference from {known[0].baseline_label} "
        f"in {metric.title} with 95 % intervals, each by itself: {'; '.join(parts)}. Where the interval for both holds "
        f"0, other samples may turn the lead.{_lacking(compared)}"
    )


def _printed(metric: Metric, ends: "Interval | None", digits: int) -> str:
    if ends is None:
        return NONE
    low, high = within_difference(metric, (ends.low, ends.high))
    return interval(low, high, digits)


def _lacking(compared: "list[Comparison]") -> str:
    """For which levels too little was kept."""
    texts = [f"{entry.label} was {entry.samples_lack}" for entry in compared if entry.samples_lack]
    return f" For other samples nothing is said of some levels: {'; '.join(texts)}." if texts else ""


def _open_ended(metric: Metric, compared: "list[Comparison]") -> str:
    """Which levels are told from the baseline whenever seeds are added."""
    e = {entry.label: entry.improvement.e for entry in compared if entry.improvement is not None}
    if not e:
        return ""
    told = [entry.label for entry in compared if entry.told_open_ended]
    most = max(e, key=lambda label: e[label])
    found = f"none (most: {most}, e = {e[most]:.3g})"
    if told:
        found = f"{', '.join(told)} (e ≥ {min(e[label] for label in told):.3g})"
    looks = any(entry.course is not None for entry in compared)
    what = "standings of looks" if looks else "p and intervals of a number of seeds"
    return (
        f"Added seeds: in the table are {what} fixed beforehand. Evidence that holds whenever somebody adds seeds, "
        f"e-values, tells from the baseline in {metric.title}: {found}. Of levels told so at most 5 % are told falsely "
        "on average (e-BH), if added seeds have larger numbers."
    )


def _pairing(metric: Metric, compared: "list[Comparison]") -> str:
    """What comparing runs with the same seed gains."""
    known = [entry.correlation for entry in compared if entry.correlation is not None]
    gains = [entry.pairing for entry in compared if entry.pairing is not None]
    if not known:
        return ""
    middle = median(gains)
    length = "as long as" if abs(middle - 1) < 0.005 else f"{100 * abs(1 - middle):.0f} % {_comparative(middle)} than"
    return (
        f"Pairing: {metric.title} of runs with the same seed correlates with the baseline's by "
        f"{number(median(known), 2)} (median of {len(known)} levels), so that intervals of differences are {length} "
        "those of unpaired runs."
    )


def _comparative(ratio: float) -> str:
    return "shorter" if ratio < 1 else "longer"


def _other_data(metric: Metric, levels: "list[LevelSummary]") -> str:
    """What intervals leave out: that the data could be others."""
    text = "Other data: all intervals and p are about other seeds on the same data"
    sampled = [(entry.sampling_sd, entry) for entry in levels if entry.sampling_sd is not None]
    if not sampled:
        return f"{text}; what other samples would give they do not say."
    sd, entry = next((pair for pair in sampled if pair[1].is_baseline), sampled[0])
    digits = decimals([entry.mean])
    return (
        f"{text}. Measured on as many other samples, the mean {metric.title} of {entry.label}, "
        f"{number(entry.mean, digits)}, would move by {number(sd, digits)} (one standard deviation); a difference "
        "moves less the more alike two levels err, as they are measured on the same samples."
    )
