"""``ablate predict`` from training to classes, and what it refuses."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from ablate.cli import main
from ablate.images.config import FashionMNIST
from ablate.images.data import load
from ablate.images.engine.image_engine import ImageEngine
from ablate.images.run import RunConfig, parse_run
from ablate.task.engine import KeepsMore


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple:
    results = tmp_path_factory.mktemp("results")
    engine = ImageEngine("cpu", 1)
    assert isinstance(engine, KeepsMore)
    engine.keep("weights", str(results / "weights"))
    run: RunConfig = parse_run(
        {
            "data": {"name": "fashion_mnist", "train_size": 300, "test_size": 20},
            "train": {"epochs": 1, "batch_size": 50},
        }
    )
    engine.train([run], lambda step, members: None, {})
    images = load(FashionMNIST(test_size=20), torch.device("cpu"))
    files = []
    for index in range(2):
        files.append(results / f"{index}.png")
        Image.fromarray(images.test_images[index, 0].numpy()).save(files[-1])
    return results, run, files


def ablate(*words):
    return CliRunner().invoke(main, list(map(str, words)))


def test_pictures_get_classes_with_probabilities(trained):
    results, run, files = trained
    shown = ablate("predict", run.digest[:10], *files, "--results", results)
    assert shown.exit_code == 0, shown.output
    found = json.loads(ablate("predict", run.digest, *files, "--results", results, "--json").stdout)
    assert [entry["file"] for entry in found] == list(map(str, files))
    for entry in found:
        assert len(entry["probabilities"]) == 10
        np.testing.assert_allclose(sum(entry["probabilities"].values()), 1, rtol=1e-5)
        assert entry["probability"] == max(entry["probabilities"].values())
        assert entry["probabilities"][entry["class"]] == entry["probability"]


def test_files_that_are_no_pictures_are_named_together(trained):
    results, run, files = trained
    bad = results / "text.png"
    bad.write_text("no picture")
    shown = ablate("predict", run.digest, files[0], bad, results / "none.png", "--results", results)
    assert shown.exit_code == 2
    lines = shown.stderr.splitlines()
    assert len(lines) == 2
    assert "text.png: is no picture" in lines[0]
    assert "none.png: cannot be read" in lines[1]


def test_weights_that_were_not_kept(trained):
    results, _, files = trained
    shown = ablate("predict", "0123456789", *files, "--results", results)
    assert shown.exit_code == 2
    assert "its weights were not kept" in shown.stderr
