"""The figures of a search that Optuna draws, for spaces of every size."""

import optuna
import pytest

from ablate.report import figure_style as look
from ablate.report.search_figures import search_drawings


@pytest.mark.parametrize("factors", [1, 2, 3, 7])
def test_every_figure_can_be_drawn(factors):
    names = [f"optimizer.factor{i}" for i in range(factors)]
    space = {name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in names}
    study = optuna.create_study(direction="maximize")
    for number in range(6):
        params = {name: (number + 1) * (place + 2) % 7 / 7 for place, name in enumerate(names)}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=0.8 + number / 100))
    drawings = {drawing.name: look.png(drawing.figure) for drawing in search_drawings(study, names, ["val_acc"])}
    expected = {"search-history", "search-slices", "search-coordinates"}
    assert set(drawings) == (expected | {"search-contours"} if factors > 1 else expected)
    assert all(picture.startswith(b"\x89PNG") for picture in drawings.values())


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
    for drawing in search_drawings(study, ["optimizer.lr"], ["val_acc"]):
        assert "(2 far off left out)" in drawing.title
        if drawing.name == "search-history":
            points = next(c for c in drawing.figure.axes[0].collections if len(c.get_offsets()) > 1)
            assert points.get_offsets()[:, 0].tolist() == [0, 1, 3, 4, 5, 7, 8, 9]
        if drawing.name == "search-coordinates":
            continue
        ax = drawing.figure.axes[0]
        low, high = sorted(abs(end) for end in ax.get_ylim())
        assert 0.8 < low < 0.9
        assert high < 0.95
        if drawing.name == "search-slices":
            labels = [text.get_text() for text in ax.get_xticklabels(which="both") if text.get_text()]
            assert {"0.05", "0.1", "0.2"} <= set(labels)
            assert len(labels) < 9
