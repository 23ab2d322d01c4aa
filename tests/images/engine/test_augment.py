"""Random changes to training images: torchvision's, one image at a time, and the same in any company."""

import pandas as pd
import pytest
import torch
from scipy.stats import chisquare
from torch import Tensor
from torchvision.transforms.functional import InterpolationMode, affine, hflip

from ablate.images.config import FashionMNIST, Train
from ablate.images.data import Images
from ablate.images.engine import augment
from ablate.images.engine.batches import Batches
from ablate.images.engine.cohort import FusedCohort
from ablate.images.run import RunConfig, parse_run
from ablate.task.errors import ConfigError

CPU = torch.device("cpu")


def drawn(data: FashionMNIST, seeds: list[int], epoch: int = 0, samples: int = 50) -> Tensor:
    changes = augment.draw(data, seeds, epoch, samples, CPU)
    assert changes is not None
    return changes


def changed_one_by_one(images: Tensor, changes: Tensor) -> Tensor:
    made = []
    for image, (down, right, mirrored) in zip(images, changes.T.tolist(), strict=True):
        image = hflip(image) if mirrored else image
        made.append(affine(image, 0.0, [right, down], 1.0, [0.0], InterpolationMode.NEAREST))
    return torch.stack(made)


@pytest.mark.parametrize("size", [(28, 28), (9, 13)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("flip", "shift"), [(True, 0), (False, 3), (True, 4)])
def test_each_image_is_changed_as_torchvision_changes_it(size, channels, flip, shift):
    images = torch.randint(256, (50, channels, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    changes = drawn(FashionMNIST(flip=flip, shift=shift), [3])[:, 0]
    assert torch.equal(augment.change(images, changes, shift), changed_one_by_one(images, changes))


def test_nothing_is_drawn_where_nothing_is_wanted():
    assert augment.draw(FashionMNIST(), [0], 0, 10, CPU) is None


def test_every_move_is_as_likely_and_every_second_image_is_mirrored():
    changes = drawn(FashionMNIST(flip=True, shift=2), [7], samples=20_000)[:, 0]
    for moves in changes[:2]:
        counts = torch.bincount(moves + 2, minlength=5)
        assert len(counts) == 5
        assert chisquare(counts.numpy()).pvalue > 0.001
    assert set(changes[2].tolist()) == {0, 1}
    assert abs(changes[2].double().mean().item() - 0.5) < 0.015
    assert abs(torch.corrcoef(changes.double()).fill_diagonal_(0.0)).max() < 0.03


def test_a_seed_draws_the_same_whatever_else_is_wanted():
    both = drawn(FashionMNIST(flip=True, shift=2), [5, 6, 5])
    assert torch.equal(both[:, 0], both[:, 2])
    assert not torch.equal(both[:, 0], both[:, 1])
    assert torch.equal(drawn(FashionMNIST(flip=True), [5])[2], both[2, :1])
    assert torch.equal(drawn(FashionMNIST(shift=2), [5])[:2], both[:2, :1])
    assert not torch.equal(drawn(FashionMNIST(shift=2), [5], epoch=1)[:2], both[:2, :1])
    farther = drawn(FashionMNIST(shift=4), [5])[:2]
    assert bool((farther.abs() >= both[:2, :1].abs()).all())
    assert bool((farther * both[:2, :1] >= 0).all())


def test_training_batches_are_changed_and_no_others(images: Images):
    plain = RunConfig(data=FashionMNIST(train_size=1_000, protocol="holdout_test", val_size=100), seed=4)
    data = plain.data.model_copy(update={"flip": True, "shift": 2})
    runs = [plain.model_copy(update={"data": data, "seed": seed}) for seed in (4, 4, 9)]
    batches, unchanged = Batches(runs, images), Batches([plain], images)
    assert len(batches.rows) == 3  # unequal counts: a batch for each member
    changes = drawn(data, [4], epoch=1, samples=900)[:, 0]
    x = torch.cat([x[0] for x, _ in batches.epoch(1)])
    pixels = (torch.cat([x[0] for x, _ in unchanged.epoch(1)]) * 255).round().to(torch.uint8)
    assert torch.equal((x * 255).round().to(torch.uint8), changed_one_by_one(pixels, changes))
    for ours, theirs in ((batches.validation(), unchanged.validation()), (batches.test(), unchanged.test())):
        assert all(torch.equal(a[:1], b) for (a, _), (b, _) in zip(ours, theirs, strict=True))


def test_a_member_s_images_do_not_depend_on_its_company(images: Images):
    data = FashionMNIST(train_size=1_000, flip=True, shift=1)
    runs = [RunConfig(data=data, train=Train(epochs=1, batch_size=50), seed=seed) for seed in (0, 1, 2)]

    def weights(members: list[RunConfig]) -> dict[str, Tensor]:
        cohort = FusedCohort(members, images, CPU)
        cohort.train_epoch()
        return cohort.parameters(len(members) - 1)

    alone, together = weights(runs[2:]), weights(runs)
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-4, atol=1e-6)


def test_a_run_without_changes_keeps_the_digest_of_the_records_made_before_there_were_any():
    runs = pd.read_csv("results/lenet_article/runs.csv")
    assert RunConfig().digest in set(runs["digest"])
    digests = {
        RunConfig(data=FashionMNIST(flip=flip, shift=shift)).digest for flip in (False, True) for shift in (0, 1)
    }
    assert len(digests) == 4
    assert RunConfig(data=FashionMNIST(flip=False, shift=0)).digest in digests
    assert RunConfig().digest in digests


def test_an_image_is_not_moved_out_of_sight():
    with pytest.raises(ConfigError, match=r"^data: shift = 28: must be below the 28 pixels of an image as stored"):
        parse_run({"data": {"name": "fashion_mnist", "shift": 28}})
    assert "flip" not in RunConfig().identity["data"]
    assert RunConfig(data=FashionMNIST(flip=True)).identity["data"]["flip"] is True
