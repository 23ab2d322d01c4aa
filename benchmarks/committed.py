"""The studies of the article with their committed records, as the analysis reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ablate.commands.declared import metrics_of
from ablate.commands.kept_records import records_in
from ablate.commands.studies import named, order
from ablate.commands.study_view import claims_of, metric_of
from ablate.report.joined_runs import frame_of_runs
from ablate.task.claim import Claim
from ablate.task.metric import Metric

RESULTS = Path(__file__).parents[1] / "results"
STUDIES = ("lr", "batch_size", "epochs", "activation", "pooling", "kernel_size", "pool_size", "combination")


@dataclass(frozen=True)
class Committed:
    """A study and its runs."""

    name: str
    runs: pd.DataFrame
    """Frame of runs, without configurations."""
    metric: Metric
    """By which it would be looked at."""
    declared: tuple[Metric, ...]
    claims: tuple[Claim, ...]

    def first(self, seeds: int) -> pd.DataFrame:
        """The runs of the first seeds."""
        return self.runs[self.runs["seed"].isin(sorted(self.runs["seed"].unique())[:seeds])]


def committed(name: str, results: Path = RESULTS, words: Sequence[str] = ()) -> Committed:
    """A study of ``sweeps/`` with the records that reports hold.

    Args:
        name: of the study.
        results: folder of reports.
        words: overrides.
    """
    plan = order(named([name], list(words))).plan
    (study,) = plan.studies
    frame = frame_of_runs(plan, records_in(results, {run.digest for run in plan.runs}))
    kept = frame[[column for column in frame if not str(column).startswith("config.")]]
    return Committed(name, kept, metric_of(study), metrics_of([study.task]), claims_of(plan))
