import hashlib
import shutil
from collections import Counter

import pytest
import torch
from PIL import Image

from ablate.images.config import FashionMNIST, ImageFolder, Mnist, Train
from ablate.images.data import class_counts, content_digest, load, split
from ablate.images.data.facts import facts, prepared
from ablate.images.run import RunConfig
from ablate.task.errors import ConfigError

CPU = torch.device("cpu")


def save(path, shade=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (9, 9), shade).save(path)


@pytest.fixture
def parts(tmp_path):
    """A folder that is split already: 3 + 5 pictures to train on, 1 + 2 to validate, 2 + 1 to test on."""
    root = tmp_path / "parts"
    for part, counts in {"Train": (3, 5), "val": (1, 2), "test": (2, 1)}.items():
        for name, count in zip("ab", counts, strict=True):
            for i in range(count):
                save(root / part / name / f"{i}.png", 20 * i + (100 if part == "val" else 0))
    return root


@pytest.mark.parametrize("kind", [FashionMNIST, Mnist])
def test_published_sets_are_known_without_looking(kind):
    found = facts(kind())
    assert (found.train, found.val, found.test) == (60_000, 0, 10_000)
    assert (sum(found.counts["train"]), sum(found.counts["test"])) == (60_000, 10_000)
    assert len(found.classes) == len(found.counts["train"]) == len(found.counts["test"]) == 10
    part = facts(kind(protocol="holdout", val_size=300, train_size=1_000))
    assert (part.train, part.val, part.test) == (700, 300, 0)


def test_published_counts_are_those_of_the_labels(fashion):
    images = load(FashionMNIST(root=str(fashion)), CPU)
    found = facts(FashionMNIST())
    assert tuple(images.train_labels.bincount().tolist()) == found.counts["train"]
    assert tuple(images.test_labels.bincount().tolist()) == found.counts["test"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"train_size": 10},
        {"protocol": "holdout", "val_size": 7},
        {"protocol": "holdout_test", "val_size": 3, "train_size": 20},
    ],
)
def test_a_folders_numbers_are_those_that_are_used(photos, fields):
    config = ImageFolder(root=str(photos), stored=8, **fields)
    images = load(config, CPU)
    trained, held_out = split(images, config, 0)
    found = facts(config)
    assert found.train == len(trained)
    assert found.val == (0 if held_out is None else len(held_out))
    assert found.test == (len(images.test_labels) if config.tests else 0)
    assert found.classes == images.classes
    assert found.counts == {"train": (8, 8, 8), "test": (2, 2, 2)}
    (ready,) = prepared([config])
    assert (ready.training_images, ready.validation_images, ready.test_images) == (found.train, found.val, found.test)


def test_what_is_filled_in_changes_no_digest_but_by_the_content(photos):
    config = ImageFolder(root=str(photos), image_size=32)
    (ready,) = prepared([config])
    assert (config.training_images, ready.training_images, ready.found.classes) == (None, 24, 3)
    by_hand = config.model_copy(update={"content": content_digest(photos)})
    assert RunConfig(data=ready).digest == RunConfig(data=by_hand).digest != RunConfig(data=config).digest
    assert RunConfig(data=ready).cohort_key == RunConfig(data=by_hand).cohort_key


def test_a_runs_cost_counts_the_images_that_it_trains_on(photos):
    config = ImageFolder(root=str(photos), image_size=32, protocol="holdout", val_size=4, train_size=20)
    (ready,) = prepared([config])
    for data in (config, ready):  # whether or not it was looked at when planning
        assert RunConfig(data=data, train=Train(epochs=3)).samples == 16 * 3


def test_a_folder_is_looked_at_once_for_all_that_have_it_in_common(photos, monkeypatch):
    looked = Counter()
    monkeypatch.setattr(
        "ablate.images.data.fingerprint.content_digest", lambda root, _: looked.update([root]) or "0" * 64
    )
    configs = [ImageFolder(root=str(photos), stored=size) for size in (8, 16, 32)] + [FashionMNIST()]
    ready = prepared(configs)
    assert looked == {str(photos): 1}
    assert [config.content for config in ready[:3]] == ["0" * 64] * 3
    assert ready[3] is configs[3]


def test_every_folder_that_is_wrong_is_named(tmp_path):
    places = [str(tmp_path / name) for name in "xy"]
    with pytest.raises(ConfigError) as caught:
        prepared(ImageFolder(root=place) for place in places)
    assert caught.value.problems == [f"data.root = {place!r}: there is no such folder" for place in places]


def test_parts_of_the_folder_are_used_as_such(parts):
    config = ImageFolder(root=str(parts), stored=8)
    images = load(config, CPU)
    assert images.classes == ("a", "b")
    assert images.train_images.shape == (11, 3, 8, 8)
    assert class_counts(images, config, 0) == {"train": [3, 5], "test": [2, 1]}
    shades = images.train_images[:, 0, 0, 0].tolist()
    trained, held_out = split(images, config, 0)
    assert held_out is None
    assert [shades[i] for i in trained] == [0, 20, 40, 0, 20, 40, 60, 80]
    scaled = images.train_images[trained].double() / 255
    torch.testing.assert_close(images.mean, scaled.mean((0, 2, 3)).float())


def test_a_validation_part_of_the_folder_is_the_one_that_is_held_out(parts):
    config = ImageFolder(root=str(parts), stored=8, protocol="holdout_test", train_size=6)
    images = load(config, CPU)
    trained, held_out = split(images, config, 3)
    assert (trained.tolist(), held_out.tolist()) == (list(range(6)), [6, 7, 8])
    assert images.train_images[held_out, 0, 0, 0].tolist() == [100, 100, 120]
    assert class_counts(images, config, 0)["val"] == [1, 2]
    found = facts(config)
    assert (found.train, found.val, found.test) == (6, 3, 3)
    assert found.counts == {"train": (3, 5), "val": (1, 2), "test": (2, 1)}


def test_a_missing_test_part_is_drawn_from_the_training_part(parts):
    shutil.rmtree(parts / "test")
    config = ImageFolder(root=str(parts), stored=8, test_fraction=0.4)
    assert facts(config).counts == {"train": (2, 3), "val": (1, 2), "test": (1, 2)}


def test_parts_have_another_identity_than_classes_of_these_names(parts):
    # Before parts were known, this folder had the classes Train, val and test.
    text = b"".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(parts)}\0".encode()
        for path in sorted(parts.rglob("*.png"))
    )
    assert content_digest(parts) != hashlib.sha256(text).hexdigest()
