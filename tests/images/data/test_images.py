import dataclasses

import pytest
import torch
from PIL import Image
from torchvision.transforms import ToTensor
from torchvision.transforms.v2 import functional as vision

from ablate.images.config import FashionMNIST, ImageFolder
from ablate.images.data import Images, load, prepare, split
from ablate.images.run import RunConfig, parse_run
from ablate.task.errors import ConfigError

CPU = torch.device("cpu")
KNOWN_LABELS = [8, 5, 1, 3, 1, 0, 1, 8, 6, 5, 8, 1, 0, 0, 5, 1, 2, 5, 0, 2]
KNOWN_HELD_OUT = [1, 5, 11, 14, 15, 28, 30, 38, 49, 64]


@pytest.fixture(scope="module")
def images(fashion):
    return load(FashionMNIST(root=str(fashion), train_size=1_000), CPU)


def some(channels=1, size=(9, 7), count=20):
    pixels = torch.randint(0, 256, (count, channels, *size), generator=torch.Generator().manual_seed(0))
    pixels = pixels.to(torch.uint8)
    scaled = pixels.to(torch.float64) / 255
    return Images(
        train_images=pixels,
        train_labels=torch.zeros(count, dtype=torch.int64),
        test_images=pixels,
        test_labels=torch.zeros(count, dtype=torch.int64),
        classes=("a", "b"),
        mean=scaled.mean((0, 2, 3)).float(),
        std=scaled.std((0, 2, 3), unbiased=False).float(),
    )


def test_types_and_shapes(images):
    assert (images.train_images.dtype, images.train_images.shape) == (torch.uint8, (1_000, 1, 28, 28))
    assert (images.train_labels.dtype, images.train_labels.shape) == (torch.int64, (1_000,))
    assert images.test_images.shape == (10_000, 1, 28, 28)
    assert (images.mean.dtype, images.mean.shape, images.std.shape) == (torch.float32, (1,), (1,))
    with pytest.raises(dataclasses.FrozenInstanceError):
        images.classes = ()


def test_a_larger_cut_holds_the_smaller_and_all_is_all(images, fashion):
    whole = load(FashionMNIST(root=str(fashion)), CPU)
    smaller = load(FashionMNIST(root=str(fashion), train_size=300), CPU)
    as_asked = load(FashionMNIST(root=str(fashion), train_size=60_000), CPU)
    assert torch.equal(as_asked.train_images, whole.train_images)
    assert torch.equal(as_asked.train_labels, whole.train_labels)
    rows = {row.numpy().tobytes() for row in images.train_images}
    assert all(row.numpy().tobytes() in rows for row in smaller.train_images)
    # A shuffle, not the head of the file: no class is far from its tenth.
    assert images.train_labels.bincount(minlength=10).min() > 60
    assert not torch.equal(images.train_images, whole.train_images[:1_000])


def test_the_cut_is_the_same_in_every_process(images):
    # Known answer: a change of the shuffle changes the result of every run with a train_size.
    assert images.train_labels[:20].tolist() == KNOWN_LABELS


def test_statistics_are_those_of_the_training_part(images):
    scaled = images.train_images.to(torch.float64) / 255
    assert images.mean.item() == pytest.approx(scaled.mean().item(), abs=1e-7)
    assert images.std.item() == pytest.approx(scaled.std(unbiased=False).item(), abs=1e-7)


def test_article_trains_on_all(images):
    trained, held_out = split(images, FashionMNIST(), seed=3)
    assert torch.equal(trained, torch.arange(1_000))
    assert held_out is None


@pytest.mark.parametrize("protocol", ["holdout", "holdout_test"])
def test_holdout_divides_the_training_images(images, protocol):
    trained, held_out = split(images, FashionMNIST(protocol=protocol, val_size=200, train_size=1_000), seed=0)
    assert (len(trained), len(held_out)) == (800, 200)
    assert torch.equal(torch.cat([trained, held_out]).sort().values, torch.arange(1_000))
    assert trained.dtype == held_out.dtype == torch.int64
    assert torch.equal(trained, trained.sort().values)


