"""``--json`` of commands that report studies: their answers on standard output, all else on standard error."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.commands.kept_records import with_correctness
from ablate.commands.looks import with_stated
from ablate.commands.study_view import view_of
from ablate.task.printable import printable

if TYPE_CHECKING:
    from ablate.commands.studies import StudyRequest
    from ablate.execute import Summary
    from ablate.task.record import Record


@contextmanager
def said_aside(aside: bool = True) -> Iterator[None]:
    """Whatever is printed goes to standard error, so that standard output is JSON alone.

    Args:
        aside: False: nothing changes.
    """
    if not aside:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def print_json(found: Mapping[str, Any]) -> None:
    """Print answers, with their schema's number first."""
    from ablate.report.answers import SCHEMA

    print(printable(json.dumps({"schema": SCHEMA, **found}, indent=2, ensure_ascii=False, allow_nan=False)))


def study_answers(wanted: "StudyRequest", records: "Mapping[str, Record]") -> list[dict[str, Any]]:
    """The answers of every study that has factors, as :func:`ablate.report.answers.answers` has them, and its folder.

    Args:
        wanted: What a command line asks for.
        records: The records by digest.
    """
    from ablate.report import analyse_study, summarise
    from ablate.report.answers import answers
    from ablate.report.joined_runs import frame_of_runs

    found = []
    for study in wanted.plan.studies:
        if study.factors:
            part = wanted.plan.of(study)
            view = view_of(study, part, command=wanted.command(study.name, "sweep", "report"))
            own = {run.digest: records[run.digest] for run in part.runs if run.digest in records}
            view = with_stated(view, study, part, wanted.folder(study.name))
            view = with_correctness(view, Path(wanted.launch.results), own)
            runs = frame_of_runs(part, dict(records), study.name)
            analysis = analyse_study(view, runs)
            found.append(
                {**answers(view, analysis, summarise(view, runs, analysis)), "folder": str(wanted.folder(study.name))}
            )
    return found


def sweep_answers(summary: "Summary") -> dict[str, Any]:
    """What came of a sweep: counts of runs, seconds, and the runs that failed."""
    counts = ("planned", "complete", "diverged", "failed", "stopped", "missing", "trained", "reused", "read_off")
    found = {name: getattr(summary, name) for name in (*counts, "elsewhere", "samples", "seconds")}
    return found | {"failures": [asdict(failure) for failure in summary.failures]}
