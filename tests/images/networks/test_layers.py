import itertools
from typing import get_args

import pytest
import torch
from torch import nn

from ablate.images.networks.layers import ACTIVATIONS, MixedPool2d, StochasticPool2d, activation, pooling
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


@pytest.mark.parametrize("kind", ["avg", "max", "mixed", "stochastic"])
def test_window_1_is_plain_subsampling(kind):
    x = torch.rand(2, 3, 7, 6, generator=torch.Generator().manual_seed(0))
    layer = pooling(kind, 1, 2)
    assert torch.equal(layer(x), x[:, :, ::2, ::2])
    torch.testing.assert_close(layer.eval()(x), x[:, :, ::2, ::2])


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


def test_stochastic_pooling_draws_each_pixel_as_often_as_its_share():
    window = torch.tensor([[1.6, 0.0], [0.0, 2.4]])  # the example of the paper's figure 1
    x = window.repeat(1, 1, 100, 100)
    torch.manual_seed(0)
    out = StochasticPool2d(2, 2)(x)
    assert set(out.unique().tolist()) == {window[0, 0].item(), window[1, 1].item()}
    share = (out == window[0, 0]).float().mean().item()
    assert abs(share - 0.4) < 4 * (0.4 * 0.6 / 2500) ** 0.5
    expected = StochasticPool2d(2, 2).eval()(x)
    torch.testing.assert_close(expected, torch.full_like(expected, 0.4 * 1.6 + 0.6 * 2.4))


def test_every_pixel_of_a_window_can_be_drawn_and_gets_the_gradient():
    x = torch.rand(3, 2, 7, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    torch.manual_seed(2)
    counts = torch.zeros_like(x)
    for _ in range(400):
        (gradient,) = torch.autograd.grad(StochasticPool2d(3, 2)(x).sum(), x)
        counts += gradient
    shares = torch.zeros_like(x)
    for row, column in itertools.product(range(3), range(4)):
        window = (..., slice(2 * row, 2 * row + 3), slice(2 * column, 2 * column + 3))
        shares[window] += (x[window] / x[window].sum((-2, -1), keepdim=True)).detach()
    deviation = (counts / 400 - shares).abs() / (shares * (1 - shares.clamp(max=1)) / 400 + 1e-9).sqrt()
    assert deviation[shares < 1].max() < 5


def test_windows_that_stick_out_and_windows_without_a_positive_value():
    x = torch.tensor([[[[1.0, 3.0, 5.0], [0.0, 0.0, -7.0], [-1.0, -2.0, 0.0]]]])
    layer = StochasticPool2d(2, 2, ceil_mode=True)
    torch.testing.assert_close(layer.eval()(x), torch.tensor([[[[2.5, 5.0], [0.0, 0.0]]]]))
    drawn = layer.train()(x)
    assert drawn[0, 0, 0, 0].item() in (1.0, 3.0)
    assert drawn[0, 0, 0, 1].item() == 5.0
    assert drawn[0, 0, 1].tolist() == [0.0, 0.0]
    assert layer(x).shape == pooling("max", 2, 2, ceil=True)(x).shape
