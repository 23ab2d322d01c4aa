"""Grad-CAM by hand, against hooks of our own and against CAM; CAM against the output it explains; what is refused."""

import numpy as np
import pytest
import torch
from torch import nn

from ablate.images.config import AlexNet, LeNet, Nin, ResNet, Train, Vgg
from ablate.images.diagnose.maps import METHODS, class_maps, last_maps, maps_of, why_not
from ablate.images.diagnose.randomised import agreement_down, cascade
from ablate.images.networks import build
from ablate.task.errors import ConfigError

NETWORKS = {
    "lenet": (LeNet(activation="relu"), "act2"),
    "lenet1998": (LeNet(connections="table", output="rbf"), None),
    "alexnet": (AlexNet(), None),
    "vgg": (Vgg(width=4, hidden=16), None),
    "nin": (Nin(width=8), None),
    "resnet": (ResNet(width=4), "layer4.1.act2"),
}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def made(config, classes=5):
    return build(config, 1, (28, 28), classes).eval()


def pictures(count=3):
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(1))


def gradients_by_hooks(network, name, inputs, targets):
    """Grad-CAM as the paper's equations 1 and 2, with neither Captum nor interpolation."""
    kept = {}

    def keep(layer, given, output):
        output.retain_grad()
        kept["maps"] = output

    hook = network.get_submodule(name).register_forward_hook(keep)
    network(inputs).gather(1, targets[:, None]).sum().backward()
    hook.remove()
    weights = kept["maps"].grad.mean((2, 3), keepdim=True)
    return (weights * kept["maps"]).sum(1).relu().detach()


def test_grad_cam_worked_by_hand():
    """Two maps, the pixel and twice the pixel; a class that wants the first and not the second, pixel by pixel."""
    network = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.Flatten(), nn.Linear(8, 2, bias=False)).eval()
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, 2.0]).view(2, 1, 1, 1))
        network[2].weight.copy_(torch.tensor([[1.0, 2, 3, 6, -1, -1, -1, -1], [0, 0, 0, 0, 4, 0, 0, 0]]))
    inputs = torch.tensor([[[[1.0, -1.0], [2.0, 0.5]]]])
    # Class 0: weights are the means 3 and -1: (3 - 1 * 2) x = x. Class 1: 0 and 1: 2 x. Below 0: cut off.
    for target, expected in ((0, [[1.0, 0.0], [2.0, 0.5]]), (1, [[2.0, 0.0], [4.0, 1.0]])):
        found = maps_of("grad_cam", network, inputs, torch.tensor([target]))
        torch.testing.assert_close(found, torch.tensor([expected]))


@pytest.mark.parametrize(("config", "layer"), NETWORKS.values(), ids=NETWORKS)
def test_grad_cam_is_that_of_plain_hooks(config, layer):
    network, inputs, targets = made(config), pictures(), torch.tensor([0, 3, 4])
    name = last_maps(network, inputs)
    assert layer is None or name == layer
    expected = gradients_by_hooks(network, name, inputs, targets)
    enlarged = nn.functional.interpolate(expected[:, None], (28, 28), mode="bilinear")[:, 0]
    torch.testing.assert_close(maps_of("grad_cam", network, inputs, targets), enlarged, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("config", [Nin(width=8), ResNet(width=4)], ids=["nin", "resnet"])
def test_the_mean_of_a_class_map_is_what_the_class_gets(config):
    network, inputs, targets = made(config), pictures(), torch.tensor([1, 2, 4])
    outputs = network(inputs).gather(1, targets[:, None])[:, 0]
    bias = network.fc.bias[targets] if isinstance(config, ResNet) else 0.0
    maps = class_maps(network, inputs, targets)
    torch.testing.assert_close(maps.mean((1, 2)) + bias, outputs, rtol=1e-4, atol=1e-5)
    # Selvaraju et al. 2017, section 3.1: with global pooling Grad-CAM is CAM, up to the number of pixels and the cut.
    pixels = maps[0].numel()
    grad_cam = gradients_by_hooks(network, last_maps(network, inputs), inputs, targets)
    torch.testing.assert_close(grad_cam, maps.relu() / pixels, rtol=1e-3, atol=1e-6)


def test_saliency_is_the_largest_change_with_a_colour():
    network = build(ResNet(width=4), 3, (16, 16), 4).eval()
    inputs, targets = torch.rand(2, 3, 16, 16), torch.tensor([1, 3])
    changed = inputs.clone().requires_grad_()
    network(changed).gather(1, targets[:, None]).sum().backward()
    torch.testing.assert_close(maps_of("saliency", network, inputs, targets), changed.grad.abs().amax(1))


def test_occlusion_finds_the_only_place_that_counts():
    network = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 2, bias=False)).eval()
    with torch.no_grad():
        network[1].weight.zero_()
        network[1].weight[1, 3 * 28 + 20] = 1.0  # row 3, column 20
    inputs = torch.zeros(1, 1, 28, 28)
    inputs[0, 0, 3, 20] = 1.0
    found = maps_of("occlusion", network, inputs, torch.tensor([1]))[0]
    rows, columns = np.nonzero(found.numpy())
    assert float(found[3, 20]) == float(found.max())
    assert rows.max() < 12
    assert columns.min() >= 12
    # What covers the picture is its mean; nothing of the weights' other class.
    assert float(found.max()) == pytest.approx(1 - 1 / 784)


