"""The fused form of a network on the CPU: its graph, cut into compiled units and what torch does between them.

The network is traced once with ``torch.fx``. Units are found along the graph: a convolution with the batch norm,
addition, activation and pool that follow it. All else runs as the network's code says, with the members as more
samples. Values are ``[K, B, ...]``, or ``[R, B, ...]`` as long as members share their input.
"""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ablate.images.engine import kernels, tails
from ablate.images.engine.convolutions import convolution
from ablate.images.engine.layers import StackedBatchNorm, StackedConv2d, StackedLayer, spread
from ablate.images.engine.maps import Normalisation, TailSpec
from ablate.images.engine.program import Constant, Maps, Program, Step, Values, as_samples, joined, parted_maps
from ablate.images.engine.stem import StemSpec, stem
from ablate.images.engine.traces import UnfusedError, attribute, shapes_of, traced
from ablate.images.networks.layers import MixedPool2d

LARGEST_FILTERS = 2**18
"""Numbers in a convolution's weight up to which there is a block of our own kernels: beyond, they leave the cache."""

FEW_CHANNELS = 16
"""Input channels below which a block is faster than a tail after oneDNN's convolution, whatever the batch."""

BLOCK_WORK = 25_000_000
"""Multiply-adds of a member's convolution in a step up to which a block, one call for all members, is faster,
whatever the channels. Both measured on two AVX2 cores, 19 shapes at batches of 2 and 64."""

TAIL_WORK = 3_000_000
"""Multiply-adds of a member and unit in a step from which tails pay: they are called member by member. Measured there
with two to seven units at batches of 2 to 64; below, layers stacked in torch's operations are faster."""

_ADDITIONS = {operator.add, operator.iadd, torch.add, "add", "add_"}
_ACTIVATIONS = {
    torch.relu: "relu",
    F.relu: "relu",
    F.relu_: "relu",
    "relu": "relu",
    "relu_": "relu",
    torch.sigmoid: "sigmoid",
    F.sigmoid: "sigmoid",
    "sigmoid": "sigmoid",
    torch.tanh: "tanh",
    F.tanh: "tanh",
    "tanh": "tanh",
}


def fused(template: nn.Module, body: nn.Module, x: Tensor, batch: int) -> tuple[Program | None, list[str]]:
    """Find the fused form of a stacked network.

    Args:
        template: One member's network, in evaluation mode.
        body: The same with stacked layers.
        x: One input ``[B, C, H, W]`` of the template, for the sizes of its maps.
        batch: Samples of a step, on which it depends what is faster.

    Returns:
        The program, or None where no convolution or batch norm of maps has a unit; and what has none, and why.
    """
    try:
        graph = traced(template)
        return _Fusion(template, body, graph, shapes_of(template, graph, x), batch).program()
    except UnfusedError as error:
        return None, [str(error)]
    except Exception as error:  # whatever a network's own code raises where it meets what it does not expect
        return None, [f"has no fused form: {type(error).__name__}: {error}"]


@dataclass(frozen=True)
class _Unit:
    """Nodes that become one step; ``last`` gives its value."""

    first: fx.Node
    last: fx.Node
    spec: TailSpec
    conv: fx.Node | None = None
    norm: fx.Node | None = None
    other: fx.Node | None = None


