import pytest
import torch
from torch import nn

from ablate.images.config import Nin
from ablate.images.networks import build, layer_table


def on_meta(channels=1, size=(28, 28), classes=10, **fields):
    with torch.device("meta"):
        return build(Nin(**fields), channels, size, classes)


def rows(model, shape):
    return {row.name: row.shape for row in layer_table(model, shape)}


def test_small_form_has_the_parameters_of_the_papers_network_for_cifar_10():
    # Caffe's model zoo, "NIN-CIFAR10": 966,986 numbers.
    model = on_meta(3, (32, 32))
    assert sum(p.numel() for p in model.parameters()) == 966_986
    out = rows(model, (3, 32, 32))
    assert (out["conv1_2"], out["pool1"], out["pool2"]) == ((96, 32, 32), (96, 16, 16), (192, 8, 8))
    assert (out["conv3_2"], out["pool"], out["flatten"]) == ((10, 8, 8), (10, 1, 1), (10,))
    assert isinstance(model.pool1, nn.MaxPool2d)
    assert isinstance(model.pool2, nn.AvgPool2d)
    assert [name for name, layer in model.named_children() if isinstance(layer, nn.Dropout)] == ["dropout1", "dropout2"]


def textbook_block(out_channels, kernel, stride, padding):
    return [
        nn.LazyConv2d(out_channels, kernel, stride, padding),
        nn.ReLU(),
        nn.LazyConv2d(out_channels, 1),
        nn.ReLU(),
        nn.LazyConv2d(out_channels, 1),
        nn.ReLU(),
    ]


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_large_form_is_the_textbooks():
    torch.manual_seed(0)
    reference = nn.Sequential(
        *textbook_block(96, 11, 4, 0),
        nn.MaxPool2d(3, 2),
        *textbook_block(256, 5, 1, 2),
        nn.MaxPool2d(3, 2),
        *textbook_block(384, 3, 1, 1),
        nn.MaxPool2d(3, 2),
        nn.Dropout(0.5),
        *textbook_block(10, 3, 1, 1),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
    ).eval()
    x = torch.randn(1, 3, 224, 224)
    expected = reference(x)
    model = on_meta(3, (224, 224), form="large")
    assert [repr(a) for a in model if isinstance(a, nn.Conv2d)] == [
        repr(b) for b in reference if isinstance(b, nn.Conv2d)
    ]
    renamed = dict(zip(model.state_dict(), reference.state_dict().values(), strict=True))
    model.load_state_dict(renamed, assign=True)
    torch.testing.assert_close(model.eval()(x), expected)


@pytest.mark.parametrize(("pointwise", "last"), [(0, [96, 192, 10]), (1, [96, 192, 10]), (3, [96, 192, 10])])
def test_the_number_of_pointwise_convolutions_is_a_switch_that_keeps_the_blocks_outputs(pointwise, last):
    model = on_meta(pointwise=pointwise)
    convolutions = [(name, layer) for name, layer in model.named_children() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == 3 * (1 + pointwise)
    ends = convolutions[pointwise :: 1 + pointwise]
    assert [layer.out_channels for _, layer in ends] == last


def test_width_without_global_pooling_and_dropout():
    model = on_meta(width=48, global_pooling=False, dropout=0.0)
    assert [model.conv1.out_channels, model.conv1_1.out_channels, model.conv1_2.out_channels] == [48, 40, 24]
    assert (model.output.in_features, model.output.out_features) == (10 * 7 * 7, 10)
    assert not any(isinstance(layer, nn.Dropout | nn.AdaptiveAvgPool2d) for layer in model)


@pytest.mark.parametrize("fields", [{}, {"pointwise": 0, "global_pooling": False}, {"form": "large", "width": 6}])
@pytest.mark.parametrize("size", [(28, 28), (31, 45)])
def test_maps_agree_with_the_configurations_arithmetic(fields, size):
    size = (size[0] * 5, size[1] * 5) if "form" in fields else size
    out = rows(on_meta(1, size, **fields), (1, *size))
    for layer, height, width in Nin(**fields).feature_maps(*size):
        assert out[layer.split()[0]][1:] == (height, width)
    assert list(out.values())[-1] == (10,)
