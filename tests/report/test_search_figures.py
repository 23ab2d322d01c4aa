"""The figures of a search that Optuna draws, for spaces of every size."""

import optuna
import pytest

from ablate.report import look
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
