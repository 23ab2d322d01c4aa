"""The tables of studies in a terminal; printed again as they were where nothing has changed that they are made of.

A sweep with nothing left to train has nothing to compute, and to load what computes takes it longer than all else.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.commands.declared import metrics_of, step_of
from ablate.commands.looks import stated_after, with_stated
from ablate.commands.published_tables import published_table
from ablate.commands.study_view import view_of
from ablate.plan.plan import Plan
from ablate.plan.study import Study
from ablate.report.code_digest import code_digest
from ablate.store.plain_results import plain_record
from ablate.task.finding import find_task
from ablate.task.project import read_project
from ablate.task.whole_files import aside

if TYPE_CHECKING:
    from ablate.task.record import Record

STAGES = ("task", "images", "function", "program", "hydra_app", "plan", "store", "analyse", "report", "commands")
PACKAGES = ("numpy", "pandas", "scipy", "statsmodels", "rich")
LOOKS_OF_TERMINALS = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE")
"""Environment variables that decide how something is printed."""


def print_study(study: Study, part: Plan, records: "Mapping[str, Record]", folder: Path) -> None:
    """Print one study's tables.

    Args:
        study: The study.
        part: Its part of the plan.
        records: Records by digest; those of other studies may be among them.
        folder: Where its report belongs.
    """
    key, file = _key(study, part, records, folder), _file(folder)
    text = _kept(file, key)
    if text is None:
        text = _made(study, part, records, folder)
        _keep(file, key, text)
    print(text, end="")


def _made(study: Study, part: Plan, records: "Mapping[str, Record]", folder: Path) -> str:
    from ablate.report import print_report
    from ablate.report.console import output
    from ablate.report.joined_runs import frame_of_runs

    view, console = with_stated(view_of(study, part, command=""), study, part, folder), output()
    with console.capture() as captured:
        print_report(view, frame_of_runs(part, records), console)
    return captured.get()


def _key(study: Study, part: Plan, records: "Mapping[str, Record]", folder: Path) -> str | None:
    """A digest of everything that the tables are made of; None: a task's own code is among it."""
    tasks = sorted({point.run.task for point in part.points})
    if not all(type(find_task(task)).__module__.startswith("ablate.") for task in tasks):
        return None
    content = {
        "code": code_digest(STAGES, PACKAGES),
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
        "records": [plain_record(records[run.digest]) for run in part.runs if run.digest in records],
        "stated": stated_after(study, part, folder),
        "notes": {name: list(notes) for name, notes in part.notes.items()},
        "terminal": [
            sys.stdout.isatty(),
            sys.stdout.encoding,
            list(shutil.get_terminal_size()) if sys.stdout.isatty() else None,
            {name: os.environ.get(name) for name in LOOKS_OF_TERMINALS},
        ],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=repr).encode()).hexdigest()


def _file(folder: Path) -> Path:
    """Beside the folder of the study's report, which only a report makes."""
    return folder.with_name(f".{folder.name}.printed.json")


def _kept(file: Path, key: str | None) -> str | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if key is not None and kept["key"] == key:
            return str(kept["text"])
    return None


def _keep(file: Path, key: str | None, text: str) -> None:
    """Keep what was printed; where that cannot be written, it is made again the next time."""
    if key is None:
        return
    with suppress(OSError):
        with aside(file) as place:
            place.write_text(json.dumps({"key": key, "text": text}), encoding="utf-8")