class _Fusion:
    def __init__(
        self, template: nn.Module, body: nn.Module, graph: fx.Graph, shapes: dict[str, tuple[int, ...]], batch: int
    ) -> None:
        self.template, self.body, self.graph, self.shapes, self.batch = template, body, graph, shapes, batch
        self.has_tails = self.tails_pay = False
        self.inside = set[fx.Node]()
        """The nodes of all units so far."""
        self.reasons = list[str]()

    def program(self) -> tuple[Program | None, list[str]]:
        units = self._units()
        self.has_tails = any(unit.norm is not None or unit.other is not None for unit in units.values())
        self.tails_pay = bool(units) and sum(map(self._work, units.values())) >= TAIL_WORK * len(units)
        if self.tails_pay:
            units = self._units()  # as far as there are kernels for them
        if not units:
            return None, self.reasons or ["no convolution"]
        named, source, result = list[tuple[fx.Node, Step]](), "", ""
        for node in self.graph.nodes:
            if node.op == "placeholder":
                source = node.name
            elif node.op == "output":
                (value,) = node.args
                if not isinstance(value, fx.Node):
                    raise UnfusedError("returns something else than one tensor")
                result = value.name
            elif node in units:
                named.append((node, self._unit_step(units[node])))
            elif node not in self.inside:
                named.append((node, self._plain_step(node)))
        return Program(list(_with_dead(named, units, result)), source, result), self.reasons

    def _units(self) -> dict[fx.Node, _Unit]:
        """The graph's units by the nodes that give their values."""
        self.inside, self.reasons = set(), []
        units = dict[fx.Node, _Unit]()
        for node in self.graph.nodes:
            if node not in self.inside and (unit := self._unit(node)) is not None:
                self.inside.update(self._nodes(unit))
                units[unit.last] = unit
        return units

    def _nodes(self, unit: _Unit) -> Iterator[fx.Node]:
        node = unit.first
        while True:
            yield node
            if node is unit.last:
                return
            (node,) = node.users

    def _is_single(self, node: fx.Node) -> bool:
        """Whether a layer is used once: a norm that is used again must see its batches in their order."""
        return [other.target for other in self.graph.nodes if other.op == node.op].count(node.target) == 1

    def _layer(self, node: fx.Node) -> nn.Module | None:
        return self.template.get_submodule(str(node.target)) if node.op == "call_module" else None

    def _unit(self, node: fx.Node) -> _Unit | None:
        """The longest unit that begins at a node, or None."""
        layer = self._layer(node)
        shape = self.shapes.get(node.name, ())
        if type(layer) not in (nn.Conv2d, nn.BatchNorm2d) or len(shape) != 4 or not self._is_single(node):
            return None
        if isinstance(layer, nn.Conv2d) and (layer.padding_mode != "zeros" or isinstance(layer.padding, str)):
            self.reasons.append(f"{node.target}: no kernel for other than plain zero padding")
            return None
        unit = self._start(node)
        while len(unit.last.users) == 1:
            following = next(iter(unit.last.users))
            longer = None if following in self.inside else self._longer(unit, following)
            if longer is None or longer.spec.unsupported() is not None:
                break
            unit = longer
        while self.tails_pay and self._own_step(unit) is None:
            if (reason := tails.unavailable_reason(unit.spec)) is None:
                break
            if unit.last is node:
                self.reasons.append(f"{node.target}: {reason}")
                return None
            unit = self._shorter(unit)
        return unit

    def _shorter(self, unit: _Unit) -> _Unit:
        """Without its last node: what a wrong or missing kernel leaves."""
        nodes = list(self._nodes(unit))[:-1]
        shorter = self._start(nodes[0])
        for node in nodes[1:]:
            longer = self._longer(shorter, node)
            assert longer is not None
            shorter = longer
        return shorter

    def _start(self, node: fx.Node) -> _Unit:
        _, channels, height, width = self.shapes[node.name]
        unit = _Unit(node, node, TailSpec(channels, height, width))
        conv = isinstance(self._layer(node), nn.Conv2d)
        return replace(unit, conv=node) if conv else replace(unit, norm=node)

    def _longer(self, unit: _Unit, node: fx.Node) -> _Unit | None:
        """The unit with one node more, or None if that is none that fits."""
        spec, layer, shape = unit.spec, self._layer(node), self.shapes.get(node.name, ())
        if spec.pool != "none":
            return None
        if type(layer) is nn.Identity:
            return replace(unit, last=node)
        plain = spec.activation == "identity"
        if plain and not spec.adds and unit.norm is None and type(layer) is nn.BatchNorm2d and self._is_single(node):
            return replace(unit, last=node, norm=node)
        adds = node.op in ("call_function", "call_method") and node.target in _ADDITIONS
        if plain and not spec.adds and adds and not node.kwargs and len(node.args) == 2:
            other = node.args[1] if node.args[0] is unit.last else node.args[0]
            if isinstance(other, fx.Node) and other is not unit.last and self.shapes.get(other.name) == shape:
                return replace(unit, last=node, other=other, spec=replace(spec, adds=True))
            return None
        if plain and (name := _activation(node, layer)) is not None:
            return replace(unit, last=node, spec=replace(spec, activation=name))
        pooled = _pooled(spec, layer)
        return None if pooled is None else replace(unit, last=node, spec=pooled)

    def _unit_step(self, unit: _Unit) -> Step:
        return self._own_step(unit) or self._tail_step(unit)

    def _own_step(self, unit: _Unit) -> Step | None:
        """A step of our own convolutions, where they are the faster ones."""
        return self._block_step(unit) or self._stem_step(unit)

    def _work(self, unit: _Unit) -> int:
        """Multiply-adds of a member's convolution in a step."""
        if unit.conv is None:
            return 0
        _, _, height, width = self.shapes[unit.conv.name]
        weight = cast(nn.Conv2d, self._layer(unit.conv)).weight
        return self.batch * weight.numel() * height * width

    def _tail_step(self, unit: _Unit) -> Step:
        if not self.tails_pay:
            raise UnfusedError(f"batches of {self.batch} are too small for units member by member")
        built = tails.tail(unit.spec)
        assert built is not None
        (source,) = (unit.conv or cast(fx.Node, unit.norm)).args
        x_name, other = cast(fx.Node, source).name, None if unit.other is None else unit.other.name
        conv = None if unit.conv is None else cast(StackedConv2d, self.body.get_submodule(str(unit.conv.target)))
        norm = None if unit.norm is None else cast(StackedBatchNorm, self.body.get_submodule(str(unit.norm.target)))
        settings = None
        if unit.conv is not None:
            _, _, height, width = self.shapes[x_name]
            settings = convolution(cast(nn.Conv2d, self._layer(unit.conv)), height, width)

        def step(values: Values) -> Maps:
            x = parted_maps(values[x_name])
            if norm is not None and conv is None and len(x) < norm.members:
                x = parted_maps(spread(torch.stack(x), norm.members))
            found = built(
                x,
                None if other is None else parted_maps(values[other]),
                settings,
                None if conv is None else conv.weight,
                None if conv is None else conv.bias,
                None if norm is None else _normalisation(norm),
            )
            return Maps(found)

        return step

    def _block_step(self, unit: _Unit) -> Step | None:
        """A step of our own convolution kernels, where they are the faster ones."""
        if unit.conv is None or unit.norm is not None or unit.spec.adds or unit.spec.pool_padding:
            return None
        single = cast(nn.Conv2d, self._layer(unit.conv))
        source = cast(fx.Node, unit.conv.args[0])
        square = single.stride[0] == single.stride[1] and single.padding[0] == single.padding[1]
        if single.groups > 1 or single.dilation != (1, 1) or not square or single.weight.numel() > LARGEST_FILTERS:
            return None
        if self.tails_pay and not self._block_is_faster(unit, single):
            return None
        spec = kernels.BlockSpec(
            in_channels=single.in_channels,
            out_channels=single.out_channels,
            kernel=(single.kernel_size[0], single.kernel_size[1]),
            height=self.shapes[source.name][2],
            width=self.shapes[source.name][3],
            padding=int(single.padding[0]),
            stride=single.stride[0],
            activation=unit.spec.activation,
            pool=unit.spec.pool,
            pool_window=unit.spec.pool_window,
            pool_stride=unit.spec.pool_stride,
        )
        if (block := kernels.block(spec)) is None:
            return None
        layer, name = cast(StackedConv2d, self.body.get_submodule(str(unit.conv.target))), source.name

        def step(values: Values) -> Tensor:
            x = joined(values[name])
            return block(x[0] if len(x) == 1 else spread(x, layer.members), layer.weight, layer.bias)

        return step

    def _stem_step(self, unit: _Unit) -> Step | None:
        """The network's first convolution with its batch norm, whose input needs no gradient."""
        if not self.tails_pay or unit.conv is None or unit.norm is None or unit.spec.adds:
            return None
        single, source = cast(nn.Conv2d, self._layer(unit.conv)), cast(fx.Node, unit.conv.args[0])
        if source.op != "placeholder" or single.groups > 1 or single.dilation != (1, 1):
            return None
        _, channels, height, width = self.shapes[source.name]
        kernel, stride, padding = cast(Any, (single.kernel_size, single.stride, single.padding))
        built = stem(StemSpec(unit.spec, channels, height, width, kernel, stride, padding))
        if built is None:
            return None
        name, conv = source.name, cast(StackedConv2d, self.body.get_submodule(str(unit.conv.target)))
        norm = cast(StackedBatchNorm, self.body.get_submodule(str(unit.norm.target)))
        return lambda values: Maps(built(values[name], conv.weight, conv.bias, _normalisation(norm)))

    def _block_is_faster(self, unit: _Unit, single: nn.Conv2d) -> bool:
        if unit.spec.pool == "none" and self.has_tails:
            return False  # large maps in another layout than its neighbours'
        pixel = self.shapes[cast(fx.Node, unit.conv).name][2:] == (1, 1)
        return single.in_channels < FEW_CHANNELS or self._work(unit) < BLOCK_WORK or pixel

    def _plain_step(self, node: fx.Node) -> Step:
        """What torch does: a stacked layer, or anything else with the members as more samples."""
        if node.op == "get_attr":
            value = attribute(self.body, str(node.target))
            return lambda values: Constant(value)
        if node.op == "call_module":
            layer = self.body.get_submodule(str(node.target))
            if isinstance(layer, StackedLayer):
                (source,) = node.args
                name = cast(fx.Node, source).name
                return lambda values: layer(joined(values[name]))
            if next(layer.buffers(), None) is not None:
                raise UnfusedError(f"{node.target}: {type(layer).__name__} has statistics that members would share")
            function: Callable[..., Any] = layer
        elif node.op == "call_method":
            # a map with channels last has another order in memory than its code expects
            function = getattr(Tensor, "reshape" if node.target == "view" else str(node.target))
        else:
            function = cast(Callable[..., Any], node.target)

        def step(values: Values) -> Any:
            def value(argument: fx.Node) -> Any:
                return values[argument.name]

            return as_samples(function, fx.map_arg(node.args, value), fx.map_arg(node.kwargs, value))

        return step


