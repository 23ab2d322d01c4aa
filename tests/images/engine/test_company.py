"""A member's parameters do not depend on its company."""

import itertools
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from ablate.images.config import SGD, Adagrad, Adam, AdamW, AlexNet, Cosine, FashionMNIST, LeNet, RMSprop, Step, Train
from ablate.images.data import Images
from ablate.images.engine.cohort import FusedCohort
from ablate.images.networks import alexnet
from ablate.images.run import RunConfig

CPU = torch.device("cpu")
STEPS = 50
OPTIMIZERS = {
    "sgd": [SGD(lr=lr, weight_decay=wd) for lr, wd in ((0.9, 0.0), (0.3, 0.01), (1.2, 0.0), (0.0, 0.0))],
    "sgd momentum": [SGD(lr=lr, momentum=m) for lr, m in ((0.05, 0.9), (0.1, 0.0), (0.02, 0.95))],
    "sgd nesterov": [SGD(lr=lr, momentum=m, nesterov=True) for lr, m in ((0.05, 0.9), (0.1, 0.5))],
    "adagrad": [Adagrad(lr=lr, lr_decay=d, eps=1e-4) for lr, d in ((0.01, 0.0), (0.02, 0.01))],
    "adam": [Adam(lr=lr, beta1=b, eps=1e-4) for lr, b in ((0.001, 0.9), (0.0005, 0.8), (0.002, 0.95))],
    "adamw": [AdamW(lr=lr, weight_decay=wd, eps=1e-4) for lr, wd in ((0.001, 0.01), (0.0005, 0.1))],
    "rmsprop": [RMSprop(lr=lr, momentum=m, eps=1e-3) for lr, m in ((0.001, 0.0), (0.0003, 0.9))],
}
SCHEDULES = [RunConfig().schedule, Step(step_size=1, gamma=0.5), Cosine()]


@pytest.fixture(scope="module")
def few(images: Images) -> Images:
    """100 images: a batch of 4 makes 25 steps an epoch."""
    return Images(
        **{**vars(images), "train_images": images.train_images[:100], "train_labels": images.train_labels[:100]}
    )


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small AlexNet with an eighth of its channels and units."""
    form = alexnet._FORMS["small"]
    fields = vars(form) | {"channels": (8, 16, 32, 32, 16), "hidden": 64}
    monkeypatch.setitem(alexnet._FORMS, "small", type(form)(**fields))


def trained(configs: Sequence[RunConfig], images: Images) -> list[dict[str, Tensor]]:
    cohort = FusedCohort(configs, images, CPU)
    assert cohort.model.stacked
    for _ in range(-(-STEPS // cohort.batches.steps)):
        cohort.train_epoch()
    return [{name: p.clone() for name, p in cohort.parameters(i).items()} for i in range(len(configs))]


def relative(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    assert list(a) == list(b)
    return max(((a[n] - b[n]).norm() / b[n].norm()).item() for n in a)


def company(run: RunConfig, optimizers: Sequence, members: int, shared: bool) -> list[RunConfig]:
    """Runs of one cohort that differ in all that may differ; the seed only where batches are not shared."""
    choices = itertools.cycle(itertools.product(SCHEDULES, optimizers))
    return [
        run.model_copy(
            update={
                "optimizer": optimizer,
                "schedule": schedule,
                "seed": 5 if shared else 5 + i // 2,
                "train": run.train.model_copy(update={"label_smoothing": 0.1 * (i % 3), "epochs": 2 + i % 4}),
            }
        )
        for i, (schedule, optimizer) in zip(range(members), choices, strict=False)
    ]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_lenet_members_equal_their_single_runs(name, data: FashionMNIST, few: Images) -> None:
    """In companies of each size with one optimiser; with the others in the smallest and in one of different seeds."""
    run, optimizers = RunConfig(data=data, train=Train(batch_size=4)), OPTIMIZERS[name]
    singles: dict[str, dict[str, Tensor]] = {}
    for members, shared in ((2, True), (7, False), *(((7, True), (20, False)) if name == "sgd" else ())):
        configs = company(run, optimizers, members, shared)
        assert len({config.cohort_key for config in configs}) == 1
        for config, parameters in zip(configs, trained(configs, few), strict=True):
            if config.digest not in singles:
                (singles[config.digest],) = trained([config], few)
            assert relative(parameters, singles[config.digest]) < 1e-4


@pytest.mark.parametrize("members", [2, 7])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(
    "model",
    [
        LeNet(activation="relu", pooling="mixed", dropout=0.3),
        LeNet(pooling="stochastic"),
        AlexNet(form="small", dropout=0.0),
        AlexNet(form="small", dropout=0.5, lrn=True, overlap=True),
    ],
    ids=["lenet dropout mixed", "lenet stochastic", "alexnet", "alexnet dropout lrn"],
)
@pytest.mark.usefixtures("thin")
def test_networks_equal_their_single_runs(model, shared: bool, members: int, data: FashionMNIST, few: Images) -> None:
    run = RunConfig(model=model, data=data, train=Train(batch_size=4))
    configs = company(run, [Adam(eps=1e-4), Adam(lr=0.0005, eps=1e-4)], members, shared)
    if model.dropout:
        rates = [0.2 + 0.1 * (i % 3) for i in range(members)]
        models = [model.model_copy(update={"dropout": rate}) for rate in rates]
        configs = [c.model_copy(update={"model": m}) for c, m in zip(configs, models, strict=True)]
    for config, parameters in zip(configs, trained(configs, few), strict=True):
        (single,) = trained([config], few)
        assert relative(parameters, single) < 1e-4


def test_a_cohort_trained_twice_is_bit_identical(data: FashionMNIST, images: Images) -> None:
    run = RunConfig(model=LeNet(dropout=0.2), data=data, train=Train(batch_size=64))
    configs = company(run, OPTIMIZERS["adam"], 6, shared=False)
    for first, second in zip(trained(configs, images), trained(configs, images), strict=True):
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_order_of_the_configurations_does_not_matter(data: FashionMNIST, few: Images) -> None:
    configs = company(RunConfig(data=data, train=Train(batch_size=4)), OPTIMIZERS["sgd"], 6, shared=False)
    forwards, backwards = trained(configs, few), trained(configs[::-1], few)[::-1]
    assert all(relative(a, b) < 1e-4 for a, b in zip(forwards, backwards, strict=True))
