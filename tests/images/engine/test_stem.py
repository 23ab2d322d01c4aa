"""First convolutions whose map is never stored against torch in float64, member by member."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ablate.images.engine import kernels
from ablate.images.engine.maps import Normalisation, TailSpec
from ablate.images.engine.stack import stack
from ablate.images.engine.stem import Stem, StemSpec, stem

EPS, MOMENTUM = 1e-3, 0.3
SPECS = {
    "3x3": StemSpec(TailSpec(16, 9, 10, False, "relu", "max", 2, 2), 1, 9, 10, (3, 3), (1, 1), (1, 1)),
    "strided": StemSpec(TailSpec(8, 4, 5, False, "sigmoid"), 3, 9, 10, (3, 3), (2, 2), (0, 1)),
    "uneven": StemSpec(TailSpec(20, 5, 4, False, "gelu", "avg", 3, 1), 2, 12, 7, (2, 5), (3, 2), (1, 2)),
    "large filters": StemSpec(TailSpec(32, 7, 8, False, "tanh", "mixed", 2, 2), 1, 7, 8, (5, 5), (1, 1), (2, 2)),
    "padded pool": StemSpec(TailSpec(12, 6, 6, False, "relu", "max", 3, 2, 1), 3, 6, 6, (3, 3), (1, 1), (1, 1)),
    "many channels": StemSpec(TailSpec(72, 3, 3, False, "silu"), 1, 3, 3, (1, 1), (1, 1), (0, 0)),
    "one pixel": StemSpec(TailSpec(4, 1, 1), 4, 2, 2, (2, 2), (1, 1), (0, 0)),
}


def built(spec: StemSpec) -> Stem:
    compiled = stem(spec)
    assert compiled is not None
    return compiled


def case(spec: StemSpec, members: int, inputs: int, batch: int) -> dict[str, Tensor]:
    """Random inputs, parameters and output gradient; inputs as pixels are, positive."""
    source = torch.Generator().manual_seed(members)
    shapes = {
        "weight": (members, spec.tail.channels, spec.in_channels, *spec.kernel),
        **dict.fromkeys(("bias", "scale", "shift"), (members, spec.tail.channels)),
        "grad": (members, batch, spec.tail.channels, *spec.tail.output_size()),
    }
    tensors = {name: torch.randn(shape, generator=source) for name, shape in shapes.items()}
    return tensors | {"x": torch.rand(inputs, batch, spec.in_channels, spec.height, spec.width, generator=source)}


def with_gradients(tensors: dict[str, Tensor], norm: str, outputs) -> dict[str, Tensor]:
    leaves = {name: tensors[name].clone().requires_grad_() for name in ("weight", "bias", "scale", "shift")}
    mean, variance = (torch.full_like(tensors["scale"], value) for value in (0.1, 0.7))
    of_norm = Normalisation(leaves["scale"], leaves["shift"], mean, variance, EPS, MOMENTUM, norm == "batch")
    y = outputs(tensors["x"], leaves["weight"], leaves["bias"], of_norm)
    gradients = torch.autograd.grad(y, list(leaves.values()), tensors["grad"])
    return dict(zip(leaves, gradients, strict=True)) | {"output": y.detach(), "mean": mean, "variance": variance}


def ours(spec: StemSpec, tensors: dict[str, Tensor], norm: str) -> dict[str, Tensor]:
    return with_gradients(tensors, norm, lambda *given: torch.stack(built(spec)(*given)))


def theirs(spec: StemSpec, tensors: dict[str, Tensor], norm: str) -> dict[str, Tensor]:
    """The same by torch's own operations in float64."""

    def outputs(x: Tensor, weight: Tensor, bias: Tensor, of_norm: Normalisation) -> Tensor:
        found = []
        for k in range(len(weight)):
            z = F.conv2d(x[k * len(x) // len(weight)], weight[k], bias[k], spec.stride, spec.padding)
            own = (of_norm.mean[k], of_norm.variance[k], of_norm.scale[k], of_norm.shift[k])
            z = kernels.ACTIVATIONS[spec.tail.activation](F.batch_norm(z, *own, of_norm.training, MOMENTUM, EPS))
            tail = spec.tail
            window = (tail.pool_window, tail.pool_stride, tail.pool_padding)
            pools = {"avg": [F.avg_pool2d], "max": [F.max_pool2d], "mixed": [F.avg_pool2d, F.max_pool2d]}.get(tail.pool)
            found.append(z if pools is None else sum(pool(z, *window) for pool in pools) / len(pools))
        return torch.stack(found)

    return with_gradients({name: tensor.double() for name, tensor in tensors.items()}, norm, outputs)


@pytest.mark.parametrize("norm", ["batch", "running"])
@pytest.mark.parametrize(("members", "inputs", "batch"), [(1, 1, 5), (4, 2, 3), (3, 3, 40), (4, 1, 4)], ids=str)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_outputs_and_gradients_are_those_of_torch(spec, members, inputs, batch, norm):
    tensors = case(spec, members, inputs, batch)
    found, wanted = ours(spec, tensors, norm), theirs(spec, tensors, norm)
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        assert value.shape == wanted[name].shape
        if name == "bias" and norm == "batch":  # exactly nothing; torch has what rounding leaves
            assert not value.any()
            continue
        scale = wanted[name].abs().max().clamp(min=1e-3)
        assert (value.double() - wanted[name]).abs().max() / scale < 5e-5, name


def test_filters_that_see_little_but_rounding_keep_their_statistics():
    """Differences of neighbours in even pictures: of the products nearly all cancels."""
    spec = SPECS["3x3"]
    tensors = case(spec, 2, 1, 16)
    tensors["x"] = 0.9 + 0.02 * tensors["x"]
    tensors["weight"] -= tensors["weight"].mean((2, 3, 4), keepdim=True)
    found, wanted = ours(spec, tensors, "batch"), theirs(spec, tensors, "batch")
    for name in ("output", "variance", "weight"):
        assert (found[name].double() - wanted[name]).abs().max() / wanted[name].abs().max() < 1e-4, name


def test_statistics_do_not_drown_in_the_level_of_the_pixels():
    """Pixels as a scanner gives them: their level is a thousand times their deviation, and no border is as far away."""
    spec = StemSpec(TailSpec(8, 8, 8), 2, 10, 10, (3, 3), (1, 1), (0, 0))
    tensors = case(spec, 2, 2, 16)
    tensors["x"] = torch.tensor([1000.0, -300.0])[:, None, None] + 3.0 * tensors["x"]
    found, wanted = ours(spec, tensors, "batch"), theirs(spec, tensors, "batch")
    for name, most in (("variance", 1e-5), ("output", 1e-3), ("mean", 1e-6)):
        assert (found[name].double() - wanted[name]).abs().max() / wanted[name].abs().max() < most, name


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_member_does_not_depend_on_its_company(spec):
    tensors = case(spec, 4, 2, 3)
    together = ours(spec, tensors, "batch")
    for k in range(4):
        alone = {name: t[k : k + 1] for name, t in tensors.items()} | {"x": tensors["x"][k // 2 : k // 2 + 1]}
        own = ours(spec, alone, "batch")
        assert all(torch.equal(own[name][0], together[name][k]) for name in own)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_diverged_member_harms_no_other_and_is_seen(bad):
    spec = SPECS["3x3"]
    tensors = case(spec, 3, 1, 2)
    healthy = ours(spec, tensors, "batch")
    tensors["weight"][1, 0] = bad
    ill = ours(spec, tensors, "batch")
    for name in ill:
        assert torch.equal(ill[name][[0, 2]], healthy[name][[0, 2]]), name
    assert not ill["output"][1, :, 0].isfinite().any()
    assert not ill["weight"][1, 0].isfinite().any()
    after = ours(spec, case(spec, 3, 1, 2), "batch")  # nothing is left in the scratch memory
    assert all(torch.equal(after[name], healthy[name]) for name in after)


def test_what_does_not_fit_is_refused_and_never_read():
    spec = SPECS["3x3"]
    tensors = case(spec, 2, 1, 2)
    for name, wrong, message in (
        ("x", tensors["x"][..., :-1], "do not fit"),
        ("x", tensors["x"].clone().requires_grad_(), "need a gradient"),
        ("weight", tensors["weight"][..., :-1], "do not fit"),
        ("x", tensors["x"].double(), "need float32"),
    ):
        with pytest.raises(ValueError, match=message):
            ours(spec, tensors | {name: wrong}, "batch")
    one = SPECS["one pixel"]
    with pytest.raises(ValueError, match="more than 1 value"):
        ours(one, case(one, 1, 1, 1), "batch")


@pytest.mark.parametrize(
    "spec",
    [
        StemSpec(TailSpec(6, 4, 4), 1, 4, 4, (3, 3), (1, 1), (1, 1)),
        StemSpec(TailSpec(8, 4, 4, True), 1, 4, 4, (3, 3), (1, 1), (1, 1)),
        StemSpec(TailSpec(8, 4, 4), 4, 4, 4, (3, 3), (1, 1), (1, 1)),
    ],
    ids=["odd channels", "added", "large patch"],
)
def test_shapes_without_a_stem_say_why(spec):
    assert stem(spec) is None
    assert spec.unsupported() is not None


def test_a_network_begins_with_it(monkeypatch):
    template = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
    template.append(nn.Linear(8 * 20 * 20, 3))
    calls, called = [], Stem.__call__
    monkeypatch.setattr(Stem, "__call__", lambda self, *given: calls.append(self.spec) or called(self, *given))
    members = [{name: p.detach().clone() for name, p in template.named_parameters()} for _ in range(3)]
    model = stack(template, members, None, 1, (1, 20, 20), torch.device("cpu"), batch=256)
    calls.clear()
    model(torch.rand(1, 256, 1, 20, 20))
    assert calls == [StemSpec(TailSpec(8, 20, 20, False, "relu"), 1, 20, 20, (3, 3), (1, 1), (1, 1))]
