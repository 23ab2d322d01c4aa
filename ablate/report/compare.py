"""Two sets of runs side by side: did an upgrade, another machine or another store change the results?"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablate.report import numbers
from ablate.report.tables import Sheet, sheet_markdown
from ablate.report.view import metric_name

if TYPE_CHECKING:
    from rich.console import Console

METRICS = ("train_loss", "train_acc", "val_loss", "val_acc", "test_loss", "test_acc")
LEVEL_KEYS = ("factor", "label")
COLUMNS = (
    *("setting", "metric", "a_n", "a_mean", "a_sd", "b_n", "b_mean", "b_sd"),
    *("pairs", "identical", "difference", "difference_low", "difference_high", "p", "p_holm", "standing"),
)


def compare_runs(a: pd.DataFrame, b: pd.DataFrame, metrics: Sequence[str] | None = None) -> pd.DataFrame:
    """Compare two frames of runs setting by setting, paired by seed.

    Args:
        a: Runs as in a study (columns ``factor``, ``label``, ``seed``) or as in ``runs.csv`` (columns ``config.*``).
            Levels are matched by factor and label where both frames have them, else settings by their whole
            configuration without the seed.
        b: The other runs; differences are ``b`` minus ``a``.
        metrics: Columns to compare; None: the metrics that both frames have measured.

    Returns:
        A row a setting and metric, those of ``a`` first: number, mean and standard deviation of the complete runs of
        each side; ``pairs`` (seeds complete on both), ``identical`` (of these, those with exactly the same value),
        ``difference`` with its 95 % interval, sign-flip ``p``, ``p_holm`` (corrected over the settings) and
        ``standing`` (of ``b``). NaN where a side has no such setting.

    Raises:
        ValueError: A frame has neither levels nor configurations.
    """
    by_level = all(set(LEVEL_KEYS) <= set(frame) for frame in (a, b))
    left, right = (_keyed(frame, by_level) for frame in (a, b))
    if metrics is None:
        metrics = [m for m in METRICS if all(m in frame and frame[m].notna().any() for frame in (a, b))]
    settings = list(dict.fromkeys([*left["key"], *right["key"]]))
    labels = _labels(left, right, settings, by_level)
    rows = [
        {"setting": labels[key], "metric": metric} | _row(left[left["key"] == key], right[right["key"] == key], metric)
        for key in settings
        for metric in metrics
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for _, group in table.groupby("metric"):
        table.loc[group.index, "p_holm"] = _holm(group["p"].to_numpy(dtype=float))
    table["standing"] = [_standing(row) for row in table.to_dict("records")]
    return table


def comparison_markdown(table: pd.DataFrame, names: tuple[str, str] = ("A", "B")) -> str:
    """A comparison as Markdown, one table a metric."""
    parts = [f"## {metric_name(metric)}\n\n{sheet_markdown(sheet)}" for metric, sheet in _sheets(table, names)]
    return "\n\n".join([*parts, _explanation(names)]) + "\n"


def print_comparison(
    table: pd.DataFrame, names: tuple[str, str] = ("A", "B"), console: "Console | None" = None
) -> None:
    """A comparison in the terminal, one table a metric.

    Args:
        table: From :func:`compare_runs`.
        names: What the two sides are called.
        console: None: standard output.
    """
    from rich.console import Console
    from rich.text import Text

    from ablate.report.terminal import sheet_table

    console = console or Console()
    for _, sheet in _sheets(table, names):
        console.print(sheet_table(sheet))
    console.print(Text(_explanation(names), style="dim"))


def _keyed(frame: pd.DataFrame, by_level: bool) -> pd.DataFrame:
    """The frame with a ``key`` that its settings share with the other frame's, and a seed."""
    if by_level:
        keys = [f"{factor} = {label}" for factor, label in zip(frame["factor"], frame["label"], strict=True)]
        return frame.assign(key=keys)
    columns = sorted(str(name) for name in frame if str(name).startswith("config.") and name != "config.seed")
    seed = "seed" if "seed" in frame else "config.seed"
    if not columns or seed not in frame:
        raise ValueError("neither levels (factor, label, seed) nor configurations (config.*) to match the runs by")
    values = frame[columns].astype(object).where(frame[columns].notna(), None)
    keys = [
        "; ".join(f"{c.removeprefix('config.')} = {v}" for c, v in zip(columns, row, strict=True) if v is not None)
        for row in values.itertuples(index=False)
    ]
    unique = frame.assign(key=keys, seed=frame[seed].astype(int))
    return unique.drop_duplicates("digest") if "digest" in unique else unique


