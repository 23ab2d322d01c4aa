"""Draws the documentation's figures from committed records: ``python docs/draw_figures.py`` from the repository's root.

Those of the page on notebooks are what the page's own code draws; those on seeds and verdicts are made here.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

import ablate
from ablate.analyse import compare
from ablate.analyse.power import POWER, SIMULATED_UP_TO, power_of, power_of_flips
from ablate.analyse.sign_flip import least_pairs
from ablate.report.figure_style import BLUE, INK, MUTED, VERMILION, styled
from ablate.report.forest import VERDICT_COLORS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = Path(__file__).parent / "notebook.md"
FIGURES = Path(__file__).parent / "figures"
SIZE = (4.2, 2.7)
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n!\[[^]]*\]\(figures/([\w-]+)\.png\))?", re.DOTALL)
STUDIES = ("lr", "batch_size", "epochs", "activation", "kernel_size", "pool_size", "pooling")
"""The article's studies: their paired differences in test accuracy say how much such differences scatter."""
ALPHA = 0.05


def main() -> None:
    """Draw every figure."""
    FIGURES.mkdir(exist_ok=True)
    for name, figure in figures():
        figure.savefig(FIGURES / f"{name}.png", dpi=200, metadata={"Software": None}, facecolor="white")
        print(f"docs/figures/{name}.png")


def figures() -> "Iterator[tuple[str, Figure]]":
    """Every figure with its name."""
    with styled():
        yield "seeds-difference", seeds_and_difference()
        yield "seeds-interval", seeds_and_interval()
    yield from of_the_notebook_page()


def of_the_notebook_page() -> "Iterator[tuple[str, Figure]]":
    """Runs the page's code from top to bottom; a block that a picture follows leaves it in ``ax``."""
    names: dict[str, Any] = {}
    for code, picture in BLOCK.findall(PAGE.read_text()):
        exec(code, names)
        if picture:
            figure = names["ax"].figure
            figure.set_size_inches(SIZE[0], 1.4 if picture.endswith("rows") else SIZE[1] + picture.endswith("forest"))
            figure.set_layout_engine("constrained")
            yield picture, figure


def scatters() -> "pd.Series[float]":
    """Of every level of the article's studies: the standard deviation of its paired differences from the baseline."""
    found = {}
    for name in STUDIES:
        study = ablate.load(name)
        for one in compare(study.runs, metric=study.view.named("test_acc")):
            if one.difference and one.effect and not one.no_evidence:
                found[name, one.label] = abs(one.difference / one.effect)
    return pd.Series(found)


def smallest_effect(n: int) -> float:
    """The smallest d_z that ``n`` pairs find in 80 of 100 studies, two-sided at 5 %, to 0.01."""

    def power(effect: float) -> float:
        by_t = power_of(effect, n, alpha=ALPHA, two_sided=True)
        return min(by_t, power_of_flips(effect, n, ALPHA, True)) if n <= SIMULATED_UP_TO else by_t

    effects = [round(0.01 * k, 2) for k in range(5, 2000)]
    return effects[bisect_left(effects, POWER, key=power)]


def seeds_and_difference() -> "Figure":
    """Which difference in test accuracy a number of seeds finds, at the scatter of the article's studies."""
    from matplotlib import pyplot

    deviations = scatters()
    low, middle, high = deviations.quantile([0.25, 0.5, 0.75])
    fewest = least_pairs(ALPHA, two_sided=True)
    seeds = np.arange(fewest, 41)
    effects = np.array([smallest_effect(int(n)) for n in seeds])
    figure, ax = pyplot.subplots(figsize=SIZE, layout="constrained")
    ax.axvspan(0, fewest - 0.5, color=MUTED, alpha=0.15, linewidth=0)
    ax.text(fewest / 2, 0.5, "no test can reach 5 %", transform=ax.get_xaxis_transform(), rotation=90, va="center")
    ax.fill_between(seeds, low * effects, high * effects, color=BLUE, alpha=0.18, linewidth=0)
    ax.plot(seeds, middle * effects, color=BLUE, marker="o", ms=2.5)
    for n in (6, 10, 20, 40):
        y = middle * effects[n - fewest]
        ax.annotate(f"{n} seeds: {y:.3f}", (n, y), (4, 8), textcoords="offset points", color=INK)
    ax.set_xlim(0, 46)
    ax.set_ylim(0, high * effects[0])
    ax.set_xlabel("seeds at each level")
    ax.set_ylabel("difference in test accuracy\nfound in 4 of 5 studies")
    return figure


def seeds_and_interval() -> "Figure":
    """Two levels of the committed study of learning rates, had there been fewer seeds."""
    from matplotlib import pyplot

    study = ablate.load("lr")
    metric = study.view.named("test_acc")
    figure, axes = pyplot.subplots(1, 2, figsize=(SIZE[0] * 1.25, SIZE[1]), layout="constrained", sharey=True)
    for ax, level in zip(axes, (1.3, 1.1), strict=True):
        runs = study.runs[study.runs["level"].isin([0.9, level])]
        for n in range(3, 11):
            (one,) = compare(runs[runs["seed"] < n], metric=metric)
            assert one.interval is not None
            color = VERDICT_COLORS.get(one.standing, MUTED)
            ax.plot([n, n], [one.interval.low, one.interval.high], color=color, lw=1.6, solid_capstyle="butt")
            ax.plot(
                [n], [one.difference], "o", color=color, ms=4, mfc="white" if one.standing == "undecided" else color
            )
        ax.axhline(0, color=MUTED, lw=0.7)
        ax.set_xticks(range(3, 11))
        ax.set_title(f"learning rate {level} against 0.9")
        ax.set_xlabel("seeds")
    axes[0].set_ylabel("difference in test accuracy")
    for name, color, face in (("undecided", MUTED, "white"), ("better", BLUE, BLUE), ("worse", VERMILION, VERMILION)):
        if any(line.get_color() == color and line.get_marker() == "o" for ax in axes for line in ax.lines):
            axes[1].plot([], [], "o", color=color, mfc=face, ms=4, label=name)
    axes[1].legend()
    return figure


if __name__ == "__main__":
    main()
