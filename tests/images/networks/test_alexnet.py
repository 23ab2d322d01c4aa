import pytest
import torch
import torchvision
from torch import nn

from ablate.images.config import AlexNet
from ablate.images.networks import build, layer_table

LARGE, SMALL = (224, 224), (28, 28)
FORMS = ["paper", "merged", "torchvision", "small"]


def on_meta(form, size=None, classes=10, **fields):
    config = AlexNet(form=form, **fields)
    with torch.device("meta"):
        return build(config, config.in_channels or 1, size or (SMALL if form == "small" else LARGE), classes)


def shapes(model, shape):
    return {row.name: row.shape for row in layer_table(model, shape)}


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def names(model):
    return " ".join(name for name, _ in model.named_children())


def test_paper_form_has_the_papers_parameters_at_its_227_pixels():
    # 60,965,224: bvlc_reference_caffenet and bvlc_alexnet of Caffe's model zoo, two groups in convolutions 2, 4 and 5.
    assert parameters(on_meta("paper", (227, 227), 1000)) == 60_965_224


def test_paper_form_layer_by_layer():
    model = on_meta("paper", classes=1000)
    assert names(model) == (
        "conv1 act1 lrn1 pool1 conv2 act2 lrn2 pool2 conv3 act3 conv4 act4 conv5 act5 pool5 "
        "flatten fc6 act6 dropout6 fc7 act7 dropout7 output"
    )
    out = shapes(model, (3, *LARGE))
    assert [out[f"conv{i}"][0] for i in range(1, 6)] == [96, 256, 384, 384, 256]
    assert (out["conv1"], out["pool1"], out["pool2"]) == ((96, 54, 54), (96, 26, 26), (256, 12, 12))
    assert (out["pool5"], out["fc6"], out["fc7"], out["output"]) == ((256, 5, 5), (4096,), (4096,), (1000,))
    assert [getattr(model, f"conv{i}").groups for i in range(1, 6)] == [1, 2, 1, 2, 2]
    assert (model.pool1.kernel_size, model.pool1.stride, model.dropout6.p) == (3, 2, 0.5)
    assert isinstance(model.pool1, nn.MaxPool2d)


def test_merged_form_has_one_tower_and_no_activation_after_convolution_5():
    model = on_meta("merged", classes=5)
    assert names(model) == (
        "conv1 act1 pool1 conv2 act2 pool2 conv3 act3 conv4 act4 conv5 pool5 "
        "flatten fc6 act6 dropout6 fc7 act7 dropout7 output"
    )
    assert all(getattr(model, f"conv{i}").groups == 1 for i in range(1, 6))
    assert (model.conv1.padding, model.conv2.padding, model.conv3.padding) == ((0, 0), (2, 2), (1, 1))
    assert (model.fc6.in_features, model.fc6.out_features, model.output.out_features) == (256 * 5 * 5, 4096, 5)


def test_small_form_layer_by_layer():
    model = on_meta("small")
    assert names(model) == (
        "conv1 act1 pool1 conv2 act2 pool2 conv3 act3 conv4 act4 conv5 act5 pool5 "
        "flatten fc6 act6 dropout6 fc7 act7 dropout7 output"
    )
    out = shapes(model, (1, *SMALL))
    assert (out["conv1"], out["pool1"]) == ((64, 28, 28), (64, 14, 14))
    assert (out["conv2"], out["pool2"]) == ((128, 14, 14), (128, 7, 7))
    assert (out["conv3"], out["conv4"], out["conv5"]) == ((256, 7, 7), (256, 7, 7), (128, 7, 7))
    assert (out["pool5"], out["flatten"], out["fc6"], out["fc7"]) == ((128, 4, 4), (4 * 4 * 128,), (1024,), (1024,))
    assert (model.pool1.kernel_size, model.pool1.stride, model.dropout7.p) == (2, 2, 0.25)


def test_a_width_scales_channels_and_hidden_units_in_proportion():
    out = shapes(on_meta("small", width=16), (1, *SMALL))
    assert [out[f"conv{i}"][0] for i in range(1, 6)] == [16, 32, 64, 64, 32]
    assert (out["fc6"], out["fc7"], out["output"]) == ((256,), (256,), (10,))


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_own_width_changes_nothing(form):
    own = on_meta(form, width=64 if form in ("small", "torchvision") else 96)
    assert [p.shape for p in own.parameters()] == [p.shape for p in on_meta(form).parameters()]


