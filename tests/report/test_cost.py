"""The figure of accuracy against cost."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ablate.images.metrics import METRICS
from ablate.report import FactorView, LevelView, StudyView
from ablate.report.cost import against_cost, costs_of
from ablate.report.drawings import factor_drawers
from ablate.report.factor_figures_data import subjects
from ablate.report.summary import summarise

MEANS = {"lenet": (0.80, 60_000.0), "vgg": (0.90, 9_000_000.0), "resnet": (0.92, 11_000_000.0)}
NAMES = ("parameters", "train_acc", "test_acc")


def study():
    rows = []
    for order, (label, (accuracy, parameters)) in enumerate(MEANS.items()):
        for seed in range(6):
            rows.append(
                {
                    "study": "study",
                    "factor": "model",
                    "level": label,
                    "label": label,
                    "order": order,
                    "is_baseline": order == 0,
                    "seed": seed,
                    "digest": f"{label}{seed}",
                    "status": "complete",
                    "steps": 1,
                    "last_step": 1,
                    "parameters": parameters,
                    "train_acc": accuracy,
                    "test_acc": accuracy + 0.001 * seed,
                    "seconds": 2.0 + order + 0.1 * seed,
                }
            )
    factor = FactorView("model", tuple(LevelView(label, label) for label in MEANS))
    view = StudyView("study", (factor,), tuple(METRICS[name] for name in NAMES))
    runs = pd.DataFrame(rows)
    return view, runs, summarise(view, runs)


def test_a_point_a_level_at_its_mean_cost_and_mean_with_dots_of_single_runs():
    view, runs, levels = study()
    ax = Figure().subplots()
    assert against_cost(levels, runs, view.factors[0], view.metric, METRICS["parameters"], ax) is ax
    points = [line for line in ax.lines if line.get_marker() == "o"]
    assert [line.get_label() for line in points] == list(MEANS)
    np.testing.assert_allclose([line.get_xdata()[0] for line in points], [c for _, c in MEANS.values()])
    np.testing.assert_allclose([line.get_ydata()[0] for line in points], [a + 0.0025 for a, _ in MEANS.values()])
    assert [len(dots.get_offsets()) for dots in ax.collections] == [6, 6, 6]
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "parameters"


def test_a_study_with_costs_has_the_figure_and_none_of_its_other_figures_shows_them():
    view, runs, levels = study()
    curves = runs[["digest", *NAMES, "seconds"]].assign(step=1)
    (subject,) = subjects(view, levels, runs, curves)
    assert [metric.name for metric in subject.costs] == ["parameters", "seconds"]
    drawings = {drawing.name: drawing for drawing in (draw() for draw in factor_drawers(subject))}
    assert list(drawings) == ["model-levels", "model-cost"]
    assert "against parameters" in drawings["model-cost"].alt
    assert "arameters" not in drawings["model-levels"].alt
    labels = [ax.get_xlabel() for ax in drawings["model-cost"].figure.axes]
    assert labels == ["parameters", "time of a run (s)"]


def test_a_study_without_costs_has_none():
    view, _, _ = study()
    assert costs_of(StudyView("s", view.factors, (METRICS["train_acc"], METRICS["test_acc"]))) == ()