def test_the_split_follows_the_runs_seed_unless_it_has_its_own(images):
    own = FashionMNIST(protocol="holdout", val_size=200)
    fixed = FashionMNIST(protocol="holdout", val_size=200, split_seed=0)

    def held_out(config, seed):
        return split(images, config, seed)[1].tolist()

    assert held_out(own, 0) == held_out(own, 0) != held_out(own, 1)
    assert held_out(fixed, 7) == held_out(fixed, 8) == held_out(own, 0)
    assert held_out(own, 0)[:10] == KNOWN_HELD_OUT


def test_the_split_leaves_the_global_generator_alone(images):
    state = torch.get_rng_state()
    split(images, FashionMNIST(protocol="holdout", val_size=200), 5)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_split_that_leaves_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"data\.val_size = 20: must be below the 20 training images in use"):
        split(some(), FashionMNIST(protocol="holdout", val_size=20), 0)


def test_prepare_scales_as_torchvision_does(images):
    batch = images.train_images[:5]
    x = prepare(batch, images, FashionMNIST(), None)
    assert x.dtype == torch.float32
    assert torch.equal(x, torch.stack([ToTensor()(image[0].numpy()) for image in batch]))
    assert batch.dtype == torch.uint8


def test_prepare_normalises_each_channel():
    data = some(3)
    x = prepare(data.train_images, data, FashionMNIST(normalize=True), 3)
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std((0, 2, 3), unbiased=False), torch.ones(3))


@pytest.mark.parametrize("size", [8, 14, 56])
def test_prepare_resizes_as_torchvision_does(size):
    data = some(3, (28, 28), 4)
    x = prepare(data.train_images, data, FashionMNIST(image_size=size), 3)
    expected = vision.resize(data.train_images.float() / 255, [size, size], antialias=True)
    torch.testing.assert_close(x, expected)


@pytest.mark.parametrize("normalize", [False, True])
def test_grey_becomes_colour(normalize):
    data = some(1)
    config = FashionMNIST(normalize=normalize, image_size=16)
    grey, colour = (prepare(data.train_images, data, config, channels) for channels in (None, 3))
    assert (grey.shape, colour.shape) == ((20, 1, 16, 16), (20, 3, 16, 16))
    assert torch.equal(colour, grey.repeat(1, 3, 1, 1))


def test_colour_does_not_become_grey():
    data = some(3)
    with pytest.raises(ValueError, match="images of 3 channels cannot become 1"):
        prepare(data.train_images, data, FashionMNIST(), 1)


def test_prepare_needs_no_values_of_its_tensors():
    data = some(1)
    on_meta = dataclasses.replace(data, mean=data.mean.to("meta"), std=data.std.to("meta"))
    config = FashionMNIST(normalize=True, image_size=32)
    assert prepare(data.train_images.to("meta"), on_meta, config, 3).shape == (20, 3, 32, 32)


def test_a_constant_channel_cannot_be_normalised(photos):
    for path in photos.rglob("*.[pP]*"):
        Image.new("RGB", (9, 9)).save(path)
    config = ImageFolder(root=str(photos), stored=8, normalize=True)
    with pytest.raises(ConfigError, match="a channel of the training images is constant"):
        load(config, CPU)


def test_a_cut_of_the_test_images_is_the_same_for_every_run_and_a_larger_one_holds_it():
    whole = load(FashionMNIST(), torch.device("cpu"))
    small, large = (load(FashionMNIST(test_size=size), torch.device("cpu")) for size in (50, 200))
    assert (len(small.test_labels), len(large.test_labels)) == (50, 200)
    assert {image.numpy().tobytes() for image in small.test_images} <= {x.numpy().tobytes() for x in large.test_images}
    assert torch.equal(small.train_images, whole.train_images)
    assert FashionMNIST(test_size=50).test_images == 50
    assert "test_size" not in RunConfig().identity["data"]
    with pytest.raises(ConfigError, match=r"test_size = 10001: at most the 10000 test images"):
        parse_run({"data": {"name": "fashion_mnist", "test_size": 10_001}})
