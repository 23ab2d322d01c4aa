"""Units of convolution, batch norm, addition, activation and pool against torch in float64, member by member."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ablate.images.engine import kernels
from ablate.images.engine.convolutions import Convolution
from ablate.images.engine.maps import Normalisation, TailSpec
from ablate.images.engine.tails import Tail, tail, unavailable_reason

SPECS = [
    TailSpec(16, 9, 12, activation="relu", pool="max", pool_window=2, pool_stride=2),
    TailSpec(7, 9, 5, True, "gelu", "max", 3, 2, 1),
    TailSpec(10, 7, 9, True, "sigmoid", "avg", 3, 2),
    TailSpec(5, 7, 7, False, "tanh", "mixed", 2, 2),
    TailSpec(33, 6, 6, True, "relu", "avg", 6, 6),
    TailSpec(8, 5, 4, True, "silu"),
    TailSpec(24, 5, 4, False, "leaky_relu"),
    TailSpec(3, 4, 4, False, "sigmoid"),
    TailSpec(9, 5, 6, False, "relu", "avg", 1, 2),
    TailSpec(1, 2, 3, False, "identity"),
]
CONVOLUTIONS = [
    (2, Convolution((1, 1), (1, 1), (1, 1), 1), (3, 3)),
    (1, Convolution((2, 1), (0, 2), (1, 1), 1), (3, 5)),
    (3, Convolution((1, 1), (0, 0), (2, 2), 3), (2, 2)),
]
NORMS = ["none", "batch", "running"]
EPS, MOMENTUM = 1e-3, 0.3


def built(spec: TailSpec) -> Tail:
    compiled = tail(spec)
    assert compiled is not None, unavailable_reason(spec)
    return compiled


def input_size(spec: TailSpec, convolution: Convolution, filters: tuple[int, int]) -> list[int]:
    sides = zip(
        (spec.height, spec.width), convolution.stride, convolution.padding, convolution.dilation, filters, strict=True
    )
    return [(out - 1) * s - 2 * p + d * (f - 1) + 1 for out, s, p, d, f in sides]


def case(spec: TailSpec, number: int, members: int, inputs: int, batch: int) -> tuple[dict[str, Tensor], Convolution]:
    """Random inputs, parameters and output gradient."""
    channels, convolution, filters = CONVOLUTIONS[number]
    if spec.channels % convolution.groups:
        channels, convolution = 1, replace(convolution, groups=1)
    source = torch.Generator().manual_seed(number)
    shapes = {
        "maps": (inputs, batch, channels, *input_size(spec, convolution, filters)),
        "others": (members, batch, spec.channels, spec.height, spec.width),
        "weight": (members, spec.channels, channels // convolution.groups, *filters),
        "bias": (members, spec.channels),
        "scale": (members, spec.channels),
        "shift": (members, spec.channels),
        "grad": (members, batch, spec.channels, *spec.output_size()),
    }
    return {name: torch.randn(shape, generator=source) for name, shape in shapes.items()}, convolution


def normalisation(norm: str, scale: Tensor, shift: Tensor) -> Normalisation | None:
    if norm == "none":
        return None
    mean, variance = torch.full_like(scale, 0.1).detach(), torch.full_like(scale, 0.7).detach()
    return Normalisation(scale, shift, mean, variance, EPS, MOMENTUM, training=norm == "batch")


def ours(spec: TailSpec, tensors: dict[str, Tensor], convolution: Convolution, norm: str) -> dict[str, Tensor]:
    """Output, running statistics and gradients."""
    leaves = {name: t.clone().requires_grad_() for name, t in tensors.items() if name != "grad"}
    of_norm = normalisation(norm, leaves["scale"], leaves["shift"])
    others = leaves["others"].unbind() if spec.adds else None
    y = built(spec)(leaves["maps"].unbind(), others, convolution, leaves["weight"], leaves["bias"], of_norm)
    gradients = torch.autograd.grad(torch.stack(y), list(leaves.values()), tensors["grad"], allow_unused=True)
    found = dict(zip(leaves, gradients, strict=True)) | {"output": torch.stack(y).detach()}
    if of_norm is not None:
        found |= {"mean": of_norm.mean, "variance": of_norm.variance}
    return {name: value for name, value in found.items() if value is not None}


def theirs(spec: TailSpec, tensors: dict[str, Tensor], convolution: Convolution, norm: str) -> dict[str, Tensor]:
    """The same by torch's own operations in float64."""
    leaves = {name: t.double().requires_grad_() for name, t in tensors.items() if name != "grad"}
    of_norm = normalisation(norm, leaves["scale"], leaves["shift"])
    members, inputs = len(tensors["weight"]), len(tensors["maps"])
    outputs = []
    for k in range(members):
        x, c = leaves["maps"][k * inputs // members], convolution
        z = F.conv2d(x, leaves["weight"][k], leaves["bias"][k], c.stride, c.padding, c.dilation, c.groups)
        if of_norm is not None:
            running = (of_norm.mean[k], of_norm.variance[k])
            own = (leaves["scale"][k], leaves["shift"][k])
            z = F.batch_norm(z, *running, *own, of_norm.training, MOMENTUM, EPS)
        z = kernels.ACTIVATIONS[spec.activation](z + leaves["others"][k] if spec.adds else z)
        if spec.pool != "none":
            window = (spec.pool_window, spec.pool_stride, spec.pool_padding)
            average = F.avg_pool2d(z, *window) if spec.pool != "max" else None
            greatest = F.max_pool2d(z, *window) if spec.pool != "avg" else None
            z = (average + greatest) / 2 if spec.pool == "mixed" else (greatest if average is None else average)
        outputs.append(z)
    y = torch.stack(outputs)
    gradients = torch.autograd.grad(y, list(leaves.values()), tensors["grad"].double(), allow_unused=True)
    found = dict(zip(leaves, gradients, strict=True)) | {"output": y.detach()}
    if of_norm is not None:
        found |= {"mean": of_norm.mean, "variance": of_norm.variance}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("members", "inputs", "batch"), [(1, 1, 1), (4, 2, 3), (3, 3, 2), (4, 1, 2)], ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_outputs_and_gradients_are_those_of_torch(spec, members, inputs, batch, norm):

    for number in range(len(CONVOLUTIONS)):
        tensors, convolution = case(spec, number, members, inputs, batch)
        found, wanted = (function(spec, tensors, convolution, norm) for function in (ours, theirs))
        assert found.keys() == wanted.keys()
        for name, value in found.items():
            assert value.shape == wanted[name].shape
            if name == "bias" and norm == "batch":  # exactly nothing; torch has what rounding leaves
                assert not value.any()
                assert wanted[name].abs().max() < 1e-8
                continue
            scale = wanted[name].abs().max().clamp(min=1e-3)
            assert (value.double() - wanted[name]).abs().max() / scale < 5e-5, (name, number)


@pytest.mark.parametrize("spec", SPECS[:6], ids=str)
def test_a_member_does_not_depend_on_its_company(spec):
    tensors, convolution = case(spec, 0, 4, 2, 3)
    together = ours(spec, tensors, convolution, "batch")
    for k in range(4):
        alone = {name: t[k : k + 1] for name, t in tensors.items()} | {"maps": tensors["maps"][k // 2 : k // 2 + 1]}
        own = ours(spec, alone, convolution, "batch")
        assert all(torch.equal(own[name][0], together[name][k]) for name in own if name != "maps")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("spec", SPECS[:6], ids=str)
def test_a_diverged_member_harms_no_other_and_is_seen(spec, bad):
    tensors, convolution = case(spec, 0, 3, 3, 2)
    healthy = ours(spec, tensors, convolution, "batch")
    tensors["weight"][1, 0] = bad
    ill = ours(spec, tensors, convolution, "batch")
    for name in ill:
        assert torch.equal(ill[name][[0, 2]], healthy[name][[0, 2]]), name
    assert not ill["output"][1, :, 0].isfinite().any()
    assert not ill["weight"][1, 0].isfinite().any()
    after = ours(spec, case(spec, 0, 3, 3, 2)[0], convolution, "batch")  # nothing is left in the scratch memory
    assert all(torch.equal(after[name], healthy[name]) for name in after)


def test_what_does_not_fit_is_refused_and_never_read():
    spec = SPECS[0]
    tensors, convolution = case(spec, 0, 2, 2, 2)
    with pytest.raises(ValueError, match="does not fit"):
        ours(spec, tensors | {"maps": tensors["maps"][..., :-1]}, convolution, "none")
    with pytest.raises(ValueError, match="need float32"):
        ours(spec, {name: t.double() for name, t in tensors.items()}, convolution, "none")
    with pytest.raises(ValueError, match="what is added"):
        ours(SPECS[1], case(SPECS[1], 0, 2, 2, 2)[0] | {"others": torch.zeros(2, 2, 7, 9, 4)}, convolution, "none")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (TailSpec(2, 4, 4, activation="elu"), "activation 'elu'"),
        (TailSpec(2, 4, 4, pool="avg", pool_window=2, pool_stride=2, pool_padding=1), "avg pool with padding"),
        (TailSpec(2, 4, 4, pool="max", pool_window=5, pool_stride=1), "empty output"),
        (TailSpec(1024, 64, 64), "maps of more than"),
    ],
)
def test_shapes_without_a_tail_say_why(spec, reason):
    assert tail(spec) is None
    assert reason in (unavailable_reason(spec) or "")


def test_the_default_type_of_new_tensors_does_not_matter():
    spec = TailSpec(3, 4, 5, True, "silu")  # of this test alone: what was found wrong once stays so in a process
    torch.set_default_dtype(torch.float64)
    try:
        assert tail(spec) is not None, unavailable_reason(spec)
    finally:
        torch.set_default_dtype(torch.float32)
