"""Compiled linear layers of several members against torch in float64, alone and in networks of nothing else."""

import platform

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ablate.images.config import Train
from ablate.images.engine.init import initial_parameters
from ablate.images.engine.kernels import ACTIVATIONS
from ablate.images.engine.linears import Linear, LinearSpec, linear
from ablate.images.engine.stack import stack

pytestmark = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="kernels of x86-64")

SPECS = [
    LinearSpec(784, 128, "relu"),
    LinearSpec(37, 10),
    LinearSpec(16, 45, "sigmoid"),
    LinearSpec(1, 1, "tanh"),
    LinearSpec(20, 3, "leaky_relu"),
]


def built(spec: LinearSpec) -> Linear:
    compiled = linear(spec)
    assert compiled is not None
    return compiled


def case(spec: LinearSpec, members: int, inputs: int, batch: int) -> dict[str, Tensor]:
    """Random inputs, parameters and output gradient."""
    source = torch.Generator().manual_seed(batch)
    shapes = {
        "x": (inputs, batch, spec.inputs),
        "weight": (members, spec.outputs, spec.inputs),
        "bias": (members, spec.outputs),
        "grad": (members, batch, spec.outputs),
    }
    return {name: torch.randn(shape, generator=source) for name, shape in shapes.items()}


def with_gradients(tensors: dict[str, Tensor], outputs) -> dict[str, Tensor]:
    leaves = {name: t.clone().requires_grad_() for name, t in tensors.items() if name != "grad"}
    y = outputs(leaves["x"], leaves["weight"], leaves["bias"])
    gradients = torch.autograd.grad(y, list(leaves.values()), tensors["grad"])
    return dict(zip(leaves, gradients, strict=True)) | {"output": y.detach()}


def theirs(spec: LinearSpec, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    def outputs(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        each = [F.linear(x[k * len(x) // len(weight)], weight[k], bias[k]) for k in range(len(weight))]
        return ACTIVATIONS[spec.activation](torch.stack(each))

    return with_gradients({name: tensor.double() for name, tensor in tensors.items()}, outputs)


@pytest.mark.parametrize(("members", "inputs", "batch"), [(1, 1, 64), (4, 2, 1), (3, 3, 17), (6, 1, 40)], ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_outputs_and_gradients_are_those_of_torch(spec, members, inputs, batch):
    tensors = case(spec, members, inputs, batch)
    found, wanted = with_gradients(tensors, built(spec)), theirs(spec, tensors)
    for name, value in found.items():
        assert value.shape == wanted[name].shape
        assert (value.double() - wanted[name]).abs().max() / wanted[name].abs().max() < 5e-5, name


def test_a_member_does_not_depend_on_its_company_and_a_diverged_one_harms_no_other():
    spec = SPECS[1]
    tensors = case(spec, 4, 2, 5)
    together = with_gradients(tensors, built(spec))
    for k in range(4):
        alone = {name: t[k : k + 1] for name, t in tensors.items()} | {"x": tensors["x"][k // 2 : k // 2 + 1]}
        own = with_gradients(alone, built(spec))
        assert all(torch.equal(own[name][0], together[name][k]) for name in own if name != "x")
    tensors["weight"][1, 0] = float("nan")
    ill = with_gradients(tensors, built(spec))
    assert all(torch.equal(ill[name][[0, 2, 3]], together[name][[0, 2, 3]]) for name in ill if name != "x")
    assert ill["output"][1, :, 0].isnan().all()
    assert ill["x"][0].isnan().any()


def test_without_bias_and_for_slices_of_larger_tensors():
    spec = SPECS[1]
    tensors = case(spec, 2, 2, 3)
    wide = torch.stack([tensors["x"]] * 2, -1)[..., 0]  # not contiguous
    wanted = torch.bmm(tensors["x"].double(), tensors["weight"].double().transpose(1, 2))
    torch.testing.assert_close(built(spec)(wide, tensors["weight"], None).double(), wanted, rtol=1e-5, atol=1e-5)


def test_what_does_not_fit_is_refused_and_never_read():
    spec = SPECS[1]
    tensors = case(spec, 2, 1, 3)
    for name, wrong in (
        ("x", tensors["x"][..., :-1]),
        ("x", tensors["x"].expand(3, -1, -1)),
        ("weight", tensors["weight"][:, :-1]),
        ("bias", tensors["bias"][:1]),
    ):
        given = tensors | {name: wrong}
        with pytest.raises(ValueError, match="do not fit"):
            built(spec)(given["x"], given["weight"], given["bias"])
    with pytest.raises(ValueError, match="need float32"):
        built(spec)(tensors["x"].double(), tensors["weight"], None)
    assert linear(LinearSpec(4, 4, "gelu")) is None
    assert linear(LinearSpec(1024, 1024)) is None


@pytest.mark.parametrize(
    ("layers", "batch", "fused"),
    [
        ([nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 3)], 64, False),
        ([nn.Linear(48, 8), nn.Sigmoid(), nn.Linear(8, 8, bias=False), nn.Tanh(), nn.Linear(8, 3)], 64, True),
        ([nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 3)], 4, False),
        ([nn.Linear(48, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)], 64, False),
    ],
    ids=["gelu", "fused", "small batch", "batch norm"],
)
def test_networks_of_linear_layers_alone_are_fused(layers, batch, fused):
    template = nn.Sequential(nn.Flatten(), *layers)
    initial = [initial_parameters(template, Train(), seed) for seed in range(4)]
    model = stack(template, initial, None, 2, (3, 4, 4), torch.device("cpu"), batch=batch)
    assert (model.program is not None) == fused
    x = torch.rand(2, 5, 3, 4, 4)
    y = model(x)
    assert y.shape == (4, 5, 3)
    assert y.isfinite().all()
