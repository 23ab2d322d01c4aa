"""The error rates that verdicts promise, by simulation; the full version is ``benchmarks/calibration.py``."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

PATH = Path(__file__).parents[2] / "benchmarks" / "calibration.py"


@pytest.fixture(scope="module")
def calibration():
    spec = importlib.util.spec_from_file_location("calibration", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def at_most(rate, simulations):
    """The share that a true rate exceeds once in ten thousand such simulations."""
    return stats.binom.ppf(0.9999, simulations, rate) / simulations


@pytest.mark.parametrize("name", ["normal", "gamma tail", "15 % bad seeds"])
@pytest.mark.parametrize("n", [5, 10])
def test_equal_levels_support_a_claim_in_at_most_five_percent(calibration, name, n):
    sample, _ = calibration.synthetic()[name]
    rates = calibration.supported_rates(sample, n, 200, np.random.default_rng(n))
    assert max(rates.values()) <= at_most(0.05, 200), rates
    others = calibration.other_rates(sample, n, 400, np.random.default_rng(n))
    assert max(others.values()) <= at_most(0.05, 400), others


@pytest.mark.parametrize("n", [5, 10])
def test_intervals_cover(calibration, n):
    for name, (sample, mean) in calibration.synthetic().items():
        covered = calibration.coverages(sample, mean, n, 2000, np.random.default_rng(n))
        assert covered["coverage: paired difference, t"] >= 0.93, name
        assert covered["coverage: mean"] >= (0.93 if name in ("normal", "gamma tail") else covered["coverage: mean, t"])
        assert covered["coverage: mean, t"] >= covered["coverage: mean, BCa"] - 0.01, name


def test_records_are_resampled_by_setting(calibration, tmp_path):
    columns = "digest,status,config.optimizer.lr,config.model.name,config.seed,test_acc"
    runs = [f"a{seed},complete,0.9,lenet,{seed},{0.8 + seed / 100}" for seed in range(6)]
    few = [f"b{seed},complete,1.3,lenet,{seed},{0.8 + seed / 100}" for seed in range(4)]
    constant = [f"c{seed},complete,0.0,lenet,{seed},0.1" for seed in range(5)]
    failed = ["d0,failed,0.9,lenet,6,"]
    for study in ("one", "two"):  # the same runs in both
        (tmp_path / study).mkdir()
        (tmp_path / study / "runs.csv").write_text("\n".join([columns, *runs, *few, *constant, *failed]))
    ((name, (sample, mean)),) = calibration.recorded(tmp_path, "test_acc").items()
    assert name == "baseline"
    assert mean == pytest.approx(0.825)
    drawn = sample(np.random.default_rng(0), (1000,))
    assert set(np.round(drawn, 2)) == {0.8, 0.81, 0.82, 0.83, 0.84, 0.85}
    table = calibration.table({name: (sample, mean)}, 3)
    assert table["seeds"].tolist() == [5, 10]
    assert pd.api.types.is_float_dtype(table["coverage: mean, t"])
    assert calibration.recorded(tmp_path / "nothing", "test_acc") == {}
