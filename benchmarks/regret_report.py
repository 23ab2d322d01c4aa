"""What the searches' regrets say: medians, the comparisons that were asked for, and the files that hold them."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, stdev
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table as RichTable

from ablate.report.files import write_bytes, write_csv, write_text
from benchmarks.regret_search import OURS, RANDOM, TPE, Found
from benchmarks.regret_table import Grid, Table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

HEADER = ("search", "budget", "regret, median", "min - max", "on unseen seeds", "settings", "spent")
MARKERS = "osD^vP"
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)))

EXPLANATION = (
    "regret: of the setting that a search returns, how far its mean validation accuracy over all seeds of the table is "
    "below the best setting's, in percentage points; on unseen seeds: the median with both taken from the seeds alone "
    "that the search did not have. budget: in full runs of {full_run:,} training samples; settings: different ones "
    "tried; spent: share of the budget, a search ending early where it keeps proposing what it has tried; medians over "
    "the repeats, which differ in the sampler's seed and in the seeds that settings are trained with. All methods of a "
    "repeat have the same seeds."
)


@dataclass(frozen=True)
class Comparison:
    """Ours beside a rival, at one budget; regrets in [0, 1]."""

    rival: str
    budget: int
    """In training samples."""
    ours: float
    """Median regret."""
    theirs: float
    lower: int
    """Repeats in which ours is lower."""
    equal: int
    repeats: int

    @property
    def below(self) -> bool:
        """Whether our median is below the rival's."""
        return self.ours < self.theirs


def compare(found: Sequence[Found], rivals: Sequence[str] = (RANDOM, TPE)) -> list[Comparison]:
    """Ours beside each rival, budget by budget; repeats are paired, as they share the seeds."""
    compared = []
    for rival in rivals:
        for budget in sorted({f.budget for f in found}):
            ours, theirs = (
                {f.repeat: f.regret for f in found if f.budget == budget and f.method == name} for name in (OURS, rival)
            )
            pairs = [(ours[repeat], theirs[repeat]) for repeat in sorted(ours)]
            compared.append(
                Comparison(
                    rival=rival,
                    budget=budget,
                    ours=median(ours.values()),
                    theirs=median(theirs.values()),
                    lower=sum(mine < other for mine, other in pairs),
                    equal=sum(mine == other for mine, other in pairs),
                    repeats=len(pairs),
                )
            )
    return compared


def print_regret(console: Console, found: Sequence[Found], grid: Grid, table: Table) -> None:
    """The table, the space, and a line for each comparison."""
    shown = RichTable(title="regret, percentage points", title_justify="left")
    for position, name in enumerate(HEADER):
        shown.add_column(name, justify="left" if position == 0 else "right")
    for cells in _rows(found, grid):
        shown.add_row(*cells, style="bold" if cells[0] == OURS else None)
    console.print(shown)
    for line in (*_of_table(grid, table), *(_sentence(c, grid) for c in compare(found))):
        console.print(line, highlight=False)


def write_regret(folder: Path, found: Sequence[Found], grid: Grid, table: Table, machine: dict[str, Any]) -> list[Path]:
    """Write ``regret.md``, ``regret.csv`` (every search), ``regret.png`` and ``regret.svg``.

    Args:
        folder: Where to.
        found: Of all methods, budgets and repeats.
        grid: The space.
        table: Its truth.
        machine: Hardware, versions and command.
    """
    from matplotlib import pyplot

    from ablate.report.figure_style import WIDTH, png, settle, styled, svg

    with styled():
        figure, ax = pyplot.subplots(figsize=(1.5 * WIDTH, 1.25 * WIDTH), layout="constrained")
        draw(found, grid, ax)
        figure.supxlabel("\n".join(textwrap.wrap(_made_by(machine), 120)), fontsize=4.5, x=0.01, ha="left")
        settle(figure)
        drawn = {"regret.png": png(figure), "regret.svg": svg(figure, "regret")}
        pyplot.close(figure)
    return [
        write_text(folder / "regret.md", _markdown(found, grid, table, machine)),
        write_csv(folder / "regret.csv", frame_of(found, grid, machine)),
        *(write_bytes(folder / name, content) for name, content in drawn.items()),
    ]


def frame_of(found: Sequence[Found], grid: Grid, machine: dict[str, Any]) -> "pd.DataFrame":
    """A row a search; what made it is in every row, so that rows of several machines can be put together."""
    import pandas as pd

    origin = {key: machine[key] for key in ("cpu", "cores", "commit", "dirty", "date", "command")}
    rows = []
    for f in found:
        rows.append(
            {
                "method": f.method,
                "budget_runs": f.budget // grid.full_run,
                "budget_samples": f.budget,
                "repeat": f.repeat,
                "seeds": " ".join(map(str, f.seeds)),
                **grid.values_of(f.setting),
                "value_found": f.value,
                "truth": f.truth,
                "regret": f.regret,
                "regret_unseen_seeds": f.unseen_regret,
                "samples_spent": f.samples,
                "settings_tried": f.settings,
                **origin,
                "versions": _versions(machine),
            }
        )
    return pd.DataFrame(rows)


