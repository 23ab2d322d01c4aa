import itertools

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from ablate.analyse import AnalysisError, importance
from ablate.analyse.importance import _balanced
from ablate.commands.studies import named, order
from ablate.images.metrics import METRICS as M
from ablate.report.joined_runs import frame_of_runs

GRID = "optimizer.lr x data.batch_size"
LEVELS = list(itertools.product((0.1, 0.5, 0.9), (16, 256)))


def grid(make_runs, effect, seeds=4, noise=0.01):
    generator = np.random.default_rng(0)
    values = {level: [effect(*level) + n for n in generator.normal(0, noise, seeds)] for level in LEVELS}
    return make_runs(values, factor=GRID)


def by_hand(runs):
    """Balanced two-way sums of squares with seeds as blocks, from cell means."""
    y = runs["test_acc"].to_numpy().reshape(3, 2, -1)
    total, grand = ((y - y.mean()) ** 2).sum(), y.mean()
    a, b, s = (y.mean(axis=axes) - grand for axes in ((1, 2), (0, 2), (0, 1)))
    cells = y.mean(axis=2) - grand - a[:, None] - b
    seeds = y.shape[2]
    squares = (2 * seeds * (a**2).sum(), 3 * seeds * (b**2).sum(), seeds * (cells**2).sum(), 6 * (s**2).sum())
    return np.array([*squares, total - sum(squares)]) / total


def test_shares_of_a_grid_are_the_sums_of_squares(make_runs):
    runs = grid(
        make_runs, lambda lr, batch: 0.5 + 0.1 * lr + (0.02 if batch == 16 else 0) + (0.05 * lr) * (batch == 16)
    )
    result = importance(runs, metric=M["test_acc"])
    shares = {term.factors: term.share for term in result.terms}
    lr, batch, both, seeds, residual = by_hand(runs)
    assert shares[("optimizer.lr",)] == pytest.approx(lr)
    assert shares[("data.batch_size",)] == pytest.approx(batch)
    assert shares[("optimizer.lr", "data.batch_size")] == pytest.approx(both)
    assert (result.seeds_share, result.residual_share) == pytest.approx((seeds, residual))
    assert sum(shares.values()) + seeds + residual == pytest.approx(1.0)
    assert result.terms[0].p < 1e-6
    assert (result.design, result.n) == ("grid", 24)


def test_a_factor_without_effect_has_no_share(make_runs):
    result = importance(grid(make_runs, lambda lr, batch: lr), metric=M["test_acc"])
    shares = {term.factors: term for term in result.terms}
    assert result.terms[0].factors == ("optimizer.lr",)
    assert shares[("optimizer.lr",)].share > 0.99
    assert shares[("optimizer.lr",)].spread == pytest.approx(np.std([0.1, 0.5, 0.9]), rel=0.05)
    assert shares[("data.batch_size",)].share < 0.01


def test_one_run_a_cell_leaves_the_interaction_in_the_residual(make_runs):
    result = importance(grid(make_runs, lambda lr, batch: lr, seeds=1), metric=M["test_acc"])
    assert {term.factors for term in result.terms} == {("optimizer.lr",), ("data.batch_size",)}
    assert "cannot be told from noise" in result.warnings[0]


def test_an_empty_cell_is_refused(make_runs):
    runs = grid(make_runs, lambda lr, batch: lr)
    with pytest.raises(AnalysisError, match="1 of 6 combinations have no run"):
        importance(runs[runs["order"] != 2], metric=M["test_acc"])


def test_a_diverged_cell_counts_at_chance(make_runs):
    runs = grid(make_runs, lambda lr, batch: lr)
    runs.loc[runs["order"] == 5, ["status", "test_acc"]] = ["diverged", np.nan]
    assert "4 diverged run(s)" in importance(runs, metric=M["test_acc"]).warnings[0]


def test_unequal_cells_are_said_to_be(make_runs):
    runs = grid(make_runs, lambda lr, batch: lr)
    assert "unequal numbers" in importance(runs.iloc[1:], metric=M["test_acc"]).warnings[0]


