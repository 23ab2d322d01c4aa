"""``ablate diagnose`` from training to page, and what it refuses."""

import json
import re

import pytest
from click.testing import CliRunner
from PIL import Image
from sklearn.metrics import precision_recall_fscore_support

from ablate.cli import main
from ablate.images.diagnose.diagnosis import evaluated
from ablate.images.engine.image_engine import ImageEngine
from ablate.images.engine.predict import Predictor
from ablate.images.kept_weights import find_weights
from ablate.images.run import parse_run

SEEDS = (0, 1, 2)


def run_of(seed=0, protocol="article", size=28, **model):
    return parse_run(
        {
            "model": {"name": "lenet", **model},
            "data": {"name": "fashion_mnist", "train_size": 300, "test_size": 60, "val_size": 40, "protocol": protocol},
            "optimizer": {"name": "sgd", "lr": 0.3},
            "train": {"epochs": 1, "batch_size": 50},
            "seed": seed,
        }
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    engine = ImageEngine("cpu", 1)
    engine.keep("weights", str(results / "weights"))
    for activation in ("relu", "sigmoid"):
        engine.train([run_of(seed, activation=activation) for seed in SEEDS], lambda step, members: None, {})
    engine.train([run_of(protocol="holdout")], lambda step, members: None, {})
    return results


def diagnose(results, run, *words):
    return CliRunner().invoke(main, ["diagnose", run.digest[:14], *map(str, words), "--results", str(results)])


def test_numbers_are_those_of_the_run_and_scikit_learns(results):
    run = run_of(activation="relu")
    shown = diagnose(results, run, "--json", "--method", "grad_cam", "--pictures", 2)
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    kept = find_weights(results, run.digest)
    part, pictures, labels = evaluated(kept.run)
    predicted = Predictor(kept).shares(pictures).argmax(1).numpy()
    assert (found["part"], found["samples"], part) == ("test", 60, "test")
    assert found["accuracy"] == pytest.approx((predicted == labels).mean())
    expected = precision_recall_fscore_support(labels, predicted, labels=range(10), zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        assert [one[name] or 0.0 for one in found["classes"]] == pytest.approx(list(values))
    assert sum(map(sum, found["confusion"])) == 60
    assert 0 <= found["calibration"]["ece"] <= found["calibration"]["mce"] <= 1
    assert len(found["worst"]) == 2
    assert list(found["randomised"]) == ["grad_cam"]
    assert [stage["layer"] for stage in found["randomised"]["grad_cam"]][-1] == "conv1"


def test_a_page_with_figures_is_written(results):
    run = run_of(activation="relu")
    shown = diagnose(results, run, "--pictures", 2)
    assert shown.exit_code == 0, shown.output
    folder = results / "diagnoses" / run.digest[:12]
    assert str(folder / "diagnosis.html") in shown.stdout
    page = (folder / "diagnosis.html").read_text()
    assert page.count("<svg") == 4
    assert not re.search(r'(src|href)="https?:', page)
    assert "Ankle boot" in page
    kept = json.loads((folder / "diagnosis.json").read_text())
    assert kept["run"] == run.digest
    assert "cam: the network does not end in global average pooling" in kept["no_maps"]["cam"]
    names = {file.name for file in (folder / "figures").iterdir()}
    assert names == {f"{n}.{e}" for n in ("confusion", "reliability", "pictures", "randomised") for e in ("png", "svg")}


def test_two_levels_look_at_the_same_pictures_at_every_seed(results):
    run, other = run_of(activation="relu"), run_of(2, activation="sigmoid")
    shown = diagnose(results, run, "--against", other.digest[:14], "--method", "saliency", "--pictures", 2, "--json")
    assert shown.exit_code == 0, shown.output
    levels = json.loads(shown.stdout)["levels"]
    assert levels["names"] == ["model.activation=relu", "model.activation=sigmoid"]
    assert levels["seeds"] == list(SEEDS)
    for measure, least in (("rank", -1), ("overlap", 0)):
        for one in (levels[measure]["between"], *levels[measure]["within"]):
            assert one["seeds"] == 3
            assert least <= one["low"] <= one["mean"] <= one["high"] <= 1
    assert any("seeds of one level" in sentence for sentence in json.loads(shown.stdout)["sentences"])


def test_a_run_that_must_not_see_the_test_part_is_diagnosed_on_what_it_held_out(results):
    shown = diagnose(results, run_of(protocol="holdout"), "--json", "--method", "saliency", "--pictures", 1)
    found = json.loads(shown.stdout)
    assert (found["part"], found["samples"]) == ("val", 40)


def test_own_pictures_are_looked_at(results):
    file = results / "own.png"
    Image.new("RGB", (50, 40), (200, 30, 30)).save(file)
    shown = diagnose(results, run_of(activation="relu"), file, "--method", "saliency")
    assert shown.exit_code == 0, shown.output
    bad = results / "text.png"
    bad.write_text("no picture")
    shown = diagnose(results, run_of(activation="relu"), file, bad)
    assert shown.exit_code == 2
    assert shown.stderr.splitlines() == [f"error: {bad}: is no picture that Pillow can read"] or (
        len(shown.stderr.splitlines()) == 1 and "text.png: is no picture" in shown.stderr
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--method", "cam"), "cam: the network does not end in global average pooling"),
        (("--layer", "conv7"), "layer = 'conv7': must be a layer with maps: conv1, act1, pool1, conv2"),
        (("--against", "0123456789"), "run 0123456789: its weights were not kept"),
        (("--against", run_of(1, activation="relu").digest), "must differ in a level, not in the seed alone"),
        (("--against", run_of(protocol="holdout").digest), "1 seed with kept weights of both levels"),
        (("--root", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_done_is_one_message(results, words, message):
    shown = diagnose(results, run_of(activation="relu"), *words)
    assert shown.exit_code == 2
    assert message in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_weights_that_were_not_kept(results):
    shown = diagnose(results, run_of(5))
    assert shown.exit_code == 2
    assert "its weights were not kept" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_a_network_too_deep_for_the_image_is_one_message_before_anything_trains():
    shown = CliRunner().invoke(main, ["run", "model=vgg16_torchvision", "data.image_size=16", "train.epochs=1"])
    assert shown.exit_code == 2
    assert shown.stderr.count("\n") == 1
    assert "pool" in shown.stderr or "conv" in shown.stderr
