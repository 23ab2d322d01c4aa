"""The answer, a few sentences a factor: what it says follows from the numbers that the study was made of."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablate.analyse.results import Best, LevelChance
from ablate.images.metrics import METRICS
from ablate.report import FactorView, LevelView, StudyView
from ablate.report.answer import study_answer
from ablate.report.findings import factor_findings
from ablate.report.summary import analyse_study, summarise

NOTHING = {"identical": (), "description": SimpleNamespace(levels=())}


def sentence(
    means,
    *,
    seeds=10,
    sd=0.002,
    baseline=None,
    path="optimizer.lr",
    label="learning rate",
    guess=None,
    fewer=None,
    metric="test_acc",
    other=None,
    design="one-at-a-time",
):
    """The answer of a study of one factor, and the values of its levels by seed, [levels, seeds].

    Args:
        fewer: Seeds of levels that have not all.
        other: Means of the test loss, which is measured, too.
    """
    random = np.random.default_rng(0)
    noise = random.normal(0, sd, (len(means), seeds))
    values = np.array(list(means.values()))[:, None] + noise - noise.mean(axis=1, keepdims=True)
    rows = [
        {
            **{"study": "s", "factor": path, "level": level, "label": name(level), "order": order, "seed": seed},
            **{"is_baseline": level == baseline, "digest": f"{order}/{seed}", "status": "complete", "steps": 1},
            **{metric: values[order, seed], "seconds": 1.0, "engine": 1},
            **({} if other is None else {"test_loss": other[level] + noise[order, seed]}),
            **({} if guess is None else {"guess.test_acc": guess, "guess_samples.test_acc": 10_000.0}),
        }
        for order, level in enumerate(means)
        for seed in range((fewer or {}).get(level, seeds))
    ]
    numbers = all(isinstance(level, float | int) for level in means)
    levels = tuple(LevelView(level, name(level)) for level in means)
    metrics = (METRICS["test_loss"], METRICS[metric]) if other else (METRICS[metric],)
    view = StudyView("s", (FactorView(path, levels, label=label, ordered=numbers),), metrics, design=design)
    runs = pd.DataFrame(rows)
    analysis = analyse_study(view, runs)
    (text,) = study_answer(view, summarise(view, runs, analysis), analysis)
    return text, values


def name(level):
    return (
        ", ".join(f"{k} {v}" for k, v in zip(("lr", "batch"), level, strict=True))
        if isinstance(level, tuple)
        else str(level)
    )


def test_where_levels_have_unequal_seeds_the_best_mean_is_that_on_the_seeds_they_share():
    means = {0.9: 0.80, 1.2: 0.812, 1.7: 0.813}
    text, values = sentence(means, baseline=0.9, seeds=16, fewer={1.2: 10})
    best = list(means)[values[:, :10].mean(axis=1).argmax()]
    assert values.mean(axis=1).argmax() == 2 != list(means).index(best)
    assert f" The best mean on the 10 seeds that all levels share is that of {best}, which leads the baseline" in text


def test_a_level_of_a_leave_one_out_study_is_named_by_what_it_lacks():
    means = {"nothing": 0.8, "ReLU": 0.6, "crops": 0.83, "all": 0.5}
    text, _ = sentence(means, baseline="nothing", path="without", label="without", design="leave-one-out")
    assert text.startswith(
        "Without: all but crops is the best in test accuracy: it beats the baseline (all parts) by 0.0"
    )
    assert "Worse: all but ReLU and none of them, by 0." in text
    assert "nothing" not in text


def test_the_section_of_a_leave_one_out_study_names_levels_alike():
    labels = {"nothing": "nothing (baseline)", "ReLU": "ReLU", "crops": "crops"}
    factor = FactorView("without", tuple(LevelView(*level) for level in labels.items()))
    view = StudyView("s", (factor,), (METRICS["test_acc"],), design="leave-one-out")
    chances = tuple(
        LevelChance(value, label, order, 0.8, 0.9 if value == "crops" else 0.05, 1.0, value != "ReLU")
        for order, (value, label) in enumerate(labels.items())
    )
    best = Best("s", "without", "test_acc", 6, chances, "crops", ("nothing (baseline)", "crops"))
    found = SimpleNamespace(best=(best,), comparisons=(), verdicts=(), trends=(), **NOTHING)
    assert factor_findings(view, factor, found) == [
        "all but crops has the best mean test accuracy; taking the noise to be normal, it is the best with a "
        "probability of 90 %. Sign-flip tests, which do without that, do not tell it apart from all parts."
    ]


def ends_of(text):
    return [float(end.replace("\u2212", "-")) for end in text.partition("interval [")[2].partition("]")[0].split(", ")]


def test_levels_between_which_it_is_open_beat_the_baseline_and_the_best_is_at_the_edge():
    means = {0.1: 0.6, 0.9: 0.80, 1.2: 0.8119, 1.5: 0.8120, 1.7: 0.8122}
    text, values = sentence(means, baseline=0.9)
    beaten, lead, which, worse, edge = text.split(". ")
    assert beaten == "Learning rate: 1.2 to 1.7 beat the baseline (0.9) in test accuracy, by 0.0119 to 0.0122"
    assert lead.startswith("The best mean is that of 1.7, which leads the baseline by 0.0122 (95 % interval [")
    assert lead.endswith("10 seeds)")
    low, high = stats.t.interval(0.95, 9, 0.0122, stats.sem(values[-1] - values[1]))
    ends = ends_of(lead)
    assert ends[0] < low < high < ends[1], "of all levels together"
    assert which == "Which of 1.2 to 1.7 is the best is open"
    assert worse.startswith("Worse: 0.1, by 0.2000 (95 % interval [0.1")
    assert edge == "The best mean, 1.7, is at the edge of the range: try larger values."


def test_one_level_that_is_better():
    text, _ = sentence({0.1: 0.7, 0.3: 0.8}, baseline=0.1)
    assert text.startswith(
        "Learning rate: 0.3 beats the baseline (0.1) in test accuracy, by 0.1000 (95 % interval [0.0"
    )
    assert "edge" not in text, "any of two levels is at an edge"
    text, _ = sentence({0.1: 0.7, 0.3: 0.8, 0.9: 0.6}, baseline=0.1)
    assert "0.3 is the best in test accuracy: it beats the baseline (0.1) by 0.1000 (95 % interval [0.0" in text
    assert "edge" not in text


def test_the_best_of_several_that_are_better():
    text, _ = sentence({"a": 0.7, "b": 0.8, "ReLU": 0.75}, baseline="a")
    assert "b and ReLU beat the baseline (a) in test accuracy, by 0.0500 to 0.1000. The best is b, which leads" in text
    text, _ = sentence({"a": 0.7, "b": 0.75, "ReLU": 0.75}, baseline="a")
    assert "Which of b and ReLU is the best is open." in text


def test_the_smallest_is_an_edge_too():
    text, _ = sentence({1: 0.9, 2: 0.8, 4: 0.7}, baseline=2)
    assert text.endswith("The best mean, 1, is at the edge of the range: try smaller values.")


def test_an_edge_among_the_alike_is_said():
    text, _ = sentence({0.1: 0.7, 0.3: 0.8001, 0.9: 0.8}, baseline=0.1)
    assert "The best mean is that of 0.3" in text
    assert text.endswith(". 0.9, at the edge of the range, may be the best, too.")


def test_a_baseline_that_is_the_best():
    text, _ = sentence({"avg": 0.8, "max": 0.7, "none": 0.75}, baseline="avg", label="pooling")
    assert text.startswith(
        "Pooling: the baseline (avg) is the best in test accuracy: every other level is worse, "
        "the nearest, none, by 0.0500 (95 % interval [0.04"
    )
    assert "edge" not in text
    text, _ = sentence({"avg": 0.8, "max": 0.7}, baseline="avg", label="pooling")
    assert text.startswith("Pooling: the baseline (avg) beats max in test accuracy, by 0.1000 (95 % interval [0.0")


def test_nothing_can_be_told():
    text, _ = sentence({0.1: 0.8, 0.3: 0.8, 0.9: 0.8}, sd=0.05, baseline=0.3)
    assert text.startswith("Learning rate: no level is shown to beat the baseline (0.3) in test accuracy. The best m")
    assert "has the same mean as the baseline, undecided (95 % interval [" in text
    low, high = ends_of(text)
    assert low < 0 < high


def test_of_two_levels_it_is_open_and_how_many_seeds_would_settle_it():
    text, _ = sentence({0.1: 0.8, 0.3: 0.82}, sd=0.03, seeds=6, baseline=0.1)
    assert text.startswith(
        "Learning rate: whether 0.3 or the baseline (0.1) is better in test accuracy is open: 0.3 leads the "
    )
    assert "6 seeds; about " in text
    assert "edge" not in text, "any of two levels is at an edge"


@pytest.mark.parametrize("better", [0.1, 0.3])
def test_a_lead_in_a_loss_has_the_direction_of_its_interval(better):
    means = {0.1: 0.5, 0.3: 0.5} | {better: 0.4}
    text, _ = sentence(means, baseline=0.1, metric="test_loss")
    leads = text.partition(", by ")[2]
    low, high = ends_of(text)
    assert float(leads[:6]) == 0.1
    assert 0 < low < 0.1 < high
    assert f"{better} beats " in text or f"({better}) beats " in text


def test_another_metric_that_decides_otherwise_is_told_and_one_that_agrees_is_not():
    means = {0.1: 0.8, 0.3: 0.8, 0.9: 0.7}
    text, _ = sentence(means, baseline=0.1, sd=0.01, other={0.1: 0.5, 0.3: 0.4, 0.9: 0.9})
    *_, other = text.split(". By ")
    assert other.startswith("test loss the verdict differs: 0.3 is better than the baseline by 0.10")
    assert " nats (95 % interval [" in other
    assert "0.9" not in other, "worse by both"
    text, _ = sentence(means, baseline=0.1, sd=0.01, other={0.1: 0.5, 0.3: 0.5, 0.9: 0.9})
    assert "verdict" not in text


def test_without_a_baseline_the_means_are_told():
    text, values = sentence({"a": 0.8, "b": 0.7}, label="kind")
    low, high = stats.t.interval(0.95, 9, 0.8, stats.sem(values[0]))
    assert text == (
        f"Kind: a is the best in test accuracy, with a mean of 0.8000 "
        f"(95 % interval [{low:.4f}, {high:.4f}], 10 seeds)."
    )


def test_many_combinations_are_counted_and_few_levels_are_named():
    means = {(lr, batch): 0.7 + lr / 10 - batch / 1000 for lr in (0.1, 0.5, 0.9) for batch in (32, 64, 128)}
    text, _ = sentence(means, baseline=(0.5, 64), path="optimizer.lr x train.batch_size", label="rate and batch")
    assert text.startswith(
        "Rate and batch: lr 0.5, batch 32; lr 0.9, batch 32 and lr 0.9, batch 64 beat the baseline (lr 0.5, batch 64) "
    ), text
    assert " Worse: 5 of the 9 levels, by 0.0" in text
    assert "other levels" not in text
    alike, _ = sentence(dict.fromkeys(means, 0.8), path="optimizer.lr x train.batch_size", sd=0.05, label="both")
    assert alike.startswith("Both: which of the 9 levels is the best in test accuracy is open.")


def test_a_level_called_baseline_is_not_named_twice():
    text, _ = sentence({"baseline": 0.7, "best 1": 0.9}, baseline="baseline", label="setting")
    assert text.startswith("Setting: best 1 beats the baseline in test accuracy, by 0.2"), text


def test_a_combination_at_an_edge_names_the_part_that_is():
    means = {(lr, batch): 0.7 + lr / 10 - abs(batch - 64) / 1000 for lr in (0.1, 0.2, 0.3) for batch in (32, 64, 128)}
    text, _ = sentence(means, path="optimizer.lr x train.batch_size", label="")
    assert "lr 0.3, batch 64 is the best" in text
    assert text.endswith(" Of the best mean, lr 0.3 is at the edge of the range: try larger values.")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": 1}, "nothing can be said with one run of a level"),
        ({"guess": 0.8, "sd": 1e-4}, "nothing can be said, as no run has learned anything"),
    ],
)
def test_nothing_to_say(options, words):
    assert words in sentence({0.1: 0.8, 0.3: 0.8}, baseline=0.1, **options)[0]


@pytest.mark.parametrize("at_end", [True, False])
def test_a_trend_is_said_where_the_best_level_is_at_its_end(at_end, make_study):
    study = make_study(["optimizer.lr"], seeds=3)
    factor, metric = study.view.factors[0], study.view.metric.name
    (best,) = [b for b in analyse_study(study.view, study.runs).best if b.metric == metric]
    labels = ("low", best.best) if at_end else (best.best, "high")
    trend = SimpleNamespace(direction="rising", labels=labels, tau=0.6, p_rising=0.001, p_falling=1.0)
    trend.factor, trend.metric = factor.path, metric
    found = SimpleNamespace(best=(best,), comparisons=(), verdicts=(), trends=(trend,), **NOTHING)
    assert ("rises on the whole" in " ".join(factor_findings(study.view, factor, found))) == at_end
