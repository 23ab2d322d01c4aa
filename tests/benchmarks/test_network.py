"""The command that measures a network of one's own, at a tiny size, on a copy of the example."""

import re
import shutil
from pathlib import Path

from benchmarks.network import main

EXAMPLE = Path(__file__).parents[2] / "examples" / "network"


def test_cohorts_are_measured_beside_the_networks_own_eager_loop(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(EXAMPLE, tmp_path / "copy")
    tiny = ["--channels", "2", "--batches", "8", "--members", "2", "--repeats", "2", "--seconds", "0.01"]
    assert main([*tiny, "--project", "copy", "--out", "network.md"]) == 0
    text = (tmp_path / "network.md").read_text()
    assert text in capsys.readouterr().out
    assert "How the engine trained it: stacked" in text
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "| 8 |" in line]
    loops = [row[2] for row in rows]
    assert loops == [
        "its own eager loop",
        "ablate, 1 alone",
        "ablate, 2 levels of one seed",
        "ablate, 2 seeds of one level",
    ]
    for _, _, _, rate, _, ratio, spread in rows:
        low, high = map(float, spread.split(" - "))
        assert low <= float(ratio) <= high
        assert float(re.sub(",", "", rate)) > 0
    assert rows[0][5] == "1.00"
