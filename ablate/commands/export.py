"""``ablate export``: a study's records for other tools, with what they need to average what belongs together.

Every run comes with its study, factor, level, group (``FACTOR=LEVEL``), seed and digest. A run that is at several
levels (the baseline of all factors) comes once for each: averaged by group, every level has all of its seeds.
"""

import csv
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate.commands.export_trackers import to_mlflow, to_tensorboard, to_wandb
from ablate.commands.exported import Exported
from ablate.commands.studies import StudyRequest, check_records, records_of
from ablate.store.columns import cell, flat, metric_names, value_of
from ablate.task.errors import ConfigError
from ablate.task.printable import printable

TABLES = ("by_run", "by_step")
"""Files of CSV and Parquet: a row a run, and a row a run and step. Reports' own files of records have other names."""


@dataclass(frozen=True)
class Form:
    """What a study is written as."""

    write: Callable[[Sequence[Exported], Path], None]
    extra: str | None = None
    """What has to be installed: ``pip install 'ablate[...]'``."""


def export(wanted: StudyRequest, form: str, folder: Path | None = None) -> None:
    """Write the records of studies for another tool.

    Args:
        wanted: What a command line asks for.
        form: One of :data:`FORMS`.
        folder: Must not exist, or be empty; None: ``export/FORM`` in the report's folder of each study.

    Raises:
        ConfigError: There is no record of a study, the folder holds something, or a library is not installed.
    """
    records = records_of(wanted.plan, wanted.launch)
    check_records(wanted, records)
    for study in wanted.plan.studies:
        if not study.factors:
            continue
        out = folder / study.name if folder is not None else wanted.folder(study.name) / "export" / form
        found = [
            Exported(study.name, p.setting.factor, p.setting.label, p.setting.is_baseline, records[p.run.digest])
            for p in wanted.plan.of(study).points
            if p.run.digest in records and p.study.name == study.name
        ]
        with _new_folder(out) as part:
            try:
                FORMS[form].write(found, part)
            except ImportError as error:
                raise ConfigError(
                    f"--to {form}: needs {error.name}: pip install 'ablate[{FORMS[form].extra}]'"
                ) from None
        print(printable(f"{out}: {len(found)} runs of {len({one.group for one in found})} levels"))


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder that is there only once it is whole.

    Raises:
        ConfigError: Something is there already, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: is not empty; remove it, or name another place with --out")
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        yield part
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _rows(found: Sequence[Exported]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row a run, and a row a run and step; values as they are."""
    metrics = metric_names([one.record for one in found])
    runs, curves = [], []
    for one in found:
        result = one.record.result
        last = {name: result.last(name) for name in metrics}
        config = {f"config.{path}": value for path, value in flat(one.config)}
        runs.append(one.labels | {"status": result.status, **last, "seconds": result.seconds, **config})
        for point in result.curves:
            values = {name: point.values.get(name) for name in metrics}
            curves.append(one.labels | {"step": point.step, **values})
    return runs, curves


def _to_csv(found: Sequence[Exported], folder: Path) -> None:
    for name, rows in zip(TABLES, _rows(found), strict=True):
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            for row in rows:
                writer.writerow([_cell(column, row.get(column)) for column in columns])


def _cell(column: str, value: Any) -> str:
    """Labels of levels are text, and a number among them is printed as one."""
    is_plain = column == "level" and isinstance(value, str) and not isinstance(value_of(value), str)
    return str(value) if is_plain else cell(column, value)


def _to_parquet(found: Sequence[Exported], folder: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    for name, rows in zip(TABLES, _rows(found), strict=True):
        columns = list(dict.fromkeys(column for row in rows for column in row))
        table = {column: _of_one_kind([row.get(column) for row in rows]) for column in columns}
        parquet.write_table(pyarrow.table(table), folder / f"{name}.parquet")


def _of_one_kind(values: list[Any]) -> list[Any]:
    """A column has one type: numbers stay numbers, all else that is mixed or nested becomes text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float}:
        return [float(value) if value is not None and float in kinds else value for value in values]
    if kinds <= {str} or kinds <= {bool}:
        return values
    return [None if value is None else cell("", value) for value in values]


FORMS: Mapping[str, Form] = {
    "csv": Form(_to_csv),
    "parquet": Form(_to_parquet, "parquet"),
    "tensorboard": Form(to_tensorboard, "tensorboard"),
    "mlflow": Form(to_mlflow, "mlflow"),
    "wandb-offline": Form(to_wandb, "wandb"),
}
"""Forms of export by name."""
