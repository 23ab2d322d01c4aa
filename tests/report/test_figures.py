from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from ablate.images.metrics import METRICS
from ablate.report import FactorView, LevelView
from ablate.report.curves import level_curves, mean_curves, metric_curves
from ablate.report.drawings import factor_drawers, far_levels, study_drawers
from ablate.report.factor_figures_data import subjects
from ablate.report.figure_style import colors, settle, styled
from ablate.report.figures import bars, lines, positions, rows, scale
from ablate.report.forest import forest
from ablate.report.summary import summarise
from ablate.report.viridis import viridis

TEST = METRICS["test_acc"]
ACCURACIES = [METRICS["train_acc"], TEST]


def factor(*values, ordered=True, **fields):
    return FactorView("a.b", tuple(LevelView(v, str(v)) for v in values), ordered=ordered, **fields)


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (factor(2, 4, 8, 1024), "log2"),
        (factor(0.001, 0.01, 0.1), "log10"),
        (factor(0.0, 0.1, 1.7), "linear"),
        (factor(1, 2), "linear"),
        (factor(3, 4, 5), "linear"),
        (factor("sigmoid", "relu", ordered=False), "places"),
        (factor(None, 1, 2), "places"),
        (factor(True, False), "places"),
        (factor(1, 10, 20, scale="log10"), "log10"),
        (factor(0, 10, 20, scale="log10"), "linear"),
    ],
)
def test_the_axis_follows_the_levels(view, expected):
    assert scale(view) == expected


def test_kinds_lie_at_their_places():
    assert positions(factor("b", "a", ordered=False)) == {"b": 0.0, "a": 1.0}


def test_lines_draw_means_runs_and_published_numbers_on_the_given_axes(make_study):
    study = make_study(["train.batch_size"], seeds=4, statuses={("train.batch_size", 1024, 1): "diverged"})
    levels = summarise(study.view, study.runs)
    ax = Figure().subplots()
    assert lines(levels, study.runs, study.view.factors[0], [TEST], ax) is ax
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [2.0**i for i in range(1, 11)]
    expected = study.runs[study.runs["status"] == "complete"].groupby("level")["test_acc"].mean()
    np.testing.assert_allclose(line.get_ydata(), expected)
    assert ax.get_xscale() == "log"
    marks = [c.get_offsets() for c in ax.collections if isinstance(c, PathCollection)]
    assert sum(len(dots) for dots in marks[:-1]) == 39
    crosses = [marks[-1][:, 1].tolist()]
    assert crosses == [[0.82, 0.862, 0.887, 0.888, 0.861, 0.869, 0.856, 0.809, 0.737, 0.618]]


def test_bars_start_at_zero_and_reach_the_means(make_study):
    study = make_study(["model.activation"], seeds=3)
    levels = summarise(study.view, study.runs)
    ax = bars(levels, study.runs, study.view.factors[0], ACCURACIES, Figure().subplots())
    heights = [patch.get_height() for patch in ax.patches]
    means = study.runs.groupby("label")[["train_acc", "test_acc"]].mean()
    np.testing.assert_allclose(heights, [*means.loc["sigmoid"], *means.loc["relu"]])
    assert ax.get_ylim()[0] == 0


def test_rows_name_every_level_and_its_lost_runs(make_study):
    study = make_study(["model.kernel_size"], seeds=3, statuses={("model.kernel_size", 4, 1): "failed"})
    ax = rows(summarise(study.view, study.runs), study.runs, study.view.factors[0], TEST, Figure().subplots())
    assert [label.get_text() for label in ax.get_yticklabels()] == ["3", "4 (\u22121)", "5"]


def test_the_forest_has_a_row_a_level_but_the_baselines(make_study):
    study = make_study(["model.kernel_size", "model.activation"], seeds=5)
    levels = summarise(study.view, study.runs)
    ax = forest(levels, study.view, ax=Figure().subplots())
    assert [label.get_text() for label in ax.get_yticklabels()] == ["3", "4", "relu"]
    texts = [text.get_text() for text in ax.texts]
    assert texts.count("better") + texts.count("worse") + texts.count("undecided") == 3
    shown = levels[(levels["metric"] == "test_acc") & ~levels["is_baseline"]]["difference"]
    drawn = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    np.testing.assert_allclose(drawn, shown)


def test_the_forest_shows_the_line_at_0_and_leaves_room_for_numbers_of_what_is_off_the_scale(make_study):
    study = make_study(["optimizer.lr"], seeds=6)
    levels = summarise(study.view, study.runs)
    names = ["difference", "difference_low", "difference_high"]
    far = levels.copy()
    far[names] -= 3.0  # all of them: none is off the scale
    left, right = forest(far, study.view, ax=Figure().subplots()).get_xlim()
    assert left < -3 < 0 <= right
    one = levels.copy()
    one.loc[one["label"] == "1.0", names] = [-30.0, -31.0, -29.0]
    one.loc[one["label"] != "1.0", names] = [0.02, 0.01, 0.03]
    left, right = forest(one, study.view, ax=Figure().subplots()).get_xlim()
    assert -1 < left < 0 < right
    assert -left / (right - left) == pytest.approx(0.3), "the number at the edge ends before the line"


