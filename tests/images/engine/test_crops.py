"""Crops against torchvision's, colour noise against NumPy, and both the same at every level of every factor."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest
from torch import Tensor
from torchvision.transforms import functional as reference

from ablate.images.config import AlexNet, FashionMNIST, LeNet, Train
from ablate.images.config.data import ImageData
from ablate.images.data import Images
from ablate.images.data.colour import principal_colours
from ablate.images.engine import augment, crops
from ablate.images.engine.batches import Batches
from ablate.images.engine.cohort import FusedCohort
from ablate.images.run import RunConfig, parse_run
from ablate.task.errors import ConfigError

CPU = torch.device("cpu")


class Photographs(ImageData):
    """A colour data set for the tests."""

    name: str = "photographs"

    @property
    def stored_size(self) -> tuple[int, int]:
        return (12, 17)


def pictures(samples: int = 60, size: tuple[int, int] = (12, 17), channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    mixed = torch.rand(channels, channels, generator=generator, dtype=torch.float64)
    pixels = torch.rand(samples, *size, channels, generator=generator, dtype=torch.float64) @ mixed
    return (pixels / pixels.max() * 255).permute(0, 3, 1, 2).to(torch.uint8)


@pytest.mark.parametrize("side", [12, 11, 5])
def test_each_image_is_cut_as_torchvision_cuts_it(side):
    images = pictures()
    places = crops.draw_places(Photographs(crop=side), [3], 0, len(images), CPU)[:, 0]
    one_by_one = [reference.crop(x, top, left, side, side) for x, (top, left) in zip(images, places.T, strict=True)]
    assert torch.equal(crops.cut(images, places, side), torch.stack(one_by_one))


@pytest.mark.parametrize("side", [12, 11, 8, 5])
def test_centre_and_ten_crops_are_torchvisions(side):
    images = pictures()
    assert torch.equal(crops.centre(images, side), reference.center_crop(images, [side, side]))
    expected = torch.stack(reference.ten_crop(images, [side, side]))
    assert torch.equal(crops.ten(images, side), expected)


def test_every_place_of_a_crop_is_as_likely_as_torchvisions_uniform_draw_makes_it():
    places = crops.draw_places(Photographs(crop=9), [3], 0, 20_000, CPU)[:, 0]
    for found, count in zip(places, (4, 9), strict=True):
        counts = torch.bincount(found, minlength=count)
        assert len(counts) == count
        assert chisquare(counts.numpy()).pvalue > 0.001
    assert abs(torch.corrcoef(places.double())[0, 1]) < 0.03


def test_moving_an_image_by_up_to_a_padding_is_a_random_crop_of_the_padded_image():
    image, padding = pictures(1)[0], 2
    padded = reference.pad(image, [padding])
    for top, left in itertools.product(range(2 * padding + 1), repeat=2):  # all that RandomCrop may draw
        moved = torch.tensor([[padding - top], [padding - left], [0]])
        expected = reference.crop(padded, top, left, *image.shape[1:])
        assert torch.equal(augment.change(image[None], moved, padding)[0], expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_principal_colours_are_numpys(channels):
    images = pictures(channels=channels)
    pixels = images.numpy().transpose(0, 2, 3, 1).reshape(-1, channels) / 255.0
    covariance = np.atleast_2d(np.cov(pixels.T, bias=True))
    values, vectors = np.linalg.eigh(covariance)
    found = principal_colours(images).double().numpy()
    # Up to signs: what the colours make of independent normal numbers, P L^2 P^T.
    np.testing.assert_allclose(found @ found.T, vectors @ np.diag(values**2) @ vectors.T, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), values, rtol=1e-5)
    assert all(column[np.abs(column).argmax()] > 0 for column in found.T)


def test_colour_noise_has_the_distribution_of_the_papers_formula():
    colours = principal_colours(pictures())
    drawn = augment.draw_colours(Photographs(colour_noise=0.1), colours, [4], 0, 40_000, CPU)
    assert drawn is not None
    noise = drawn[0].double().numpy()
    rng = np.random.default_rng(0)
    p, scale = np.asarray(colours.double()), 0.1
    expected = (p @ (scale * rng.standard_normal((3, 40_000)))).T
    for channel in range(3):
        assert kstest(noise[:, channel], expected[:, channel]).pvalue > 0.001
    np.testing.assert_allclose(np.cov(noise.T), 0.01 * p @ p.T, rtol=0.05, atol=1e-7)


def test_colour_noise_is_added_to_every_pixel_alike(images: Images):
    data = FashionMNIST(train_size=1_000, colour_noise=0.1)
    known = Images(**{**vars(images), "colours": principal_colours(images.train_images)})
    (x, _), *_ = Batches([RunConfig(data=data)], known).epoch(0)
    (plain, _), *_ = Batches([RunConfig(data=FashionMNIST(train_size=1_000))], known).epoch(0)
    moved = augment.draw_colours(data, known.colours, [0], 0, 1_000, CPU)[0, : x.shape[1]]
    torch.testing.assert_close(x[0] - plain[0], moved[:, :, None, None].expand_as(x[0]), atol=1e-6, rtol=0)
    assert moved.std() > 0


LEVELS = {
    "network": {"model": AlexNet(dropout=0.0)},
    "learning rate": {"optimizer": {"name": "sgd", "lr": 0.5}},
    "batch size": {"train": Train(batch_size=10)},
    "not mirrored": {"data": {"flip": False}},
    "no noise": {"data": {"colour_noise": 0.0}},
    "more noise": {"data": {"colour_noise": 0.3}},
    "not moved": {"data": {"shift": 0}},
    "smaller crop": {"data": {"crop": 12}},
    "ten crops": {"data": {"evaluation": "ten"}},
}


@pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
def test_a_seed_sees_the_same_draws_at_every_level(level):
    """Paired: what two levels both do to an image, they do in the same way."""
    everything = {"flip": True, "shift": 2, "crop": 24, "colour_noise": 0.1}
    seeds, samples = [3, 8], 200
    base = FashionMNIST(**everything)
    other = FashionMNIST(**everything | level["data"]) if "data" in level else base
    colours = torch.tensor([[0.2]])
    runs = [RunConfig(data=base, seed=seed) for seed in seeds]
    others = [run.model_copy(update=level | {"data": other}) for run in runs]
    assert [run.data_order for run in runs] == [run.data_order for run in others]
    mine, theirs = (augment.draw(data, seeds, 1, samples, CPU) for data in (base, other))
    if other.shift:
        assert torch.equal(mine[:2], theirs[:2])
    if other.flip:
        assert torch.equal(mine[2], theirs[2])
    places, further = (crops.draw_places(data, seeds, 1, samples, CPU) for data in (base, other))
    # A smaller crop lies at the same share of a longer way.
    reach = 28 - other.crop + 1
    assert bool(((further + 0.5) / reach - (places + 0.5) / 5).abs().max() < 0.2)
    assert torch.equal(places, further) or other.crop != base.crop
    if other.colour_noise:
        noise = [augment.draw_colours(data, colours, seeds, 1, samples, CPU) for data in (base, other)]
        torch.testing.assert_close(noise[1], noise[0] * other.colour_noise / base.colour_noise)
    assert not torch.equal(places[:, 0], places[:, 1])  # and other seeds see others


def test_training_is_cut_at_random_or_in_the_middle_and_evaluated_in_the_middle(images: Images):
    def batches(**settings):
        return Batches([RunConfig(data=FashionMNIST(train_size=1_000, **settings), seed=2)], images)

    whole = batches()
    pixels = torch.cat([x[0] for x, _ in whole.epoch(0)])
    for crop_at in ("random", "centre"):
        made = batches(crop=24, crop_at=crop_at)
        assert made.shape == (1, 24, 24)
        x = torch.cat([x[0] for x, _ in made.epoch(0)])
        data = FashionMNIST(crop=24)
        places = crops.draw_places(data, [2], 0, 1_000, CPU)[:, 0]
        expected = crops.cut(pixels, places, 24) if crop_at == "random" else pixels[..., 2:26, 2:26]
        assert torch.equal(x, expected)
        test = torch.cat([x[0] for x, _ in made.test()])
        assert torch.equal(test, torch.cat([x[0] for x, _ in whole.test()])[..., 2:26, 2:26])


def test_ten_crops_average_the_shares_of_ten_forward_passes(images: Images):
    data = FashionMNIST(train_size=1_000, crop=24, evaluation="ten")
    runs = [RunConfig(data=data, model=LeNet(), optimizer={"name": "sgd", "lr": lr}, seed=2) for lr in (0.5, 0.1)]
    runs = [parse_run(run.model_dump(exclude={"code"})) for run in runs]
    cohort = FusedCohort(runs, images, CPU)
    cohort.train_epoch()
    loss, accuracy = cohort.test()
    from ablate.images.networks import build

    for member, run in enumerate(runs):
        model = build(run.model, 1, (24, 24), 10).eval()
        model.load_state_dict(cohort.parameters(member))
        views = reference.ten_crop(images.test_images / 255.0, [24, 24])
        with torch.no_grad():
            shares = torch.stack([model(view).softmax(1) for view in views]).mean(0)
        expected = -shares[torch.arange(300), images.test_labels].log().mean()
        assert loss[member].item() == pytest.approx(expected.item(), rel=1e-5)
        assert accuracy[member].item() == pytest.approx((shares.argmax(1) == images.test_labels).double().mean().item())


def test_a_member_s_crops_and_colours_do_not_depend_on_its_company(images: Images):
    known = Images(**{**vars(images), "colours": principal_colours(images.train_images)})
    data = FashionMNIST(train_size=1_000, flip=True, crop=24, colour_noise=0.1, evaluation="ten")
    runs = [RunConfig(data=data, train=Train(epochs=1, batch_size=50), seed=seed) for seed in (0, 1, 2)]

    def weights(members: list[RunConfig]) -> dict[str, Tensor]:
        cohort = FusedCohort(members, known, CPU)
        cohort.train_epoch()
        return cohort.parameters(len(members) - 1)

    alone, together = weights(runs[2:]), weights(runs)
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crop": 29}, "crop = 29: at most the 28 pixels of an image as stored"),
        ({"crop_at": "centre"}, "crop_at = centre: needs a crop"),
        ({"evaluation": "ten"}, "evaluation = ten: needs a crop below the 28 pixels"),
        ({"evaluation": "ten", "crop": 28}, "evaluation = ten: needs a crop below the 28 pixels"),
        ({"colour_noise": -0.1}, "data.colour_noise = -0.1"),
        ({"crop": 3}, "model.conv2 (5x5): its input of 1x1 leaves an"),
    ],
)
def test_what_cannot_be_is_one_message(settings, message):
    with pytest.raises(ConfigError) as caught:
        parse_run({"data": {"name": "fashion_mnist", **settings}})
    assert len(caught.value.problems) == 1
    assert message in caught.value.problems[0]


def test_a_run_without_them_keeps_its_digest():
    assert not {"crop", "crop_at", "colour_noise", "evaluation"} & set(RunConfig().identity["data"])
    assert parse_run({"data": {"name": "fashion_mnist", "crop": 24}}).identity["data"]["crop"] == 24
