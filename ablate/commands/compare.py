"""``ablate compare``: two studies, stores or reports side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.commands.answers import print_json
from ablate.commands.declared import metrics_of
from ablate.plan.sources import study_names
from ablate.task.errors import ConfigError
from ablate.task.identity import task_name_of
from ablate.task.metric import Metric

if TYPE_CHECKING:
    import pandas as pd

    from ablate.task.record import Record


def compare(a: str, b: str, *, form: str | None = None) -> bool:
    """Print two sets of runs side by side, paired by seed.

    Args:
        a: A study's name, a store (SQLite file or SQLAlchemy URL), a ``runs.csv`` or the folder that holds one.
        b: The same; differences are B minus A.
        form: ``markdown`` or ``json`` instead of tables for a terminal.

    Returns:
        Whether they differ: runs ended otherwise, or a difference is beyond chance.

    Raises:
        ConfigError: There is nothing of that name, or the two have nothing in common.
    """
    from ablate.report import compare_runs, comparison_json, comparison_markdown, print_comparison
    from ablate.store import shown

    (left, ours), (right, theirs) = _runs(a), _runs(b)
    metrics = tuple({metric.name: metric for metric in (*theirs, *ours)}.values())
    a, b = shown(a), shown(b)
    found = compare_runs(left, right, metrics) if len(left) and len(right) else None
    if found is None or not (found.settings["pairs"].any() or found.otherwise):
        held = "; ".join(f"{name} has {_counted(frame)}" for name, frame in ((a, left), (b, right)))
        raise ConfigError(f"{a} and {b}: have no setting with a common seed; they cannot be compared ({held})")
    if form == "json":
        print_json({"a": a, "b": b} | comparison_json(found))
    elif form == "markdown":
        print(comparison_markdown(found, metrics, (a, b)))
    else:
        print_comparison(found, metrics, (a, b))
    return found.outcome == "changed"


def _of_records(records: "Sequence[Record]") -> "tuple[pd.DataFrame, tuple[Metric, ...]]":
    from ablate.store.frames import to_frames

    tasks = {task_name_of(record.config) for record in records}
    return to_frames(records)[0], metrics_of(sorted(tasks))


def _of_folder(folder: Path) -> "tuple[pd.DataFrame, tuple[Metric, ...]]":
    from ablate.commands.judge import is_judged, metrics_judged
    from ablate.store.frames import read_folder, to_frames

    records = read_folder(folder)
    if not is_judged(folder):
        return _of_records(records)
    return to_frames(records)[0], metrics_judged(folder)


def _counted(frame: "pd.DataFrame") -> str:
    runs = frame.drop_duplicates("digest") if len(frame) else frame
    ended = int((runs["status"] != "missing").sum()) if len(frame) else 0
    return f"{ended} {'run' if ended == 1 else 'runs'}"


def _runs(name: str) -> "tuple[pd.DataFrame, tuple[Metric, ...]]":
    """The frame of runs of what is called so, and what is known of their metrics."""
    from ablate.store import open_store

    path = Path(name)
    if path.is_dir() and (path / "runs.csv").is_file():
        return _of_folder(path)
    if path.is_file() and path.suffix == ".csv":
        if path.name != "runs.csv":
            raise ConfigError(f"{name}: must be a runs.csv with the curves.csv beside it")
        return _of_folder(path.parent)
    if path.is_file() or "://" in name:
        with open_store(name, read_only=True) as store:
            return _of_records(store.all())
    if name in study_names():
        from ablate.commands.studies import named, order, records_of
        from ablate.report.joined_runs import frame_of_runs

        wanted = order(named([name], ()))
        runs = frame_of_runs(wanted.plan, records_of(wanted.plan, wanted.launch), name)
        return runs, metrics_of(sorted({run.task for run in wanted.plan.runs}))
    raise ConfigError(
        f"{name}: is no study, no store, no runs.csv and no folder with one; studies are {', '.join(study_names())}"
    )
