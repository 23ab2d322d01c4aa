import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from ablate.analyse import max_t
from ablate.images.metrics import METRICS
from ablate.report import compare_runs, comparison_json, comparison_markdown, print_comparison
from ablate.task.metric import Metric

ALL = list(METRICS.values())


def test_the_same_runs_are_identical(make_study):
    runs = make_study(["model.kernel_size"], seeds=4).runs
    found = compare_runs(runs, runs.copy(), ALL)
    table = found.settings
    assert found.outcome == "identical"
    assert set(found.pooled["standing"]) == {"identical"}
    assert set(table["standing"]) == {"identical"}
    assert (table["identical"] == 4).all()
    assert set(table["metric"]) == {"train_loss", "train_acc", "test_acc"}


def test_differences_are_paired_over_the_seeds_of_both(make_study):
    study = make_study(["model.kernel_size"], seeds=8, statuses={("model.kernel_size", 3, 0): "diverged"})
    other = study.runs[study.runs["seed"] < 7].copy()
    noise = np.random.default_rng(3).normal(0.02, 0.002, len(other))
    other["test_acc"] += noise
    found = compare_runs(study.runs, other, [METRICS["test_acc"]])
    table = found.settings.set_index("setting")
    row = table.loc["model.kernel_size = 3"]
    added = noise[((other["label"] == "3") & (other["seed"] > 0)).to_numpy()]
    assert (row["a_n"], row["b_n"], row["pairs"]) == (7, 6, 6)
    assert row["difference"] == pytest.approx(added.mean())
    by_seed = pd.Series(noise, index=other.index).groupby([other["label"], other["seed"]]).first().unstack()
    by_seed.loc["3", 0] = np.nan
    together = max_t.together(np.vstack([by_seed.loc[["3", "4", "5"]], by_seed.mean(), np.full((1, 7), np.nan)]))
    assert table["p"].tolist() == pytest.approx(together.p[:3])
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((together.low[0], together.high[0]))
    (pooled, _) = found.pooled.to_dict("records")
    assert (pooled["difference"], pooled["p"]) == pytest.approx((by_seed.mean().mean(), together.p[3]))
    assert (pooled["seeds"], pooled["settings"], pooled["standing"]) == (7, 3, "better")
    assert set(table["standing"]) == {"better"}
    assert found.outcome == "changed"
    assert found.ended["a"] == {"complete": 23, "diverged": 1}


def test_runs_files_are_matched_by_configuration(make_study):
    a = make_study(["model.kernel_size"], seeds=2).records[0]
    a = a.assign(**{"config.optimizer.lr": [0.1, 0.1, 0.5, 0.5, 0.9, 0.9], "config.seed": a["seed"]})
    a = a.drop(columns="seed").assign(**{"config.model": "lenet"})
    b = a[a["config.optimizer.lr"] < 0.9]
    table = compare_runs(a, b, [METRICS["train_acc"]]).settings
    assert table["setting"].tolist() == ["optimizer.lr = 0.1", "optimizer.lr = 0.5", "optimizer.lr = 0.9"]
    assert table["standing"].tolist() == ["identical", "identical", "not in both"]


def test_a_study_beside_a_file_of_runs_has_its_native_levels(make_study):
    study = make_study(["model.kernel_size"], seeds=2)
    runs = study.runs.assign(**{"config.size": study.runs["level"], "config.seed": study.runs["seed"]})
    found = compare_runs(runs, runs.drop(columns=["factor", "level", "label"]), [METRICS["test_acc"]])
    assert [(row["factor"], row["level"]) for row in comparison_json(found)["settings"]] == [
        ("model.kernel_size", size) for size in (3, 4, 5)
    ]


def test_what_cannot_be_matched_is_refused():
    with pytest.raises(ValueError, match="to match the runs by"):
        compare_runs(pd.DataFrame({"digest": [], "status": []}), pd.DataFrame({"digest": [], "status": []}), ALL)


def test_a_comparison_is_printed_whole(make_study):
    runs = make_study(["model.kernel_size"], seeds=3).runs
    found = compare_runs(runs, runs.assign(test_acc=runs["test_acc"] - 0.1), ALL)
    text = comparison_markdown(found, ALL, ("old", "new"))
    assert "| model.kernel\\_size = 3 |" in text
    assert text.count("| \u22120.1000 |") == 4  # and over all settings
    out = io.StringIO()
    print_comparison(found, ALL, ("old", "new"), Console(file=out, width=160))
    assert out.getvalue().count("[\u22120.1000") == 4
    narrow = io.StringIO()
    print_comparison(found, ALL, ("old", "results/new/runs.csv"), Console(file=narrow, width=80))
    assert max(map(len, narrow.getvalue().splitlines())) <= 80
    for whole in ("results/new/runs.csv", "model.kernel_size = 3", "95 % interval", "difference", "standing"):
        assert whole in narrow.getvalue(), "no word is broken"
    assert "With 3 seeds no change of values can be told from chance, however large: needs 6." in text


