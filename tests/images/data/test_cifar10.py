"""CIFAR-10 as torchvision lays it, on files of the same form; the real ones are not on every machine."""

import hashlib
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torchvision

from ablate.images.config import Cifar10
from ablate.images.data import facts, sources
from ablate.images.data.cifar10 import CIFAR10, Batch, Cifar10Source
from ablate.images.data.describe import NAMES, describe
from ablate.images.run import parse_run
from ablate.task.errors import ConfigError


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder with six small files of the published form, and the set that has their hashes."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "root" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    files = []
    for file in CIFAR10.files:
        values = {"data": rng.integers(0, 256, (4, 3072), dtype=np.uint8), "labels": rng.integers(0, 10, 4).tolist()}
        content = pickle.dumps(values, protocol=2)
        (folder / file.name).write_bytes(content)
        files.append(Batch(file.name, hashlib.md5(content).hexdigest()))
    return folder, replace(CIFAR10, files=tuple(files))


def test_files_and_hashes_are_torchvisions():
    published = torchvision.datasets.CIFAR10
    assert [(f.name, f.md5) for f in CIFAR10.files] == [tuple(f) for f in [*published.train_list, *published.test_list]]
    assert str(CIFAR10.folder) == published.base_folder
    assert (CIFAR10.train_counts, CIFAR10.test_counts) == ((5000,) * 10, (1000,) * 10)


@pytest.mark.parametrize("below", ["", "cifar-10-batches-py"])
def test_images_and_labels_are_those_that_torchvision_reads(small, monkeypatch, below):
    folder, published = small
    arrays = Cifar10Source(published, str(folder if below else folder.parent)).read()
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "_load_meta", lambda self: None)
    for part, is_train in (("train", True), ("test", False)):
        theirs = torchvision.datasets.CIFAR10(str(folder.parent), train=is_train)
        images, labels = getattr(arrays, f"{part}_images"), getattr(arrays, f"{part}_labels")
        assert np.array_equal(images, theirs.data.transpose(0, 3, 1, 2))
        assert labels.tolist() == theirs.targets
    assert (arrays.train_images.shape, arrays.train_labels.dtype) == ((20, 3, 32, 32), np.int64)


def test_a_file_is_only_unpickled_when_its_hash_is_right_and_never_runs_code(small, tmp_path):
    folder, published = small

    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    content = pickle.dumps({"data": Bomb(), "labels": []}, protocol=2)
    (folder / "test_batch").write_bytes(content)
    with pytest.raises(ConfigError, match=r"test_batch: is corrupt \(its MD5 is .*put a sound copy in its place"):
        Cifar10Source(published, str(folder)).verify()
    signed = replace(published, files=(*published.files[:-1], Batch("test_batch", hashlib.md5(content).hexdigest())))
    with pytest.raises(pickle.UnpicklingError, match=r"it names (_io|io)\.open"):
        Cifar10Source(signed, str(folder)).read()
    assert not (tmp_path / "ran").exists()


def test_missing_files_are_named(small, tmp_path):
    folder, published = small
    (folder / "data_batch_3").unlink()
    with pytest.raises(ConfigError, match="holds no data_batch_3; put data_batch_1, data_batch_2"):
        Cifar10Source(published, str(folder.parent)).where()
    with pytest.raises(ConfigError, match="there is no such folder"):
        Cifar10Source(published, str(tmp_path / "none")).where()
    assert Cifar10Source(published).where() is None


def test_what_is_downloaded_is_verified_and_kept(small, cache):
    folder, published = small
    source = Cifar10Source(published)

    def download(_, root):
        (root / published.folder).mkdir()
        for file in folder.iterdir():
            (root / published.folder / file.name).write_bytes(file.read_bytes())

    assert source.fetch(download) == cache / "cifar-10-batches-py"
    assert len(source.read().test_labels) == 4


def test_it_is_known_without_looking():
    config = Cifar10()
    found = facts.facts(config)
    assert (found.train, found.test, len(found.classes)) == (50_000, 10_000, 10)
    assert config.stored_size == (32, 32)
    assert sources.published_set(config) is CIFAR10
    assert NAMES == ("fashion_mnist", "mnist", "cifar10", "image_folder")
    assert parse_run({"data": {"name": "cifar10"}, "seed": 0}).samples == 500_000
    with pytest.raises(ConfigError, match="at most the 50000 training images"):
        parse_run({"data": {"name": "cifar10", "train_size": 50_001}, "seed": 0})


def test_the_command_line_says_where_it_is_not(cache):
    assert describe("cifar10") == {
        "name": "cifar10",
        "title": "CIFAR-10",
        "folder": None,
        "searched": [str(cache), str(cache / "cifar-10-batches-py")],
    }
