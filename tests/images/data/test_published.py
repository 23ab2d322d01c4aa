"""The published data sets: Fashion-MNIST as it is, MNIST by what it refuses."""

import gzip
import re
import struct
from pathlib import Path

import pytest
import torch
import torchvision

from ablate.images.config import FashionMNIST, Mnist
from ablate.images.data import describe, lines, load, verify, where
from ablate.images.data.fashion_mnist import FASHION_MNIST
from ablate.images.data.mnist import MNIST
from ablate.task.errors import ConfigError

CPU = torch.device("cpu")
NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def problem(action, *args):
    with pytest.raises(ConfigError) as caught:
        action(*args)
    (line,) = caught.value.problems
    return line


@pytest.mark.parametrize("published", [FASHION_MNIST, MNIST])
def test_tables_are_well_formed(published):
    assert [file.name for file in published.files] == NAMES
    assert [file.shape for file in published.files] == [(60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,)]
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in published.files)
    assert len({file.sha256 for file in (*FASHION_MNIST.files, *MNIST.files)}) == 8
    assert hasattr(torchvision.datasets, published.torchvision)
    assert len(published.classes) == 10


def test_fashion_mnist_is_found_verified_and_equal_to_torchvisions_reading(compressed, tmp_path):
    config = FashionMNIST(root=str(compressed))
    images = load(config, CPU)
    raw = tmp_path / "torchvision" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in NAMES:
        (raw / name).write_bytes(gzip.decompress((compressed / f"{name}.gz").read_bytes()))
    train = torchvision.datasets.FashionMNIST(str(tmp_path / "torchvision"))
    test = torchvision.datasets.FashionMNIST(str(tmp_path / "torchvision"), train=False)
    assert torch.equal(images.train_images[:, 0], train.data)
    assert torch.equal(images.train_labels, train.targets)
    assert torch.equal(images.test_images[:, 0], test.data)
    assert torch.equal(images.test_labels, test.targets)
    assert list(images.classes) == train.classes
    assert images.train_labels.bincount().tolist() == [6_000] * 10
    # The mean and standard deviation that are quoted everywhere for this data set.
    assert (round(images.mean.item(), 4), round(images.std.item(), 4)) == (0.2860, 0.3530)
    assert where(FashionMNIST(root=str(tmp_path / "torchvision"))) == raw


def test_fashion_mnist_needs_no_root_where_debian_put_it():
    assert FASHION_MNIST.system == (Path("/usr/share/datasets/fashion-mnist"),)


def test_description_of_fashion_mnist(compressed):
    description = describe("fashion_mnist", str(compressed))
    assert (description["train"], description["test"], description["shape"]) == (60_000, 10_000, [1, 28, 28])
    assert [file["digest"] for file in description["files"]] == [file.digest for file in FASHION_MNIST.files]
    text = lines(description)
    assert text[0] == f"fashion_mnist (Fashion-MNIST): {compressed}"
    assert text[1] == "  60,000 training and 10,000 test images, 28x28 grey, 10 classes"
    assert len(text) == 6


@pytest.mark.parametrize("action", [verify, lambda config: load(config, CPU)])
def test_a_truncated_file_is_one_error(compressed, action):
    path = compressed / "t10k-labels-idx1-ubyte.gz"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-700])
    assert problem(action, FashionMNIST(root=str(compressed))).startswith(f"{path}: is truncated")


def test_a_corrupt_file_is_one_error(compressed):
    path = compressed / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[100] = (content[100] + 1) % 10
    path.unlink()
    path.write_bytes(gzip.compress(bytes(content)))
    line = problem(verify, FashionMNIST(root=str(compressed)))
    assert line.startswith(f"{path}: is corrupt")
    assert FASHION_MNIST.files[3].sha256 in line


def test_a_missing_file_is_one_error(compressed):
    (compressed / "train-images-idx3-ubyte.gz").unlink()
    line = problem(where, FashionMNIST(root=str(compressed)))
    assert "holds no train-images-idx3-ubyte[.gz]; put" in line


def test_fashion_mnist_is_not_taken_for_mnist(compressed):
    line = problem(verify, Mnist(root=str(compressed)))
    assert "train-images-idx3-ubyte.gz: is corrupt" in line
    assert MNIST.files[0].sha256 in line


def test_mnist_of_another_number_of_images_is_refused(tmp_path):
    for name, file in zip(NAMES, MNIST.files, strict=True):
        shape = (100, *file.shape[1:])
        size = 100 * (784 if len(shape) == 3 else 1)
        (tmp_path / name).write_bytes(struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape) + bytes(size))
    line = problem(verify, Mnist(root=str(tmp_path)))
    assert "holds 100x28x28 bytes, not the 60000x28x28 that were published" in line


def test_mnist_that_is_nowhere_is_described_as_such(cache):
    assert where(Mnist()) is None
    description = describe("mnist")
    assert description["folder"] is None
    assert lines(description) == [
        "mnist (MNIST): not on this machine",
        f"  looked in {cache}",
        f"  looked in {cache / 'MNIST' / 'raw'}",
    ]


def test_an_unknown_data_set_lists_those_that_exist():
    assert problem(describe, "cifar") == (
        "data = 'cifar': there is no such data set; there are fashion_mnist, mnist, cifar10, image_folder"
    )
