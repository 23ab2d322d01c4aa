"""``ablate compare``: two studies, stores or reports side by side."""

from pathlib import Path
from typing import TYPE_CHECKING

from ablate.plan.sources import study_names
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


def compare(a: str, b: str, *, markdown: bool) -> None:
    """Print two sets of runs side by side, paired by seed.

    Args:
        a: A study's name, a store (SQLite file or SQLAlchemy URL), a ``runs.csv`` or the folder that holds one.
        b: The same; differences are B minus A.
        markdown: As Markdown instead of tables for a terminal.

    Raises:
        ConfigError: There is nothing of that name, or the two have nothing in common.
    """
    from ablate.images.metrics import METRICS
    from ablate.report import compare_runs, comparison_markdown, print_comparison

    metrics = list(METRICS.values())
    left, right = _runs(a), _runs(b)
    table = compare_runs(left, right, metrics)
    if not (table["pairs"] > 0).any():
        held = "; ".join(f"{name} has {_counted(frame)}" for name, frame in ((a, left), (b, right)))
        raise ConfigError(f"{a} and {b}: have no setting with a common seed; they cannot be compared ({held})")
    print(comparison_markdown(table, metrics, (a, b))) if markdown else print_comparison(table, metrics, (a, b))


def _counted(frame: "pd.DataFrame") -> str:
    runs = frame.drop_duplicates("digest") if len(frame) else frame
    ended = int((runs["status"] != "missing").sum()) if len(frame) else 0
    return f"{ended} {'run' if ended == 1 else 'runs'}"


def _runs(name: str) -> "pd.DataFrame":
    from ablate.store import open_store
    from ablate.store.frames import read_folder, to_frames

    path = Path(name)
    if path.is_dir() and (path / "runs.csv").is_file():
        return to_frames(read_folder(path))[0]
    if path.is_file() and path.suffix == ".csv":
        return to_frames(read_folder(path.parent))[0]
    if path.is_file() or "://" in name:
        with open_store(name, read_only=True) as store:
            return to_frames(store.all())[0]
    if name in study_names():
        from ablate.notebook import load

        return load(name).runs
    raise ConfigError(
        f"{name}: is no study, no store, no runs.csv and no folder with one; studies are {', '.join(study_names())}"
    )
