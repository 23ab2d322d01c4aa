"""One page, one word: the sections of a page say the same of a level as its table does."""

import numpy as np
import pandas as pd
import pytest

from ablate.images.metrics import METRICS
from ablate.report import FactorView, LevelView, StudyView
from ablate.report.answer import study_answer
from ablate.report.evidence import further_evidence
from ablate.report.findings import factor_findings
from ablate.report.summary import analyse_study, summarise
from ablate.report.what_matters import what_matters

WIDTH = "model.width"
NOISE = [0.10, -0.05, 0.13, 0.02, -0.11, 0.07, -0.09, -0.07]


def said(levels, *, baseline=None, metrics=("test_acc",), **others):
    """The page's words about one factor: answer, section, standings by level, evidence.

    Args:
        levels: By level its values, one a seed, in the first metric; a text is the status of a lost run.
        others: By further metric the same.
    """
    values = {metrics[0]: levels} | others
    baseline = next(iter(levels)) if baseline is None else baseline
    rows = [
        {
            **{"study": "s", "factor": WIDTH, "level": level, "label": str(level), "order": order, "seed": seed},
            **{"is_baseline": level == baseline, "digest": f"{order}/{seed}", "steps": 1, "seconds": 1.0, "engine": 1},
            "status": entry if isinstance(entry, str) else "complete",
            **{name: np.nan if isinstance(of[level][seed], str) else of[level][seed] for name, of in values.items()},
        }
        for order, (level, entries) in enumerate(levels.items())
        for seed, entry in enumerate(entries)
    ]
    metric = METRICS[metrics[0]]
    factor = FactorView(WIDTH, tuple(LevelView(level, str(level)) for level in levels), ordered=True)
    view = StudyView("s", (factor,), (*(METRICS[name] for name in others), metric))
    runs = pd.DataFrame(rows)
    analysis = analyse_study(view, runs)
    summary = summarise(view, runs, analysis)
    standing = {c.label: c.standing for c in analysis.comparisons if c.metric == metric.name}
    section = " ".join(factor_findings(view, factor, analysis))
    evidence = " ".join(further_evidence(factor, metric, analysis))
    return " ".join(study_answer(view, summary, analysis)), section, standing, evidence


def shifted(by, noise=NOISE):
    return [round(0.5 + by + one / 10, 6) for one in noise]


def test_what_the_table_leaves_undecided_no_section_calls_worse():
    base = [0.41, 0.38, 0.44, 0.40, 0.42, 0.39]
    less = [one - gap for one, gap in zip(base, (0.08, 0.11, 0.10, 0.09, 0.12, -0.02), strict=True)]
    answer, section, standing, _ = said({8: less, 16: base}, baseline=16)
    assert standing == {"8": "undecided"}
    assert "is open" in answer
    assert "worse" not in section
    assert section == (
        "16 has the best mean test accuracy; taking the noise to be normal, it is the best with a probability of "
        "over 99 %. Sign-flip tests, which do without that, do not tell it apart from 8."
    )


def test_the_best_level_is_alone_only_where_the_table_tells_it_from_the_baseline():
    base = [0.41, 0.38, 0.44, 0.40, 0.42, 0.39]
    more = [one + gap for one, gap in zip(base, (0.08, 0.11, 0.10, 0.09, 0.12, -0.02), strict=True)]
    answer, section, standing, _ = said({8: [one - 0.2 for one in base], 16: base, 32: more}, baseline=16)
    assert standing["32"] == "undecided"
    assert "no level is shown to beat the baseline" in answer
    assert "do not tell it apart from 16." in section
    assert "worse" not in section


def test_where_all_are_decided_the_section_says_so():
    _, section, standing, _ = said({8: shifted(-0.2), 16: shifted(0, NOISE[::-1]), 4: shifted(-0.3)}, baseline=16)
    assert set(standing.values()) == {"worse"}
    assert section.startswith("16 has the best mean test accuracy; taking the noise to be normal, it is the best with ")
    assert "Sign-flip tests show of every other level that it is not the best, each at 5 % by itself." in section


def test_a_level_that_is_never_read_is_identical_and_asked_about():
    answer, section, standing, evidence = said({32: shifted(0), 64: shifted(0)})
    assert standing == {"64": "identical"}
    assert answer == "Width: 64 is identical to the baseline (32) on every seed (8 seeds): is it read?"
    assert section == "All levels have the same test accuracy on every seed."
    assert "undecided" not in answer + section + evidence
    assert "shorter" not in evidence


