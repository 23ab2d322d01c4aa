"""A program that knows nothing of us: planned, killed, resumed, reported and compared."""

import json
import subprocess
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

FEWER = ["study.seeds=3"]


def test_the_example(example):
    program = example("program")
    study = program.folder / "sweeps" / "momentum.yaml"
    study.write_text(study.read_text() + "steps: 100\n")  # quicker; on the command line it would be another protocol
    assert "15 distinct: 0 in the store" in program.ablate("plan", "momentum", *FEWER)
    before = program.killed("sweep", "momentum", *FEWER, records=2)
    assert 2 <= len(before) < 15
    swept = program.ablate("sweep", "momentum", *FEWER)
    assert f"15 runs: 15 complete, 0 diverged, 0 failed ({15 - len(before)} trained" in swept
    assert before.items() <= program.records().items()

    program.ablate("report", "momentum", *FEWER)
    (folder,) = (path.parent for path in program.folder.glob("results/momentum*/runs.csv"))
    rows = program.rows(f"{folder.name}/runs.csv")
    assert len(rows) == 15
    (row,) = (row for row in rows if (row["config.config.momentum"], row["config.seed"]) == ("0.9", "2"))
    log = program.folder.parent / "by_hand"
    command = [sys.executable, "train.py", "--momentum", "0.9", "--steps", "100", "--seed", "2", "--log-dir", log]
    subprocess.run(command, cwd=program.folder, check=True)
    events = EventAccumulator(str(log)).Reload()
    (*_, last) = events.Tensors("val/accuracy")
    assert last.step == 100
    assert float(row["val_acc"]) == pytest.approx(make_ndarray(last.tensor_proto).item())

    page = (folder / "report.html").read_text()
    assert "Does momentum help a small network" in page
    assert "Momentum 0.9 reaches a higher accuracy than none." in page
    assert "30 of 30 values" in program.ablate("compare", str(folder / "runs.csv"), "results/ablate.db")
    (verdict,) = json.loads((folder / "summary.json").read_text())["verdicts"]
    assert (verdict["id"], verdict["outcome"]) == ("momentum", "undecided"), "three seeds decide nothing"
    program.write("README.md", "A program", "A small program")
    with (program.folder / "train.py").open("a") as file:
        file.write("# a comment changes nothing\n")
    assert "0 to train" in program.ablate("plan", "momentum", *FEWER)
    with (program.folder / "train.py").open("a") as file:
        file.write("print('done')\n")
    said = program.ablate("plan", "momentum", *FEWER).replace("\n", " ")
    assert "15 to train" in said
    assert "15 of these were trained with other code: train.py (was " in said
    assert not program.log.exists(), program.log.read_text()
