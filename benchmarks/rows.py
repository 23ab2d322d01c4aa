"""From rates to rows: medians, spread, ratios to the textbook loop and to the eager one, share of the peak."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.contenders import EAGER, OURS, OURS_OWN, PEAK, TEXTBOOK, TEXTBOOK_WORKERS, Contender
from benchmarks.workers import Measured


@dataclass(frozen=True)
class Row:
    """A contender's figures; each ratio is the median of the repeats' own ratios."""

    loop: str
    batch: int
    models: int
    threads: int
    processes: int
    repeats: int
    median: float
    """Training samples times models a second (matrix product: FLOP/s); NaN where it failed."""
    low: float
    high: float
    to_textbook: float | None
    """To the faster of the textbook loops of the same batch size."""
    to_eager: float | None
    """To the eager loop in memory on as many processes of one thread."""
    peak_share: float | None
    """Of the matrix product's rate on as many cores, in [0, 1]."""
    first_seconds: float
    """Until the first steps were done, compilation included."""
    failure: str | None


def rows(measured: Sequence[Measured], flop: float) -> list[Row]:
    """Figures of contenders measured together.

    Args:
        measured: Of one batch size, with as many rates each, repeat by repeat.
        flop: Operations of a training sample.
    """
    textbooks = [m for m in measured if m.contender.loop in (TEXTBOOK, TEXTBOOK_WORKERS) and m.rates]
    textbook = max(textbooks, key=lambda m: median(m.rates)).rates if textbooks else None
    eager = {m.contender.processes: m.rates for m in measured if m.contender.loop == EAGER and m.rates}
    peak = {m.contender.processes: m.rates for m in measured if m.contender.loop == PEAK and m.rates}
    found = []
    for m in measured:
        c, rates = m.contender, m.rates
        trains = c.loop != PEAK
        share = _ratio(rates, peak.get(c.processes * c.threads)) if trains else None
        found.append(
            Row(
                loop=c.loop,
                batch=c.batch,
                models=c.models,
                threads=c.threads,
                processes=c.processes,
                repeats=len(m.rates),
                median=median(rates or [math.nan]),
                low=min(rates, default=math.nan),
                high=max(rates, default=math.nan),
                to_textbook=_ratio(rates, textbook) if trains else None,
                to_eager=_ratio(rates, eager.get(c.processes)) if trains and c.threads == 1 else None,
                peak_share=share * flop if share is not None else None,
                first_seconds=m.first,
                failure=m.failure,
            )
        )
    return found


@dataclass(frozen=True)
class Goal:
    """What a figure shall be at least."""

    text: str
    asked: float
    measured: float | None
    """None: not measured."""
    unit: str = "x"


def goals(found: Sequence[Row], cohort: int, workers: int) -> list[Goal]:
    """What is asked of the engine, beside what was measured.

    Args:
        found: Rows of any batch sizes.
        cohort: Members of the ``lr`` study's cohorts.
        workers: Processes that train at the same time.
    """
    by = {Contender(r.loop, r.batch, r.models, r.threads, r.processes): r for r in found}
    own = [r.models for r in found if r.loop == OURS_OWN]

    def of(loop: str, batch: int, processes: int, figure: str) -> float | None:
        row = by.get(Contender(loop, batch, cohort if loop == OURS else max(own, default=0), processes=processes))
        return getattr(row, figure) if row is not None else None

    wanted = [
        (256, OURS, workers, "to_textbook", 5.5, "to the textbook loop, all workers"),
        (256, OURS, workers, "peak_share", 0.5, "of the matrix-product peak, all workers"),
        (16, OURS, workers, "to_textbook", 5.0, "to the textbook loop, all workers"),
        (16, OURS_OWN, workers, "to_textbook", 5.0, "to the textbook loop, all workers"),
        (2, OURS, 1, "to_eager", 2.5, "to the eager loop in memory, one core"),
        (2, OURS_OWN, 1, "to_eager", 2.5, "to the eager loop in memory, one core"),
    ]
    batches = {r.batch for r in found}
    return [
        Goal(f"batch {batch}, {loop}: {text}", asked, of(loop, batch, p, figure), "" if "share" in figure else "x")
        for batch, loop, p, figure, asked, text in wanted
        if batch in batches
    ]


def _ratio(rates: Sequence[float], others: Sequence[float] | None) -> float | None:
    return median(a / b for a, b in zip(rates, others, strict=True)) if rates and others else None
