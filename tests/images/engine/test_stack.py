"""Stacked networks give their members' outputs and gradients; those that cannot are refused."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.func import functional_call

from ablate.images.config import AlexNet, FashionMNIST, LeNet, Train
from ablate.images.data import Images
from ablate.images.engine import cohort as cohort_module
from ablate.images.engine import compiling, graph, train
from ablate.images.engine.init import initial_parameters
from ablate.images.engine.layers import StackedConv2d
from ablate.images.engine.stack import StackedModel, UnstackableError, stack
from ablate.images.engine.streams import stream
from ablate.images.networks import build
from ablate.images.run import RunConfig

CPU = torch.device("cpu")
K = 4


def members_of(template: nn.Module) -> list[dict[str, Tensor]]:
    return [initial_parameters(template, Train(), seed) for seed in range(K)]


def stacked(template: nn.Module, image: tuple[int, int, int], inputs: int, fuse: bool = False) -> StackedModel:
    return stack(template, members_of(template), [0.0] * K, inputs, image, CPU, batch=64 if fuse else None)


def check(template: nn.Module, image: tuple[int, int, int], inputs: int, fuse: bool = False) -> None:
    """Outputs and gradients in training, against functional calls of the one network.

    In double precision, where rounding flips no activation; but blocks are float32.
    """
    dtype, tolerance = (torch.float32, 5e-3) if fuse else (torch.float64, 1e-6)
    model = stacked(template.float(), image, inputs, fuse).to(dtype)
    x = torch.randn(inputs, 6, *image, generator=torch.Generator().manual_seed(1)).to(dtype)
    outputs = model(x)
    gradients = torch.autograd.grad(outputs.square().sum(), list(model.parameters()))
    names = [name for name, _ in model.body.named_parameters()]
    template.train().to(dtype)
    for k, values in enumerate(members_of(template)):
        leaves = {name: value.to(dtype).requires_grad_() for name, value in values.items()}
        single = functional_call(template, leaves, (x[k * inputs // K],))
        scale = single.abs().max().item()
        torch.testing.assert_close(outputs[k], single, rtol=0.0, atol=tolerance * scale / 10)
        expected = torch.autograd.grad(single.square().sum(), list(leaves.values()))
        assert names == list(leaves)
        for ours, theirs in zip(gradients, expected, strict=True):
            assert (ours[k] - theirs).norm() <= tolerance * theirs.norm() + tolerance / 100


TORCHVISION = {
    "resnet18": (lambda: torchvision.models.resnet18(num_classes=5), (3, 32, 32)),
    "vgg11": (lambda: without_dropout(torchvision.models.vgg11(num_classes=5)), (3, 32, 32)),
    "alexnet": (lambda: without_dropout(torchvision.models.alexnet(num_classes=5)), (3, 63, 63)),
}


def without_dropout(model: nn.Module) -> nn.Module:
    """And with narrow linear layers, to be quick."""
    linear = iter(
        [nn.Linear(512 * 49 if isinstance(model, torchvision.models.VGG) else 256 * 36, 32), nn.Linear(32, 5)]
    )
    model.classifier = nn.Sequential(next(linear), nn.ReLU(True), next(linear))
    return model


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_networks_stack(name: str) -> None:
    make, image = TORCHVISION[name]
    check(make(), image, inputs=2)


@pytest.mark.parametrize("inputs", [1, 2, 4])
@pytest.mark.parametrize("fuse", [False, True])
def test_layers_of_all_kinds_stack(inputs: int, fuse: bool) -> None:
    template = nn.Sequential(
        nn.Conv2d(2, 6, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ELU(),
        nn.Conv2d(6, 8, 3, groups=2),
        nn.GELU(),
        nn.LocalResponseNorm(3),
        nn.AvgPool2d(2),
        nn.Conv2d(8, 4, 2, dilation=2, padding="same"),
        nn.LeakyReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(4 * 3 * 3, 7, bias=False),
        nn.BatchNorm1d(7),
        nn.SiLU(),
        nn.Linear(7, 3),
    )
    check(template, (2, 24, 24), inputs, fuse)


@pytest.mark.parametrize(
    ("first", "inputs"),
    list(itertools.product([nn.LocalResponseNorm(3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, 1, 1, groups=2)], [1, 2])),
)
def test_inputs_are_shared_whatever_comes_first(first: nn.Module, inputs: int) -> None:
    check(nn.Sequential(first, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)), (4, 6, 6), inputs)


@pytest.mark.parametrize("inputs", [1, 2, 4])
def test_a_perceptron_stacks(inputs: int) -> None:
    check(nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Tanh(), nn.Linear(8, 3)), (1, 6, 6), inputs)


@pytest.mark.parametrize("model", [LeNet(), LeNet(pooling="mixed", activation="silu"), LeNet(pool_size=1)])
def test_fused_blocks_are_used_for_lenet(model: LeNet) -> None:
    template = build(model, 1, (28, 28), 10)
    assert stacked(template, (1, 28, 28), 1, fuse=True).program is not None
    check(build(model, 1, (28, 28), 10), (1, 28, 28), 2, fuse=True)


def test_large_filters_run_by_the_library_s_convolution_beside_fused_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "LARGEST_FILTERS", 1_000)
    template = build(LeNet(), 1, (28, 28), 10)
    model = stacked(template, (1, 28, 28), 1, fuse=True)
    assert model.program is not None
    assert not model.unfused
    check(build(LeNet(), 1, (28, 28), 10), (1, 28, 28), 2, fuse=True)


def test_torch_s_convolution_never_sees_channels_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """oneDNN 3.12 writes beyond its memory in the weight gradient of strided 1x1 convolutions there."""
    layer = StackedConv2d(nn.Conv2d(4, 8, 1, stride=2), 1)
    x = torch.randn(6, 9, 9, 4).permute(0, 3, 1, 2)[None]  # one member's map, as a compiled unit leaves it
    seen, conv2d = [], torch.nn.functional.conv2d

    def watched(x: Tensor, *rest: object) -> Tensor:
        seen.append(x.is_contiguous())
        return conv2d(x, *rest)

    monkeypatch.setattr(torch.nn.functional, "conv2d", watched)
    y = layer(x)
    assert seen == [True]
    expected = conv2d(x[0].double(), layer.weight[0].double(), layer.bias[0].double(), 2)
    torch.testing.assert_close(y[0].double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("registered", [False, True], ids=["called twice", "in two places"])
def test_a_dropout_that_is_used_twice_draws_twice(registered: bool) -> None:
    drop = nn.Dropout(0.5)

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.drop = nn.Linear(16, 16), nn.Linear(16, 8), drop
            self.again = drop if registered else None

        def forward(self, x: Tensor) -> Tensor:
            x = self.drop(self.first(x.flatten(1)))
            return self.drop(self.second((self.again or self.drop)(x)))

    template = Twice()
    values = [{name: p.detach() for name, p in template.named_parameters()}]
    model = stack(template, values, None, 1, (1, 4, 4), CPU, batch=None)
    (layer,) = model.noisy.values()
    layer.draw(6, [torch.Generator().manual_seed(0)], CPU)
    assert [noise.shape for noise in layer.noise] == [(1, 6, 16), (1, 6, 16), (1, 6, 8)]
    first, second, third = ((noise[0] >= 0.5) * 2 for noise in layer.noise)
    x, before = torch.rand(1, 6, 1, 4, 4), torch.get_rng_state()
    expected = template.second(template.first(x.flatten(0, 1).flatten(1)) * first * second) * third
    torch.testing.assert_close(model(x)[0], expected)
    assert torch.equal(torch.get_rng_state(), before), "nothing is drawn beside"


def test_layers_that_share_a_parameter_are_trained_one_by_one() -> None:
    template = nn.Sequential(nn.Flatten(), nn.Linear(16, 16), nn.Linear(16, 16))
    template[2].weight = template[1].weight
    values = [{name: p.detach() for name, p in template.named_parameters()}] * 2
    with pytest.raises(UnstackableError, match="share a parameter"):
        stack(template, values, None, 1, (1, 4, 4), CPU, batch=None)
    assert not stack(template, values[:1], None, 1, (1, 4, 4), CPU, batch=None).stacked


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (torchvision.models.squeezenet1_1(num_classes=5), "differ from the members' own|has no stacked form|fails"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4)), "1: GroupNorm has no stacked form"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")), "padding_mode 'reflect'"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Softmax(dim=1), nn.Flatten(), nn.Linear(4 * 31 * 31, 2)), "differ"),
    ],
    ids=["squeezenet", "group norm", "reflect", "softmax over channels"],
)
def test_what_cannot_be_stacked_is_refused(template: nn.Module, reason: str) -> None:
    with pytest.raises(UnstackableError, match=reason):
        stacked(template, (3, 33, 33), 1)


class Held(nn.Module):
    """A network that goes another way once its numbers, or its parameters', have grown."""

    def __init__(self, held: Callable[["Held", Tensor], Tensor], width: int = 6) -> None:
        super().__init__()
        self.held = held
        self.conv, self.norm = nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width)
        self.out = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(self.norm(self.conv(x)).relu().mean((2, 3)))
        return self.held(self, y)


