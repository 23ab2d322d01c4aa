"""All that tables and pages of a study are made of, so that those of equal content are not made again."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate import __version__
from ablate.commands.declared import metrics_of, step_of
from ablate.commands.looks import stated_after
from ablate.commands.published_tables import published_table
from ablate.plan.plan import Plan
from ablate.plan.study import Study
from ablate.store.plain_results import plain_record
from ablate.task.code_digest import code_digest
from ablate.task.finding import find_task
from ablate.task.kept_results import key_of
from ablate.task.project import read_project

if TYPE_CHECKING:
    from ablate.task.record import Record

STAGES = ("task", "images", "function", "program", "hydra_app", "plan", "store", "analyse", "report", "commands")
PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "rich", "matplotlib", "jinja2", "markupsafe")


class Content:
    """Tells of what studies are made; each record is looked at once, however many studies have it.

    Args:
        records: Records by digest; those of other studies may be among them.
    """

    def __init__(self, records: "Mapping[str, Record]") -> None:
        self._records = records
        self._known: dict[str, str] = {}

    def of(self, study: Study, part: Plan, folder: Path) -> dict[str, Any] | None:
        """Everything that a study's numbers and words depend on, as data.

        Args:
            study: The study.
            part: Its part of the plan.
            folder: Where its report belongs.

        Returns:
            For :func:`ablate.task.kept_results.key_of`; None: a task's own code is part of it.

        Raises:
            ConfigError: A published table, or what was written down of looks, is damaged.
        """
        tasks = sorted({point.run.task for point in part.points})
        if not all(type(find_task(task)).__module__.startswith("ablate.") for task in tasks):
            return None
        return {
            "code": [__version__, code_digest(STAGES, PACKAGES)],
            "studies": [one.model_dump(mode="json") for one in part.studies],
            "study": study.name,
            "project": repr(read_project()),
            "tasks": [tasks, repr(metrics_of(tasks)), step_of(tasks)],
            "points": [
                [p.study.name, p.setting.factor, repr(p.setting.level), p.setting.label, p.setting.order, p.run.digest]
                for p in part.points
            ],
            "published": [
                [stated.model_dump(mode="json"), repr(published_table(one, stated, part).rows)]
                for one in part.studies
                for stated in one.published
                if part.levels(one, stated.factor).settings
            ],
            "records": [self._record(run.digest) for run in part.runs if run.digest in self._records],
            "stated": stated_after(study, part, folder),
            "notes": {name: list(notes) for name, notes in part.notes.items()},
        }

    def _record(self, digest: str) -> str:
        if digest not in self._known:
            self._known[digest] = key_of(plain_record(self._records[digest]))
        return self._known[digest]
