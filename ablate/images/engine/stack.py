"""K members' networks as one, by a swap of leaf layers: the network's own code runs unchanged on stacked activations.

A network qualifies if its layers with parameters have a stacked form (:mod:`ablate.images.engine.layers`) and
nothing else mixes channels, or if it has a fused form on the CPU (:mod:`ablate.images.engine.graph`), where anything
may. Whether that holds is not argued but tried: before training, a stacked forward pass is compared with the members'.
"""

import copy
import random
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

from ablate.images.engine.exhaustion import is_out_of_memory
from ablate.images.engine.graph import fused
from ablate.images.engine.layers import (
    StackedBatchNorm,
    StackedConv2d,
    StackedLayer,
    StackedLinear,
    StackedPerMember,
    StackedRbf,
    StackedTableConv2d,
    features,
    spread,
)
from ablate.images.engine.noisy_layers import NoisyLayer, StackedDropout, StackedStochasticPool
from ablate.images.engine.program import Program
from ablate.images.networks.layers import StochasticPool2d
from ablate.images.networks.lenet_1998 import RbfOutput, TableConv2d

TOLERANCE = 1e-3
"""Largest difference between stacked and single outputs, as a share of the largest output (float32 rounding: 1e-6)."""
SAMPLES = 7
"""Batch of the comparison: a number that is hardly one of channels or classes, for code that looks at shapes."""
SCALES = ((30.0, 1.0), (1.0, 30.0), (1 / 30, 1.0))
"""Factors of neighbouring members' parameters in further comparisons; thirtyfold in 20 layers float32 still holds."""


STACKED: dict[type[nn.Module], type[StackedLayer]] = {
    nn.Conv2d: StackedConv2d,
    nn.Linear: StackedLinear,
    nn.BatchNorm1d: StackedBatchNorm,
    nn.BatchNorm2d: StackedBatchNorm,
    nn.LocalResponseNorm: StackedPerMember,
    nn.Dropout: StackedDropout,
    StochasticPool2d: StackedStochasticPool,
    TableConv2d: StackedTableConv2d,
    RbfOutput: StackedRbf,
}
"""What replaces a layer that has parameters, mixes channels or draws random numbers."""


class UnstackableError(Exception):
    """A network cannot be stacked; the message says why."""


class StackedModel(nn.Module):
    """A cohort's network.

    Args:
        body: The network with stacked leaf layers; or, with one member, the network itself.
        members: K.
        stacked: Whether parameters have a leading K.
        shares_input: Whether its first layer takes one input for several members.
        reason: Why it is not stacked.
    """

    def __init__(self, body: nn.Module, members: int, *, stacked: bool, shares_input: bool, reason: str | None) -> None:
        super().__init__()
        self.body, self.members = body, members
        self.stacked, self.shares_input, self.reason = stacked, shares_input, reason
        self.program: Program | None = None
        """The fused form of ``body`` (:mod:`ablate.images.engine.graph`), where there is one."""
        self.unfused: Sequence[str] = ()
        """Why there is none, or which of its layers have none."""

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of all members.

        Args:
            x: ``[R, B, C, H, W]``, R distinct batches; each is for K / R members that follow one another.

        Returns:
            ``[K, B, classes]``.
        """
        if not self.shares_input:
            x = spread(x, self.members)
        if self.program is None:
            return features(self.body(x.transpose(0, 1).flatten(1, 2)), self.members)
        return features(self.program(x), self.members)

    @property
    def noisy(self) -> dict[str, NoisyLayer]:
        """The layers that draw, by name."""
        return {name: layer for name, layer in self.body.named_modules() if isinstance(layer, NoisyLayer)}

    def trained(self) -> list[nn.Parameter]:
        """The parameters that are trained: a network's own code may have frozen others (``requires_grad``)."""
        return [parameter for parameter in self.body.parameters() if parameter.requires_grad]

    def member(self, k: int) -> dict[str, Tensor]:
        """Parameters of one member, by the names of its own network (views)."""
        return {name: p.detach()[k] if self.stacked else p.detach() for name, p in self.body.named_parameters()}

    def state(self, k: int, template: nn.Module) -> dict[str, Tensor]:
        """Parameters and statistics of one member (views), by the names of its own network's ``state_dict``.

        Args:
            k: Its position.
            template: Its network, on any device: names and shapes are read.
        """
        buffers = dict(self.body.named_buffers())
        found = self.member(k)
        for name, own in template.state_dict().items():
            if name not in found and name in buffers:
                value = buffers[name].detach()
                found[name] = value if value.shape == own.shape else value[k]
        return found

    @torch.no_grad()
    def load(self, k: int, values: Mapping[str, Tensor]) -> None:
        """Set the parameters of one member."""
        for name, parameter in self.member(k).items():
            parameter.copy_(values[name])

    def keep(self, members: Sequence[int]) -> None:
        """Go on with some of the members.

        Args:
            members: Their positions, ascending.
        """
        self.members = len(members)
        for layer in self.body.modules():
            if isinstance(layer, StackedLayer):
                layer.keep(members)


