"""Multiply-adds against torch's own counter, torchvision's published numbers, and the plan's arithmetic."""

import pytest
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode

from ablate.images.config import AlexNet, LeNet, LeNet1, LeNet4, Nin, ResNet, Vgg
from ablate.images.networks import build, layer_table

CASES = [
    LeNet(),
    LeNet1(),
    LeNet4(),
    AlexNet(),
    AlexNet(form="paper"),
    Vgg(depth=16, norm=True),
    Vgg(form="torchvision"),
    Nin(),
    Nin(form="large"),
    ResNet(),
    ResNet(form="torchvision", depth=34),
]


def size_of(config):
    return (28, 28) if getattr(config, "form", "small") == "small" else (224, 224)


def counted(config, classes=10):
    channels = config.in_channels or (3 if getattr(config, "form", "small") == "large" else 1)
    shape = (channels, *size_of(config))
    with torch.device("meta"):
        model = build(config, channels, shape[1:], classes)
    return model, shape, sum(row.multiply_adds for row in layer_table(model, shape))


@pytest.mark.parametrize("config", CASES, ids=lambda c: f"{c.name} {getattr(c, 'form', '')}")
def test_multiply_adds_are_half_of_torchs_floating_point_operations(config):
    model, shape, own = counted(config)
    with FlopCounterMode(display=False) as counter:
        model.eval()(torch.empty(1, *shape, device="meta"))
    assert own * 2 == counter.get_total_flops()


@pytest.mark.parametrize("config", CASES, ids=lambda c: f"{c.name} {getattr(c, 'form', '')}")
def test_the_plans_estimate_of_the_work_is_near(config):
    _, _, own = counted(config)
    assert config.relative_work(*size_of(config)) * 416_520 == pytest.approx(own, rel=0.15)


@pytest.mark.parametrize(
    ("config", "weights"),
    [
        (Vgg(form="torchvision"), torchvision.models.VGG11_Weights.DEFAULT),
        (Vgg(form="torchvision", depth=16), torchvision.models.VGG16_Weights.DEFAULT),
        (ResNet(form="torchvision"), torchvision.models.ResNet18_Weights.DEFAULT),
        (ResNet(form="torchvision", depth=34), torchvision.models.ResNet34_Weights.DEFAULT),
        (AlexNet(form="torchvision"), torchvision.models.AlexNet_Weights.DEFAULT),
    ],
)
def test_multiply_adds_are_those_that_torchvision_publishes(config, weights):
    _, _, own = counted(config, 1000)
    assert own / 1e9 == pytest.approx(weights.meta["_ops"], abs=0.0011)