def draw(found: Sequence[Found], grid: Grid, ax: "Axes") -> "Axes":
    """Median regret against the budget, the repeats as dots beside each other."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    from ablate.report.figure_style import colors

    methods = list(dict.fromkeys(f.method for f in found))
    budgets = sorted({f.budget // grid.full_run for f in found})
    for i, (method, color) in enumerate(zip(methods, colors(len(methods), ordered=False), strict=True)):
        own = [f for f in found if f.method == method]
        aside = 1.025 ** (i - (len(methods) - 1) / 2)
        x = [budget * aside for budget in budgets]
        y = [100 * median(f.regret for f in own if f.budget == budget * grid.full_run) for budget in budgets]
        style: dict[str, Any] = {"color": color, "marker": MARKERS[i % len(MARKERS)], "label": method}
        ax.plot(x, y, **style, linestyle=DASHES[i % len(DASHES)], linewidth=1.8 if method == OURS else 1.0)
        ax.scatter(
            [f.budget // grid.full_run * aside for f in own],
            [100 * f.regret for f in own],
            s=4,
            color=color,
            alpha=0.5,
            linewidths=0,
        )
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(budgets))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels(map(str, budgets))
    ax.set_yscale("symlog", linthresh=1.0)  # one repeat that found nothing would flatten all others
    ax.yaxis.set_major_locator(FixedLocator([0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(bottom=-0.1)
    ax.set_xlabel(f"budget (full runs of {grid.full_run:,} training samples)")
    ax.set_ylabel("regret (percentage points)")
    ax.set_title("Median regret; dots: the repeats")
    ax.legend()
    return ax


def _rows(found: Sequence[Found], grid: Grid) -> Iterator[list[str]]:
    for budget, method in dict.fromkeys((f.budget, f.method) for f in found):
        own = [f for f in found if (f.budget, f.method) == (budget, method)]
        regrets = [100 * f.regret for f in own]
        yield [
            method,
            str(budget // grid.full_run),
            f"{median(regrets):.2f}",
            f"{min(regrets):.2f} - {max(regrets):.2f}",
            f"{100 * median(f.unseen_regret for f in own):.2f}",
            f"{median(f.settings for f in own):g}",
            f"{median(f.samples for f in own) / budget:.0%}",
        ]


def _sentence(c: Comparison, grid: Grid) -> str:
    return (
        f"{c.budget // grid.full_run} full runs: is our median regret below that of {c.rival}? "
        f"{'Yes' if c.below else 'No'}: {100 * c.ours:.2f} and {100 * c.theirs:.2f}; lower in {c.lower}, equal in "
        f"{c.equal} of {c.repeats} repeats."
    )


def _of_table(grid: Grid, table: Table) -> list[str]:
    ranked, settings = table.ranked(), {setting.digest: setting for setting in grid.settings}
    best = ranked[0]
    truths = [100 * table.truth(setting) for setting in ranked]
    # Seeds are paired: what two settings have in common of a split's difficulty is not in their difference.
    differences = [100 * (table.values[best][seed] - table.values[ranked[1]][seed]) for seed in grid.all_seeds]
    error = stdev(differences) / len(differences) ** 0.5
    return [
        f"The table: {len(ranked)} settings x {grid.seeds} seeds x {grid.epochs} epochs of "
        f"{grid.full_run // grid.epochs:,} images, {len(ranked) * grid.seeds * grid.full_run:,} training samples, "
        f"{table.diverged} runs diverged. Best: {grid.describe(settings[best])}, {truths[0]:.2f} % of "
        f"{grid.val_size:,} held-out images; the second is {truths[0] - truths[1]:.2f} behind (standard error of this "
        f"paired difference {error:.2f}), the tenth {truths[0] - truths[min(9, len(truths) - 1)]:.2f}, the median "
        f"setting {truths[0] - median(truths):.2f}. The space: "
        + "; ".join(f"{path} {', '.join(map(str, levels))}" for path, levels in grid.levels.items())
        + "."
    ]


def _markdown(found: Sequence[Found], grid: Grid, table: Table, machine: dict[str, Any]) -> str:
    lines = ["# Regret of the search", "", _made_by(machine), "", *_of_table(grid, table), ""]
    lines += [EXPLANATION.format(full_run=grid.full_run), "", "![Median regret against the budget](regret.svg)", ""]
    lines += [_line(HEADER), _line(["---", *["---:"] * (len(HEADER) - 1)]), *map(_line, _rows(found, grid))]
    lines += ["", "## Asked and measured", "", *(f"- {_sentence(c, grid)}" for c in compare(found))]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _made_by(machine: dict[str, Any]) -> str:
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['cpu_capability']}; {machine['system']}; "
        f"{_versions(machine)}; commit {machine['commit']}{' with changes' if machine['dirty'] else ''}; "
        f"{machine['date']}. Made by `{machine['command']}`."
    )


def _versions(machine: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
