"""A result says what guessing scores on the images that its run really used."""

import math

import pytest
import torch

from ablate.images.config import FashionMNIST, LeNet, Train
from ablate.images.data import Images, split
from ablate.images.engine import train
from ablate.images.run import RunConfig

CPU = torch.device("cpu")
LABELS = torch.tensor([0] * 30 + [1] * 9 + [2] * 21)


@pytest.fixture
def images():
    """Three classes, 30, 9 and 21 images to train on, 4, 5 and 1 to test on."""
    pixels = torch.randint(0, 256, (60, 1, 28, 28), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    return Images(
        train_images=pixels,
        train_labels=LABELS,
        test_images=pixels[:10],
        test_labels=torch.tensor([0] * 4 + [1] * 5 + [2]),
        classes=("a", "b", "c"),
        mean=torch.zeros(1),
        std=torch.ones(1),
    )


def guess_of(counts):
    shares = [count / sum(counts) for count in counts if count]
    return max(shares), -sum(share * math.log(share) for share in shares)


def test_article(images):
    run = RunConfig(model=LeNet(), data=FashionMNIST(), train=Train(epochs=1, batch_size=20))
    (result,) = train([run], images, device=CPU)
    found = {name: (guess.value, guess.samples) for name, guess in result.guesses.items()}
    accuracy, loss = guess_of([30, 9, 21])
    assert found.pop("train_acc") == (pytest.approx(accuracy), 60)
    assert found.pop("train_loss") == (pytest.approx(loss), 60)
    accuracy, loss = guess_of([4, 5, 1])
    assert found == {"test_acc": (pytest.approx(accuracy), 10), "test_loss": (pytest.approx(loss), 10)}


def test_each_seed_has_the_counts_of_its_own_split(images):
    data = FashionMNIST(protocol="holdout", val_size=20)
    runs = [RunConfig(data=data, train=Train(epochs=1, batch_size=20), seed=seed) for seed in range(3)]
    for run, result in zip(runs, train(runs, images, device=CPU), strict=True):
        assert set(result.guesses) == {"train_acc", "train_loss", "val_acc", "val_loss"}
        for part, rows in zip(("train", "val"), split(images, data, run.seed), strict=True):
            accuracy, loss = guess_of(LABELS[rows].bincount(minlength=3).tolist())
            assert result.guesses[f"{part}_acc"].value == pytest.approx(accuracy)
            assert result.guesses[f"{part}_loss"].value == pytest.approx(loss)
            assert result.guesses[f"{part}_acc"].samples == len(rows)


def test_a_run_without_images_to_train_on_fails_alone(images):
    data = FashionMNIST(protocol="holdout", val_size=60)
    (result,) = train([RunConfig(data=data, train=Train(epochs=1))], images, device=CPU)
    assert result.status == "failed"
    assert result.guesses == {}
