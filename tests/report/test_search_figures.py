"""The figures of a search, for spaces of every size."""

import optuna
import pytest

from ablate.report import figure_style as look
from ablate.report.pictures import picture_of
from ablate.report.search_figures import search_drawings


def drawings_of(study, names, measures=("val_acc",), starts=None):
    with look.styled():
        return {
            drawing.name: (drawing, picture_of(drawing)) for drawing in search_drawings(study, names, measures, starts)
        }


@pytest.mark.parametrize("factors", [1, 2, 3, 7])
def test_every_figure_can_be_drawn(factors):
    names = [f"optimizer.factor{i}" for i in range(factors)]
    space = {name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in names}
    study = optuna.create_study(direction="maximize")
    for number in range(6):
        params = {name: (number + 1) * (place + 2) % 7 / 7 for place, name in enumerate(names)}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=0.8 + number / 100))
    drawn = drawings_of(study, names)
    assert list(drawn) == ["search-history", "search-slices"]
    slices = [ax for ax in drawn["search-slices"][0].figure.axes if ax.axison]
    assert [ax.get_xlabel() for ax in slices] == [f"factor{i}" for i in range(factors) if i != 5], (
        "the sixth has one value only"
    )
    for drawing, picture in drawn.values():
        assert picture.pixels.startswith(b"\x89PNG")
        assert "var(--muted)" in picture.svg, "the page, light or dark, gives its own colours"
        assert drawing.figure.get_size_inches()[0] == look.WIDTH


def test_the_line_is_the_best_so_far_and_starts_are_marked():
    study = optuna.create_study(direction="minimize")
    space = {"lr": optuna.distributions.CategoricalDistribution(["a", "b"])}
    for number, value in enumerate([3.0, 4.0, 2.0, 2.5]):
        params = {"lr": "ab"[number % 2]}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=value))
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    ax = drawings_of(study, ["lr"], starts={1: "start 1"})["search-history"][0].figure.axes[0]
    assert ax.lines[0].get_ydata().tolist() == [3.0, 3.0, 2.0, 2.0, 2.0]
    assert ax.lines[0].get_xdata()[-1] == 4
    own, given, lost = (c.get_offsets().tolist() for c in ax.collections)
    assert own == [[0, 3.0], [2, 2.0], [3, 2.5]]
    assert given == [[1, 4.0]]
    assert [x for x, _ in lost] == [4]


def test_two_objectives_have_a_front():
    study = optuna.create_study(directions=["maximize", "minimize"])
    space = {"lr": optuna.distributions.FloatDistribution(0.0, 1.0)}
    for value, cost in ((0.5, 1.0), (0.6, 2.0), (0.55, 3.0)):
        study.add_trial(optuna.trial.create_trial(params={"lr": value}, distributions=space, values=[value, cost]))
    ax = drawings_of(study, ["lr"], ["val_acc", "cost"])["search-pareto"][0].figure.axes[0]
    off, on = (c.get_offsets().tolist() for c in ax.collections)
    assert off == [[3.0, 0.55]]
    assert on == [[1.0, 0.5], [2.0, 0.6]]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_settings_that_learned_nothing_do_not_flatten_the_others(direction):
    sign = 1.0 if direction == "maximize" else -1.0
    study = optuna.create_study(direction=direction)
    space = {"optimizer.lr": optuna.distributions.FloatDistribution(0.02, 0.6, log=True)}
    for number, value in enumerate([0.90, 0.91, 0.1, 0.92, 0.915, 0.905, 0.1, 0.91, 0.9, 0.85]):
        trial = optuna.trial.create_trial(
            params={"optimizer.lr": 0.02 + number / 20}, distributions=space, value=sign * value
        )
        study.add_trial(trial)
    drawn = drawings_of(study, ["optimizer.lr"])
    for drawing, _ in drawn.values():
        assert "(2 far off left out)" in drawing.title
        low, high = sorted(abs(end) for end in drawing.figure.axes[0].get_ylim())
        assert 0.8 < low < 0.9
        assert high < 0.95
    points = drawn["search-history"][0].figure.axes[0].collections[0]
    assert points.get_offsets()[:, 0].tolist() == [0, 1, 3, 4, 5, 7, 8, 9]
    ax = drawn["search-slices"][0].figure.axes[0]
    labels = [text.get_text() for text in ax.get_xticklabels(which="both") if text.get_text()]
    assert {"0.05", "0.1", "0.2"} <= set(labels)
    assert len(labels) < 9
