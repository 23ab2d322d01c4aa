"""A whole study on one device: its estimate from a probe of every shape of cohort, and a tenth of it run.

A tenth: every run for a tenth of its epochs, in the cohorts that a sweep with one worker would form, without its start,
its store and its tables; what is compiled in the whole is not in a tenth of it, so nothing is.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.images.data import Images
    from ablate.images.run import RunConfig
    from ablate.plan.cohorts import Cohort

TENTH = 10


@dataclass(frozen=True)
class Part:
    """A cohort of the study."""

    title: str
    runs: "tuple[RunConfig, ...]"
    shape: tuple[str, int, bool]
    """What its speed depends on."""

    @property
    def samples(self) -> int:
        """Training samples of all its runs."""
        return sum(run.samples for run in self.runs)

    @property
    def tenth(self) -> "tuple[RunConfig, ...]":
        """The same runs for a tenth of their epochs, at least one."""
        return tuple(_shorter(run, max(1, run.train.epochs // TENTH)) for run in self.runs)


def parts(words: Sequence[str]) -> list[Part]:
    """The study's cohorts, nothing of it being trained or measured.

    Args:
        words: As a command line has them.
    """
    from ablate.plan.cohorts import form_cohorts
    from ablate.plan.compose import sources
    from ablate.plan.plan import make_plan
    from ablate.plan.prefixes import find_prefixes

    trained = find_prefixes(make_plan(sources(words)).runs).trained
    return [_part(cohort) for cohort in form_cohorts(trained, workers=1)]


def probe(images: "Images", runs: "Sequence[RunConfig]", seconds: float) -> float:
    """Samples times members a second of a cohort, test passes counted in, over so many seconds of its steps."""
    from ablate.images.engine.measure import measure
    from benchmarks.loops import set_precision

    set_precision("fp32")
    return measure(runs, images, device=images.train_labels.device, seconds=seconds).samples_per_second


def train_part(images: "Images", runs: "Sequence[RunConfig]") -> float:
    """Seconds that a cohort takes from its first weights to its results.

    Raises:
        RuntimeError: A run failed.
    """
    from ablate.images.engine.engine import train
    from benchmarks.loops import set_precision

    set_precision("fp32")
    start = time.perf_counter()
    results = train(runs, images, device=images.train_labels.device)
    failed = [result.error or result.status for result in results if result.status == "failed"]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(runs)} runs failed: {failed[0].strip().splitlines()[-1]}")
    return time.perf_counter() - start


def _part(cohort: "Cohort") -> Part:
    runs: Any = tuple(_shorter(run, run.train.epochs) for run in cohort.runs)  # type: ignore[attr-defined]
    first = runs[0]
    title = f"{len(runs)} runs, batch {first.train.batch_size}, {cohort.length} epochs"
    return Part(title, runs, (cohort.key, len(runs), cohort.shared))


def _shorter(run: "RunConfig", epochs: int) -> "RunConfig":
    fields = {name: getattr(run, name) for name in type(run).model_fields}  # a copy would keep the whole run's digests
    return type(run)(**fields | {"train": run.train.model_copy(update={"epochs": epochs, "compile": "off"})})
