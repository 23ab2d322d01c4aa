"""What matters most: a difference that is decided comes before one that is not, however large."""

import pandas as pd
import pytest

from ablate.images.metrics import METRICS
from ablate.report import FactorView, StudyView
from ablate.report.what_matters import what_matters


def ranked(effects, metric="test_acc"):
    """The factors in the order of the table, and its note.

    Args:
        effects: By factor its levels' differences and standings.
    """
    rows = [
        {
            **{"factor": factor, "label": str(place), "metric": metric, "is_baseline": False, "digits": 4},
            **{"difference": size, "difference_low": size - 1, "difference_high": size + 1, "standing": standing},
        }
        for factor, levels in effects.items()
        for place, (size, standing) in enumerate(levels)
    ]
    view = StudyView("s", tuple(FactorView(name, ()) for name in effects), (METRICS[metric],))
    found = what_matters(view, pd.DataFrame(rows), pd.DataFrame())
    return found.factors, found.note


@pytest.mark.parametrize(("metric", "sign"), [("test_acc", 1), ("test_loss", -1)])
def test_what_is_decided_comes_first_then_the_rest_each_by_its_largest_difference(metric, sign):
    effects = {
        "luck": [(0.9 * sign, "undecided")],
        "none": [(0.0025 * sign, "undecided")],
        "loss": [(-0.0765 * sign, "undecided")],
        "cost": [(-0.2 * sign, "worse")],
        "gain": [(0.01 * sign, "better")],
        "both": [(0.1 * sign, "better"), (0.3 * sign, "undecided"), (-0.1 * sign, "worse")],
    }
    factors, note = ranked(effects, metric)
    assert [one.name for one in factors] == ["cost", "both", "gain", "luck", "loss", "none"]
    assert [one.best and one.best.decided for one in factors] == [None, True, True, False, None, False]
    assert factors[1].best.level == "0", "a decided gain before a larger one that is not"
    assert note.startswith("Differences in")


def test_where_nothing_is_decided_it_is_said():
    undecided = {"a": [(0.0, "undecided")], "b": [(0.2, "undecided")]}
    factors, note = ranked(undecided)
    assert [one.name for one in factors] == ["b", "a"]
    assert note.startswith("Nothing is decided: no factor is shown to matter.")
    assert ranked(undecided | {"c": [(-0.1, "worse")]})[1].startswith("No factor is shown to gain anything.")


def test_what_is_exact_is_decided():
    factors, note = ranked({"width": [(0.0, "exact"), (0.5, "exact")], "depth": [(0.0, "exact"), (-0.2, "exact")]})
    assert [(one.name, one.best and one.best.level, one.worst and one.worst.level) for one in factors] == [
        ("width", "1", None),
        ("depth", None, "1"),
    ]
    assert note.startswith("Differences in")
