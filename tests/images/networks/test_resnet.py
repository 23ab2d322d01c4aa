import pytest
import torch
import torchvision
from torch import nn

from ablate.images.config import ResNet
from ablate.images.networks import build, layer_table


def on_meta(channels=3, size=(28, 28), classes=10, **fields):
    with torch.device("meta"):
        return build(ResNet(**fields), channels, size, classes)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("depth", [18, 34])
def test_torchvision_form_has_torchvisions_names_and_shapes(depth):
    with torch.device("meta"):
        reference = getattr(torchvision.models, f"resnet{depth}")()
    model = on_meta(size=(224, 224), classes=1000, form="torchvision", depth=depth)
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert own == {name: tuple(value.shape) for name, value in reference.state_dict().items()}
    published = getattr(torchvision.models, f"ResNet{depth}_Weights").DEFAULT.meta
    assert parameters(model) == published["num_params"]


def test_torchvision_form_computes_what_torchvision_does_in_training_and_after():
    torch.manual_seed(0)
    reference = torchvision.models.resnet18(num_classes=3)
    model = build(ResNet(form="torchvision"), 3, (64, 64), 3)
    model.load_state_dict(reference.state_dict())
    x = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model(x), reference(x))
        torch.testing.assert_close(model.eval()(x), reference.eval()(x))


def test_small_form_has_the_known_number_of_parameters_and_keeps_the_size_in_its_stem():
    # 11,173,962: ResNet-18 for CIFAR-10 in its common form (3x3 stem, ten classes).
    model = on_meta(size=(32, 32))
    assert parameters(model) == 11_173_962
    rows = {row.name: row.shape for row in layer_table(on_meta(1), (1, 28, 28))}
    assert rows["conv1"] == (64, 28, 28)
    assert [rows[f"layer{n}.1.conv2"] for n in range(1, 5)] == [
        (64, 28, 28),
        (128, 14, 14),
        (256, 7, 7),
        (512, 4, 4),
    ]


def test_switches():
    plain = on_meta(skip=False, norm=False, width=8, activation="tanh")
    kinds = [type(layer) for layer in plain.modules()]
    assert nn.BatchNorm2d not in kinds
    assert nn.ReLU not in kinds
    assert not any("downsample" in name for name, _ in plain.named_modules())
    assert all(layer.bias is not None for layer in plain.modules() if isinstance(layer, nn.Conv2d))
    assert plain.fc.in_features == 64
    assert kinds.count(nn.Conv2d) == 17


def test_without_skips_a_block_is_a_plain_stack():
    torch.manual_seed(0)
    model = build(ResNet(skip=False, width=4), 1, (28, 28), 10).eval()
    x = torch.randn(2, 4, 28, 28)
    block = model.layer1[0]
    expected = block.bn2(block.conv2(block.bn1(block.conv1(x)).relu())).relu()
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("fields", [{}, {"form": "torchvision", "depth": 34}])
@pytest.mark.parametrize("size", [(28, 28), (31, 45), (224, 224)])
def test_maps_agree_with_the_configurations_arithmetic(fields, size):
    rows = {row.name: row.shape for row in layer_table(on_meta(size=size, **fields), (3, *size))}
    for layer, height, width in ResNet(**fields).feature_maps(*size):
        assert rows[layer.split()[0]][1:] == (height, width)