def test_a_small_change_at_every_setting_is_seen_over_all(make_study):
    runs = make_study(["model.kernel_size", "optimizer.lr"], seeds=8).runs
    noise = np.random.default_rng(0)
    of_setting = {key: noise.normal(-0.004, 0.01, 8) for key in zip(runs["factor"], runs["label"], strict=True)}
    change = [of_setting[row.factor, row.label][row.seed] for row in runs.itertuples()]
    found = compare_runs(runs, runs.assign(test_acc=runs["test_acc"] + change), [METRICS["test_acc"]])
    assert "worse" not in set(found.settings["standing"]) or found.outcome == "changed"
    by_seed = np.array(list(of_setting.values()))
    assert found.pooled["difference"][0] == pytest.approx(by_seed.mean())
    lowered = compare_runs(runs, runs.assign(test_acc=runs["test_acc"] - 0.05), [METRICS["test_acc"]])
    assert lowered.outcome == "changed"
    assert lowered.pooled["standing"].tolist() == ["worse", "identical"]
    assert (
        "test_acc is worse over all settings (difference \u22120.0500 [\u22120.0500, "
        in comparison_json(lowered)["says"]
    )


def test_runs_that_ended_otherwise_are_a_change(make_study):
    runs = make_study(["model.kernel_size"], seeds=8).runs
    gone = runs.assign(
        status=["diverged" if seed < 7 else status for seed, status in zip(runs["seed"], runs["status"], strict=True)]
    )
    found = compare_runs(runs, gone, ALL)
    assert (found.outcome, found.otherwise) == ("changed", 21)
    assert found.ended["b"] == {"complete": 3, "diverged": 21}
    lost = found.pooled.set_index("metric").loc["not_complete"]
    assert (lost["difference"], lost["standing"]) == (pytest.approx(7 / 8), "worse")
    assert json.dumps(comparison_json(found), allow_nan=False)


def test_two_sides_of_one_kind_are_called_changed_in_at_most_five_percent(make_study):
    runs = make_study(["model.kernel_size"], seeds=8).runs
    generator, changed = np.random.default_rng(0), 0
    for _ in range(100):
        sides = [runs.assign(test_acc=generator.normal(0.8, 0.01, len(runs))) for _ in "ab"]
        changed += compare_runs(*sides, [METRICS["test_acc"]]).outcome == "changed"
    assert changed <= stats.binom.ppf(0.9999, 100, 0.05)


def test_what_is_exact_is_compared_and_not_tested(make_study):
    """A number of parameters follows from the setting: no interval, no p, no other difference pays for it."""
    exact = Metric("parameters", "min", exact=True, low=0.0)
    runs = make_study(["model.kernel_size"], seeds=8).runs.assign(parameters=61_706.0)
    noise = np.random.default_rng(0).normal(0, 0.01, len(runs))
    changed = runs.assign(test_acc=runs["test_acc"] + noise)
    changed.loc[changed["label"] == "3", "parameters"] = 61_000.0
    alone = compare_runs(runs, changed, [METRICS["test_acc"]])
    found = compare_runs(runs, changed, [METRICS["test_acc"], exact])
    rows = found.settings[found.settings["metric"] == "parameters"].set_index("level")
    assert rows["standing"].to_dict() == {3: "exact", 4: "identical", 5: "identical"}
    assert rows.loc[3, "difference"] == -706
    assert rows[["p", "difference_low", "difference_high"]].isna().all(axis=None)
    pooled = found.pooled.set_index("metric").loc["parameters"]
    assert (pooled["standing"], pooled["difference"]) == ("exact", pytest.approx(-706 / 3))
    assert np.isnan([pooled["p"], pooled["difference_low"]]).all()
    same = found.settings[found.settings["metric"] == "test_acc"].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, alone.settings)
    assert found.outcome == "changed"
    text = comparison_markdown(found, [METRICS["test_acc"], exact])
    assert "| 61706 (8) | 61000 (8) | \u2212706 | \u2013 | \u2013 | 0 of 8 | exact |" in text
    assert "parameters is exact and another in 1 of 3 settings." in text
    level = comparison_json(found)["settings"][0]
    assert (level["factor"], level["level"]) == ("model.kernel_size", 3)
    random = changed.assign(parameters=runs["parameters"] + 1000 * noise)
    assert set(compare_runs(runs, random, [exact]).settings["exact"]) == {False}, "declared, but it is not"