@pytest.mark.parametrize("method", METHODS)
def test_maps_have_the_size_of_the_input_and_leave_the_network_as_it_was(method):
    network, inputs, targets = made(ResNet(width=4)), pictures(), torch.tensor([0, 1, 2])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert maps_of(method, network, inputs, targets).shape == (3, 28, 28)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(not layer._forward_hooks and not layer._forward_pre_hooks for layer in network.modules())


def test_cam_is_for_networks_with_global_pooling():
    for config in (LeNet(), AlexNet(), Vgg(width=4, hidden=16), Nin(width=8, global_pooling=False)):
        network = made(config)
        assert "global average pooling" in str(why_not("cam", network, pictures(1)))
        with pytest.raises(ConfigError, match="cam: the network does not end in global average pooling"):
            maps_of("cam", network, pictures(1), torch.tensor([0]))
    for config in (Nin(width=8), ResNet(width=4)):
        assert why_not("cam", made(config), pictures(1)) is None


def test_grad_cam_needs_maps_and_names_the_layers_that_have_some():
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 3)).eval()
    with pytest.raises(ConfigError, match="no convolution with maps"):
        maps_of("grad_cam", network, pictures(1), torch.tensor([0]))
    with pytest.raises(ConfigError, match=r"layer = 'conv9': must be a layer with maps: conv1, act1, pool1"):
        maps_of("grad_cam", made(LeNet()), pictures(1), torch.tensor([0]), layer="conv9")
    assert maps_of("grad_cam", made(LeNet()), pictures(1), torch.tensor([0]), layer="conv1").shape == (1, 28, 28)


def test_layers_lose_their_weights_one_after_the_other_from_the_output_down():
    network = made(LeNet(activation="relu"))
    before = {name: value.clone() for name, value in network.named_parameters()}
    lost = []
    for name, changed in cascade(network, Train(init="kaiming_uniform"), 0):
        lost.append(name)
        own = dict(changed.named_parameters())
        differs = {key.rpartition(".")[0] for key, value in before.items() if not torch.equal(value, own[key])}
        assert differs == set(lost)
    layers = [name for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert lost == layers[::-1]
    assert all(torch.equal(before[name], value) for name, value in network.named_parameters())


def test_a_map_that_ignores_the_weights_is_found_out():
    network, inputs = made(LeNet(activation="relu")), pictures()
    ignoring = agreement_down(network, Train(), 0, lambda other: inputs[:, 0])
    assert [value for _, value in ignoring] == pytest.approx([1.0] * 5)
    looking = agreement_down(
        network, Train(), 0, lambda other: maps_of("saliency", other, inputs, torch.tensor([0, 1, 2]))
    )
    assert looking[-1][1] < 0.9
