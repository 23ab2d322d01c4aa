"""Weights and correctness kept through worker processes, after a kill and a resumption; what pages show of them."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from ablate.cli import main
from ablate.images.diagnose.diagnosis import evaluated
from ablate.images.engine.predict import Predictor
from ablate.images.kept_weights import find_weights
from ablate.store import open_store
from ablate.task.correctness import load_correctness

ROOT = Path(__file__).parents[2]
SWEEP = [
    "sweep", "activation", "study.seeds=2", "data.train_size=600", "data.test_size=50", "train.batch_size=20",
    "workers=2", "cohort_size=1", "device=cpu", "keep=[weights,correctness]",
]  # fmt: skip


def start(folder, *words):
    command = [sys.executable, "-m", "ablate", *SWEEP, *words]
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def kept(folder):
    return {file.stem: file.stat().st_mtime_ns for file in (folder / "results" / "weights").glob("*.safetensors")}


def records(folder):
    with open_store(str(folder / "results" / "ablate.db"), read_only=True) as store:
        return {record.digest: record for record in store.all()}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep that was killed once the first weights lay there, and then started again until it was done."""
    folder = tmp_path_factory.mktemp("swept")
    killed = start(folder, "train.epochs=3")
    while killed.poll() is None and not kept(folder):
        try:
            killed.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    if killed.poll() is None:
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    there, stored = kept(folder), records(folder)
    assert start(folder, "train.epochs=3").wait() == 0, (folder / "log").read_text()
    return folder, there, stored


def test_every_run_of_a_sweep_keeps_its_weights_whatever_was_killed(swept):
    folder, there, stored = swept
    found, weights = records(folder), kept(folder)
    assert len(found) == 6
    assert set(weights) == set(found)
    assert {digest: weights[digest] for digest in stored} == {digest: there[digest] for digest in stored}
    assert not list((folder / "results" / "weights").glob(".*"))
    assert start(folder, "train.epochs=3").wait() == 0
    assert kept(folder) == weights


def test_what_runs_get_right_is_what_their_networks_say_and_is_reported(swept, monkeypatch):
    folder, _, _ = swept
    monkeypatch.chdir(folder)
    found = records(folder)
    right, faults = load_correctness(Path("results/correctness"), found, lambda d, metric: found[d].result.last(metric))
    assert (set(right), faults) == (set(found), ())
    for digest, bits in right.items():
        kept = find_weights(Path("results"), digest)
        _, pictures, labels = evaluated(kept.run)
        assert (bits.right == (Predictor(kept).shares(pictures).argmax(1).numpy() == labels)).all()
    words = [word for word in SWEEP[1:6] if "=" in word]
    shown = CliRunner().invoke(main, ["report", "activation", *words, "train.epochs=3", "--json"])
    (study,) = json.loads(shown.stdout)["studies"]
    ((_, factor),) = study["factors"].items()
    place = Path(study["folder"])
    table = {row["label"]: row for row in csv.DictReader((place / "table.csv").read_text().splitlines())}
    for level in factor["levels"]:
        one = level["metrics"]["test_acc"]["difference"]
        if one is None:
            continue
        assert one["samples"] == 50
        low, high = one["with_samples"]
        assert low <= one["interval"][0] <= one["value"] <= one["interval"][1] <= high
        row = table[level["label"]]
        ends = float(row["test_acc_with_samples_low"]), float(row["test_acc_with_samples_high"])
        assert ends == pytest.approx((low, high))
        for text in ((place / "report.html").read_text(), (place / "table.md").read_text()):
            assert "it was kept which of 50 samples each run gets right" in text
            assert f"[{low:.4f}, {high:.4f}] for both" in text.replace("\u2212", "-").replace("\\", "")
    damaged = Path("results/correctness") / f"{min(found)}.safetensors"
    sound = damaged.read_bytes()
    damaged.write_bytes(sound[:-1] + bytes([sound[-1] ^ 128]))
    shown = CliRunner().invoke(main, ["report", "activation", *words, "train.epochs=3", "--json"])
    (study,) = json.loads(shown.stdout)["studies"]
    assert any(f"{damaged}: is left out (is damaged" in text for text in study["warnings"])
    damaged.write_bytes(sound)


def test_they_are_the_weights_that_were_measured(swept, monkeypatch):
    folder, _, _ = swept
    monkeypatch.chdir(folder)
    for digest, record in records(folder).items():
        found = find_weights(Path("results"), digest)
        assert found.run.digest == digest
        _, pictures, labels = evaluated(found.run)
        shares = Predictor(found).shares(pictures)
        loss = torch.nn.functional.nll_loss(shares.log(), torch.as_tensor(labels)).item()
        assert loss == pytest.approx(record.result.curves[-1].values["test_loss"], rel=1e-4)


def test_the_page_of_a_study_shows_what_was_diagnosed(swept, monkeypatch):
    folder, _, _ = swept
    monkeypatch.chdir(folder)
    digest = min(records(folder))
    words = [word for word in SWEEP[1:6] if "=" in word]
    report = ["report", "activation", *words, "train.epochs=3"]
    shown = CliRunner().invoke(main, report)
    assert shown.exit_code == 0, shown.output
    (page,) = Path("results").glob("activation*/report.html")
    assert "Why it errs" not in page.read_text()
    shown = CliRunner().invoke(main, ["diagnose", digest[:12], "--method", "saliency", "--pictures", "1"])
    assert shown.exit_code == 0, shown.output
    assert CliRunner().invoke(main, report).exit_code == 0
    text = page.read_text()
    assert "Why it errs" in text
    assert f"../diagnoses/{digest[:12]}/diagnosis.html" in text
    assert (page.parent / f"../diagnoses/{digest[:12]}/diagnosis.html").exists()

    (Path("results") / "diagnoses" / digest[:12] / "diagnosis.json").write_text("{")
    shown = CliRunner().invoke(main, report)
    assert shown.exit_code == 2
    assert "is no diagnosis" in shown.stderr
