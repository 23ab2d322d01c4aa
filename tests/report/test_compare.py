import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from ablate.images.metrics import METRICS
from ablate.report import compare_runs, comparison_markdown, print_comparison

ALL = list(METRICS.values())


def test_the_same_runs_are_identical(make_study):
    runs = make_study(["model.kernel_size"], seeds=4).runs
    table = compare_runs(runs, runs.copy(), ALL)
    assert set(table["standing"]) == {"identical"}
    assert (table["identical"] == 4).all()
    assert set(table["metric"]) == {"train_loss", "train_acc", "test_acc"}


def test_differences_are_paired_over_the_seeds_of_both(make_study):
    study = make_study(["model.kernel_size"], seeds=8, statuses={("model.kernel_size", 3, 0): "diverged"})
    other = study.runs[study.runs["seed"] < 7].copy()
    noise = np.random.default_rng(3).normal(0.02, 0.002, len(other))
    other["test_acc"] += noise
    table = compare_runs(study.runs, other, [METRICS["test_acc"]]).set_index("setting")
    row = table.loc["model.kernel_size = 3"]
    added = noise[((other["label"] == "3") & (other["seed"] > 0)).to_numpy()]
    t = stats.ttest_1samp(added, 0.0).confidence_interval()
    assert (row["a_n"], row["b_n"], row["pairs"]) == (7, 6, 6)
    assert row["difference"] == pytest.approx(added.mean())
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((t.low, t.high))
    assert row["p"] == pytest.approx(2 / 2**6)
    assert table.loc["model.kernel_size = 5", "p"] == pytest.approx(2 / 2**7)
    assert table["p_holm"].tolist() == pytest.approx([3 * 2 / 2**7] * 3)
    assert set(table["standing"]) == {"better"}


def test_runs_files_are_matched_by_configuration(make_study):
    a = make_study(["model.kernel_size"], seeds=2).records[0]
    a = a.assign(**{"config.optimizer.lr": [0.1, 0.1, 0.5, 0.5, 0.9, 0.9], "config.seed": a["seed"]})
    a = a.drop(columns="seed").assign(**{"config.model": "lenet"})
    b = a[a["config.optimizer.lr"] < 0.9]
    table = compare_runs(a, b, [METRICS["train_acc"]])
    assert table["setting"].tolist() == ["optimizer.lr = 0.1", "optimizer.lr = 0.5", "optimizer.lr = 0.9"]
    assert table["standing"].tolist() == ["identical", "identical", "not in both"]


def test_what_cannot_be_matched_is_refused():
    with pytest.raises(ValueError, match="to match the runs by"):
        compare_runs(pd.DataFrame({"digest": [], "status": []}), pd.DataFrame({"digest": [], "status": []}), ALL)


def test_a_comparison_is_printed_whole(make_study):
    runs = make_study(["model.kernel_size"], seeds=3).runs
    table = compare_runs(runs, runs.assign(test_acc=runs["test_acc"] - 0.1), ALL)
    text = comparison_markdown(table, ALL, ("old", "new"))
    assert "| model.kernel\\_size = 3 |" in text
    assert text.count("| \u22120.1000 |") == 3
    out = io.StringIO()
    print_comparison(table, ALL, ("old", "new"), Console(file=out, width=160))
    assert out.getvalue().count("[\u22120.1000") == 3