def test_all_levels_identical():
    answer, section, standing, _ = said({16: shifted(0), 32: shifted(0), 64: shifted(0)})
    assert set(standing.values()) == {"identical"}
    assert answer == "Width: all levels are identical on every seed (8 seeds): is it read?"
    assert section == "All levels have the same test accuracy on every seed."


def test_identical_beside_others():
    answer, _, standing, _ = said({32: shifted(0), 64: shifted(0), 128: shifted(-0.1, NOISE[::-1])})
    assert standing == {"64": "identical", "128": "worse"}
    assert answer.startswith("Width: no level is shown to beat the baseline (32) in test accuracy. Worse: 128, by 0.1")
    assert (". 64 is identical to the baseline (32) on every seed (8 seeds): is it read? ") in answer
    assert "every other level is worse" not in answer
    better, *_ = said({32: shifted(0), 64: shifted(0), 128: shifted(0.1, NOISE[::-1])})
    assert "128 is the best in test accuracy: it beats the baseline (32) by 0.1" in better
    assert "64 is identical to the baseline (32) on every seed (8 seeds): is it read?" in better
    still, *_ = said({32: shifted(0), 64: shifted(0), 128: shifted(0.001, NOISE[::-1])})
    assert "64 is identical to the baseline (32) on every seed (8 seeds): is it read?" in still
    assert "The best mean is that of 128, which leads the baseline" in still


def test_levels_that_are_identical_to_each_other_alone():
    answer, _, standing, _ = said({32: shifted(0), 64: shifted(0.1, NOISE[::-1]), 128: shifted(0.1, NOISE[::-1])})
    assert standing == {"64": "better", "128": "better"}
    assert "64 and 128 are identical on every seed (8 seeds): are they read?" in answer


def test_what_another_metric_shows_to_be_read_is_not_asked_about():
    losses = {32: shifted(0), 64: shifted(0.1, NOISE[::-1])}
    answer, _, standing, _ = said({32: shifted(0), 64: shifted(0)}, test_loss=losses)
    assert standing == {"64": "identical"}
    assert answer.startswith(
        "Width: 64 and the baseline (32) have the same test accuracy on every seed (8 seeds). By test loss the verdict "
        "differs: 64 is worse than the baseline by 0.10"
    )
    assert "read" not in answer


@pytest.mark.parametrize("value", [0.1, 1.0])
def test_a_metric_that_is_the_same_in_every_run_says_nothing(value):
    answer, section, standing, _ = said({16: [value] * 6, 32: [value] * 5, 64: [value] * 6})
    assert answer == "Width: nothing can be said, as all runs have the same test accuracy, whatever the level and seed."
    assert section == "All levels have the same test accuracy on every seed."
    assert set(standing.values()) == {"undecided"}, "without spread there is no evidence that it is not read"


@pytest.mark.parametrize("lost", ["diverged", "failed", "missing"])
def test_lost_runs(lost):
    both = [lost, *shifted(0)[1:]]
    assert "64 is identical to the baseline (32) on every seed (7 seeds): is it read?" in said({32: both, 64: both})[0]
    answer, _, standing, _ = said({32: shifted(0), 64: both})
    assert ("identical" in answer) == (lost != "diverged"), "what diverges at one level only is read"
    assert standing["64"] == ("undecided" if lost == "diverged" else "identical")
    none = [lost] * 8
    assert "identical" not in said({32: none, 64: none})[0]


def test_a_value_that_is_no_number():
    values = [np.nan, *shifted(0)[1:]]
    assert "64 is identical to the baseline (32) on every seed (7 seeds)" in said({32: values, 64: values})[0]


def test_one_seed():
    answer, _, standing, _ = said({32: [0.5], 64: [0.5]})
    assert answer == (
        "Width: nothing can be said with one run of a level, as a difference may be luck: add seeds. "
        "64 and the baseline (32) have the same test accuracy on the one seed."
    )
    assert standing == {"64": "undecided"}


def test_the_table_of_what_matters_says_identical():
    rows = [
        {
            **{"factor": name, "label": "64", "metric": "test_acc", "is_baseline": False, "digits": 4},
            **{"difference": size, "difference_low": size, "difference_high": size, "standing": standing},
        }
        for name, size, standing in (("width", 0.0, "identical"), ("depth", -0.1, "undecided"))
    ]
    view = StudyView("s", (FactorView("width", ()), FactorView("depth", ())), (METRICS["test_acc"],))
    found = what_matters(view, pd.DataFrame(rows), pd.DataFrame())
    assert [(one.name, one.best, one.worst and one.worst.standing) for one in found.factors] == [
        ("depth", None, "undecided"),
        ("width", None, None),
    ]