def test_mean_curves_are_means_of_complete_runs_at_each_epoch(make_study):
    study = make_study(["model.activation"], seeds=4, statuses={("model.activation", "relu", 0): "diverged"})
    means = mean_curves(study.runs, study.curves, study.view.factors[0], [TEST])
    row = means[(means["label"] == "relu") & (means["step"] == 3)].iloc[0]
    digests = study.runs[(study.runs["label"] == "relu") & (study.runs["seed"] > 0)]["digest"]
    values = study.curves[study.curves["digest"].isin(digests) & (study.curves["step"] == 3)]["test_acc"]
    assert row["n"] == 3
    assert row["mean"] == pytest.approx(values.mean())
    assert row["low"] < row["mean"] < row["high"]


def test_curves_draw_a_line_a_level_and_a_line_a_run(make_study):
    study = make_study(["train.epochs"], seeds=3)
    view = study.view.factors[0]
    assert len(level_curves(study.runs, study.curves, view, TEST, Figure().subplots()).lines) == 3
    ax = metric_curves(study.runs, study.curves, view, "50", ACCURACIES, Figure().subplots())
    assert len(ax.lines) == 2 * (3 + 1)
    assert ax.get_xlim()[1] == pytest.approx(50.15)


@pytest.mark.parametrize(
    ("means", "closer"),
    [
        ([0.957, 0.9763, 0.9745], False),  # with one left out, two are no picture
        ([0.1, 0.957, 0.9763, 0.9745], True),
        ([0.95, 0.957, 0.9763, 0.9745], False),
    ],
)
def test_a_closer_look_is_for_three_levels_and_more_that_one_far_off_presses_together(make_study, means, closer):
    study = make_study(["optimizer.lr"], seeds=2)
    view = factor(*range(len(means)))
    levels = pd.DataFrame({"metric": "test_acc", "mean": means, "label": [str(i) for i in range(len(means))]})
    (subject,) = subjects(study.view, summarise(study.view, study.runs), study.runs, study.curves)
    assert far_levels(replace(subject, factor=view, levels=levels)) is closer


def test_panels_of_metrics_with_other_steps_show_all_of_them_at_whole_numbers(make_study):
    study = make_study(["model.activation"], seeds=2)
    view = study.view.factors[0]
    curves = study.curves.copy()
    last = curves["step"].max()
    curves.loc[curves["step"] < last, "test_acc"] = np.nan  # one final value, as programs may report it
    upper, lower = Figure().subplots(2, 1, sharex=True)
    for ax, metric in zip((upper, lower), (METRICS["train_acc"], TEST), strict=True):
        level_curves(study.runs, curves, view, metric, ax)
    left, right = upper.get_xlim()
    assert left < curves["step"].min() < last < right
    alone = level_curves(study.runs, curves, view, TEST, Figure().subplots())
    assert [tick for tick in alone.get_xticks() if tick % 1] == []


@pytest.mark.parametrize(("ordered", "count"), [(False, 2), (False, 6), (False, 9), (True, 18)])
def test_no_two_levels_share_a_colour(ordered, count):
    assert len(set(colors(count, ordered=ordered))) == count


def test_no_text_of_a_figure_overlaps_another_or_leaves_the_page(make_study):
    study = make_study(
        ["train.batch_size", "model.activation", "optimizer.lr"],
        seeds=3,
        statuses={("optimizer.lr", 1.7, 0): "diverged", ("model.activation", "relu", 1): "failed"},
    )
    levels = summarise(study.view, study.runs)
    seen = []
    for drawing in _drawings(study, levels):
        settle(drawing.figure)
        drawing.figure.draw_without_rendering()
        renderer = FigureCanvasAgg(drawing.figure).get_renderer()
        texts = _texts(drawing.figure)
        boxes = {t.get_text() + str(i): t.get_window_extent(renderer).padded(-0.5) for i, t in enumerate(texts)}
        names = list(boxes)
        clashes = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if boxes[a].overlaps(boxes[b])]
        outside = [n for n, box in boxes.items() if box.x0 < 0 or box.x1 > drawing.figure.bbox.width]
        assert not clashes, drawing.name
        assert not outside, drawing.name
        seen.append(drawing.name)
    assert seen[0] == "forest"
    assert len(seen) == 7


def _drawings(study, levels):
    with styled():
        yield from (draw() for draw in study_drawers(study.view, levels))
        for subject in subjects(study.view, levels, study.runs, study.curves):
            yield from (draw() for draw in factor_drawers(subject))


def _texts(figure):
    """All texts that are drawn: not those of ticks beyond the limits, which matplotlib keeps."""
    hidden = set()
    for ax in figure.axes:
        for axis, (low, high) in ((ax.xaxis, sorted(ax.get_xlim())), (ax.yaxis, sorted(ax.get_ylim()))):
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                hidden.add(tick.label2)
                if not low <= tick.get_loc() <= high or not tick.label1.get_visible():
                    hidden.add(tick.label1)
    return [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible() and t not in hidden]


def test_the_scale_of_colours_is_that_of_matplotlib():
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    scale = colormaps["viridis"]
    places = [i / 999 for i in range(1000)]
    assert [viridis(place) for place in places] == [to_hex(scale(place)) for place in places]
