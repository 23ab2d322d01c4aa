"""``ablate runs``: the records of a store as a table, CSV or JSON lines."""

import json
import sys
from collections.abc import Sequence

from ablate.commands.studies import named, order
from ablate.images.metrics import METRICS
from ablate.plan.compose import launch_of
from ablate.store import open_store
from ablate.task.record import Record


def list_runs(overrides: Sequence[str], study: str | None, status: str | None, form: str | None) -> None:
    """Print records.

    Args:
        overrides: ``store=`` or ``results=``; with a study also what its runs differ by.
        study: Only this study's runs.
        status: Only runs that ended so.
        form: ``csv``, ``json`` (one object a line) or None for a table.

    Raises:
        ConfigError: The study or an override is bad, or the store cannot be read.
    """
    digests = None
    if study is not None:
        wanted = order(named([study], overrides))
        digests, launch = {run.digest for run in wanted.plan.runs}, wanted.launch
    else:
        launch = launch_of(overrides)
    with open_store(launch.store_location, read_only=True) as store:
        records = list(store.get(digests).values()) if digests is not None else store.all()
    records = [record for record in records if status in (None, record.result.status)]
    {"csv": _csv, "json": _json, None: _table}[form](records)


def _csv(records: Sequence[Record]) -> None:
    from ablate.store.frames import to_frames

    to_frames(records)[0].to_csv(sys.stdout, index=False)


def _json(records: Sequence[Record]) -> None:
    for record in records:
        row = {
            "digest": record.digest,
            "status": record.result.status,
            "epochs": len(record.result.curves),
            **{metric: record.result.last(metric) for metric in METRICS},
            "error": record.result.error,
            "config": dict(record.config),
            "notes": dict(record.result.notes),
            "provenance": dict(record.provenance),
        }
        print(json.dumps(row))


def _table(records: Sequence[Record]) -> None:
    from rich.console import Console
    from rich.table import Table

    from ablate.images.run import RunConfig
    from ablate.task.identity import flatten

    default = flatten(RunConfig().identity)
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "status"):
        table.add_column(heading, no_wrap=True)
    for heading in ("seed", "epochs", "train loss", "train acc", "test acc"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("differs from the default by", overflow="fold")
    for record in records:
        flat = flatten(record.config)
        changes = [f"{k}={v}" for k, v in flat.items() if k not in ("seed", "engine") and default.get(k, k) != v]
        numbers = [record.result.last(metric) for metric in ("train_loss", "train_acc", "test_acc")]
        table.add_row(
            record.digest[:10],
            record.result.status,
            str(flat["seed"]),
            str(len(record.result.curves)),
            *("" if number is None else f"{number:.4f}" for number in numbers),
            (record.result.error or "").strip().rsplit("\n", 1)[-1] or " ".join(changes),
        )
    Console().print(table)
    print(f"{len(records)} runs")
