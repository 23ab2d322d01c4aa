"""Figures of why a network errs: confusion, reliability, pictures with maps, levels side by side."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablate.report import figure_style as look
from ablate.report.drawings import Drawing
from ablate.report.figures import cut

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NUMBERS = 12
"""Classes up to which a confusion matrix has numbers in its cells."""
MOST_NAMES = 30
"""Classes up to which it names them."""
TILE = 0.72
"""Side of a picture, in inches."""

Pixels = NDArray[np.uint8]
Maps = NDArray[np.floating]


def confusion_drawing(counts: NDArray[np.int64], classes: Sequence[str]) -> Drawing:
    """How often each class was taken for each other.

    Args:
        counts: ``[classes, classes]``: rows are true classes, columns predicted ones.
        classes: Their names.
    """
    from matplotlib import colormaps

    figure = _figure(look.WIDTH)
    ax = figure.subplots()
    with np.errstate(invalid="ignore"):
        shares = np.nan_to_num(counts / counts.sum(axis=1, keepdims=True))
    colors = colormaps["Blues"]
    ax.imshow(shares, cmap=colors, vmin=0, vmax=1, interpolation="none")
    if len(classes) <= MOST_NUMBERS:
        for row, column in np.argwhere(counts > 0).tolist():
            ink = look.ink_on(colors(shares[row, column]))
            ax.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=5.5, color=ink)
    if len(classes) <= MOST_NAMES:
        names = [cut(name, 14) for name in classes]
        size = 6 if len(classes) <= MOST_NUMBERS else 4.5
        ax.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
        ax.set_yticks(range(len(names)), names, fontsize=size)
    _bare(ax, ticks=len(classes) <= MOST_NAMES)
    ax.set_xlabel("taken for")
    ax.set_ylabel("class")
    errors = counts.copy()
    np.fill_diagonal(errors, 0)
    row, column = divmod(int(errors.argmax()), len(classes))
    worst = (
        f" Most often {classes[row]} is taken for {classes[column]} ({errors[row, column]} times)."
        if errors.any()
        else ""
    )
    return Drawing(
        name="confusion",
        factor="",
        title="What is taken for what",
        alt=f"Confusion matrix of {len(classes)} classes, rows are true classes.{worst}",
        figure=figure,
    )


def reliability_drawing(
    count: NDArray[np.int64], confidence: NDArray[np.float64], accuracy: NDArray[np.float64], ece: float
) -> Drawing:
    """Whether what the network is sure of is right as often as it says.

    Args:
        count: Pictures in each bin of probability, ``[bins]``.
        confidence: Their mean probability; NaN where there are none.
        accuracy: The share that is right.
        ece: Expected calibration error.
    """
    from scipy.stats import binomtest

    figure = _figure(look.WIDTH * 0.95)
    ax, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    ax.plot([0, 1], [0, 1], color=look.MUTED, lw=0.7, zorder=1, label="right as often as it says")
    filled = count > 0
    ax.plot(
        confidence[filled], accuracy[filled], color=look.BLUE, marker="o", zorder=3, label="this network, 95 % interval"
    )
    ends = [
        binomtest(round(n * share), n).proportion_ci(method="wilson")
        for n, share in zip(count[filled].tolist(), accuracy[filled].tolist(), strict=True)
    ]
    ax.vlines(confidence[filled], [e.low for e in ends], [e.high for e in ends], color=look.BLUE, lw=0.7)
    ax.legend(loc="upper left")
    ax.set(ylim=(0, 1.02), ylabel="share that is right")
    ax.set_title(f"expected calibration error {ece:.3f}")
    edges = np.linspace(0, 1, len(count) + 1)
    below.bar(edges[:-1], count, np.diff(edges) * 0.9, align="edge", color=look.lighter(look.BLUE))
    below.set(xlim=(0, 1), xlabel="probability of the class that was taken", ylabel="pictures")
    below.locator_params(axis="y", nbins=3)
    return Drawing(
        name="reliability",
        factor="",
        title="How far its probabilities can be trusted",
        alt=f"Reliability diagram: share that is right against probability, expected calibration error {ece:.3f}.",
        figure=figure,
    )


def pictures_drawing(pictures: Pixels, texts: Sequence[str], maps: Mapping[str, Maps], *, title: str) -> Drawing:
    """A row a picture: the picture, then where the network looks by each method.

    Args:
        pictures: ``[N, channels, height, width]``, N at least 1.
        texts: A line or two beside each.
        maps: The maps by method, ``[N, height, width]``.
        title: The title of the figure.
    """
    names = ["picture", *(method.replace("_", "-") for method in maps)]
    figure, axes = _tiles(len(pictures), len(names))
    for row, text in enumerate(texts):
        _picture(axes[row, 0], pictures[row])
        axes[row, 0].set_ylabel(text, rotation=0, ha="right", va="center", fontsize=5.5)
        for column, one in enumerate(maps.values(), start=1):
            _map(axes[row, column], pictures[row], one[row])
    for column, name in enumerate(names):
        axes[0, column].set_title(name, loc="center")
    shown = f" with maps by {', '.join(maps)}" if maps else ""
    return Drawing("pictures", "", title, f"{title}: {len(pictures)} pictures{shown}.", figure)


def levels_drawing(
    pictures: Pixels, texts: Sequence[str], sides: tuple[Maps, Maps], names: tuple[str, str], seeds: Sequence[int]
) -> Drawing:
    """The same pictures under two levels: a row a picture, for each level the maps of its seeds.

    Args:
        pictures: ``[N, channels, height, width]``.
        texts: A line beside each.
        sides: The sides of each level, ``[seeds, N, height, width]``.
        names: The names of the levels.
        seeds: Shown, in the order of the maps.
    """
    count = len(seeds)
    figure, axes = _tiles(len(pictures), 1 + 2 * count)
    for row, text in enumerate(texts):
        _picture(axes[row, 0], pictures[row])
        axes[row, 0].set_ylabel(text, rotation=0, ha="right", va="center", fontsize=5.5)
        for side, maps in enumerate(sides):
            for k in range(count):
                _map(axes[row, 1 + side * count + k], pictures[row], maps[k, row])
    for side, name in enumerate(names):
        for k, seed in enumerate(seeds):
            heading = f"{cut(name, 26)}\n" if k == 0 else "\n"
            axes[0, 1 + side * count + k].set_title(f"{heading}seed {seed}", loc="left", fontsize=5.5)
    alt = f"Where networks with {names[0]} and with {names[1]} look in {len(pictures)} pictures, {count} seeds each."
    return Drawing("levels", "", "The same pictures under two levels", alt, figure)


def randomised_drawing(found: Mapping[str, Sequence[tuple[str, float]]]) -> Drawing:
    """How far maps stay what they were while layer after layer loses its weights, from the output down.

    Args:
        found: Layers and rank correlations, by method.
    """
    layers = [name for name, _ in next(iter(found.values()))]
    figure = _figure(look.WIDTH * 0.66)
    ax = figure.subplots()
    for (method, values), stroke in zip(found.items(), look.STROKES, strict=False):
        y = [value for _, value in values]
        ax.plot(
            range(len(layers)),
            y,
            color=stroke.color,
            marker=stroke.marker,
            ls=stroke.dash,
            label=method.replace("_", "-"),
        )
    ax.axhline(0, color=look.MUTED, lw=0.7, zorder=1)
    ax.set_xticks(range(len(layers)), [cut(name, 18) for name in layers], rotation=90, fontsize=5.5)
    low = min([-0.3, *(value - 0.05 for values in found.values() for _, value in values if value == value)])
    ax.set(ylim=(low, 1.05), xlabel="weights lost, from the output down to", ylabel="rank correlation")
    ax.legend(loc="upper right", ncols=3)
    return Drawing(
        "randomised",
        "",
        "Do the maps depend on what was learned?",
        "Rank correlation of maps with those of the trained network, while layers lose their weights from the output "
        f"down: {', '.join(found)}.",
        figure,
    )


def _figure(height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(look.WIDTH, height), layout="constrained")


def _tiles(rows: int, columns: int) -> "tuple[Figure, Any]":
    from matplotlib.figure import Figure

    width = max(look.WIDTH, TILE * columns + 0.9)
    figure = Figure(figsize=(width, TILE * rows + 0.35), layout="constrained")
    layout: Any = figure.get_layout_engine()
    layout.set(w_pad=0.015, h_pad=0.015, wspace=0.01, hspace=0.01)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _picture(ax: "Axes", picture: Pixels) -> None:
    _show(ax, picture)
    _bare(ax, ticks=False)


def _map(ax: "Axes", picture: Pixels, values: Maps) -> None:
    """A map over its faint picture; one that is constant says nothing and is left out."""
    height, width = values.shape
    grey = picture.mean(axis=0) if len(picture) > 1 else picture[0]
    ax.imshow(grey, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0), interpolation="none")
    low, high = float(values.min()), float(values.max())
    if high > low:
        ax.imshow(
            values, cmap="viridis", alpha=0.72, vmin=low, vmax=high, extent=(0, width, height, 0), interpolation="none"
        )
    else:
        ax.text(width / 2, height / 2, "nothing", ha="center", va="center", fontsize=5.5, color="white")
    _bare(ax, ticks=False)


def _show(ax: "Axes", picture: Pixels) -> None:
    if len(picture) == 1:
        ax.imshow(picture[0], cmap="gray", vmin=0, vmax=255, interpolation="none")
    else:
        ax.imshow(picture.transpose(1, 2, 0), interpolation="none")


def _bare(ax: "Axes", *, ticks: bool) -> None:
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    if not ticks:
        ax.set_xticks([])
        ax.set_yticks([])
