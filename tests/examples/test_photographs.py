"""Real colour photographs from files to predictions, at a small size."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from ablate.cli import main

EXAMPLE = Path(__file__).parents[2] / "examples" / "photographs"
SMALL = [
    "model=alexnet", "data.stored=48", "data.image_size=28", "study.seeds=1", "train.epochs=3", "train.batch_size=10",
    "optimizer.lr=0.03", "workers=1", "device=cpu", "keep=weights",
]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project") / "photographs"
    shutil.copytree(EXAMPLE, folder)
    subprocess.run([sys.executable, "photographs.py"], cwd=folder, check=True)
    return folder


def ablate(*words):
    shown = CliRunner().invoke(main, list(map(str, words)))
    assert shown.exit_code == 0, shown.output
    return shown.stdout


def test_tiles_of_a_photograph_never_overlap_and_are_in_colour(project):
    for name in ("cat", "china", "coffee", "flower", "rocket"):
        files = {
            part: {f.name for f in (project / "data/photographs" / part / name).iterdir()}
            for part in ("train", "val", "test")
        }
        assert [len(found) for found in files.values()] == [30, 10, 10]
        assert len(set.union(*files.values())) == 50
        with Image.open(project / "data/photographs/test" / name / min(files["test"])) as tile:
            assert (tile.mode, tile.size) == ("RGB", (48, 48))


def test_the_protocol_is_the_sources(project, monkeypatch):
    monkeypatch.chdir(project)
    shown = ablate("run", "sweeps=flowers", "--cfg", "job")
    for line in ("form: merged", "image_size: 224", "lr: 0.01", "epochs: 10", "init: xavier_uniform"):
        assert line in shown
    found = json.loads(ablate("plan", "flowers", "--json"))
    assert found["runs_distinct"] == 9


def test_photographs_are_trained_on_predicted_and_diagnosed(project, monkeypatch):
    monkeypatch.chdir(project)
    swept = json.loads(ablate("sweep", "flowers", *SMALL, "--json"))
    assert swept["sweep"]["complete"] == 3
    weights = min(Path("results/weights").glob("*.safetensors"))
    files = sorted(Path("data/photographs/test").glob("*/*.png"))
    found = json.loads(ablate("predict", weights.stem[:12], *files, "--json"))
    assert len(found) == 50
    assert set(found[0]["probabilities"]) == {"cat", "china", "coffee", "flower", "rocket"}
    right = sum(entry["class"] == Path(entry["file"]).parent.name for entry in found)
    told = json.loads(ablate("diagnose", weights.stem[:12], "--json", "--method", "saliency", "--pictures", 1))
    assert told["accuracy"] == pytest.approx(right / 50)
    assert "Why it errs" in Path(f"results/diagnoses/{weights.stem[:12]}/diagnosis.html").read_text()

    files[0].write_bytes(files[1].read_bytes())
    shown = CliRunner().invoke(main, ["diagnose", weights.stem[:12]])
    assert shown.exit_code == 2
    assert "no longer those that the run was trained on" in shown.stderr
