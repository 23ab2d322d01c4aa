"""A comparison of two sets of runs in words, tables and JSON."""

from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablate.report.answers import as_data
from ablate.report.compare import LOST, STATUSES, RunComparison
from ablate.report.console import ENDLESS, output, plain
from ablate.report.tables import Sheet, sheet_markdown
from ablate.task import numbers
from ablate.task.metric import Metric

if TYPE_CHECKING:
    from rich.console import Console

BELOW = ("seeds", "95 % interval", "p", "standing")
"""Columns that go below the one before them where the terminal is narrow."""


def agreement(found: RunComparison) -> str:
    """Whether two sets of runs are the same, in a few sentences.

    Args:
        found: What :func:`compare_runs` returned.
    """
    table = found.settings
    pairs, same = int(table["pairs"].sum()), int(table["identical"].sum())
    alone = int((table["pairs"] == 0).groupby(table["setting"]).all().sum())
    text = {"identical": "identical: ", "changed": "changed: ", "undecided": ""}[found.outcome]
    text += f"{same} of {pairs} values of runs on both sides are exactly the same"
    text += f"; {_settings(alone)} no complete run of a common seed" if alone else ""
    parts = [f"{text}."]
    if found.otherwise:
        unlike = int((table.groupby("setting")["ended_otherwise"].max() > 0).sum())
        settings = table["setting"].nunique()
        parts.append(f"{_runs(found.otherwise)} ended otherwise, in {unlike} of {settings} settings.")
    for row in found.pooled.to_dict("records"):
        if row["standing"] in ("better", "worse"):
            difference, ends, _ = _difference(row, numbers.DIGITS)
            parts.append(f"{row['metric']} is {row['standing']} over all settings (difference {difference} {ends}).")
    for metric, rows in table.groupby("metric", sort=False):
        counts = rows["standing"].value_counts()
        if counts.get("exact"):
            parts.append(f"{metric} is exact and another in {counts['exact']} of {len(rows)} settings.")
        told = [f"{word} in {counts[word]}" for word in ("better", "worse") if counts.get(word)]
        if told:
            parts.append(f"{metric} is {' and '.join(told)} of {len(rows)} settings.")
    seeds = int(found.pooled["seeds"].max())
    if found.outcome == "undecided" and seeds < least_seeds():
        parts.append(f"With {seeds} seeds no change of values can be told from chance, however large: needs 6.")
    return " ".join(parts)


def _settings(count: int) -> str:
    return f"{count} setting has" if count == 1 else f"{count} settings have"


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def least_seeds() -> int:
    """The fewest seeds with which a change of values can be told from chance."""
    from ablate.analyse.max_t import LEAST_PAIRS

    return LEAST_PAIRS


def comparison_markdown(found: RunComparison, metrics: Sequence[Metric], names: tuple[str, str] = ("A", "B")) -> str:
    """A comparison as Markdown, one table a metric."""
    parts = [f"## {sheet.title}\n\n{sheet_markdown(sheet)}" for sheet in _sheets(found, metrics, names)]
    return "\n\n".join([*parts, _explanation(found, names), agreement(found)]) + "\n"


def print_comparison(
    found: RunComparison,
    metrics: Sequence[Metric],
    names: tuple[str, str] = ("A", "B"),
    console: "Console | None" = None,
) -> None:
    """A comparison in the terminal, one table a metric.

    Args:
        found: What :func:`compare_runs` returned.
        metrics: As given to it.
        names: What the two sides are called.
        console: None: standard output.
    """
    from ablate.report.terminal import sheet_table

    console = console or output()
    for sheet in _sheets(found, metrics, names):
        whole = sheet_table(sheet)
        fits = console.measure(whole, options=console.options.update(width=ENDLESS)).maximum <= console.width
        console.print(whole if fits else sheet_table(_stacked(sheet, {names[1], *BELOW})))
    console.print(plain(_explanation(found, names), "dim"))
    console.print(plain(agreement(found), "bold"))