def by_the_largest(network: Held, y: Tensor) -> Tensor:
    top = y.detach().abs().max().item()
    return y / top * 3 if top > 3 else y


def by_the_weights(network: Held, y: Tensor) -> Tensor:
    return y * 0.5 if network.conv.weight.abs().mean() > 0.9 else y


def by_a_list(network: Held, y: Tensor) -> Tensor:
    return y * 0.5 if max(map(abs, y.detach().flatten().tolist())) > 1e9 else y


def by_numpy(network: Held, y: Tensor) -> Tensor:
    return y * 0.5 if np.abs(y.detach().numpy()).max() > 1e9 else y


def by_how_many(network: Held, y: Tensor) -> Tensor:
    return y * 0.5 if len(y[y > 1e9]) else y


def without_a_branch(network: Held, y: Tensor) -> Tensor:
    return torch.where(y.detach().abs().max() > 3, y * 0.5, y)


def where_all_are_large(network: Held, y: Tensor) -> Tensor:
    return torch.where((y.detach().abs().amax() < 0.05), y * 0.5, y)


@pytest.mark.parametrize("fuse", [False, True])
@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (by_the_largest, "different scales|asks for numbers"),
        (by_the_weights, "different scales|asks for numbers"),
        (by_a_list, "asks for numbers"),
        (by_numpy, "asks for numbers"),
        (by_how_many, "asks for numbers"),
        (without_a_branch, "with members of different scales"),
        (where_all_are_large, "with members of different scales"),
    ],
)
def test_what_may_go_another_way_later_is_refused(
    held: Callable[[Held, Tensor], Tensor], reason: str, fuse: bool
) -> None:
    with pytest.raises(UnstackableError, match=reason):
        stacked(Held(held), (1, 8, 8), 1, fuse)


