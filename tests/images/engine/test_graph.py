"""The fused form of networks of many kinds against their members' own code, in training; and what has none."""

import random
import re

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ablate.images.config import Train
from ablate.images.engine import kernels
from ablate.images.engine.init import initial_parameters
from ablate.images.engine.stack import StackedModel, UnstackableError, stack

CPU = torch.device("cpu")
K = 4


class Residual(nn.Module):
    """A block as torchvision's: the shortcut is computed last, the addition in place."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.norm2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        out += self.shortcut(x)
        return self.relu(out)


class Preactivated(nn.Module):
    """Norm and activation first, and an addition that nothing follows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(channels), nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(F.relu(self.norm(x)))


class Dense(nn.Module):
    """Joins channels, which the stacked form of layers cannot."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 5, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, torch.tanh(self.conv(x))], 1)


class Functional(nn.Module):
    """Writes most of its layers as functions, sizes included."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 6, 3, padding=1, bias=False), nn.Conv2d(6, 9, 3)
        self.norm, self.linear = nn.BatchNorm2d(6, eps=1e-3, momentum=0.3), nn.Linear(9 * 2 * 2 + 9, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.elu(self.norm(self.conv1(x))), 2)
        x = F.avg_pool2d(self.conv2(x).sigmoid(), 2)
        means = x.mean([2, 3])
        return self.linear(torch.cat([x.view(x.size(0), -1), means], dim=1))


