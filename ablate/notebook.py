"""``ablate.load``: a study's runs, curves and analysis as objects for a notebook."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ablate.commands.studies import named, order, records_of
from ablate.plan.plan import Plan
from ablate.plan.study import Study
from ablate.report.joined_runs import frame_of_runs
from ablate.task.record import Record

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import StudyAnalysis
    from ablate.report import StudyView


@dataclass(frozen=True)
class LoadedStudy:
    """A study with its records."""

    study: Study
    plan: Plan
    records: dict[str, Record]
    """By digest; runs without one are ``missing`` in the frame of runs."""

    @cached_property
    def runs(self) -> "pd.DataFrame":
        """One row for each factor, level and seed (see :func:`ablate.report.joined_runs.frame_of_runs`)."""
        return frame_of_runs(self.plan, self.records, self.study.name)

    @cached_property
    def curves(self) -> "pd.DataFrame":
        """One row for each run and step: digest, step, the metrics, seconds."""
        from ablate.report.joined_runs import by_step
        from ablate.store.frames import to_frames

        return by_step(to_frames(self.records.values())[1])

    @cached_property
    def view(self) -> "StudyView":
        """What the figures of ``ablate.report`` need to know beside the frames."""
        from ablate.commands.study_view import view_of

        return view_of(self.study, self.plan, command=f"ablate report {self.study.name}")

    @cached_property
    def analysis(self) -> "StudyAnalysis":
        """Levels, comparisons, best levels, published numbers and verdicts."""
        from ablate.report import analyse_study

        return analyse_study(self.view, self.runs)

    def __repr__(self) -> str:
        counts = self.runs["status"].value_counts()
        return f"<study {self.study.name}: {', '.join(f'{n} {status}' for status, n in counts.items())}>"

    def _repr_html_(self) -> str:
        return self.analysis._repr_html_()


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
    return LoadedStudy(own, wanted.plan, records_of(wanted.plan, wanted.launch))