def test_code_that_takes_members_for_classes_is_refused() -> None:
    def held(network: Held, y: Tensor) -> Tensor:
        return y * 0.5 if y.shape[1] == 3 else y

    with pytest.raises(UnstackableError, match="differ"):
        stacked(Held(held), (1, 8, 8), 1)


def test_code_that_only_looks_at_shapes_and_constants_stacks() -> None:
    def held(network: Held, y: Tensor) -> Tensor:
        scale = torch.tensor([1.0, 2.0, 3.0], device=y.device)
        return y * scale if y.shape[-1] == len(scale) and scale.device == y.device else y

    check(Held(held), (1, 8, 8), 1)


def test_a_network_that_cannot_be_stacked_trains_alone(
    data: FashionMNIST, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [nn.Conv2d(1, 4, 5, 2), nn.GroupNorm(2, 4), nn.ReLU(), nn.Dropout(0.1), nn.Flatten(), nn.Linear(576, 10)]
    monkeypatch.setattr(cohort_module, "build", lambda *_: nn.Sequential(*layers))
    configs = [
        RunConfig(data=data, model=LeNet(dropout=0.1), train=Train(batch_size=100, epochs=1), seed=seed)
        for seed in (0, 1)
    ]
    results = train(configs, images, device=CPU)
    for config, result in zip(configs, results, strict=True):
        assert (result.status, result.notes["stacked"], result.notes["cohort"]) == ("complete", False, 1)
        assert result.notes["apart"] == result.notes["stacked_reason"] == "1: GroupNorm has no stacked form"
        assert result.curves[0].values["train_loss"] == train([config], images, device=CPU)[0].curves[0].values.get(
            "train_loss"
        )


def test_a_compiled_step_equals_the_eager_one(
    data: FashionMNIST, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced and differentiated by the compiler; code generation, which takes a minute, is left out."""
    monkeypatch.setattr(cohort_module, "compiled", lambda f, _: torch.compile(f, backend="aot_eager", fullgraph=True))
    results = {}
    for wanted in ("on", "off"):
        settings = Train(batch_size=300, epochs=2, compile=wanted)
        configs = [RunConfig(data=data, model=LeNet(dropout=0.2), train=settings, seed=seed) for seed in (0, 0, 1, 1)]
        results[wanted] = train(configs, images, device=CPU)
    for ours, eager in zip(results["on"], results["off"], strict=True):
        assert (ours.notes["compiled"], eager.notes["compiled"]) == (True, False)
        assert ours.curves[-1].values["train_loss"] == pytest.approx(eager.curves[-1].values["train_loss"], rel=1e-4)


def test_a_compiler_that_fails_is_replaced_by_the_eager_step(
    data: FashionMNIST, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(cohort_module, "compiled", lambda f, _: broken)
    config = RunConfig(data=data, train=Train(epochs=1, compile="on"))
    (result,) = train([config], images, device=CPU)
    assert result.status == "complete"
    assert result.notes["compiled"] is False
    assert result.notes["compiled_reason"] == "RuntimeError: no compiler here"


def test_when_to_compile() -> None:
    many, few = compiling.LEAST_SAMPLES, compiling.LEAST_SAMPLES - 1
    assert compiling.decision("auto", CPU, many, fused=False)[0]
    assert not compiling.decision("auto", CPU, few, fused=False)[0]
    assert not compiling.decision("auto", CPU, many, fused=True)[0]
    assert compiling.decision("on", CPU, few, fused=True)[0]
    assert not compiling.decision("off", CPU, many, fused=False)[0]


@pytest.mark.parametrize("init", ["xavier_uniform", "kaiming_uniform", "default", "trunc_normal"])
def test_initial_weights_have_the_distribution_of_their_name(init: str) -> None:
    train_ = Train(init=init, init_std=0.05)
    values = initial_parameters(build(AlexNet(form="small"), 1, (28, 28), 10), train_, 0)
    weight, fan_in, fan_out = values["fc6.weight"], 2048, 1024
    bound = {
        "xavier_uniform": (6 / (fan_in + fan_out)) ** 0.5,
        "kaiming_uniform": (6 / fan_in) ** 0.5,
        "default": fan_in**-0.5,
        "trunc_normal": 0.1,
    }[init]
    assert 0.999 * bound < weight.abs().max().item() <= bound
    spread = bound / 3**0.5 if init != "trunc_normal" else 0.05 * 0.8796
    assert weight.std().item() == pytest.approx(spread, rel=0.01)
    assert values["fc6.bias"].abs().max().item() <= fan_in**-0.5


def test_initial_weights_depend_on_seed_and_name_alone() -> None:
    plain = initial_parameters(build(LeNet(), 1, (28, 28), 10), Train(), 7)
    other = initial_parameters(build(LeNet(dropout=0.5, kernel_size=3, pooling="max"), 1, (28, 28), 10), Train(), 7)
    assert [
        name for name in plain if plain[name].shape == other[name].shape and not plain[name].equal(other[name])
    ] == ["conv1.bias"]  # its distribution depends on the filter's size
    again = initial_parameters(build(LeNet(), 1, (28, 28), 10), Train(), 8)
    assert not plain["c5.weight"].equal(again["c5.weight"])


def test_streams_are_separate_and_repeatable() -> None:
    names = [
        (0, "order", 0),
        (0, "order", 1),
        (1, "order", 0),
        (0, "init", "a"),
        (0, "dropout", "a", 0),
        (11, "x"),
        (1, "1x"),
    ]
    first = [tuple(torch.rand(4, generator=stream(*name)).tolist()) for name in names]
    assert len(set(first)) == len(names)
    assert first == [tuple(torch.rand(4, generator=stream(*name)).tolist()) for name in names]
