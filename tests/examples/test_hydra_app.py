"""A Hydra application of a usual layout, unmodified: planned, killed, resumed, judged, compared, and as a multirun."""

import json
import signal
import sys
import time

import pytest

FEWER = ["~study.factors.optimizer", "~study.factors.model", "study.factors.optimizer.lr=[0.003,0.1]"]
FEWER += ["epochs=3", "study.seeds=6"]
MULTIRUN = ["src/train.py", "-m", "hydra/sweeper=ablate", "hydra.sweep.dir=logs/sweep", "optimizer.lr=0.03,0.1"]
GRID = [*MULTIRUN, "seed=range(0,2)", "epochs=3"]


def test_the_example(example):
    app = example("hydra_app")
    assert "12 distinct: 0 in the store" in app.ablate("plan", "optimizers", *FEWER)
    before = app.killed("sweep", "optimizers", *FEWER, records=2)
    assert 2 <= len(before) < 12
    swept = app.ablate("sweep", "optimizers", *FEWER)
    assert f"12 runs: 12 complete, 0 diverged, 0 failed ({12 - len(before)} trained" in swept
    assert before.items() <= app.records().items()

    app.ablate("report", "optimizers", *FEWER)
    (folder,) = (path.parent for path in app.folder.glob("results/optimizers*/runs.csv"))
    (row,) = (
        row
        for row in app.rows(f"{folder.name}/runs.csv")
        if (row["config.config.optimizer.lr"], row["config.seed"]) == ("0.003", "5")
    )
    app.python("src/train.py", "optimizer.lr=0.003", "seed=5", "epochs=3", "hydra.run.dir=by_hand")
    *_, last = (app.folder / "by_hand" / "metrics.jsonl").read_text().splitlines()
    assert float(row["val_loss"]) == json.loads(last)["val_loss"]
    (verdict,) = json.loads((folder / "summary.json").read_text())["verdicts"]
    assert (verdict["id"], verdict["outcome"]) == ("rate", "supported")
    assert "Which optimizer, which rate" in (folder / "report.html").read_text()
    assert "24 of 24 values" in app.ablate("compare", str(folder / "runs.csv"), "results/ablate.db")

    (app.folder / "src" / "flowers" / "drawings.py").write_text("COLOUR = 'blue'\n")
    app.write("README.md", "irises", "flowers")
    assert "0 to train" in app.ablate("plan", "optimizers", *FEWER)
    app.write("src/flowers/optimizers.py", "- lr * gradient", "- 2 * lr * gradient")
    said = app.ablate("plan", "optimizers", *FEWER)
    assert "12 to train" in said
    assert "12 of these were trained with other code: flowers.optimizers (was " in said.replace("\n", " ")


@pytest.mark.parametrize(
    ("sent", "to_group", "ends"),
    [
        (signal.SIGINT, True, 130),  # Ctrl-C in a terminal
        (signal.SIGINT, False, 130),  # an editor's stop button
        (signal.SIGTERM, False, 130),
        (signal.SIGKILL, False, -signal.SIGKILL),
    ],
)
def test_a_multirun_of_the_example_is_interrupted_and_goes_on(example, sent, to_group, ends):
    app = example("hydra_app")
    code, before = app.stopped([sys.executable, *GRID], sent, records=1, to_group=to_group)
    assert code == ends
    while sent == signal.SIGKILL and app.processes():
        time.sleep(0.1)
    assert app.processes() == []
    assert app.leases() == 0
    before = app.records()
    assert 1 <= len(before) < 4
    done = app.python(*GRID)
    assert f"4 complete, 0 diverged, 0 failed ({4 - len(before)} trained" in done
    assert before.items() <= app.records().items()
    assert sorted(path.name for path in (app.folder / "logs" / "sweep").iterdir() if path.is_dir()) == list("0123")
    if to_group:
        assert "(0 trained" in app.python(*GRID)