def _labels(left: pd.DataFrame, right: pd.DataFrame, settings: Sequence[str], by_level: bool) -> dict[str, str]:
    """Settings as they are printed: only the fields in which they differ from each other."""
    if by_level:
        return {key: key for key in settings}
    fields = {key: key.split("; ") for key in settings}
    common = set.intersection(*(set(parts) for parts in fields.values())) if settings else set()
    return {key: ", ".join(p for p in parts if p not in common) or "the same setting" for key, parts in fields.items()}


def _row(a: pd.DataFrame, b: pd.DataFrame, metric: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    values = {}
    for side, frame in (("a", a), ("b", b)):
        complete = frame[frame["status"] == "complete"].set_index("seed")[metric].astype(float)
        complete = complete[np.isfinite(complete)]
        values[side] = complete[~complete.index.duplicated()]
        result |= {
            f"{side}_n": len(values[side]),
            f"{side}_mean": values[side].mean(),
            f"{side}_sd": values[side].std(),
        }
    seeds = values["a"].index.intersection(values["b"].index)
    same = values["a"].loc[seeds].to_numpy() == values["b"].loc[seeds].to_numpy()
    result |= {"pairs": len(seeds), "identical": int(same.sum())}
    return result | (_paired(values["a"].loc[seeds], values["b"].loc[seeds], metric) if len(seeds) else {})


def _paired(a: "pd.Series[float]", b: "pd.Series[float]", metric: str) -> dict[str, Any]:
    """The paired comparison, as the analysis of a study does it: a factor of two levels."""
    from ablate.analyse import compare

    sides = [
        pd.DataFrame(
            {"study": "comparison", "factor": "side", "level": name, "label": name, "order": order}
            | {"is_baseline": order == 0, "seed": values.index, "status": "complete", metric: values.to_numpy()}
        )
        for order, (name, values) in enumerate((("a", a), ("b", b)))
    ]
    found = compare(pd.concat(sides, ignore_index=True), metric=metric)[0]
    ends = (found.interval.low, found.interval.high) if found.interval else (None, None)
    return {"difference": found.difference, "difference_low": ends[0], "difference_high": ends[1], "p": found.p}


def _holm(p: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Holm's correction of the p values that there are."""
    from statsmodels.stats.multitest import multipletests

    corrected = p.copy()
    known = np.isfinite(p)
    if known.any():
        corrected[known] = multipletests(p[known], method="holm")[1]
    return corrected


def _standing(row: Any) -> str:
    """Of the second side against the first."""
    from ablate.analyse import higher_is_better

    if not row["pairs"]:
        return "not in both"
    if row["identical"] == row["pairs"]:
        return "identical"
    if not row["p_holm"] <= 0.05:
        return "undecided"
    return "better" if (row["difference"] > 0) == higher_is_better(row["metric"]) else "worse"


def _sheets(table: pd.DataFrame, names: tuple[str, str]) -> Iterator[tuple[str, Sheet]]:
    for metric, rows in table.groupby("metric", sort=False):
        cells = [
            (
                row["setting"],
                f"{numbers.spread(row['a_mean'], row['a_sd'])} ({row['a_n']})",
                f"{numbers.spread(row['b_mean'], row['b_sd'])} ({row['b_n']})",
                numbers.signed(row["difference"]),
                numbers.interval(row["difference_low"], row["difference_high"]),
                numbers.probability(row["p_holm"]),
                f"{row['identical']} of {row['pairs']}",
                row["standing"],
            )
            for row in rows.to_dict("records")
        ]
        columns = ("setting", *names, "difference", "95 % interval", "p", "identical", "standing")
        yield str(metric), Sheet(metric_name(str(metric)), (("", len(columns)),), columns, tuple(cells))


def _explanation(names: tuple[str, str]) -> str:
    return (
        "Mean ± standard deviation (complete runs). "
        f"Differences are {names[1]} minus {names[0]} over the seeds that are complete on both sides, with their 95 % "
        "interval; p after Holm's correction over the settings; identical: seeds with exactly the same value."
    )
