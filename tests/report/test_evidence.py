from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ablate.analyse.results import Course
from ablate.images.metrics import METRICS as M
from ablate.report import FactorView, LevelView, StudyView
from ablate.report.answers import answers
from ablate.report.evidence import further_evidence
from ablate.report.summary import analyse_study, summarise
from ablate.report.tables import sheets, wide


@pytest.fixture
def study():
    """Two levels that are alike but for shared noise, and one that is better on every seed."""
    generator = np.random.default_rng(0)
    shared, n = generator.normal(0, 0.02, 10), 10
    values = {level: 0.8 + shared + generator.normal(gain, 0.005, n) for level, gain in ((1, 0), (2, 0), (3, 0.02))}
    rows = [
        {
            **{"study": "s", "factor": "lr", "level": level, "label": str(level), "order": level, "seed": seed},
            **{"is_baseline": level == 1, "digest": f"{level}/{seed}", "status": "complete", "engine": 1},
            **{"seconds": 1.0, "test_acc": values[level][seed], "guess.test_acc": 0.1, "guess_samples.test_acc": 1e4},
        }
        for level in values
        for seed in range(n)
    ]
    levels = tuple(LevelView(level, str(level)) for level in values)
    view = StudyView("s", (FactorView("lr", levels),), (M["test_acc"],))
    runs = pd.DataFrame(rows)
    return view, runs, values


def test_the_fold_says_what_the_numbers_are(study):
    view, runs, values = study
    analysis = analyse_study(view, runs)
    added, pairing, other = further_evidence(view.factors[0], view.metric, analysis)
    alike, better = analysis.comparisons
    assert (alike.told_open_ended, better.told_open_ended) == (False, True)
    assert f"test accuracy: 3 (e ≥ {better.improvement.e:.3g})." in added
    correlations = [np.corrcoef(values[1], values[level])[0, 1] for level in (2, 3)]
    assert f"baseline's by {np.mean(correlations):.2f} (median of 2 levels)" in pairing
    assert f"are {100 * (1 - np.mean([alike.pairing, better.pairing])):.0f} % shorter than" in pairing
    mean = values[1].mean()
    assert f"of 1, {mean:.4f}, would move by {np.sqrt(mean * (1 - mean) / 1e4):.4f} (one" in other
    assert further_evidence(view.factors[0], M["test_loss"], analysis) == []


def test_without_evidence_it_says_how_far_it_is(study):
    view, runs, _ = study
    analysis = analyse_study(
        view, runs[(runs["level"] != 3) & (runs["seed"] < 4)].drop(columns="guess_samples.test_acc")
    )
    added, _, other = further_evidence(view.factors[0], view.metric, analysis)
    assert f"none (most: 2, e = {analysis.comparisons[0].improvement.e:.3g})" in added
    assert other.endswith("what other samples would give they do not say.")


def test_tables_and_data_have_the_probability_of_improvement(study):
    view, runs, values = study
    analysis = analyse_study(view, runs)
    levels = summarise(view, runs, analysis)
    share = float(np.mean(values[2] > values[1]))
    one = analysis.comparisons[0].improvement
    assert one.probability == pytest.approx(share)
    cell = f"{share:.2f} [{one.interval.low:.2f}, {one.interval.high:.2f}]"
    assert [row[-1] for row in sheets(view, levels)[1].rows] == [cell, "1.00 [0.72, 1.00]"]
    assert wide(view, levels)["test_acc_p_better"].tolist()[1:] == pytest.approx([share, 1.0])
    difference = answers(view, analysis, levels)["factors"]["lr"]["levels"][1]["metrics"]["test_acc"]["difference"]
    assert difference["p_better"] == pytest.approx(share)
    assert difference["p_better_interval"] == pytest.approx([one.interval.low, one.interval.high])
    assert (difference["e"], difference["told_open_ended"]) == (pytest.approx(one.e), False)
    assert difference["correlation"] == pytest.approx(np.corrcoef(values[1], values[2])[0, 1])


def test_a_study_with_looks_is_told_from_one_with_a_number_of_seeds(study):
    view, runs, _ = study
    analysis = analyse_study(view, runs)
    looked = replace(
        analysis, comparisons=tuple(replace(c, course=Course(2, 2, 10, "told")) for c in analysis.comparisons)
    )
    said = [further_evidence(view.factors[0], view.metric, one)[0] for one in (analysis, looked)]
    assert ["p and intervals of a number of seeds fixed" in text for text in said] == [True, False]
    assert ["standings of looks fixed" in text for text in said] == [False, True]