def stack(
    template: nn.Module,
    initial: Sequence[Mapping[str, Tensor]],
    rates: Sequence[float] | None,
    inputs: int,
    image: tuple[int, int, int],
    device: torch.device,
    *,
    batch: int | None,
) -> StackedModel:
    """Stack K networks, or wrap the only one if it has no stacked form.

    Args:
        template: One member's network, on the device.
        initial: Each member's parameters.
        rates: Each member's dropout rate, for all dropout layers; None: each layer's own.
        inputs: R, distinct batches that the members will see; K is a multiple of it.
        image: Channels, height and width of an input.
        device: Where the members are trained.
        batch: Samples of a step, for which its fused form on the CPU is made; None: it has none.

    Returns:
        The members' network, holding their initial parameters.

    Raises:
        UnstackableError: There are several members and their networks have no stacked form.
    """
    template.eval()
    generator = None if device.type == "meta" else torch.Generator().manual_seed(0)
    x = torch.rand(inputs, SAMPLES, *image, generator=generator, device="meta" if generator is None else "cpu").to(
        device
    )
    reason = _refusal(template)
    if reason is None:
        model = StackedModel(
            _swap(template, len(initial), lambda layer: True),
            len(initial),
            stacked=True,
            shares_input=_shares_input(template),
            reason=None,
        )
        _fill(model, initial, rates)
        if batch is not None:
            _fuse(model, template, initial, x, batch)
        if model.program is None:
            reason = _difference(model, template, initial, x) or _looked_at(template, x)
        if reason is None:
            return _with_shapes_of_noise(model, x)
    if len(initial) > 1:
        raise UnstackableError(reason)
    body = _swap(template, 1, lambda layer: issubclass(STACKED[type(layer)], NoisyLayer))
    model = StackedModel(body, 1, stacked=False, shares_input=True, reason=reason)
    _fill(model, initial, rates)
    return _with_shapes_of_noise(model, x)


@torch.no_grad()
def _with_shapes_of_noise(model: StackedModel, x: Tensor) -> StackedModel:
    layers = model.noisy.values()
    for layer in layers:
        layer.shapes, layer.learns = [], True
    if layers:
        model.eval()(x)
    for layer in layers:
        layer.learns = False
    return model.train()


def _refusal(template: nn.Module) -> str | None:
    for name, layer in template.named_modules():
        kind = STACKED.get(type(layer))
        if kind is not None:
            if (refusal := kind.refuses(layer)) is not None:
                return f"{name}: {refusal}"
        elif next(layer.parameters(recurse=False), None) is not None or isinstance(
            layer, nn.modules.dropout._DropoutNd
        ):
            return f"{name}: {type(layer).__name__} has no stacked form"
    if len(list(template.named_parameters(remove_duplicate=False))) > len(list(template.parameters())):
        return "layers share a parameter"
    return None


def _swap(template: nn.Module, members: int, wanted: Callable[[nn.Module], bool]) -> nn.Module:
    body, made = copy.deepcopy(template), dict[nn.Module, nn.Module]()
    for name, layer in list(body.named_modules(remove_duplicate=False)):  # a layer may stand in several places
        kind = STACKED.get(type(layer))
        if kind is not None and wanted(layer):
            if layer not in made:
                made[layer] = kind(layer, members).to(_device(template))
            parent, _, leaf = name.rpartition(".")
            setattr(body.get_submodule(parent), leaf, made[layer])
    return body


def _shares_input(template: nn.Module) -> bool:
    leaves = (layer for layer in template.modules() if next(layer.children(), None) is None)
    first = next((layer for layer in leaves if not isinstance(layer, nn.Flatten | nn.Identity)), None)
    return isinstance(first, nn.Conv2d | nn.Linear)


def _fill(model: StackedModel, initial: Sequence[Mapping[str, Tensor]], rates: Sequence[float] | None) -> None:
    for k, values in enumerate(initial):
        model.load(k, values)
    if rates is not None:
        for layer in model.noisy.values():
            if isinstance(layer, StackedDropout):
                layer.rate.copy_(torch.tensor(rates))


@torch.no_grad()
def _difference(
    model: StackedModel, template: nn.Module, initial: Sequence[Mapping[str, Tensor]], x: Tensor
) -> str | None:
    """Why the stacked outputs are not the members', in evaluation and in training (noise off), or None."""
    try:
        if x.device.type == "meta":
            model.eval()(x)
            return None
        return _compared(model.eval(), template, [dict(values) for values in initial], x) or _in_training(
            model, template, initial, x
        )
    except Exception as error:  # whatever a network's own code raises where it meets what it does not expect
        if is_out_of_memory(error):
            raise
        return f"a stacked forward pass fails: {str(error).splitlines()[0] if str(error) else error!r}"


