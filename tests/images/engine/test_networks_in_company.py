"""Eight members of every network train as one and equal their single runs.

With rectifiers and maximum pooling, rounding alone decides on which side of a kink a unit is, and one flip is more than
1e-4: networks have smooth activations and average pooling here. Residual networks run in float64: over 18 and 34 layers
of batch norm, float32 rounding grows beyond 1e-4 within 20 steps at these widths.
"""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from ablate.images.config import SGD, FashionMNIST, LeNet, LeNet1, LeNet4, Network, Nin, ResNet, Train, Vgg
from ablate.images.data import Images
from ablate.images.engine.cohort import FusedCohort
from ablate.images.run import RunConfig

CPU = torch.device("cpu")
STEPS = 20
SMOOTH = {"activation": "silu"}
NETWORKS = {
    "lenet1 with its table": LeNet1(subsampling="trainable", connections="table", activation="scaled_tanh"),
    "lenet4": LeNet4(subsampling="trainable", dropout=0.2),
    "lenet5 of 1998": LeNet(
        activation="scaled_tanh",
        activation_c5="scaled_tanh",
        activation_f6="scaled_tanh",
        subsampling="trainable",
        connections="table",
        output="rbf",
    ),
    "vgg11": Vgg(width=4, hidden=16, pooling="avg", **SMOOTH),
    "vgg16 with batch norm": Vgg(depth=16, width=2, hidden=16, norm=True, pooling="avg", dropout=0.0, **SMOOTH),
    "vgg13 of single convolutions": Vgg(depth=13, width=4, hidden=16, stacked=False, pooling="avg", **SMOOTH),
    "nin": Nin(width=12, **SMOOTH),
    "nin with a linear layer": Nin(width=12, pointwise=1, global_pooling=False, dropout=0.0, **SMOOTH),
    "resnet18": ResNet(width=4, **SMOOTH),
    "resnet34": ResNet(depth=34, width=2, **SMOOTH),
    "resnet18 without skips": ResNet(width=4, skip=False, **SMOOTH),
    "resnet18 without batch norm": ResNet(width=4, norm=False, **SMOOTH),
}


@pytest.fixture(scope="module")
def few(images: Images) -> Images:
    """80 images: a batch of 8 makes ten steps an epoch."""
    return Images(
        **{**vars(images), "train_images": images.train_images[:80], "train_labels": images.train_labels[:80]}
    )


def trained(runs: list[RunConfig], images: Images) -> list[dict[str, Tensor]]:
    cohort = FusedCohort(runs, images, CPU)
    assert cohort.model.stacked, cohort.model.reason
    for _ in range(STEPS // cohort.batches.steps):
        cohort.train_epoch()
    return [{name: p.clone() for name, p in cohort.parameters(i).items()} for i in range(len(runs))]


def relative(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    assert list(a) == list(b)
    return max(((a[n] - b[n]).norm() / b[n].norm().clamp(min=1e-6)).item() for n in a)


@pytest.fixture
def float64(request: pytest.FixtureRequest) -> Iterator[None]:
    """For residual networks, whose convolutions have no fused form in any case."""
    residual = isinstance(request.getfixturevalue("model"), ResNet)
    torch.set_default_dtype(torch.float64 if residual else torch.float32)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("model", "shared"), [(model, i % 2 == 0) for i, model in enumerate(NETWORKS.values())], ids=NETWORKS
)
@pytest.mark.usefixtures("float64")
def test_eight_members_equal_their_single_runs(model, shared: bool, data: FashionMNIST, few: Images) -> None:
    slow = 0.01 if getattr(model, "output", "") == "rbf" else 1.0  # squared distances to codes of 84 ones are large
    runs = [
        RunConfig(
            model=model,
            data=data,
            optimizer=SGD(lr=0.002 * slow * (1 + i), momentum=0.5 * (i % 2)),
            train=Train(batch_size=8, epochs=2, init="kaiming_uniform"),
            seed=5 if shared else i // 2,
        )
        for i in range(8)
    ]
    assert len({run.cohort_key for run in runs}) == 1
    together = trained(runs, few)
    for member in (0, 3, 7):
        (alone,) = trained([runs[member]], few)
        assert relative(together[member], alone) < 1e-4


class Frozen(Network):
    """Random features that its own code wants left as they are, and what is trained on them."""

    def build(self, in_channels: int, input_size: tuple[int, int], classes: int) -> nn.Module:
        """See :class:`ablate.images.config.Network`."""
        features = nn.Conv2d(in_channels, 4, 5, stride=4).requires_grad_(False)
        return nn.Sequential(features, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, classes))


def test_what_a_network_freezes_stays_as_it_is(data: FashionMNIST, few: Images) -> None:
    train = Train(epochs=2, batch_size=8)
    runs = [
        RunConfig(model=Frozen(name="frozen"), data=data, train=train, optimizer=SGD(weight_decay=0.1), seed=seed)
        for seed in range(3)
    ]
    cohort = FusedCohort(runs, few, CPU)
    assert cohort.model.stacked
    assert cohort.model.program is not None
    before = {name: value.clone() for name, value in cohort.parameters(2).items()}
    cohort.train_epoch()
    cohort.keep([0, 2])
    cohort.train_epoch()
    after = cohort.parameters(2)
    assert [name for name in after if torch.equal(after[name], before[name])] == ["0.weight", "0.bias"]
