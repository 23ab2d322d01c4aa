"""``ablate runs``: the records of a store as a table, CSV or JSON lines."""

import json
import math
import shlex
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from ablate.commands.declared import default_identity, listed_metrics
from ablate.commands.kept_records import digests_of, folders
from ablate.commands.named_study import check_no_study
from ablate.commands.nearby_records import ASIDE
from ablate.commands.studies import StudyRequest, named, order, other_records, records_of
from ablate.plan.compose import launch_of
from ablate.plan.launch import Launch
from ablate.plan.study import Study
from ablate.store import open_store
from ablate.task.identity import flatten, task_name_of
from ablate.task.printable import printable
from ablate.task.record import Record


def list_runs(overrides: Sequence[str], study: str | None, status: str | None, form: str | None) -> None:
    """Print the records of a store; of a study, also those that lie in reports of the results folder.

    Args:
        overrides: ``store=`` or ``results=``; with a study also what its runs differ by.
        study: Only this study's runs.
        status: Only runs that ended so.
        form: ``csv``, ``json`` (one object a line) or None for a table.

    Raises:
        ConfigError: The study or an override is bad, or the store cannot be read.
    """
    wanted = None
    if study is not None:
        wanted = order(named([study], overrides))
        launch = wanted.launch
    else:
        check_no_study(overrides)
        launch = launch_of(overrides)
    if wanted is not None:
        records = list(records_of(wanted.plan, launch).values())
    else:
        with open_store(launch.store_location, read_only=True) as store:
            records = store.all()
    shown = [record for record in records if status in (None, record.result.status)]
    {"csv": _csv, "json": _json, None: _table}[form](shown)
    _say_what_else(launch, {record.digest for record in records}, wanted, study)


def _say_what_else(launch: Launch, shown: Collection[str], wanted: StudyRequest | None, study: str | None) -> None:
    """Which records lie there beside those shown, and how to reach them; to standard error, as it is no record."""
    results = Path(launch.results)
    if wanted is not None and study is not None:
        if not shown:
            print(f"study {study}: none of its runs is there as the command line has it", file=sys.stderr)
            for line in other_records(wanted, wanted.plan.of(own_study(wanted, study)), study):
                print(printable(line.replace("ablate report", "ablate runs --study")), file=sys.stderr)
        return
    elsewhere = {folder: len(digests_of(folder) - set(shown)) for folder in folders(results)}
    for folder, count in elsewhere.items():
        if count:
            print(
                f"{count} more runs lie in {printable(str(folder))}: {shlex.join(['ablate', 'merge', str(folder)])}",
                file=sys.stderr,
            )


def own_study(wanted: StudyRequest, name: str) -> Study:
    """The study of this name among those that a command line asks for."""
    return next(study for study in reversed(wanted.plan.studies) if study.name == name)


def _csv(records: Sequence[Record]) -> None:
    from ablate.report.files import csv_text
    from ablate.store.frames import to_frames

    sys.stdout.write(csv_text(to_frames(records)[0]))


def _json(records: Sequence[Record]) -> None:
    for record in records:
        values = {name: record.result.last(name) for name in record.result.metrics}
        row = {
            "digest": record.digest,
            "status": record.result.status,
            "steps": len(record.result.curves),
            **{name: value if value is not None and math.isfinite(value) else None for name, value in values.items()},
            "error": record.result.error,
            "config": dict(record.config),
            "notes": dict(record.result.notes),
            "provenance": dict(record.provenance),
        }
        print(json.dumps(row))


def _table(records: Sequence[Record]) -> None:
    from ablate.report.console import add_column, add_row, output, table
    from ablate.task.numbers import number

    known = listed_metrics(task_name_of(record.config) for record in records)
    shown = [metric for metric in known if any(metric.name in record.result.metrics for record in records)]
    made = table(box=None, pad_edge=False)
    for heading in ("run", "status"):
        add_column(made, heading, left=True)
    for heading in ("seed", "steps", *(metric.title for metric in shown)):
        add_column(made, heading)
    add_column(made, "differs from the default by", left=True)
    for record in records:
        flat, default = flatten(record.config), default_identity(task_name_of(record.config))
        changes = [f"{k}={v}" for k, v in flat.items() if k not in ASIDE and (k not in default or default[k] != v)]
        values = [record.result.last(metric.name) for metric in shown]
        add_row(
            made,
            record.digest[:10],
            record.result.status,
            flat.get("seed", ""),
            len(record.result.curves),
            *("" if value is None else number(value) for value in values),
            (record.result.error or "").strip().rsplit("\n", 1)[-1] or " ".join(changes),
        )
    output().print(made)
    print(f"{len(records)} runs")
