"""What a report has to know of a study beside its numbers; built by whoever read the study file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ablate.task.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse.family import Correction
    from ablate.analyse.sequential import Looks
    from ablate.task.claim import Claim
    from ablate.task.correctness import Correctness

Scale = Literal["auto", "linear", "log2", "log10"]


@dataclass(frozen=True, init=False)
class Cited:
    """A citation within a sentence."""

    keys: tuple[str, ...]
    """The keys of entries in ``references.bib``."""

    def __init__(self, *keys: str) -> None:
        object.__setattr__(self, "keys", keys)


Sentence = tuple[str | Cited, ...]
"""Plain text with citations in between."""


@dataclass(frozen=True)
class LevelView:
    """One level of a factor."""

    value: Any
    """Native value, as in the frame of runs."""
    label: str
    """Printed form, as in the frame of runs (column ``label``)."""


@dataclass(frozen=True)
class FactorView:
    """One factor, its levels in the study's order and what was published about them."""

    path: str
    """Dotted path, as in the frame of runs (column ``factor``)."""
    levels: tuple[LevelView, ...]
    label: str = ""
    """Printed name; empty: the path's last part with blanks."""
    family: str = ""
    """The study that it belongs to, whose comparisons are corrected together."""
    ordered: bool = False
    """Whether the levels lie on an axis (numbers) rather than being kinds."""
    unit: str = ""
    """Unit of the levels on an axis, such as ``images``."""
    scale: Scale = "auto"
    """The axis's scale; ``auto``: log2 for powers of two, log10 for positive levels over two decades, else linear."""
    published: "pd.DataFrame | None" = None
    """Published means: a column ``label`` and one column a metric; NaN where nothing was printed."""
    source: str = ""
    """Where they were published."""
    repeats: int | None = None
    """Runs behind each published mean; None: unknown, so that no prediction interval can be given."""

    @property
    def name(self) -> str:
        """The printed name."""
        return self.label or self.path.rsplit(".", 1)[-1].replace("_", " ")

    @property
    def title(self) -> str:
        """The printed name with a capital, as a heading."""
        return f"{self.name[:1].upper()}{self.name[1:]}"

    @property
    def axis(self) -> str:
        """The name with its unit, as an axis carries it."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class StudyView:
    """One study as a report shows it."""

    name: str
    factors: tuple[FactorView, ...]
    metrics: tuple[Metric, ...]
    """One metric at least; each is a column of the frame of runs by its name, in the order of the tables."""
    declared: tuple[Metric, ...] = ()
    """All metrics of the task: claims may be about them, and they may tell which runs are at chance."""
    step: str = "epoch"
    """What one step of a run is called."""
    question: str = ""
    design: str = "one-at-a-time"
    baseline: Mapping[str, Any] = field(default_factory=dict)
    """The baseline's differences from the default configuration: dotted path to value."""
    looks: "Looks | None" = None
    """Where seeds were added look by look."""
    stated_after: Mapping[str, int] = field(default_factory=dict)
    """By the id of each claim that was stated after looks were made: how many were."""
    correction: "Correction" = "max-t"
    """The correction of the comparisons with the baseline."""
    primary: str = ""
    """Name of the metric that the forest plot and the first table show; empty: the last of ``metrics``."""
    claims: "tuple[Claim, ...]" = ()
    remarks: tuple[str, ...] = ()
    """Sentences about the published numbers and ours, by the study's author."""
    notices: tuple[str, ...] = ()
    """What a reader has to know before all numbers: where this is not the study that its file states."""
    origin: tuple[Sentence, ...] = ()
    """How the settings that are compared were found, for the paragraph on methods; empty: they were chosen by hand."""
    kept: "Mapping[str, Correctness]" = field(default_factory=dict)
    """Which samples runs get right, by digest, where that was kept."""
    faults: tuple[str, ...] = ()
    """Files of what was kept that cannot be used, a sentence each."""
    search_page: str = ""
    """Link to the page of the search that found them."""
    libraries: tuple[str, ...] = ()
    """Packages that carried out the runs, of those whose versions records keep, such as ``torch``."""
    command: str = ""
    """The command that trains the study and rebuilds the report."""
    estimate: float | None = None
    """Planned cost in seconds of all workers together; None: not known."""
    actual: float | None = None
    """Measured cost in seconds of all workers together; None: the sum over the records."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the metrics, which are columns of the frames."""
        return tuple(metric.name for metric in self.metrics)

    @property
    def metric(self) -> Metric:
        """The primary metric."""
        return self.named(self.primary) if self.primary else self.metrics[-1]

    def named(self, name: str) -> Metric:
        """The metric of this name.

        Raises:
            KeyError: The study has none.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)

    def title(self, name: str) -> str:
        """How a metric is printed; one that the study does not declare by its own name with blanks."""
        return next((m.title for m in self.metrics if m.name == name), name.replace("_", " "))

    def factor(self, path: str) -> FactorView:
        """The factor with this path.

        Raises:
            KeyError: There is none.
        """
        for candidate in self.factors:
            if candidate.path == path:
                return candidate
        raise KeyError(path)
