"""The command that measures networks of everybody's own, at a tiny size."""

import re

import pytest
import torch

from benchmarks.gpu.cells import FULL
from benchmarks.machine import flop_per_sample
from benchmarks.networks import NETWORKS
from benchmarks.own_networks import CELLS, main


def test_cohorts_are_measured_beside_the_networks_own_eager_loop(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny = ["--models", "2", "--workers", "1", "--repeats", "2", "--seconds", "0.01", "--train-size", "200"]
    assert main(["--networks", "mlp", "--batches", "8", *tiny, "--out", "networks.md"]) == 0
    text = (tmp_path / "networks.md").read_text()
    assert text in capsys.readouterr().out
    assert "How cohorts trained: mlp, batch 8: " in text
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "| mlp |" in line]
    assert [row[2] for row in rows] == ["in memory, eager", "ablate, shared order", "ablate, own orders"]
    assert rows[0][5:7] == ["1.00", "-"]
    assert [row[6] for row in rows[1:]] == ["2", "2"]
    assert all(float(re.sub(",", "", row[3])) > 0 for row in rows)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_what_its_name_says(name):
    network = NETWORKS[name].build(1, (28, 28), 10).eval()
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert name in CELLS.keys() | FULL.networks.keys()
    products = {
        "two blocks": 16 * 9 * 28**2 + 32 * 16 * 9 * 14**2 + 32 * 49 * 10,
        "residual, 8 channels": 8 * 9 * 28**2 + 2 * 64 * 9 * (28**2 + 14**2 + 7**2) + 80,
        "mlp": 784 * 128 + 128 * 128 + 1280,
    }
    first = {"two blocks": 16 * 9 * 28**2, "residual, 8 channels": 8 * 9 * 28**2, "mlp": 784 * 128}
    if name in products:
        assert flop_per_sample(name) == 2 * (3 * products[name] - first[name])
