"""LeNet-1, LeNet-4, and LeNet-5 in the form of 1998, against the numbers that their papers print."""

import itertools

import pytest
import torch
from torch import nn

from ablate.images.config import LeNet, LeNet1, LeNet4, Train
from ablate.images.engine.init import initial_parameters
from ablate.images.networks import build, layer_table
from ablate.images.networks.lenet_1998 import C3_TABLE, RbfOutput, TableConv2d
from ablate.images.run import parse_run
from ablate.task.errors import ConfigError

GREY = (1, 28, 28)
FORM_1998 = {"subsampling": "trainable", "connections": "table", "output": "rbf"}


def made(config):
    return build(config, 1, (28, 28), 10)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def connections(model):
    """As the papers count: a unit's inputs and its bias; a subsampling unit has its window's four."""
    total = 0
    for row in layer_table(model, GREY):
        places = row.shape[1] * row.shape[2] if len(row.shape) == 3 else 1
        if row.name.startswith("scale"):
            total += row.shape[0] * places * 5
        elif row.kind == "RbfOutput":
            total += row.multiply_adds
        else:
            total += row.parameters * places
    return total


def test_lenet1_with_its_table_has_the_parameters_and_connections_of_its_paper():
    model = made(LeNet1(subsampling="trainable", connections="table"))
    assert parameters(model) == 2_578
    assert connections(model) == 98_442


def test_lenet5_in_its_form_of_1998_has_the_parameters_and_connections_of_its_paper():
    model = made(LeNet(**FORM_1998))
    assert parameters(model) == 60_000
    assert connections(model) == 340_908
    rows = {row.name: row.parameters for row in layer_table(model, GREY)}
    assert [rows[n] for n in ("conv1", "scale1", "conv2", "scale2", "c5", "f6")] == [156, 12, 1_516, 32, 48_120, 10_164]


def test_plain_lenet1_and_lenet4():
    one = {row.name: row.shape for row in layer_table(made(LeNet1()), GREY)}
    assert [one[n] for n in ("conv1", "pool1", "conv2", "pool2", "output")] == [
        (4, 24, 24),
        (4, 12, 12),
        (12, 8, 8),
        (12, 4, 4),
        (10,),
    ]
    assert parameters(made(LeNet1())) == 104 + 1_212 + 1_930
    four = made(LeNet4())
    assert parameters(four) == 104 + 1_616 + 48_120 + 1_210
    trainable = {row.name: row.shape for row in layer_table(made(LeNet4(subsampling="trainable")), GREY)}
    assert trainable["scale1"] == (8, 14, 14)  # "eight subsampling maps connected in pairs"
    assert trainable["conv2"] == (16, 10, 10)


def test_table_of_c3():
    assert [len(row) for row in C3_TABLE] == [3] * 6 + [4] * 9 + [6]
    # Table I of the paper, row by row of S2: which maps of C3 see it.
    printed = {
        0: [0, 4, 5, 6, 9, 10, 11, 12, 14, 15],
        1: [0, 1, 5, 6, 7, 10, 11, 12, 13, 15],
        2: [0, 1, 2, 6, 7, 8, 11, 13, 14, 15],
        3: [1, 2, 3, 6, 7, 8, 9, 12, 14, 15],
        4: [2, 3, 4, 7, 8, 9, 10, 12, 13, 15],
        5: [3, 4, 5, 8, 9, 10, 11, 13, 14, 15],
    }
    assert {s: [c for c, row in enumerate(C3_TABLE) if s in row] for s in range(6)} == printed


def test_a_table_convolution_is_one_convolution_for_each_map_of_those_it_sees():
    torch.manual_seed(0)
    layer = TableConv2d(6, C3_TABLE, 5).double()
    x = torch.randn(2, 6, 14, 14, dtype=torch.float64)
    rows = iter(layer.weight)
    outputs = []
    for out, seen in enumerate(C3_TABLE):
        weight = torch.stack([next(rows) for _ in seen])[None]
        outputs.append(nn.functional.conv2d(x[:, sorted(seen)], weight, layer.bias[out : out + 1]))
    torch.testing.assert_close(layer(x), torch.cat(outputs, 1))


def test_a_seed_gives_the_connections_of_a_table_the_values_that_they_have_among_all():
    full = initial_parameters(made(LeNet()), Train(), 3)
    table = initial_parameters(made(LeNet(connections="table")), Train(), 3)
    rows = iter(table["conv2.weight"])
    for out, seen in enumerate(C3_TABLE):
        for map_ in sorted(seen):
            assert torch.equal(next(rows), full["conv2.weight"][out, map_])
    others = [name for name in full if name != "conv2.weight"]
    assert all(torch.equal(full[name], table[name]) for name in others)


def test_trainable_subsampling_multiplies_a_windows_sum_and_adds_a_bias():
    model = made(LeNet(subsampling="trainable")).double()
    x = torch.randn(2, 6, 28, 28, dtype=torch.float64)
    got = model.scale1(model.pool1(x))
    for image, channel, row, column in itertools.product(range(2), range(6), (0, 13), (0, 7)):
        window = x[image, channel, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        expected = window.sum() * model.scale1.weight[channel, 0, 0, 0] / 4 + model.scale1.bias[channel]
        torch.testing.assert_close(got[image, channel, row, column], expected)


def test_rbf_units_are_distances_to_codes_of_ones():
    layer = RbfOutput(84, 10)
    assert set(layer.codes.flatten().tolist()) == {1.0, -1.0}
    assert len({tuple(code) for code in layer.codes.tolist()}) == 10
    x = torch.randn(3, 84)
    torch.testing.assert_close(layer(x), -torch.cdist(x, layer.codes).square(), rtol=1e-4, atol=1e-3)
    assert torch.equal(layer.codes, RbfOutput(84, 10).codes)


def test_a_table_is_for_its_own_channels():
    with pytest.raises(ConfigError, match=r"channels = \[8, 16\]: connections = table is for the channels \[6, 16\]"):
        parse_run({"model": {"name": "lenet", "channels": [8, 16], "connections": "table"}})


def test_the_switches_leave_the_digest_of_what_there_was_alone():
    assert "output" not in parse_run({}).identity["model"]
    assert parse_run({"model": {"name": "lenet", **FORM_1998}}).identity["model"]["output"] == "rbf"


@pytest.mark.parametrize("config", [LeNet1(), LeNet4(), LeNet4(pooling="max", subsampling="trainable")])
@pytest.mark.parametrize("size", [(28, 28), (33, 21)])
def test_maps_agree_with_the_configurations_arithmetic(config, size):
    rows = {row.name: row.shape[1:] for row in layer_table(build(config, 1, size, 10), (1, *size))}
    for layer, height, width in config.feature_maps(*size):
        assert rows[layer.split()[0]] == (height, width)