def _normalisation(norm: StackedBatchNorm) -> Normalisation:
    return Normalisation(
        norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.eps, norm.momentum, norm.training
    )


def _with_dead(
    named: list[tuple[fx.Node, Step]], units: dict[fx.Node, _Unit], result: str
) -> Iterator[tuple[str, Step, tuple[str, ...]]]:
    """Name every step, and the values that it is the last to need."""
    needed = {result}
    found = list[tuple[str, Step, tuple[str, ...]]]()
    for node, step in reversed(named):
        unit = units.get(node)
        if unit is None:
            inputs = list(node.all_input_nodes)
        else:
            inputs = [*(unit.conv or cast(fx.Node, unit.norm)).all_input_nodes, *([unit.other] if unit.other else [])]
        dead = tuple(dict.fromkeys(i.name for i in inputs if i.name not in needed))
        needed.update(i.name for i in inputs)
        found.append((node.name, step, dead))
    return reversed(found)


def _activation(node: fx.Node, layer: nn.Module | None) -> str | None:
    """The name of a unit's activation, or None."""
    if layer is None:
        found = _ACTIVATIONS.get(node.target) if node.op in ("call_function", "call_method") else None
        return found if len(node.args) == 1 and set(node.kwargs) <= {"inplace"} else None
    if type(layer) is nn.LeakyReLU:
        return "leaky_relu" if layer.negative_slope == 0.01 else None
    if type(layer) is nn.GELU:
        return "gelu" if layer.approximate == "none" else None
    names = {nn.Sigmoid: "sigmoid", nn.Tanh: "tanh", nn.ReLU: "relu", nn.SiLU: "silu"}
    return names.get(type(layer))


