"""The engine against a plain torch.optim + lr_scheduler loop."""

import pytest
import torch

from ablate.images.config import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Constant,
    Cosine,
    FashionMNIST,
    OneCycle,
    RMSprop,
    Step,
    Train,
    WarmUp,
)
from ablate.images.data import Images
from ablate.images.engine import train
from ablate.images.engine.cohort import FusedCohort
from ablate.images.run import RunConfig
from tests.images.engine.oracle import plain_run

CPU = torch.device("cpu")

OPTIMIZERS = {
    "sgd": SGD(lr=0.9),
    "sgd decay": SGD(lr=0.5, weight_decay=0.01),
    "sgd momentum": SGD(lr=0.1, momentum=0.9, weight_decay=0.001),
    "sgd nesterov": SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.001),
    "adagrad": Adagrad(lr=0.05, lr_decay=0.01, weight_decay=0.001),
    "adam": Adam(weight_decay=0.01),
    "adamw": AdamW(lr=0.002, weight_decay=0.1),
    # Not the default of 1e-8: gradients that small are rounding, which differs by processor and would be amplified.
    "rmsprop": RMSprop(lr=0.001, weight_decay=0.01, eps=1e-6),
    "rmsprop momentum": RMSprop(lr=0.001, momentum=0.9, eps=1e-4),
}
SCHEDULES = {
    "constant": Constant(),
    "step": Step(step_size=1, gamma=0.3),
    "cosine": Cosine(final_ratio=0.1),
    "one cycle": OneCycle(pct_start=0.4),
    "warmup": WarmUp(warmup_epochs=1, start_ratio=0.05),
}


def check(config: RunConfig, images: Images, epochs: int) -> None:
    expected, curve = plain_run(config, images, epochs)
    cohort = FusedCohort([config], images, CPU)
    for loss, accuracy in curve:
        metrics = cohort.train_epoch()
        assert metrics[0, 0].item() == pytest.approx(loss, abs=1e-5)
        assert metrics[1, 0].item() == pytest.approx(accuracy, abs=1e-9)
    got = cohort.parameters(0)
    assert list(got) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_epoch_with_every_optimizer(optimizer, data: FashionMNIST, images: Images) -> None:
    check(RunConfig(data=data, optimizer=optimizer, train=Train(batch_size=64), seed=3), images, epochs=1)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_two_epochs_with_every_schedule(schedule, data: FashionMNIST, images: Images) -> None:
    run = RunConfig(data=data, optimizer=SGD(lr=0.5), schedule=schedule, train=Train(batch_size=256, epochs=3), seed=4)
    check(run, images, epochs=2)


@pytest.mark.parametrize(
    "settings", [{"label_smoothing": 0.2}, {"loss": "mse"}, {"init": "trunc_normal"}], ids=["smoothing", "mse", "init"]
)
def test_an_epoch_with_every_loss(settings, data: FashionMNIST, images: Images) -> None:
    check(RunConfig(data=data, train=Train(batch_size=256, **settings)), images, epochs=1)


def test_evaluation_is_that_of_the_members_own_network(data: FashionMNIST, images: Images) -> None:
    config = RunConfig(data=data, train=Train(epochs=1))
    parameters, _ = plain_run(config, images, 1)
    (result,) = train([config], images, device=CPU)
    from ablate.images.networks import build

    model = build(config.model, 1, (28, 28), 10)
    outputs = torch.func.functional_call(model, parameters, (images.test_images.float() / 255,))
    loss = torch.nn.functional.cross_entropy(outputs, images.test_labels)
    assert result.status == "complete"
    assert result.curves[0].values["test_loss"] == pytest.approx(loss.item(), abs=1e-5)
    assert result.curves[0].values["test_acc"] == (outputs.argmax(1) == images.test_labels).double().mean().item()
    assert result.curves[0].values.get("val_loss") is None
