"""A Python function: killed, resumed, judged; in the whole tree of processes nothing asks for PyTorch."""

import json
import subprocess
import sys

import pytest

BY_HAND = """
from trainer import Config, train
reported = {}
train(Config(learning_rate=0.3), 5, lambda step, values: reported.update({step: values}))
print(max(reported), reported[max(reported)]["val_loss"])
"""


def test_the_example_without_torch(example):
    function = example("function")
    assert "40 distinct: 0 in the store" in function.ablate("plan", "boosting")
    before = function.killed("sweep", "boosting", records=2)
    assert 2 <= len(before) < 40
    swept = function.ablate("sweep", "boosting")
    assert f"40 runs: 40 complete, 0 diverged, 0 failed ({40 - len(before)} trained" in swept
    assert before.items() <= function.records().items()

    function.ablate("report", "boosting")
    rows = function.rows("boosting/runs.csv")
    (row,) = (row for row in rows if (row["config.config.learning_rate"], row["config.seed"]) == ("0.3", "5"))
    done = subprocess.run(
        [sys.executable, "-c", BY_HAND], cwd=function.folder, capture_output=True, text=True, check=True
    )
    step, loss = done.stdout.split()
    assert step == "20"
    assert float(row["val_loss"]) == pytest.approx(float(loss))

    summary = json.loads((function.folder / "results" / "boosting" / "summary.json").read_text())
    assert [(verdict["id"], verdict["outcome"]) for verdict in summary["verdicts"]] == [("slow", "supported")]
    assert "How fast should trees be boosted" in (function.folder / "results" / "boosting" / "report.html").read_text()
    assert "80 of 80 values" in function.ablate("compare", "boosting", "results/boosting/runs.csv")

    function.write("tests/test_trainer.py", "import", "import sys\nimport")
    assert "0 to train" in function.ablate("plan", "boosting")
    function.write("trainer.py", "n_estimators=config.trees,", "n_estimators=config.trees + 1,")
    said = function.ablate("plan", "boosting").replace("\n", " ")
    assert "40 to train" in said
    assert "40 of these were trained with other code: trainer (was " in said
    assert not function.log.exists(), function.log.read_text()


def test_a_field_that_does_not_exist_is_told_before_anything_runs(example):
    function = example("function")
    wrong = function.folder / "sweeps" / "boosting.yaml"
    wrong.write_text(wrong.read_text().replace("subsample: [0.5, 0.8]", "subsamples: [0.5, 0.8]"))
    function.ablate("sweep", "boosting", code=2)
    assert not function.records()