class Gate(nn.Module):
    """A layer of somebody's own, without parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x.mean(dim=(2, 3), keepdim=True))


def tail(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3)]


NETWORKS = {
    "residual": lambda: nn.Sequential(
        nn.Conv2d(2, 8, 5, 2, 2, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        Residual(8, 8, 1),
        Residual(8, 12, 2),
        *tail(12),
    ),
    "preactivated": lambda: nn.Sequential(nn.Conv2d(2, 6, 3), Preactivated(6), Preactivated(6), nn.ReLU(), *tail(6)),
    "functions": Functional,
    "joined channels": lambda: nn.Sequential(Dense(2), Dense(7), nn.BatchNorm2d(12), nn.ReLU(), *tail(12)),
    "norm first": lambda: nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 6, 3, stride=2), nn.GELU(), *tail(6)),
    "own layer": lambda: nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.SiLU(), Gate(), *tail(6)),
    "activation between": lambda: nn.Sequential(
        nn.Conv2d(2, 8, 3),
        nn.Tanh(),
        nn.BatchNorm2d(8),
        nn.Identity(),
        nn.LocalResponseNorm(3),
        nn.MaxPool2d(2),
        *tail(8),
    ),
    "without running statistics": lambda: nn.Sequential(
        nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8, affine=False, track_running_stats=False), nn.ReLU6(), *tail(8)
    ),
    "a layer twice": lambda: Twice(),
    "sizes and a pool of its own": lambda: Sized(),
    "a norm for two maps": lambda: SharedNorm(),
}


class Twice(nn.Module):
    """Uses one convolution and one norm twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.conv, self.norm = nn.Conv2d(2, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.rest = nn.Sequential(*tail(8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(self.first(x))).relu()
        return self.rest(self.norm(self.conv(x)).relu())


def fused(template: nn.Module, inputs: int, batch: int = 10_000) -> tuple[StackedModel, list[dict[str, Tensor]]]:
    initial = [initial_parameters(template, Train(), seed) for seed in range(K)]
    return stack(template, initial, None, inputs, (2, 13, 13), CPU, batch=batch), initial


@pytest.mark.parametrize("inputs", [1, 2, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_members_are_those_of_the_network_s_own_code(name: str, inputs: int) -> None:
    """Outputs, gradients and running statistics over two steps in training, then in evaluation, against float64."""
    template = NETWORKS[name]()
    model, initial = fused(template, inputs)
    assert model.program is not None, model.unfused
    x = torch.randn(3, inputs, 5, 2, 13, 13, generator=torch.Generator().manual_seed(1))
    singles = []
    for values in initial:
        single = NETWORKS[name]().double().train()
        single.load_state_dict(values, strict=False)
        singles.append(single)
    for step in range(2):
        outputs = model(x[step])
        gradients = torch.autograd.grad(outputs.square().sum(), list(model.parameters()))
        for k, single in enumerate(singles):
            wanted = single(x[step, k * inputs // K].double())
            torch.testing.assert_close(outputs[k].double(), wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max().item())
            expected = torch.autograd.grad(wanted.square().sum(), list(single.parameters()))
            largest = max(float(g.norm()) for g in expected)
            for ours, theirs in zip(gradients, expected, strict=True):
                assert (ours[k] - theirs).norm() < 2e-3 * theirs.norm() + 1e-5 * largest
    outputs = model.eval()(x[2])
    for k, single in enumerate(singles):
        wanted = single.eval()(x[2, k * inputs // K].double())
        torch.testing.assert_close(outputs[k].double(), wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max().item())
        own = model.state(k, template)
        for key, value in single.state_dict().items():
            if "running" in key:
                torch.testing.assert_close(own[key].double(), value, rtol=1e-4, atol=1e-5)


def test_small_batches_run_in_torch_s_operations() -> None:
    model, _ = fused(NETWORKS["residual"](), 4, batch=2)
    assert model.program is None
    assert "batches of 2 are too small" in " ".join(model.unfused)
    plain = nn.Sequential(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(726, 3))
    assert fused(plain, 4, batch=2)[0].program is not None  # blocks are one call for all members


def test_members_go_on_when_others_end() -> None:
    template = NETWORKS["residual"]()
    model, _ = fused(template, 4)
    x = torch.randn(4, 3, 2, 13, 13, generator=torch.Generator().manual_seed(2))
    before = model(x)
    model.keep([1, 3])
    assert torch.equal(model(x[[1, 3]]), before[[1, 3]])


def test_dropout_of_maps_draws_what_single_runs_draw() -> None:
    template = nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(726, 3)
    )
    model, _ = fused(template, 2)
    generators: list[torch.Generator | None] = [torch.Generator().manual_seed(seed) for seed in range(2)]
    (layer,) = model.noisy.values()
    layer.draw(3, generators, CPU)
    assert [noise.shape for noise in layer.noise] == [(2, 3, 6, 11, 11)]
    outputs = model(torch.ones(2, 3, 2, 13, 13))
    assert (outputs[0] != outputs[2]).any()


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rest = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), *tail(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(x if x.sum() > 0 else -x)


class OtherInTraining(Branching):
    def forward(self, x: Tensor) -> Tensor:
        return self.rest(F.hardtanh(x) if self.training else x)


class FunctionalDropout(Branching):
    def forward(self, x: Tensor) -> Tensor:
        return self.rest(F.dropout(x, 0.5, True))


class BorrowedWeight(Branching):
    def forward(self, x: Tensor) -> Tensor:
        return self.rest(x) + self.rest[0].weight.sum()


class Sized(nn.Module):
    """Asks for the size of its maps, and pools by a class of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.pool = nn.Conv2d(2, 16, 3), nn.BatchNorm2d(16), OwnPool(2)
        self.linear = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(self.pool(F.relu(self.norm(self.conv(x)))), 1)
        return self.linear(x.view(x.shape[0], -1))


class OwnPool(nn.MaxPool2d):
    """Another class than torch's."""


class Depth(Branching):
    """Drops a block at random, by Python's own generator."""

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(x if self.training and random.random() < 0.2 else 2 * x)


class Counting(Branching):
    """Warms up by a count of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.steps += 1
        return self.rest(x * min(1.0, self.steps / 100 + 0.5))


class SharedNorm(nn.Module):
    """Uses a norm for two maps, and calls a layer of its own `add`."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.norm = nn.Conv2d(2, 8, 3), nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8)
        self.add, self.rest = Minus(), nn.Sequential(*tail(8))

    def forward(self, x: Tensor) -> Tensor:
        return self.rest(F.relu(self.add(self.norm(self.a(x)), self.norm(self.b(x)))))


class Minus(nn.Module):
    """Not an addition."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x - y


class BatchMean(nn.Module):
    """Mixes the samples of a batch in training, which members must not share."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0) if self.training else x


def centred(last: nn.Linear) -> nn.Module:
    nn.init.zeros_(last.weight)
    pooled = [nn.Conv2d(2, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*pooled, nn.Linear(8, 8), BatchMean(), last)


@pytest.mark.parametrize("zero", [False, True])
def test_a_layer_that_mixes_samples_in_training_is_not_stacked(zero: bool) -> None:
    last = nn.Linear(8, 3)
    template = centred(last)
    if not zero:
        nn.init.normal_(last.weight)
    initial = [{name: p.detach().clone() for name, p in template.named_parameters()} for _ in range(2)]
    with pytest.raises(UnstackableError, match="in training: stacked outputs differ"):
        stack(template, initial, None, 2, (2, 13, 13), CPU, batch=64)


def test_the_trial_leaves_parameters_and_statistics_as_they_were() -> None:
    template = NETWORKS["residual"]()
    model, initial = fused(template, 2)
    for k, values in enumerate(initial):
        assert all(torch.equal(model.member(k)[name], value) for name, value in values.items())
    for name, buffer in model.body.named_buffers():
        own = template.get_buffer(name)
        assert torch.equal(buffer, own.expand_as(buffer)), name


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (Branching(), "cannot be traced"),
        (Depth(), "another network in training|draws random numbers or counts"),
        (Counting(), "draws random numbers or counts|another network in training"),
        (nn.Sequential(nn.Conv2d(2, 8, 3), nn.InstanceNorm2d(8, track_running_stats=True), *tail(8)), "statistics"),
        (OtherInTraining(), "another network in training"),
        (FunctionalDropout(), "draws random numbers outside of layers"),
        (BorrowedWeight(), "uses the parameter rest.0.weight outside"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_networks_without_a_fused_form_say_why_and_run_as_they_are(template: nn.Module, reason: str) -> None:
    model = stack(template, [initial_parameters(template, Train(), 0)], None, 1, (2, 13, 13), CPU, batch=64)
    assert model.program is None
    assert re.search(reason, " ".join(model.unfused)) or model.reason is not None
    assert model(torch.ones(1, 2, 2, 13, 13)).shape == (1, 2, 3)


def test_without_a_compiler_networks_run_unfused(monkeypatch: pytest.MonkeyPatch) -> None:
    from ablate.images.engine import compiler, tails

    def none() -> tuple[str, str, str]:
        raise RuntimeError("no C compiler")

    monkeypatch.setattr(compiler, "_toolchain", none)
    for build in (tails._build, kernels._build):
        build.cache_clear()
    try:
        model, _ = fused(NETWORKS["residual"](), 1)
        assert model.program is None
        assert "no C compiler" in " ".join(model.unfused)
    finally:
        for build in (tails._build, kernels._build):
            build.cache_clear()
