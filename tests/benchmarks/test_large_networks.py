"""The command that measures large networks, on the CPU at a tiny size."""

import json

import pytest

from benchmarks.large_networks import main

TINY = ["--device", "cpu", "--size", "64", "--batch", "2", "--samples", "4", "--seconds", "0.01", "--repeats", "1"]


@pytest.mark.slow
def test_every_network_is_measured_alone_in_cohorts_and_beside_torchvision(tmp_path, capsys):
    assert main([*TINY, "--networks", "resnet18", "--members", "1", "2", "--out", str(tmp_path / "out.json")]) == 0
    assert main([*TINY, "--networks", "alexnet", "--members", "1", "--precisions", "fp32"]) == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["facts"]["card"] == "CPU"
    loops = ["torchvision", "ablate, 1 together", "ablate, 2 together"]
    assert [(row["precision"], row["loop"]) for row in found["rows"]] == [
        (p, n) for p in ("fp32", "bf16") for n in loops
    ]
    assert all(value > 0 for row in found["rows"] for value in row["samples_per_second"])
    shown = capsys.readouterr().out
    assert shown.count("alexnet") == 2
    assert "x torchvision" in shown
