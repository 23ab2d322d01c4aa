"""Two sets of runs side by side: did an upgrade, another machine or another store change the results?

Every setting in every metric, each metric over all settings together, and the share of runs that did not complete are
one family of differences, B minus A, paired by seed and tested together (:mod:`ablate.analyse.max_t`): two sides that
differ by chance alone are called changed in at most 5 % of comparisons, however many settings there are. A change that
is too small to be seen at any one setting, but is there at all of them, is seen over all. Runs of both sides that ended
otherwise are a change by themselves, and so is another value of what is exact (``Metric.exact``), which is not tested.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from ablate.report.metric_axes import within_difference
from ablate.task.metric import Metric

LEVEL_KEYS = ("factor", "label")
NOT_COMPARED = ("config.seed", "config.engine")
"""Fields of a configuration that are not compared: what pairs the runs, and what an upgrade changes."""
STATUSES = ("complete", "diverged", "failed", "stopped", "missing")
COLUMNS = (
    *(
        "setting",
        "factor",
        "level",
        "metric",
        "exact",
        "a_n",
        "a_lost",
        "a_mean",
        "a_sd",
        "b_n",
        "b_lost",
        "b_mean",
        "b_sd",
    ),
    *("pairs", "ended_otherwise", "identical", "difference", "difference_low", "difference_high", "p", "standing"),
)
POOLED = ("metric", "exact", "settings", "seeds", "difference", "difference_low", "difference_high", "p", "standing")
LOST = Metric("not_complete", "min", label="share of runs not complete", low=0.0, high=1.0)
"""What is compared of how runs ended."""
ALPHA = 0.05


@dataclass(frozen=True)
class RunComparison:
    """What two sets of runs have in common, and in what they differ."""

    settings: pd.DataFrame
    """A row a setting and metric (:func:`compare_runs`)."""
    pooled: pd.DataFrame
    """A row a metric, over all settings together, and one of the share of runs that did not complete: numbers of
    ``settings`` and ``seeds``, mean ``difference`` with its simultaneous 95 % interval, ``p``, ``standing`` of B."""
    ended: dict[str, dict[str, int]]
    """How many distinct runs of each side ended in which way."""
    otherwise: int
    """Runs of both sides that ended otherwise on one."""

    @property
    def outcome(self) -> Literal["identical", "changed", "undecided"]:
        """Whether B is another than A: runs ended otherwise, or a difference is exact or beyond chance."""
        told = {*self.settings["standing"], *self.pooled["standing"]}
        if self.otherwise or told & {"better", "worse", "exact"}:
            return "changed"
        same = self.settings["identical"].sum() == self.settings["pairs"].sum()
        alone = (self.settings["pairs"] == 0).groupby(self.settings["setting"]).all().any()
        return "identical" if same and not alone else "undecided"


def compare_runs(a: pd.DataFrame, b: pd.DataFrame, metrics: Sequence[Metric]) -> RunComparison:
    """Compare two frames of runs setting by setting and over all settings, paired by seed.

    Args:
        a: Runs as in a study (columns ``factor``, ``label``, ``seed``) or as in ``runs.csv`` (columns ``config.*``).
            Levels are matched by factor and label where both frames have them, else settings by their whole
            configuration without the seed and the engine's version.
        b: The other runs; differences are ``b`` minus ``a``.
        metrics: What may be compared; those that both frames have measured are.

    Returns:
        Its ``settings`` has a row a setting and metric, those of ``a`` first: ``factor`` and ``level`` where a side has
        levels, ``exact`` (the values follow from the setting, not from the seed); number, mean and standard
        deviation of the complete runs of each side, and in words what became of its other runs; ``pairs`` (seeds
        complete on both), ``identical`` (of these, those with exactly the same value), ``ended_otherwise`` (seeds of
        both that did),
        ``difference`` with its simultaneous 95 % interval, ``p`` (of all together) and ``standing`` (of ``b``). NaN
        where a side has no such setting; what is exact has neither interval nor p.

    Raises:
        ValueError: A frame has neither levels nor configurations.
    """
    from ablate.analyse.family import correct

    by_level = all(set(LEVEL_KEYS) <= set(frame) for frame in (a, b))
    left, right = (_keyed(frame, by_level) for frame in (a, b))
    shared = [m for m in metrics if all(m.name in frame and frame[m.name].notna().any() for frame in (a, b))]
    settings = list(dict.fromkeys([*left["key"], *right["key"]]))
    labels = _labels(left, right, settings, by_level)
    sides = [dict(iter(frame.groupby("key", sort=False))) for frame in (left, right)]
    empty = left.iloc[:0]
    ends = {key: _ends(sides[0].get(key, empty), sides[1].get(key, empty)) for key in settings}
    rows, differences = [], []
    for key in settings:
        for metric in shared:
            row, of_seeds, is_exact = _row(sides[0].get(key, empty), sides[1].get(key, empty), metric)
            place = {"setting": labels[key], **_level(sides, key)}
            told = {"metric": metric.name, "exact": is_exact, "ended_otherwise": _otherwise(ends[key])}
            rows.append(place | told | row)
            differences.append(of_seeds)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    of_metric = [[d for d, row in zip(differences, rows, strict=True) if row["metric"] == m.name] for m in shared]
    lost = [(pair["b"] != "complete").astype(float) - (pair["a"] != "complete").astype(float) for pair in ends.values()]
    over_all = [_over_settings(part) for part in (*of_metric, lost)]
    paired = [row for row in rows if row["pairs"]]
    exact = [m.exact and all(row["exact"] for row in paired if row["metric"] == m.name) for m in shared] + [False]
    matrix = pd.concat([*differences, *over_all], axis=1).T.to_numpy(dtype=np.float64, copy=True)
    matrix[(np.nan_to_num(matrix) == 0).all(axis=1) | [*table["exact"], *exact]] = (
        np.nan
    )  # what is the same, or exact, needs no test
    found = correct(matrix, "max-t")
    by_name = {metric.name: metric for metric in shared}
    count = len(rows)
    _put(table, [by_name[name] for name in table["metric"]], found.p[:count], found.low[:count], found.high[:count])
    pooled = pd.DataFrame(
        {
            "metric": [*(metric.name for metric in shared), LOST.name],
            "exact": exact,
            "settings": [sum(bool(len(d)) for d in part) for part in (*of_metric, lost)],
            "seeds": [len(d) for d in over_all],
            "difference": [d.mean() for d in over_all],
        },
        columns=list(POOLED),
    )
    _put(pooled, [*shared, LOST], found.p[count:], found.low[count:], found.high[count:])
    table["standing"] = [_standing(row, by_name[row["metric"]]) for row in table.to_dict("records")]
    pooled["standing"] = [_told(r, m) for r, m in zip(pooled.to_dict("records"), [*shared, LOST], strict=True)]
    counts = {side: _counts(frame) for side, frame in (("a", left), ("b", right))}
    return RunComparison(table, pooled, counts, sum(map(_otherwise, ends.values())))


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


def _level(sides: Sequence[Mapping[Any, pd.DataFrame]], key: str) -> dict[str, Any]:
    """The factor and the native level of a setting, by the side that has levels; None: neither has."""
    there = (side[key].iloc[0] for side in sides if key in side and "level" in side[key])
    return {name: None for name in ("factor", "level")} | {n: row[n] for row in there for n in ("factor", "level")}


def _ends(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """How the runs of one setting ended, a row a seed that ended on both sides."""
    sides = {}
    for side, frame in (("a", a), ("b", b)):
        ended = frame[frame["status"] != "missing"].set_index("seed")["status"]
        sides[side] = ended[~ended.index.duplicated()]
    return pd.DataFrame(sides).dropna()


def _otherwise(ends: pd.DataFrame) -> int:
    return int((ends["a"] != ends["b"]).sum())


def _row(a: pd.DataFrame, b: pd.DataFrame, metric: Metric) -> "tuple[dict[str, Any], pd.Series[float], bool]":
    """One setting in one metric, its differences by seed, and whether they are exact: from the setting alone."""
    result: dict[str, Any] = {}
    values = {}
    for side, frame in (("a", a), ("b", b)):
        ended = frame[frame["status"] != "missing"].drop_duplicates("seed")
        counts = ended["status"].value_counts()
        complete = ended[ended["status"] == "complete"].set_index("seed")[metric.name].astype(float)
        values[side] = complete[np.isfinite(complete)]
        result |= {
            f"{side}_n": len(values[side]),
            f"{side}_lost": ", ".join(f"{counts[s]} {s}" for s in counts.index.sort_values() if s != "complete"),
            f"{side}_mean": values[side].mean(),
            f"{side}_sd": values[side].std(),
        }
    seeds = values["a"].index.intersection(values["b"].index)
    differences = values["b"].loc[seeds] - values["a"].loc[seeds]
    same = int((values["a"].loc[seeds] == values["b"].loc[seeds]).sum())
    is_exact = metric.exact and len(seeds) > 0 and all(side.nunique() == 1 for side in values.values())
    return result | {"pairs": len(seeds), "identical": same, "difference": differences.mean()}, differences, is_exact


def _over_settings(differences: "Sequence[pd.Series[float]]") -> "pd.Series[float]":
    """The mean over settings of each seed's differences."""
    there = [part for part in differences if len(part)]
    return pd.concat(there, axis=1).mean(axis=1) if there else pd.Series(dtype=float)


def _put(table: pd.DataFrame, metrics: Sequence[Metric], p: Any, low: Any, high: Any) -> None:
    """Write p and intervals into a table, a metric a row."""
    table["p"] = p
    ends = [within_difference(metric, pair) for metric, pair in zip(metrics, zip(low, high, strict=True), strict=True)]
    table[["difference_low", "difference_high"]] = np.array(ends).reshape(-1, 2)


def _counts(frame: pd.DataFrame) -> dict[str, int]:
    unique = frame.drop_duplicates("digest") if "digest" in frame else frame
    counts = unique["status"].value_counts()
    return {status: int(counts[status]) for status in STATUSES if counts.get(status)}


def _standing(row: Any, metric: Metric) -> str:
    """How the second side stands against the first."""
    if row["ended_otherwise"]:
        return "ended otherwise"
    if not row["pairs"]:
        return "not in both"
    return "identical" if row["identical"] == row["pairs"] else _told(row, metric)


def _told(row: Any, metric: Metric) -> str:
    if row["exact"] and row["difference"]:
        return "exact"
    if not row["p"] <= ALPHA:
        return "undecided" if row["difference"] else "identical"
    return "better" if metric.is_better(row["difference"], 0.0) else "worse"
