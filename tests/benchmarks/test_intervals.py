"""The simulation of intervals in small, and the resampling of records."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.intervals import SEEDS, coverages, table
from benchmarks.markdown import markdown
from benchmarks.shapes import SHAPES, recorded


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_have_the_mean_and_spread_that_they_say(name):
    drawn = SHAPES[name].draw(np.random.default_rng(0), (400_000,))
    assert drawn.mean() == pytest.approx(SHAPES[name].mean, abs=4 * SHAPES[name].sd / 400_000**0.5)
    assert drawn.std() == pytest.approx(SHAPES[name].sd, rel=0.05)


@pytest.mark.parametrize("n", [5, 10])
def test_intervals_cover(n):
    for name, shape in SHAPES.items():
        covered = coverages(shape, n, 3000, np.random.default_rng(n))
        assert covered["difference"] >= 0.935, name
        assert covered["mean"] >= covered["t"] - 0.005, name
        assert covered["length"] <= 1.0, name
    assert coverages(SHAPES["normal"], n, 3000, np.random.default_rng(n))["mean"] >= 0.935


def test_records_are_resampled_by_setting(tmp_path):
    columns = "digest,status,config.optimizer.lr,config.model.name,config.seed,test_acc"
    runs = [f"a{seed},complete,0.9,lenet,{seed},{0.8 + seed / 100}" for seed in range(6)]
    few = [f"b{seed},complete,1.3,lenet,{seed},{0.8 + seed / 100}" for seed in range(4)]
    constant = [f"c{seed},complete,0.0,lenet,{seed},0.1" for seed in range(5)]
    failed = ["d0,failed,0.9,lenet,6,"]
    for study in ("one", "two"):  # the same runs in both
        (tmp_path / study).mkdir()
        (tmp_path / study / "runs.csv").write_text("\n".join([columns, *runs, *few, *constant, *failed]))
    ((name, shape),) = recorded(tmp_path, "test_acc").items()
    assert name == "baseline"
    assert shape.mean == pytest.approx(0.825)
    drawn = shape.draw(np.random.default_rng(0), (1000,))
    assert set(np.round(drawn, 2)) == {0.8, 0.81, 0.82, 0.83, 0.84, 0.85}
    assert table({name: shape}, 20)["seeds"].tolist() == list(SEEDS)
    assert recorded(tmp_path / "nothing", "test_acc") == {}


def test_a_frame_as_markdown():
    frame = pd.DataFrame({"seeds": [3, 5], "mean": [0.95, float("nan")]})
    assert markdown(frame, 2).splitlines()[2:] == ["| 3 | 0.95 |", "| 5 | \u2013 |"]
