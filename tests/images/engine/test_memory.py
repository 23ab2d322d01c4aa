"""Memory that is counted without numbers, beside the same count of real steps and what PyTorch allocates."""

import pytest
import torch
from torch import nn

from ablate.images.config import SGD, Adam, FashionMNIST, LeNet, Network, Train
from ablate.images.data import Images
from ablate.images.engine.cohort import FusedCohort
from ablate.images.engine.memory import Count, _without_numbers, peaks, step_bytes
from ablate.images.memory import _bound
from ablate.images.run import RunConfig

CPU = torch.device("cpu")


def test_tensors_count_from_their_making_until_they_are_gone() -> None:
    with Count() as count:
        first = torch.zeros(1_000)
        view = first[10:].view(-1, 2)
        second = first + 1.0
        del first
        assert count.now == 8_000
        del view, second
        assert count.now == 0
    assert count.peak == 8_000


class Residual(Network):
    """A network of one's own with batch norm and an addition."""

    name: str = "residual"

    def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Module:
        class Block(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.norm = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return torch.relu(self.norm(self.conv(x)) + x)

        stem = [nn.Conv2d(in_channels, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
        return nn.Sequential(*stem, Block(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))


@pytest.mark.parametrize(
    ("model", "optimizer", "members"),
    [(LeNet(), SGD(lr=0.1), 1), (LeNet(dropout=0.2), Adam(), 6), (Residual(), SGD(lr=0.1, momentum=0.9), 3)],
    ids=["one LeNet", "LeNets", "a network of one's own"],
)
@pytest.mark.parametrize("seeds", [1, 6])
def test_a_count_without_numbers_is_that_of_real_steps(
    model: Network, optimizer: SGD | Adam, members: int, seeds: int, data: FashionMNIST, images: Images
) -> None:
    train = Train(epochs=1, batch_size=200)
    configs = [
        RunConfig(model=model, data=data, optimizer=optimizer, train=train, seed=k % seeds) for k in range(members)
    ]
    with Count() as count:
        cohort = FusedCohort(configs, images, CPU)
        cohort.train_epoch(steps=2)
        cohort.test()
    assert step_bytes(configs, _without_numbers(images), fuses=True) == pytest.approx(count.peak, rel=0.05, abs=2**20)


def test_what_cannot_be_counted_is_not_known() -> None:
    class Numbers(Network):
        name: str = "numbers"

        def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Module:
            raise LookupError("needs a file that is not there")

    found = peaks([[RunConfig(model=Numbers())], [RunConfig()]], "cpu")
    assert found[0] is None
    assert found[1] is not None
    assert 30 * 2**20 < found[1] < 300 * 2**20


def test_a_rough_bound_of_lenets_is_above_what_is_counted(data: FashionMNIST, images: Images) -> None:
    for model, batch in ((LeNet(), 16), (LeNet(kernel_size=9, pooling="stochastic", dropout=0.5), 512)):
        run = RunConfig(model=model, data=data, optimizer=Adam(), train=Train(epochs=1, batch_size=batch))
        some, more = (
            step_bytes([run.with_seed(k) for k in range(n)], _without_numbers(images), fuses=False) for n in (2, 8)
        )
        bounds = [_bound([run.with_seed(k) for k in range(n)]) for n in (2, 8)]
        assert bounds[1] - bounds[0] > 1.2 * (more - some) > 0
    assert _bound([RunConfig(model=Residual())]) == float("inf")
