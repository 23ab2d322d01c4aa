import pytest
import torch
from torch import nn

from ablate.images.config import LeNet
from ablate.images.networks import build, layer_table

GREY = (1, 28, 28)


def lenet(in_channels=1, size=(28, 28), classes=10, **fields):
    return build(LeNet(**fields), in_channels, size, classes)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_default_is_the_articles_network_of_61706_parameters():
    expected = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.Sigmoid(),
        nn.Linear(120, 84),
        nn.Sigmoid(),
        nn.Linear(84, 10),
    )
    model = lenet()
    assert parameters(model) == parameters(expected) == 61_706
    assert [repr(layer) for layer in model] == [repr(layer) for layer in expected]
    for own, other in zip(expected.parameters(), model.parameters(), strict=True):
        own.data.copy_(other.data)
    x = torch.rand(3, *GREY, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(x), expected(x))


def test_layers_are_named_leaves_in_order():
    names = [name for name, _ in lenet().named_children()]
    assert names == "conv1 act1 pool1 conv2 act2 pool2 flatten c5 act_c5 f6 act_f6 output".split()
    assert all(not list(layer.children()) for layer in lenet())


def test_layer_table_of_the_default():
    rows = {row.name: (row.kind, row.shape, row.parameters) for row in layer_table(lenet(), GREY)}
    assert rows["conv1"] == ("Conv2d", (6, 28, 28), 156)
    assert rows["pool1"] == ("AvgPool2d", (6, 14, 14), 0)
    assert rows["conv2"] == ("Conv2d", (16, 10, 10), 2_416)
    assert rows["pool2"] == ("AvgPool2d", (16, 5, 5), 0)
    assert rows["flatten"] == ("Flatten", (400,), 0)
    assert rows["c5"] == ("Linear", (120,), 48_120)
    assert rows["f6"] == ("Linear", (84,), 10_164)
    assert rows["output"] == ("Linear", (10,), 850)


def test_layer_table_neither_moves_the_model_nor_leaves_hooks():
    model = lenet(dropout=0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert [row.name for row in layer_table(model, GREY)] == [name for name, _ in model.named_children()]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(not layer._forward_hooks for layer in model)
    assert model.training


@pytest.mark.parametrize("size", [3, 4, 5])
def test_first_kernel_keeps_400_inputs_of_c5(size):
    model = lenet(kernel_size=size)
    assert model.conv1.padding == (2, 2)
    assert model.c5.in_features == 400
    assert parameters(model) == 61_706 - 6 * (25 - size**2)


def test_pool_size_1_keeps_stride_2_and_400_inputs():
    model = lenet(pool_size=1)
    assert (model.pool1.kernel_size, model.pool1.stride, model.c5.in_features) == (1, 2, 400)


def test_each_activation_is_its_own_field():
    model = lenet(activation="relu", activation_c5="tanh", activation_f6="gelu")
    kinds = [type(getattr(model, name)) for name in ("act1", "act2", "act_c5", "act_f6")]
    assert kinds == [nn.ReLU, nn.ReLU, nn.Tanh, nn.GELU]


def test_dropout_follows_the_activations_of_the_linear_layers():
    names = [name for name, _ in lenet(dropout=0.3).named_children()]
    assert names[7:] == "c5 act_c5 dropout_c5 f6 act_f6 dropout_f6 output".split()
    assert lenet(dropout=0.3).dropout_f6.p == 0.3


def test_channels_widths_colour_and_classes():
    model = lenet(3, (32, 40), 7, channels=(4, 8), widths=(20, 11))
    assert layer_table(model, (3, 32, 40))[-1].shape == (7,)
    assert (model.conv1.in_channels, model.conv2.in_channels, model.f6.in_features) == (3, 4, 20)
    assert model(torch.zeros(2, 3, 32, 40)).shape == (2, 7)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pooling": "max", "pool_size": 3},
        {"pooling": "mixed", "pool_stride": 3},
        {"kernel_size": 2, "kernel_size_2": 4},
        {"pool_size": 1, "pool_stride": 1},
    ],
)
@pytest.mark.parametrize("size", [(28, 28), (33, 21)])
def test_maps_agree_with_the_configurations_arithmetic(fields, size):
    config = LeNet(**fields)
    rows = {row.name: row.shape[1:] for row in layer_table(build(config, 1, size, 10), (1, *size))}
    for layer, height, width in config.feature_maps(*size):
        assert rows[layer.split()[0]] == (height, width)


def test_a_map_that_shrinks_to_nothing_is_refused_by_name():
    with pytest.raises(ValueError, match=r"model\.conv2 \(5x5\): its input of 4x4 leaves an output of 0x0"):
        lenet(size=(8, 8))
