"""Two sets of runs side by side: did an upgrade, another machine or another store change the results?"""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablate.report import numbers
from ablate.report.console import output, plain
from ablate.report.metric_axes import within_difference
from ablate.report.tables import Sheet, sheet_markdown
from ablate.task.metric import Goal, Metric

if TYPE_CHECKING:
    from rich.console import Console

LEVEL_KEYS = ("factor", "label")
NOT_COMPARED = ("config.seed", "config.engine")
"""Of a configuration: what pairs the runs, and what an upgrade changes."""
COLUMNS = (
    *("setting", "metric", "a_n", "a_lost", "a_mean", "a_sd", "b_n", "b_lost", "b_mean", "b_sd"),
    *(
        "pairs",
        "ended_alike",
        "identical",
        "difference",
        "difference_low",
        "difference_high",
        "p",
        "p_holm",
        "standing",
    ),
)


def compare_runs(a: pd.DataFrame, b: pd.DataFrame, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Compare two frames of runs setting by setting, paired by seed.

    Args:
        a: Runs as in a study (columns ``factor``, ``label``, ``seed``) or as in ``runs.csv`` (columns ``config.*``).
            Levels are matched by factor and label where both frames have them, else settings by their whole
            configuration without the seed and the engine's version.
        b: The other runs; differences are ``b`` minus ``a``.
        metrics: What may be compared; those that both frames have measured are.

    Returns:
        A row a setting and metric, those of ``a`` first: number, mean and standard deviation of the complete runs of
        each side, and in words what became of its other runs; ``pairs`` (seeds complete on both), ``identical`` (of
        these, those with exactly the same value), ``ended_alike`` (no seed of both ended otherwise on one),
        ``difference`` with its 95 % interval, sign-flip ``p``, ``p_holm`` (corrected over the settings) and
        ``standing`` (of ``b``). NaN where a side has no such setting.

    Raises:
        ValueError: A frame has neither levels nor configurations.
    """
    by_level = all(set(LEVEL_KEYS) <= set(frame) for frame in (a, b))
    left, right = (_keyed(frame, by_level) for frame in (a, b))
    shared = [m for m in metrics if all(m.name in frame and frame[m.name].notna().any() for frame in (a, b))]
    settings = list(dict.fromkeys([*left["key"], *right["key"]]))
    labels = _labels(left, right, settings, by_level)
    sides = [dict(iter(frame.groupby("key", sort=False))) for frame in (left, right)]
    empty = left.iloc[:0]
    rows = [
        {"setting": labels[key], "metric": metric.name}
        | _row(sides[0].get(key, empty), sides[1].get(key, empty), metric)
        for key in settings
        for metric in shared
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for _, group in table.groupby("metric"):
        table.loc[group.index, "p_holm"] = _holm(group["p"].to_numpy(dtype=float))
    goals = {metric.name: metric.goal for metric in shared}
    table["standing"] = [_standing(row, goals[row["metric"]]) for row in table.to_dict("records")]
    return table


def agreement(table: pd.DataFrame) -> str:
    """In a sentence, whether two sets of runs are the same.

    Args:
        table: From :func:`compare_runs`.
    """
    pairs, same = int(table["pairs"].sum()), int(table["identical"].sum())
    alone = int((table["pairs"] == 0).groupby(table["setting"]).all().sum())
    unlike = int((~table["ended_alike"].astype(bool)).groupby(table["setting"]).any().sum())
    text = "identical: " if same == pairs and not alone and not unlike else ""
    text += f"{same} of {pairs} values of runs on both sides are exactly the same"
    text += f"; {_settings(alone)} no complete run of a common seed" if alone else ""
    text += f"; in {unlike} of {table['setting'].nunique()} settings runs ended otherwise" if unlike else ""
    return f"{text}."


def _settings(count: int) -> str:
    return f"{count} setting has" if count == 1 else f"{count} settings have"


def comparison_markdown(table: pd.DataFrame, metrics: Sequence[Metric], names: tuple[str, str] = ("A", "B")) -> str:
    """A comparison as Markdown, one table a metric."""
    parts = [f"## {sheet.title}\n\n{sheet_markdown(sheet)}" for sheet in _sheets(table, metrics, names)]
    return "\n\n".join([*parts, _explanation(names), agreement(table)]) + "\n"


def print_comparison(
    table: pd.DataFrame,
    metrics: Sequence[Metric],
    names: tuple[str, str] = ("A", "B"),
    console: "Console | None" = None,
) -> None:
    """A comparison in the terminal, one table a metric.

    Args:
        table: From :func:`compare_runs`.
        metrics: As given to it.
        names: What the two sides are called.
        console: None: standard output.
    """
    from ablate.report.terminal import sheet_table

    console = console or output()
    for sheet in _sheets(table, metrics, names):
        console.print(sheet_table(sheet))
    console.print(plain(_explanation(names), "dim"))
    console.print(plain(agreement(table), "bold"))


def _keyed(frame: pd.DataFrame, by_level: bool) -> pd.DataFrame:
    """The frame with a ``key`` that its settings share with the other frame's, and a seed."""
    if by_level:
        keys = [f"{factor} = {label}" for factor, label in zip(frame["factor"], frame["label"], strict=True)]
        return frame.assign(key=keys)
    columns = sorted(str(name) for name in frame if str(name).startswith("config.") and name not in NOT_COMPARED)
    seed = "seed" if "seed" in frame else "config.seed"
    if not columns or seed not in frame:
        raise ValueError("neither levels (factor, label, seed) nor configurations (config.*) to match the runs by")
    values = frame[columns].astype(object).where(frame[columns].notna(), None)
    keys = [
        "; ".join(
            f"{c.removeprefix('config.')} = {json.dumps(v, default=str)}"
            for c, v in zip(columns, row, strict=True)
            if v is not None
        )
        for row in values.itertuples(index=False)
    ]
    unique = frame.assign(key=keys, seed=frame[seed].astype(int))
    return unique.drop_duplicates("digest") if "digest" in unique else unique


def _labels(left: pd.DataFrame, right: pd.DataFrame, settings: Sequence[str], by_level: bool) -> dict[str, str]:
    """Settings as they are printed: only the fields in which they differ from each other."""
    if by_level:
        return {key: key for key in settings}
    named: dict[str, str] = {}
    for frame in (right, left):
        if set(LEVEL_KEYS) <= set(frame):
            places = zip(frame["key"], frame["factor"], frame["label"], strict=True)
            named |= {key: f"{factor} = {label}" for key, factor, label in places}
    if named.keys() >= set(settings) and len(set(named.values())) == len(named):
        return named
    fields = {key: key.split("; ") for key in settings}
    common = set.intersection(*(set(parts) for parts in fields.values())) if settings else set()
    return {key: ", ".join(p for p in parts if p not in common) or "the same setting" for key, parts in fields.items()}


def _row(a: pd.DataFrame, b: pd.DataFrame, metric: Metric) -> dict[str, Any]:
    result: dict[str, Any] = {}
    values, ends = {}, {}
    for side, frame in (("a", a), ("b", b)):
        ended = frame[frame["status"] != "missing"].set_index("seed")["status"]
        ends[side] = ended[~ended.index.duplicated()]
        counts = ends[side].value_counts()
        complete = frame[frame["status"] == "complete"].set_index("seed")[metric.name].astype(float)
        complete = complete[np.isfinite(complete)]
        values[side] = complete[~complete.index.duplicated()]
        result |= {
            f"{side}_n": len(values[side]),
            f"{side}_lost": ", ".join(f"{counts[s]} {s}" for s in counts.index.sort_values() if s != "complete"),
            f"{side}_mean": values[side].mean(),
            f"{side}_sd": values[side].std(),
        }
    seeds = values["a"].index.intersection(values["b"].index)
    same = values["a"].loc[seeds].to_numpy() == values["b"].loc[seeds].to_numpy()
    both = ends["a"].index.intersection(ends["b"].index)
    alike = bool((ends["a"].loc[both].to_numpy() == ends["b"].loc[both].to_numpy()).all())
    result |= {"pairs": len(seeds), "ended_alike": alike, "identical": int(same.sum())}
    return result | (_paired(values["a"].loc[seeds], values["b"].loc[seeds], metric) if len(seeds) else {})


def _paired(a: "pd.Series[float]", b: "pd.Series[float]", metric: Metric) -> dict[str, Any]:
    """The paired comparison, as the analysis of a study does it: a factor of two levels."""
    from ablate.analyse import compare

    sides = [
        pd.DataFrame(
            {"study": "comparison", "factor": "side", "level": name, "label": name, "order": order}
            | {"is_baseline": order == 0, "seed": values.index, "status": "complete", metric.name: values.to_numpy()}
        )
        for order, (name, values) in enumerate((("a", a), ("b", b)))
    ]
    found = compare(pd.concat(sides, ignore_index=True), metric=metric)[0]
    ends = within_difference(metric, [found.interval.low, found.interval.high]) if found.interval else (None, None)
    return {"difference": found.difference, "difference_low": ends[0], "difference_high": ends[1], "p": found.p}


def _holm(p: "np.ndarray[Any, np.dtype[np.float64]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Holm's correction of the p values that there are."""
    from statsmodels.stats.multitest import multipletests

    corrected = p.copy()
    known = np.isfinite(p)
    if known.any():
        corrected[known] = multipletests(p[known], method="holm")[1]
    return corrected


def _standing(row: Any, goal: Goal) -> str:
    """Of the second side against the first."""
    if not row["ended_alike"]:
        return "ended otherwise"
    if not row["pairs"]:
        return "not in both"
    if row["identical"] == row["pairs"]:
        return "identical"
    if not row["p_holm"] <= 0.05:
        return "undecided"
    return "better" if (row["difference"] > 0) == (goal == "max") else "worse"


def _sheets(table: pd.DataFrame, metrics: Sequence[Metric], names: tuple[str, str]) -> Iterator[Sheet]:
    titles = {metric.name: metric.title for metric in metrics}
    for metric, rows in table.groupby("metric", sort=False):
        digits = numbers.decimals([*rows["a_mean"], *rows["b_mean"]], [*rows["a_sd"], *rows["b_sd"]])
        cells = [
            (
                row["setting"],
                *(_side(row, side, digits) for side in "ab"),
                numbers.signed(row["difference"], digits),
                numbers.interval(row["difference_low"], row["difference_high"], digits),
                numbers.probability(row["p_holm"]),
                f"{row['identical']} of {row['pairs']}",
                row["standing"],
            )
            for row in rows.to_dict("records")
        ]
        columns = ("setting", *names, "difference", "95 % interval", "p", "identical", "standing")
        yield Sheet(titles[str(metric)], (("", len(columns)),), columns, tuple(cells))


def _side(row: Any, side: str, digits: int) -> str:
    runs = ", ".join([str(row[f"{side}_n"]), *([row[f"{side}_lost"]] if row[f"{side}_lost"] else [])])
    return f"{numbers.spread(row[f'{side}_mean'], row[f'{side}_sd'], digits)} ({runs})"


def _explanation(names: tuple[str, str]) -> str:
    return (
        "Mean ± standard deviation (complete runs). "
        f"Differences are {names[1]} minus {names[0]} over the seeds that are complete on both sides, with their 95 % "
        "interval; p after Holm's correction over the settings; identical counts seeds with exactly the same value."
    )