@pytest.mark.parametrize("form", FORMS)
def test_the_narrowest_and_odd_widths(form):
    assert parameters(on_meta(form, width=2)) > 0
    with pytest.raises(ValueError, match="width"):
        AlexNet(form=form, width=3)


def test_torchvision_form_is_torchvisions_layer_for_layer():
    with torch.device("meta"):
        reference = torchvision.models.alexnet()
    model = on_meta("torchvision", classes=1000)
    assert parameters(model) == 61_100_840
    expected = [row for row in layer_table(reference, (3, *LARGE))]
    own = [row for row in layer_table(model, (3, *LARGE)) if row.kind != "Flatten"]
    assert [(r.kind, r.shape, r.parameters) for r in own] == [(r.kind, r.shape, r.parameters) for r in expected]


@pytest.mark.parametrize("size", [224, 95])
def test_torchvision_form_computes_what_torchvision_does(size):
    torch.manual_seed(0)
    reference = torchvision.models.alexnet(num_classes=3).eval()
    config = AlexNet(form="torchvision")
    with torch.device("meta"):
        model = build(config, 3, (size, size), 3)
    assert len(model.state_dict()) == len(reference.state_dict())
    renamed = dict(zip(model.state_dict(), reference.state_dict().values(), strict=True))
    model.load_state_dict(renamed, assign=True)
    x = torch.randn(1, 3, size, size)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x), reference(x))


@pytest.mark.parametrize("form", FORMS)
def test_switches(form):
    model = on_meta(form, activation="tanh", pooling="avg", dropout=0.0, lrn=True)
    kinds = [type(layer) for layer in model]
    assert nn.ReLU not in kinds
    assert nn.MaxPool2d not in kinds
    assert nn.Dropout not in kinds
    assert kinds.count(nn.Tanh) == (6 if form == "merged" else 7)
    assert kinds.count(nn.AvgPool2d) == 3
    assert kinds.count(nn.LocalResponseNorm) == 2
    assert nn.LocalResponseNorm not in [type(layer) for layer in on_meta(form, lrn=False)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("overlap", [True, False])
def test_maps_agree_with_the_configurations_arithmetic(form, overlap):
    for size in [SMALL, (31, 45)] if form == "small" else [LARGE, (227, 227), (150, 201)]:
        config = AlexNet(form=form, overlap=overlap)
        channels = config.in_channels or 1
        with torch.device("meta"):
            model = build(config, channels, size, 10)
        out = shapes(model, (channels, *size))
        for layer, height, width in config.feature_maps(*size):
            assert out[layer.split()[0]][1:] == (height, width)
        assert out["output"] == (10,)


@pytest.mark.parametrize(
    ("form", "window", "alpha", "beta", "k"), [("paper", 5, 1e-4, 0.75, 2.0), ("small", 9, 0.001 / 9, 0.75, 1.0)]
)
def test_response_normalisation_is_the_papers_sum_over_channels(form, window, alpha, beta, k):
    layer = on_meta(form, lrn=True).lrn1
    a = 20 * torch.randn(2, 16, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    reach = window // 2
    expected = torch.empty_like(a)
    for i in range(16):
        total = a[:, max(0, i - reach) : i + reach + 1].square().sum(dim=1)
        expected[:, i] = a[:, i] / (k + alpha * total) ** beta
    torch.testing.assert_close(layer(a), expected)


def test_small_form_runs_forward_and_backward():
    torch.manual_seed(0)
    model = build(AlexNet(form="small", pooling="mixed", overlap=True, lrn=True), 1, SMALL, 10)
    out = model(torch.rand(2, 1, *SMALL))
    assert out.shape == (2, 10)
    out.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_small_form_takes_colour():
    assert build(AlexNet(form="small"), 3, (32, 32), 10).conv1.in_channels == 3


def test_grey_is_refused_by_the_large_forms():
    with pytest.raises(ValueError, match="wants 3 input channels, given 1"):
        build(AlexNet(form="merged"), 1, LARGE, 10)


def test_small_images_are_refused_by_the_large_forms():
    with pytest.raises(ValueError, match=r"model\.conv5|model\.pool"):
        build(AlexNet(form="paper"), 3, (28, 28), 10)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lrn", [True, False])
def test_layers_are_leaves_and_nothing_works_in_place(form, lrn):
    for layer in on_meta(form, lrn=lrn, pooling="mixed", activation="leaky_relu"):
        assert not list(layer.children())
        assert not getattr(layer, "inplace", False)