def test_factors_one_at_a_time(make_runs):
    base = [0.80, 0.81, 0.79, 0.80]
    strong = make_runs({1: base, 2: [v + 0.1 for v in base[::-1]]}, factor="strong", baseline=1)
    weak = make_runs({1: base, 2: [0.79, 0.80, 0.81, 0.80]}, factor="weak", baseline=1)
    result = importance(pd.concat([weak, strong]), metric=M["test_acc"])
    assert [term.factors for term in result.terms] == [("strong",), ("weak",)]
    y = strong["test_acc"].to_numpy()
    means = y.reshape(2, 4).mean(axis=1)
    expected = 4 * ((means - y.mean()) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert result.terms[0].share == pytest.approx(expected)
    assert (result.design, result.residual_share) == ("one-at-a-time", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs.assign(test_acc=0.5), "no variance"),
        (lambda runs: runs.assign(test_acc=runs["order"] * 0.1), "no noise"),
        (lambda runs: runs[runs["level"].map(lambda level: level[1] == 16)], "two factors with at least two levels"),
    ],
)
def test_a_grid_that_cannot_carry_it_is_refused(make_runs, change, message):
    with pytest.raises(AnalysisError, match=message):
        importance(change(grid(make_runs, lambda lr, batch: lr)), metric=M["test_acc"])


def test_designs_without_shares_are_refused(make_runs):
    single = make_runs({1: [0.8, 0.9], 2: [0.7, 0.8]}, baseline=1)
    with pytest.raises(AnalysisError, match="this study has one"):
        importance(single, metric=M["test_acc"])
    with pytest.raises(AnalysisError, match="not both"):
        importance(pd.concat([single, grid(make_runs, lambda lr, batch: lr)]), metric=M["test_acc"])
    with pytest.raises(AnalysisError, match="exactly one baseline"):
        importance(pd.concat([make_runs({1: [0.8, 0.9], 2: [0.7, 0.8]}, factor="b"), single]), metric=M["test_acc"])


@pytest.mark.parametrize("interactions", [True, False])
def test_the_closed_form_for_balanced_designs_is_that_of_statsmodels(interactions):
    generator = np.random.default_rng(1)
    factors = ["f0", "f1", "f2"]
    data = pd.DataFrame(itertools.product(range(3), range(2), range(4), range(5)), columns=[*factors, "seed"])
    data["y"] = 0.1 * data["f0"] + 0.05 * data["f1"] * data["f2"] + 0.02 * data["seed"]
    data["y"] += generator.normal(0, 0.1, len(data))
    data = data.sample(frac=1.0, random_state=1)
    total = float(((data["y"] - data["y"].mean()) ** 2).sum())
    ours = _balanced({name: data[name].to_numpy() for name in data}, factors, interactions, total)
    formula = "(C(f0) + C(f1) + C(f2))" + ("**2" if interactions else "")
    theirs = anova_lm(ols(f"y ~ {formula} + C(seed)", data=data).fit(), typ=2)
    assert ours.keys() == set(theirs.index)
    expected = theirs[["sum_sq", "df", "F", "PR(>F)"]].to_numpy()
    np.testing.assert_allclose([ours[source] for source in theirs.index], expected, rtol=1e-8)


def test_a_planned_grid_is_told_apart_into_its_factors():
    wanted = order(named(["lr"], ["study.design=grid", "optimizer.lr=0.1,0.5", "model.pooling=avg,max"]))
    runs = frame_of_runs(wanted.plan, {})
    generator = np.random.default_rng(0)
    runs["status"], runs["test_acc"] = "complete", 0.8 + 0.1 * (runs["config.optimizer.lr"] == 0.5).astype(float)
    runs["test_acc"] += generator.normal(0, 0.01, len(runs))
    terms = importance(runs, metric=M["test_acc"]).terms
    assert {term.factors for term in terms} == {
        ("optimizer.lr",),
        ("model.pooling",),
        ("optimizer.lr", "model.pooling"),
    }
    assert terms[0].factors == ("optimizer.lr",)
