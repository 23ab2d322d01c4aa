"""A network, a data set and a metric of one's own: planned, killed, resumed, judged, compared; changed code is told."""

import json

FEWER = ["study.seeds=2", "train.compile=off", "workers=1", "~study.factors.model.skip", "cohort_size=2"]


def test_the_example(example):
    network = example("network")
    network.uses_torch()
    network.write("sweeps/blocks.yaml", "epochs: 3", "epochs: 1")
    assert "6 distinct: 0 in the store" in network.ablate("plan", "blocks", *FEWER)
    assert '"val_acc"' in network.ablate("plan", "best", "--json")
    before = network.killed("sweep", "blocks", *FEWER, records=2)
    assert 2 <= len(before) < 6
    swept = network.ablate("sweep", "blocks", *FEWER)
    assert f"6 runs: 6 complete, 0 diverged, 0 failed ({6 - len(before)} trained" in swept
    assert before.items() <= network.records().items()

    network.ablate("report", "blocks", *FEWER)
    (folder,) = (path.parent for path in network.folder.glob("results/blocks*/runs.csv"))
    rows = network.rows(f"{folder.name}/runs.csv")
    assert all(0 <= float(row["test_worst_recall"]) <= float(row["test_acc"]) for row in rows)
    (verdict,) = json.loads((folder / "summary.json").read_text())["verdicts"]
    assert verdict["outcome"] == "undecided", "two seeds decide nothing"
    assert "Does my residual network need its skips" in (folder / "report.html").read_text()
    assert "identical: 30 of 30 values" in network.ablate("compare", str(folder / "runs.csv"), "results/ablate.db")

    network.write("README.md", "tiles", "squares")
    (network.folder / "tiles" / "drawings.py").write_text("COLOUR = 'blue'\n")
    assert "0 to train" in network.ablate("plan", "blocks", *FEWER)
    network.write("tiles/residual.py", "F.relu(out if", "F.gelu(out if")
    said = network.ablate("plan", "blocks", *FEWER).replace("\n", " ")
    assert "6 to train" in said
    assert "6 of these were trained with other code: network small_resnet (tiles.residual (was " in said
