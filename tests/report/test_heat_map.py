import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from ablate.analyse.spans import spans
from ablate.images.metrics import METRICS
from ablate.report import FactorView, LevelView, figure_style
from ablate.report.heat_map import heat_map, is_heat_map

ACC = METRICS["test_acc"]
PATH = "optimizer.lr x train.batch_size"
GRID = {(lr, batch): 0.5 + lr / 10 + batch / 1000 for lr in (0.1, 0.9, 0.3) for batch in (32, 64)}


def factor(grid):
    return FactorView(PATH, tuple(LevelView(pair, f"lr {pair[0]}, batch size {pair[1]}") for pair in grid))


def test_cells_hold_the_means_in_order_of_size_and_the_best_is_framed():
    own = factor(GRID)
    rows = [
        {"factor": PATH, "label": level.label, "metric": "test_acc", "mean": GRID[level.value], "digits": 3}
        for level in own.levels
    ]
    ax = heat_map(pd.DataFrame(rows), own, ACC, Figure().subplots())
    cells = np.asarray(ax.collections[0].get_array()).reshape(2, 3)
    assert cells == pytest.approx(np.array([[GRID[lr, batch] for lr in (0.1, 0.3, 0.9)] for batch in (32, 64)]))
    assert [text.get_text() for text in ax.texts] == [f"{cells[y, x]:.3f}" for y in (0, 1) for x in (0, 1, 2)]
    (frame,) = ax.lines
    assert (min(frame.get_xdata()), min(frame.get_ydata())) == (2, 1)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.1", "0.3", "0.9"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("lr", "batch size")


def test_what_is_no_pair_of_two_factors_is_no_heat_map():
    assert is_heat_map(factor(GRID))
    assert not is_heat_map(factor({pair: 0 for pair in GRID if pair[0] == 0.1}))
    assert not is_heat_map(FactorView("a", (LevelView(1, "1"), LevelView(2, "2"))))


def test_the_span_of_a_factor_is_that_of_its_means_over_the_other():
    noise = np.random.default_rng(0).normal(0, 0.01, (6, 8))
    rows = [
        {**{"factor": PATH, "level": pair, "order": i, "seed": s, "status": "complete"}, "test_acc": mean + noise[i, s]}
        for i, (pair, mean) in enumerate(GRID.items())
        for s in range(8)
    ]
    lr, batch = spans(pd.DataFrame(rows), ACC, PATH)
    values = np.array([row["test_acc"] for row in rows]).reshape(3, 2, 8)
    assert (lr.factor, lr.best, lr.worst, lr.n) == ("optimizer.lr", 0.9, 0.1, 8)
    assert lr.difference == pytest.approx(values[1].mean() - values[0].mean())
    assert lr.interval[0] < 0.08 < lr.interval[1]
    assert (batch.best, batch.worst) == (64, 32)
    assert batch.difference == pytest.approx(values[:, 1].mean() - values[:, 0].mean())
    assert spans(pd.DataFrame(rows[8:]), ACC, PATH) == (), "a combination is missing"


def test_numbers_are_read_on_every_cell_and_a_dark_page_leaves_the_colours_alone():
    """Contrast by the formula of the Web Content Accessibility Guidelines, at least 4.5 as they ask for."""

    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
        return float(np.dot((0.2126, 0.7152, 0.0722), linear))

    for color in colormaps["viridis"](np.linspace(0, 1, 100))[:, :3]:
        ink = luminance(to_rgb(figure_style.ink_on(color)))
        low, high = sorted((ink, luminance(color)))
        assert (high + 0.05) / (low + 0.05) >= 4.5
    figure = Figure()
    figure.subplots().pcolormesh(np.eye(3))
    assert 'class="as-it-is"' in figure_style.inline_svg(figure_style.svg(figure, "map"), "map", "A map.")
    assert "as-it-is" not in figure_style.inline_svg(figure_style.svg(Figure(), "plain"), "plain", "Nothing.")