def _pooled(spec: TailSpec, layer: nn.Module | None) -> TailSpec | None:
    """``spec`` with the pooling layer that follows; None if it is none that a unit knows."""
    if type(layer) is nn.AdaptiveAvgPool2d:
        whole = layer.output_size in (1, (1, 1)) and spec.height == spec.width
        return replace(spec, pool="avg", pool_window=spec.width, pool_stride=spec.width) if whole else None
    if type(layer) not in (nn.AvgPool2d, nn.MaxPool2d, MixedPool2d):
        return None
    layer = cast(nn.MaxPool2d, layer)
    padding = 0 if isinstance(layer, MixedPool2d) else layer.padding
    sizes = [_single(value) for value in (layer.kernel_size, layer.stride, padding)]
    dilated = isinstance(layer, nn.MaxPool2d) and layer.dilation not in (1, (1, 1))
    if None in sizes or dilated or (isinstance(layer, nn.AvgPool2d) and layer.divisor_override is not None):
        return None
    window, stride, around = cast(list[int], sizes)
    if layer.ceil_mode and any((size + 2 * around - window) % stride for size in (spec.height, spec.width)):
        return None  # windows that stick out
    kind = {nn.AvgPool2d: "avg", nn.MaxPool2d: "max", MixedPool2d: "mixed"}[type(layer)]
    return replace(spec, pool=kind, pool_window=window, pool_stride=stride, pool_padding=around)


def _single(value: Any) -> int | None:
    """One number for both sides, or None."""
    if isinstance(value, tuple):
        return value[0] if len(set(value)) == 1 else None
    return value if isinstance(value, int) else None
