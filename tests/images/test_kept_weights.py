"""Kept weights and correctness: what a network says afterwards is what it said when it was trained."""

import json

import pytest
import torch
from safetensors import SafetensorError

from ablate.images.config import FashionMNIST, LeNet, Network, ResNet, Train, Vgg
from ablate.images.data import load
from ablate.images.engine.engine import train
from ablate.images.engine.predict import Predictor
from ablate.images.kept_weights import find_weights, weights_file
from ablate.images.run import RunConfig
from ablate.task.correctness import FOLDER, load_correctness
from ablate.task.errors import ConfigError

CPU = torch.device("cpu")
SMALL = {"train_size": 300, "test_size": 100}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def runs_of(model: Network, seeds=(0, 3), **data) -> list[RunConfig]:
    settings = Train(epochs=2, batch_size=50, init="kaiming_uniform")
    fields = {"optimizer": {"name": "sgd", "lr": 0.05}, "train": settings.model_dump()}
    run = RunConfig.model_validate({**fields, "model": model, "data": FashionMNIST(**SMALL, **data)})
    return [run.with_seed(seed) for seed in seeds]


def kept(runs, folder):
    images = load(runs[0].data, CPU)
    return images, train(runs, images, device=CPU, keep={what: folder / what for what in ("weights", "correctness")})


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (LeNet(activation="relu", dropout=0.2), {"normalize": True}),
        (LeNet(connections="table", output="rbf"), {}),
        (Vgg(width=2, hidden=8), {"crop": 24, "evaluation": "ten", "flip": True}),
        (ResNet(width=2), {"protocol": "holdout_test", "val_size": 50}),
    ],
    ids=["lenet", "lenet of 1998", "vgg", "resnet"],
)
def test_every_member_predicts_afterwards_what_it_did_when_it_was_trained(tmp_path, model, data):
    runs = runs_of(model, **data)
    images, results = kept(runs, tmp_path)
    lasts = {run.digest: result.last for run, result in zip(runs, results, strict=True)}
    right, faults = load_correctness(tmp_path / FOLDER, lasts, lambda digest, metric: lasts[digest](metric))
    assert not faults
    assert len({bits.samples for bits in right.values()}) == 1
    for run, result in zip(runs, results, strict=True):
        assert result.status == "complete", result.error
        found = find_weights(tmp_path, run.digest[:12])
        assert found.run.digest == run.digest
        assert (found.epoch, found.classes) == (2, images.classes)
        shares = Predictor(found).shares(images.test_images)
        torch.testing.assert_close(shares.sum(1), torch.ones(100))
        loss = -shares[torch.arange(100), images.test_labels].log().mean().item()
        assert loss == pytest.approx(result.curves[-1].values["test_loss"], rel=1e-4)
        accuracy = (shares.argmax(1) == images.test_labels).double().mean().item()
        assert accuracy == pytest.approx(result.curves[-1].values["test_acc"])
        assert (right[run.digest].right == (shares.argmax(1) == images.test_labels).numpy()).all()


def test_nothing_is_kept_unless_it_is_wanted_and_complete(tmp_path):
    (run,) = runs_of(LeNet(activation="relu", activation_c5="relu", activation_f6="relu"), seeds=(0,))
    images = load(run.data, CPU)
    train([run], images, device=CPU)
    diverging = run.model_copy(update={"optimizer": run.optimizer.model_copy(update={"lr": 1e30})})
    (result,) = train(
        [diverging], images, device=CPU, keep={what: tmp_path / what for what in ("weights", "correctness")}
    )
    assert result.status == "diverged"
    assert not list(tmp_path.rglob("*.safetensors"))


def test_what_cannot_be_written_costs_nothing_but_its_file(tmp_path):
    """The record stays, and says which file is missing and why."""
    runs = runs_of(LeNet(activation="relu", activation_c5="relu", activation_f6="relu"), seeds=(0, 1))
    images = load(runs[0].data, CPU)
    (tmp_path / "weights").touch()
    folders = {what: tmp_path / what for what in ("weights", "correctness")}
    results, calm = train(runs, images, device=CPU, keep=folders), train(runs, images, device=CPU)
    for run, result, undisturbed in zip(runs, results, calm, strict=True):
        assert result.status == "complete"
        assert "apart" not in result.notes
        assert [point.values for point in result.curves] == [point.values for point in undisturbed.curves]
        file = tmp_path / "weights" / f"{run.digest}.safetensors"
        assert result.notes["not_kept"] == [f"{file}: cannot be written: File exists"]
        assert "not_kept" not in undisturbed.notes
        assert (tmp_path / "correctness" / f"{run.digest}.safetensors").exists()


def test_a_disk_that_is_full_is_told_alike(tmp_path, monkeypatch):
    (run,) = runs_of(LeNet(activation="relu", activation_c5="relu", activation_f6="relu"), seeds=(0,))

    def full(tensors, file, about):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("ablate.images.engine.weights.save_file", full)
    (result,) = train([run], load(run.data, CPU), device=CPU, keep={"weights": tmp_path})
    (why,) = result.notes["not_kept"]
    assert result.status == "complete"
    assert "No space left on device" in why


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:200]), "is no file of weights"),
        (lambda file: file.write_bytes(b"\xff" * 64), "is no file of weights"),
        (lambda file: file.write_bytes(b""), "is no file of weights"),
        (lambda file: file.write_bytes(file.read_bytes()[:-100]), "is damaged"),
    ],
)
def test_a_damaged_file_is_one_message(tmp_path, damage, message):
    (run,) = runs_of(LeNet(), seeds=(0,))
    kept([run], tmp_path)
    damage(weights_file(tmp_path / "weights", run.digest))
    with pytest.raises(ConfigError, match=message):
        Predictor(find_weights(tmp_path, run.digest))


def test_a_file_says_what_it_is_of_as_data(tmp_path):
    (run,) = runs_of(LeNet(), seeds=(0,))
    kept([run], tmp_path)
    from ablate.images.kept_weights import header_of

    about = header_of(weights_file(tmp_path / "weights", run.digest))
    assert json.loads(about["config"])["model"]["name"] == "lenet"


@pytest.mark.parametrize(
    ("name", "message"),
    [("abc", "its weights were not kept"), ("", "is no run"), ("../x", "is no run"), ("XYZ", "is no run")],
)
def test_a_run_without_weights_is_one_message(tmp_path, name, message):
    with pytest.raises(ConfigError, match=message):
        find_weights(tmp_path, name)


def test_a_beginning_that_several_have_is_one_message(tmp_path):
    (tmp_path / "weights").mkdir()
    for digest in ("ab1", "ab2"):
        weights_file(tmp_path / "weights", digest).write_bytes(b"")
    with pytest.raises(ConfigError, match="several begin so: ab1, ab2"):
        find_weights(tmp_path, "ab")
