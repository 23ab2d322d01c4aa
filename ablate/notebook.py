"""``ablate.load``: a study's runs, curves and analysis as objects for a notebook."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.commands.studies import named, order, records_of
from ablate.plan.plan import Plan
from ablate.plan.study import Study
from ablate.report.joined_runs import frame_of_runs
from ablate.store import shown
from ablate.task.record import Record

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import LevelSummary, StudyAnalysis
    from ablate.report import StudyView


@dataclass(frozen=True)
class LoadedStudy:
    """A study with its records. A notebook shows it with its answer, a table of its levels and its verdicts."""

    study: Study
    plan: Plan
    records: dict[str, Record]
    """The records by digest; runs without one are ``missing`` in the frame of runs."""
    places: tuple[str, ...] = ()
    """Where records were looked for: the run store and the folder of results."""
    results: Path = Path("results")
    """The folder of results, where it may have been kept which samples runs get right."""

    @cached_property
    def runs(self) -> "pd.DataFrame":
        """One row for each factor, level and seed (see :func:`ablate.report.joined_runs.frame_of_runs`)."""
        return frame_of_runs(self.plan, self.records, self.study.name)

    @cached_property
    def curves(self) -> "pd.DataFrame":
        """One row for each factor, level, seed and step, with the metrics and the seconds of the step.

        A run that several factors share, such as the baseline, has its rows once for each of them.
        """
        from ablate.report.joined_runs import by_step
        from ablate.store.frames import to_frames

        steps = by_step(to_frames(self.records.values())[1])
        return self.runs[["factor", "level", "label", "seed", "digest"]].merge(steps, on="digest")

    @cached_property
    def view(self) -> "StudyView":
        """Return what the figures of ``ablate.report`` need to know beside the frames."""
        from ablate.commands.kept_records import with_correctness
        from ablate.commands.looks import with_stated
        from ablate.commands.study_view import view_of

        view = view_of(self.study, self.plan, command=f"ablate report {self.study.name}")
        view = with_stated(view, self.study, self.plan, self.results / self.study.name)
        return with_correctness(view, self.results, self.records)

    @cached_property
    def analysis(self) -> "StudyAnalysis":
        """Levels, comparisons, best levels, published numbers and verdicts."""
        from ablate.report import analyse_study

        return analyse_study(self.view, self.runs)

    @cached_property
    def levels(self) -> "pd.DataFrame":
        """One row for each factor, level and metric: the numbers that tables and figures show."""
        from ablate.report import summarise

        return summarise(self.view, self.runs, self.analysis)

    def summary(self, metric: str, level: object, factor: str | None = None) -> "LevelSummary":
        """The summary of one level, by its value or label (see :meth:`ablate.analyse.StudyAnalysis.summary`)."""
        return self.analysis.summary(metric, level, factor)

    @property
    def origin(self) -> str:
        """Say how many runs of each status there are, and where records were looked for, in one line."""
        counts = self.runs["status"].value_counts()
        held = ", ".join(f"{n} {status}" for status, n in counts.items())
        return f"{held}; looked in {' and '.join(self.places)}"

    def __repr__(self) -> str:
        return f"<study {self.study.name}: {self.origin}>"

    def _repr_html_(self) -> str:
        from ablate.report.in_notebook import study_html

        return study_html(self.view, self.levels, self.analysis, self.origin)


def load(study: str, *overrides: str) -> LoadedStudy:
    """Load a study's records from the run store and the reports in the results folder; trains nothing.

    Args:
        study: Its name.
        overrides: As on the command line, such as ``results=elsewhere`` or ``train.epochs=3``.

    Returns:
        Its runs and curves as frames, and their analysis.

    Raises:
        ConfigError: There is no such study, or an override is bad.
    """
    wanted = order(named([study], overrides))
    own = next(s for s in reversed(wanted.plan.studies) if s.name == study)
    launch = wanted.launch
    store = launch.store_location if "://" in launch.store_location else str(Path(launch.store_location).absolute())
    places = (f"the store {shown(store)}", f"reports below {Path(launch.results).absolute()}")
    return LoadedStudy(own, wanted.plan, records_of(wanted.plan, launch), places, Path(launch.results))
