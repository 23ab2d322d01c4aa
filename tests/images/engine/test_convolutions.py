"""Our own convolutions on maps with channels last against torch in float64, in units of several members."""

import platform

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ablate.images.engine.convolutions import ConvolutionSpec, convolution
from ablate.images.engine.maps import TailSpec
from ablate.images.engine.tails import tail, unavailable_reason

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="kernels of x86-64")

SHAPES = [
    ConvolutionSpec(8, 8, 28, 28, (3, 3), (1, 1)),
    ConvolutionSpec(16, 32, 14, 14, (3, 3), (1, 1)),
    ConvolutionSpec(24, 8, 7, 37, (3, 3), (0, 2)),
    ConvolutionSpec(32, 16, 5, 16, (3, 3), (2, 0)),
    ConvolutionSpec(8, 24, 3, 3, (3, 3), (0, 0)),
    ConvolutionSpec(8, 16, 1, 2, (3, 3), (1, 1)),
]
MEMBERS, INPUTS, BATCH = 4, 2, 3


def layer(spec: ConvolutionSpec) -> nn.Conv2d:
    return nn.Conv2d(spec.in_channels, spec.out_channels, spec.kernel, padding=spec.padding)


def case(spec: ConvolutionSpec) -> dict[str, Tensor]:
    """Random inputs, parameters and output gradient; two members each share an input."""
    source = torch.Generator().manual_seed(spec.width)
    shapes = {
        "maps": (INPUTS, BATCH, spec.in_channels, spec.height, spec.width),
        "weight": (MEMBERS, spec.out_channels, spec.in_channels, *spec.kernel),
        "bias": (MEMBERS, spec.out_channels),
        "grad": (MEMBERS, BATCH, spec.out_channels, *spec.output_size()),
    }
    return {name: torch.randn(shape, generator=source) for name, shape in shapes.items()}


def ours(spec: ConvolutionSpec, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    computed = convolution(layer(spec), spec.padding, spec.height, spec.width)
    assert computed.own is not None
    unit_spec = TailSpec(spec.out_channels, *spec.output_size())
    unit = tail(unit_spec)
    assert unit is not None, unavailable_reason(unit_spec)
    leaves = {name: t.clone().requires_grad_() for name, t in tensors.items() if name != "grad"}
    y = torch.stack(unit(leaves["maps"].unbind(), None, computed, leaves["weight"], leaves["bias"], None))
    gradients = torch.autograd.grad(y, list(leaves.values()), tensors["grad"])
    return dict(zip(leaves, gradients, strict=True)) | {"output": y.detach()}


@pytest.mark.parametrize("spec", SHAPES, ids=str)
def test_outputs_and_gradients_are_those_of_torch(spec):
    tensors = case(spec)
    found = ours(spec, tensors)
    leaves = {name: t.double().requires_grad_() for name, t in tensors.items() if name != "grad"}
    y = torch.stack(
        [
            F.conv2d(leaves["maps"][k // 2], leaves["weight"][k], leaves["bias"][k], padding=spec.padding)
            for k in range(MEMBERS)
        ]
    )
    gradients = torch.autograd.grad(y, list(leaves.values()), tensors["grad"].double())
    wanted = dict(zip(leaves, gradients, strict=True)) | {"output": y.detach()}
    for name, value in found.items():
        assert value.shape == wanted[name].shape
        assert (value.double() - wanted[name]).abs().max() / wanted[name].abs().max() < 1e-5, name


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_diverged_member_harms_no_other_and_is_seen(bad):
    spec = SHAPES[1]
    tensors = case(spec)
    healthy = ours(spec, tensors)
    tensors["weight"][1, 0] = bad
    ill = ours(spec, tensors)
    for name in ("output", "weight", "bias"):
        assert torch.equal(ill[name][[0, 2, 3]], healthy[name][[0, 2, 3]]), name
    assert not ill["output"][1, :, 0].isfinite().any()
    after = ours(spec, case(spec))  # nothing is left in the scratch memory
    assert all(torch.equal(after[name], healthy[name]) for name in after)


@pytest.mark.parametrize(
    "other",
    [
        nn.Conv2d(8, 8, 3, padding=1, stride=2),
        nn.Conv2d(8, 8, 3, padding=1, groups=2),
        nn.Conv2d(8, 8, 3, padding=1, dilation=2),
        nn.Conv2d(8, 12, 3, padding=1),
        nn.Conv2d(8, 64, 3, padding=1),
        nn.Conv2d(8, 8, 5, padding=1),
        nn.Conv2d(8, 8, 3, padding=3),
    ],
    ids=str,
)
def test_other_convolutions_are_those_of_torch(other):
    assert convolution(other, other.padding, 9, 9).own is None


def test_what_does_not_fit_is_refused_and_never_read():
    spec = SHAPES[0]
    computed, tensors = convolution(layer(spec), spec.padding, spec.height, spec.width), case(spec)
    with pytest.raises(ValueError, match="do not fit"):
        computed.forward(tensors["maps"][0][..., :-1], tensors["weight"], None, 0)
    with pytest.raises(ValueError, match="do not fit"):
        computed.forward(tensors["maps"][0], tensors["weight"][:, :4], None, 0)