def comparison_json(found: RunComparison) -> dict[str, Any]:
    """All of a comparison as JSON data; null where there is no number.

    - ``a``, ``b``: what is compared
    - ``outcome``: ``identical``, ``changed``, ``undecided``; ``says``: the same in words
    - ``ended``: by side how many runs ended in which way; ``ended_otherwise``: runs of both sides that did
    - ``pooled``: of each metric over all settings together, and of the share of runs that did not complete,
      ``metric``, ``exact``, ``settings``, ``seeds``, ``difference`` (B minus A), ``difference_low`` and
      ``difference_high`` (95 %, of all differences together), ``p``, ``standing`` (of B)
    - ``settings``: of each setting in each metric ``setting``, ``factor`` and ``level`` (null where neither side
      is a study), ``metric``, ``exact``; of either side (``a_n`` and so on) ``n``, ``lost``
      (what became of its other runs), ``mean``, ``sd``; ``pairs``, ``ended_otherwise``, ``identical`` (numbers of
      seeds), and the same of the difference
    - ``standing``: ``better``, ``worse``, ``undecided``, ``identical``, ``exact`` (another value that follows from the
      setting: nothing to test), ``ended otherwise``, ``not in both``
    """
    return {
        "outcome": found.outcome,
        "says": agreement(found),
        "ended": found.ended,
        "ended_otherwise": found.otherwise,
        "pooled": _plain(found.pooled),
        "settings": _plain(found.settings),
    }


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON data."""
    rows: list[dict[str, Any]] = as_data(table.to_dict("records"))
    return rows


def _sheets(found: RunComparison, metrics: Sequence[Metric], names: tuple[str, str]) -> Iterator[Sheet]:
    titles = {metric.name: metric.title for metric in (*metrics, LOST)}
    for metric, rows in found.settings.groupby("metric", sort=False):
        digits = numbers.decimals([*rows["a_mean"], *rows["b_mean"]], [*rows["a_sd"], *rows["b_sd"]])
        cells = [
            (
                row["setting"],
                *(_side(row, side, digits) for side in "ab"),
                *_difference(row, digits),
                f"{row['identical']} of {row['pairs']}",
                row["standing"],
            )
            for row in rows.to_dict("records")
        ]
        columns = ("setting", *names, "difference", "95 % interval", "p", "identical", "standing")
        yield Sheet(titles[str(metric)], (("", len(columns)),), columns, tuple(cells))
    headings = ("metric", "settings", "seeds", "difference", "95 % interval", "p", "standing")
    pooled = [
        (
            titles[row["metric"]],
            str(row["settings"]),
            str(row["seeds"]),
            *_difference(row, numbers.DIGITS),
            row["standing"],
        )
        for row in found.pooled.to_dict("records")
    ]
    yield Sheet("All settings together", (("", len(headings)),), headings, tuple(pooled))
    statuses = [status for status in STATUSES if any(status in counts for counts in found.ended.values())]
    ended = [
        (name, *(str(found.ended[side].get(s, 0)) for s in statuses)) for name, side in zip(names, "ab", strict=True)
    ]
    yield Sheet("How runs ended", (("", 1 + len(statuses)),), ("side", *statuses), tuple(ended))


def _stacked(sheet: Sheet, below: Set[str]) -> Sheet:
    """The same cells for a narrow terminal: columns of such names go below the one before them."""
    parts = list[list[int]]()
    for place, head in enumerate(sheet.columns):
        if parts and head in below:
            parts[-1].append(place)
        else:
            parts.append([place])

    def join(cells: Sequence[str]) -> tuple[str, ...]:
        return tuple("\n".join(cells[place] for place in part) for part in parts)

    return Sheet(sheet.title, (("", len(parts)),), join(sheet.columns), tuple(map(join, sheet.rows)))


def _difference(row: Any, digits: int) -> tuple[str, str, str]:
    return (
        numbers.signed(row["difference"], digits),
        numbers.interval(row["difference_low"], row["difference_high"], digits),
        numbers.probability(row["p"]),
    )


def _side(row: Any, side: str, digits: int) -> str:
    runs = ", ".join([str(row[f"{side}_n"]), *([row[f"{side}_lost"]] if row[f"{side}_lost"] else [])])
    sd = None if row["exact"] else row[f"{side}_sd"]
    return f"{numbers.spread(row[f'{side}_mean'], sd, digits)} ({runs})"


def _explanation(found: RunComparison, names: tuple[str, str]) -> str:
    exact = " What is exact follows from the setting, not from the seed: there is nothing to test."
    return (
        "Mean ± standard deviation (complete runs). "
        f"Differences are {names[1]} minus {names[0]} over the seeds that are complete on both sides; p and 95 % "
        "intervals are of all differences together, those over all settings among them (joint sign flips, max-T); "
        "identical counts seeds with exactly the same value."
    ) + exact * bool(found.settings["exact"].any())
