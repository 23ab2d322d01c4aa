import pytest
import torch
import torchvision
from torch import nn

from ablate.images.config import Vgg
from ablate.images.networks import build, layer_table
from ablate.images.run import parse_run
from ablate.task.errors import ConfigError

LARGE, SMALL = (224, 224), (28, 28)


def on_meta(size=None, classes=10, **fields):
    config = Vgg(**fields)
    with torch.device("meta"):
        return build(config, config.in_channels or 1, size or (SMALL if config.form == "small" else LARGE), classes)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_torchvision_form_is_torchvisions_layer_for_layer(depth, norm):
    name = f"vgg{depth}_bn" if norm else f"vgg{depth}"
    with torch.device("meta"):
        reference = getattr(torchvision.models, name)()
    model = on_meta(form="torchvision", depth=depth, norm=norm, classes=1000)
    published = getattr(torchvision.models, f"VGG{depth}{'_BN' if norm else ''}_Weights").DEFAULT.meta
    assert parameters(model) == published["num_params"]
    own = [row for row in layer_table(model, (3, *LARGE)) if row.kind != "Flatten"]
    expected = layer_table(reference, (3, *LARGE))
    assert [(r.kind, r.shape, r.parameters) for r in own] == [(r.kind, r.shape, r.parameters) for r in expected]


@pytest.mark.parametrize("norm", [True, False])
def test_torchvision_form_computes_what_torchvision_does(norm):
    size = (64, 64)
    torch.manual_seed(0)
    config = Vgg(form="torchvision", hidden=32, width=8, norm=norm)
    make = torchvision.models.vgg11_bn if norm else torchvision.models.vgg11
    with torch.device("meta"):
        model = build(config, 3, size, 3)
        features = make(num_classes=3).features
    # torchvision's widths are fixed: its own layers, made narrow.
    narrow = []
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            layer = nn.Conv2d(max(3, layer.in_channels // 8), layer.out_channels // 8, 3, padding=1)
        elif isinstance(layer, nn.BatchNorm2d):
            layer = nn.BatchNorm2d(layer.num_features // 8)
        narrow.append(layer)
    head = [nn.Linear(64 * 49, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 32), nn.ReLU(), nn.Dropout()]
    reference = nn.Sequential(*narrow, nn.AdaptiveAvgPool2d(7), nn.Flatten(), *head, nn.Linear(32, 3)).eval()
    renamed = dict(zip(model.state_dict(), reference.state_dict().values(), strict=True))
    model.load_state_dict(renamed, assign=True)
    x = torch.randn(2, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x), reference(x))


def test_the_small_form_halves_28_pixels_five_times():
    rows = {row.name: row.shape for row in layer_table(on_meta(), (1, *SMALL))}
    assert [rows[f"pool{stage}"] for stage in range(1, 6)] == [
        (64, 14, 14),
        (128, 7, 7),
        (256, 4, 4),
        (512, 2, 2),
        (512, 1, 1),
    ]
    assert (rows["fc6"], rows["fc7"], rows["output"]) == ((512,), (512,), (10,))
    # The eight convolutions of the paper's configuration A on grey images, and 512-512-512-10.
    pairs = [(1, 64), (64, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 512), (512, 512)]
    convolutions = sum(9 * a * b + b for a, b in pairs)
    assert parameters(on_meta()) == convolutions + 2 * (512 * 512 + 512) + 5130


def test_one_large_convolution_sees_as_far_as_a_stack_with_more_weights():
    stacked, single = on_meta(depth=16), on_meta(depth=16, stacked=False)
    kernels = [layer.kernel_size[0] for layer in single if isinstance(layer, nn.Conv2d)]
    assert kernels == [5, 5, 7, 7, 7]
    assert all(layer.kernel_size == (3, 3) for layer in stacked if isinstance(layer, nn.Conv2d))
    last = [m for m in (stacked, single) for m in [[p for n, p in m.named_parameters() if n.startswith("conv5")]]]
    # The paper's section 2.3: three 3x3 layers of C channels have 27 C^2 weights, one of 7x7 has 49 C^2.
    assert [sum(p.numel() for p in ps if p.dim() == 4) for ps in last] == [27 * 512**2, 49 * 512**2]


@pytest.mark.parametrize("size", [SMALL, (32, 32), (45, 31)])
@pytest.mark.parametrize("fields", [{}, {"depth": 16, "stacked": False}, {"form": "torchvision", "width": 2}])
def test_maps_agree_with_the_configurations_arithmetic(fields, size):
    if fields.get("form") == "torchvision":
        size = (size[0] * 4, size[1] * 4)
    config = Vgg(**fields)
    channels = config.in_channels or 1
    with torch.device("meta"):
        model = build(config, channels, size, 10)
    rows = {row.name: row.shape for row in layer_table(model, (channels, *size))}
    for layer, height, width in config.feature_maps(*size):
        assert rows[layer.split()[0]][1:] == (height, width)


def test_switches():
    model = on_meta(norm=True, activation="tanh", pooling="avg", dropout=0.0)
    kinds = [type(layer) for layer in model]
    assert (kinds.count(nn.BatchNorm2d), kinds.count(nn.Tanh), kinds.count(nn.AvgPool2d)) == (8, 10, 5)
    assert nn.Dropout not in kinds


def test_a_network_too_deep_for_the_image_is_one_message():
    with pytest.raises(ConfigError) as caught:
        parse_run({"model": {"name": "vgg", "form": "torchvision"}})
    (line,) = caught.value.problems
    assert line.startswith("model.pool5 (2x2): its input of 1x1 leaves an output of 0x0")