def _compared(model: StackedModel, single: nn.Module, states: Sequence[dict[str, Tensor]], x: Tensor) -> str | None:
    """Why outputs differ from those of a network in each state, whose statistics may move; or None.

    Args:
        model: All members.
        single: One member's network.
        states: Those of the first members, or of all.
        x: ``[R, B, C, H, W]``.
    """
    outputs, shared = model(x), model.members // len(x)
    for k, state in enumerate(states):
        moved = {name: value.to(x.device) for name, value in state.items()}
        own = functional_call(single, moved, (x[k // shared],))
        state.update(moved)
        if outputs[k].shape != own.shape:
            return f"stacked outputs of shape {tuple(outputs[k].shape)}, not {tuple(own.shape)}"
        worst = (outputs[k] - own).abs().max() / own.abs().max()
        if worst > TOLERANCE:  # not so for NaN: weights that overflow are the run's own affair
            return f"stacked outputs differ from the members' own by {float(worst):.1e}"
    return None


def _in_training(
    model: StackedModel, template: nn.Module, initial: Sequence[Mapping[str, Tensor]], x: Tensor
) -> str | None:
    """The same over two batches in training and one in evaluation after them, with parameters that hide nothing.

    A layer that begins at zero hides what comes before it: parameters are the initial ones and noise. Then with members
    whose parameters are far apart. Afterwards the model is as it was.
    """
    single, source = copy.deepcopy(template), torch.Generator().manual_seed(1)
    statistics = {name: buffer.clone() for name, buffer in template.named_buffers()}
    states = [
        {name: _shaken(value, source).to(x.device) for name, value in values.items()}
        | {name: value.clone() for name, value in statistics.items()}
        for values in initial
    ]
    kept, drawn = {name: buffer.clone() for name, buffer in model.body.named_buffers()}, _global_draws()
    try:
        for k, state in enumerate(states):
            model.load(k, state)
        for module in (model, single):
            _train_without_noise(module)
        reason = _compared(model, single, states, x) or _compared(model, single, states, x.flip(-1))
        reason = reason or _compared(model.eval(), single.eval(), states, x)
        reason = reason or _far_apart(model, single, states, x)
        if reason is None and _global_draws() != drawn:
            reason = "draws random numbers outside of the layers that are known to"
        return None if reason is None else f"in training: {reason}"
    finally:
        for k, values in enumerate(initial):
            model.load(k, values)
        for name, buffer in model.body.named_buffers():
            buffer.copy_(kept[name])


def _far_apart(model: StackedModel, single: nn.Module, states: Sequence[dict[str, Tensor]], x: Tensor) -> str | None:
    """Why outputs differ where members are of different scales, in evaluation.

    What reads all members' numbers at once, such as a largest one over everything, may have no effect before training
    and have one later, when a member has become larger than others.
    """
    names = dict(single.named_parameters())
    for scales in SCALES:
        scaled = [
            {name: scales[k % 2] * value if name in names else value for name, value in state.items()}
            for k, state in enumerate(states)
        ]
        for k, state in enumerate(scaled):
            model.load(k, state)
        if (reason := _compared(model, single, scaled[:2], x)) is not None:
            return f"with members of different scales: {reason}"
    return None


@torch.no_grad()
def _looked_at(template: nn.Module, x: Tensor) -> str | None:
    """Why a network's own code may go another way for one member than for another, or None.

    It is gone through with tensors that have no numbers: what asks for one, to branch on it or to compute with it,
    cannot go on.
    """
    if x.device.type == "meta":
        return None
    for training in (True, False):
        network = copy.deepcopy(template).train(training)
        try:
            with FakeTensorMode(allow_non_fake_inputs=True) as mode:
                network(mode.from_tensor(x[0]))
        except Exception as error:  # whatever a network's own code raises where it meets what it does not expect
            if is_out_of_memory(error):
                raise
            said = str(error).splitlines()[0] if str(error) else repr(error)
            return f"its code asks for numbers, which may differ between members: {said}"
    return None


def _shaken(value: Tensor, source: torch.Generator) -> Tensor:
    noise = torch.randn(value.shape, generator=source, dtype=torch.float64).to(value)
    spread = value.std(unbiased=False) if value.numel() else value.new_zeros(())
    return value + 0.1 * torch.where(spread > 0, spread, 1.0) * noise


def _train_without_noise(module: nn.Module) -> None:
    module.train()
    for layer in module.modules():
        if isinstance(layer, NoisyLayer) or issubclass(STACKED.get(type(layer), StackedLayer), NoisyLayer):
            layer.eval()


def _global_draws() -> tuple[bytes, object]:
    """What the generators are at that a network's own code may draw from."""
    return torch.get_rng_state().numpy().tobytes(), random.getstate()


def _fuse(
    model: StackedModel, template: nn.Module, initial: Sequence[Mapping[str, Tensor]], x: Tensor, batch: int
) -> None:
    model.program, model.unfused = fused(template, model.body, x[0], batch)
    if model.program is not None and (difference := _difference(model, template, initial, x)) is not None:
        model.program, model.unfused = None, [difference]


def _device(template: nn.Module) -> torch.device:
    return next((p.device for p in template.parameters()), torch.device("cpu"))
