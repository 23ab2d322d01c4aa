"""The tables of studies in a terminal; printed again as they were where nothing has changed that they are made of.

A sweep with nothing left to train has nothing to compute, and to load what computes takes it longer than all else.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.commands.looks import with_stated
from ablate.commands.study_content import Content
from ablate.commands.study_view import view_of
from ablate.plan.plan import Plan
from ablate.plan.study import Study
from ablate.task.kept_results import keep, key_of, read_kept

if TYPE_CHECKING:
    from ablate.task.record import Record

LOOKS_OF_TERMINALS = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE")
"""Environment variables that decide how something is printed."""


def print_study(
    study: Study, part: Plan, records: "Mapping[str, Record]", folder: Path, content: Content | None = None
) -> None:
    """Print one study's tables.

    Args:
        study: The study.
        part: Its part of the plan.
        records: Records by digest; those of other studies may be among them.
        folder: Where its report belongs.
        content: Of these records, where several studies are printed.
    """
    key, file = _key(study, part, content or Content(records), folder), _file(folder)
    text: str | None = None if key is None else read_kept(file, key)
    if text is None:
        text = _made(study, part, records, folder)
        if key is not None:
            keep(file, key, text)
    print(text, end="")


def _made(study: Study, part: Plan, records: "Mapping[str, Record]", folder: Path) -> str:
    from ablate.report import print_report
    from ablate.report.console import output
    from ablate.report.joined_runs import frame_of_runs

    view, console = with_stated(view_of(study, part, command=""), study, part, folder), output()
    with console.capture() as captured:
        print_report(view, frame_of_runs(part, records), console)
    return captured.get()


def _key(study: Study, part: Plan, content: Content, folder: Path) -> str | None:
    """A digest of everything that the tables are made of; None: a task's own code is among it."""
    found = content.of(study, part, folder)
    if found is None:
        return None
    terminal = [
        sys.stdout.isatty(),
        sys.stdout.encoding,
        list(shutil.get_terminal_size()) if sys.stdout.isatty() else None,
        {name: os.environ.get(name) for name in LOOKS_OF_TERMINALS},
    ]
    return key_of(found | {"terminal": terminal})


def _file(folder: Path) -> Path:
    """Beside the folder of the study's report, which only a report makes."""
    return folder.with_name(f".{folder.name}.printed.json")
