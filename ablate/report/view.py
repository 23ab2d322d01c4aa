"""What a report has to know of a study beside its numbers; built by whoever read the study file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import Claim

METRIC_NAMES = {
    "train_loss": "train loss",
    "train_acc": "train accuracy",
    "val_loss": "validation loss",
    "val_acc": "validation accuracy",
    "test_loss": "test loss",
    "test_acc": "test accuracy",
}
"""How a metric is printed."""

Scale = Literal["auto", "linear", "log2", "log10"]


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
    """The study that it belongs to, over whose comparisons Holm's correction is made."""
    ordered: bool = False
    """Whether the levels lie on an axis (numbers) rather than being kinds."""
    unit: str = ""
    """Unit of the levels on an axis, such as ``images``."""
    scale: Scale = "auto"
    """Of the axis; ``auto``: log2 for powers of two, log10 for positive levels over two decades, else linear."""
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
    def axis(self) -> str:
        """The name with its unit, as an axis carries it."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class StudyView:
    """One study as a report shows it."""

    name: str
    factors: tuple[FactorView, ...]
    question: str = ""
    design: str = "one-at-a-time"
    baseline: Mapping[str, Any] = field(default_factory=dict)
    """The baseline's differences from the default configuration: dotted path to value."""
    metrics: tuple[str, ...] = ("train_loss", "train_acc", "test_acc")
    """Columns of the frame of runs, in the order of the tables."""
    primary: str = ""
    """The metric that the forest plot and the first table show; empty: the last of ``metrics``."""
    claims: "tuple[Claim, ...]" = ()
    remarks: tuple[str, ...] = ()
    """Sentences about the published numbers and ours, by the study's author."""
    command: str = ""
    """The command that trains the study and rebuilds the report."""
    estimate: float | None = None
    """Planned cost in seconds of all workers together; None: not known."""
    actual: float | None = None
    """Measured cost in seconds of all workers together; None: the sum over the records."""

    @property
    def metric(self) -> str:
        """The primary metric."""
        return self.primary or self.metrics[-1]

    def factor(self, path: str) -> FactorView:
        """The factor with this path.

        Raises:
            KeyError: There is none.
        """
        for candidate in self.factors:
            if candidate.path == path:
                return candidate
        raise KeyError(path)


def metric_name(metric: str) -> str:
    """How a metric is printed; an unknown one by its own name."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def higher_is_better(metric: str) -> bool:
    """Accuracies are to be high, losses (and anything else) low."""
    return metric.endswith("_acc")
