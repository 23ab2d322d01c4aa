from typing import get_args

import pytest
import torch
from torch import nn

from ablate.images.networks.layers import ACTIVATIONS, MixedPool2d, activation, pooling
from ablate.task.fields import Activation

X = torch.linspace(-3.0, 3.0, 13, dtype=torch.float64)

FORMULAS = {
    "identity": X,
    "sigmoid": 1 / (1 + torch.exp(-X)),
    "tanh": (torch.exp(X) - torch.exp(-X)) / (torch.exp(X) + torch.exp(-X)),
    "relu": X.clamp(min=0),
    "leaky_relu": torch.where(X > 0, X, 0.01 * X),
    "elu": torch.where(X > 0, X, torch.exp(X) - 1),
    "gelu": X * 0.5 * (1 + torch.erf(X / 2**0.5)),
    "silu": X / (1 + torch.exp(-X)),
    "scaled_tanh": 1.7159 * (1 - 2 / (torch.exp(4 / 3 * X) + 1)),
}


def test_every_activation_of_the_configuration_exists():
    assert set(ACTIVATIONS) == set(get_args(Activation)) == set(FORMULAS)


@pytest.mark.parametrize("name", FORMULAS)
def test_activation_equals_its_formula_and_leaves_its_input_alone(name):
    x = X.clone()
    torch.testing.assert_close(activation(name)(x), FORMULAS[name])
    assert torch.equal(x, X)


def test_poolings_of_a_small_map():
    x = torch.tensor([[[[1.0, 2.0, 5.0], [3.0, 6.0, 7.0], [0.0, 4.0, 9.0]]]])
    assert pooling("avg", 2, 2)(x).tolist() == [[[[3.0]]]]
    assert pooling("max", 2, 2)(x).tolist() == [[[[6.0]]]]
    assert pooling("mixed", 2, 2)(x).tolist() == [[[[4.5]]]]
    # Incomplete windows at the right and lower edge: only the pixels inside are averaged.
    assert pooling("avg", 2, 2, ceil=True)(x).tolist() == [[[[3.0, 6.0], [2.0, 9.0]]]]
    assert pooling("max", 2, 2, ceil=True)(x).tolist() == [[[[6.0, 7.0], [4.0, 9.0]]]]
    assert pooling("mixed", 2, 2, ceil=True)(x).tolist() == [[[[4.5, 6.5], [3.0, 9.0]]]]


@pytest.mark.parametrize("kind", ["avg", "max", "mixed"])
def test_window_1_is_plain_subsampling(kind):
    x = torch.randn(2, 3, 7, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(pooling(kind, 1, 2)(x), x[:, :, ::2, ::2])


@pytest.mark.parametrize(("window", "stride", "ceil"), [(2, 2, False), (3, 2, False), (3, 2, True), (2, 1, False)])
def test_mixed_pooling_is_the_mean_of_both_forward_and_backward(window, stride, ceil):
    x = torch.randn(2, 3, 8, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mixed, separate = x.clone().requires_grad_(), x.clone().requires_grad_()
    out = MixedPool2d(window, stride, ceil)(mixed)
    expected = (
        nn.AvgPool2d(window, stride, ceil_mode=ceil)(separate) + nn.MaxPool2d(window, stride, ceil_mode=ceil)(separate)
    ) / 2
    torch.testing.assert_close(out, expected)
    out.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(mixed.grad, separate.grad)


def test_mixed_pooling_prints_its_settings():
    assert repr(MixedPool2d(3, 2)) == "MixedPool2d(kernel_size=3, stride=2, ceil_mode=False)"
