"""The fused form of a network on the CPU: its graph, cut into compiled units and what torch does between them.

The network is traced once with ``torch.fx``. Units are found along the graph: a convolution with the batch norm,
addition, activation and pool that follow it, a linear layer with its activation. All else runs as the network's code
says, with the members as more samples. Values are ``[K, B, ...]``, or ``[R, B, ...]`` as long as members share their
input.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from ablate.images.engine import kernels, patterns, tails
from ablate.images.engine.convolutions import convolution
from ablate.images.engine.exhaustion import is_out_of_memory
from ablate.images.engine.layers import StackedBatchNorm, StackedConv2d, StackedLayer, StackedLinear, spread
from ablate.images.engine.linears import FEWEST_SAMPLES, LinearSpec, linear
from ablate.images.engine.maps import Normalisation, TailSpec
from ablate.images.engine.program import Constant, Maps, Program, Step, Values, as_samples, joined, parted_maps
from ablate.images.engine.stem import StemSpec, stem
from ablate.images.engine.traces import UnfusedError, attribute, shapes_of, traced

LARGEST_FILTERS = 2**18
"""Numbers in a convolution's weight up to which there is a block of our own kernels: beyond, they leave the cache."""

FEW_CHANNELS = 16
"""Input channels below which a block is faster than a tail after oneDNN's convolution, whatever the batch."""

BLOCK_WORK = 25_000_000
"""Multiply-adds of a member's convolution in a step up to which a block, one call for all members, is faster,
whatever the channels. Both measured on two AVX2 cores, 19 shapes at batches of 2 and 64."""

TAIL_WORK = 700_000
"""Multiply-adds of a member and unit in a step from which tails pay: they are called member by member. Measured on two
AVX2 cores with two to seven units at batches of 2 to 16; below, layers stacked in torch's operations are faster."""

Found = tuple[Step, Sequence[fx.Node]]
"""What a node's value comes from: a step, and the nodes whose values it needs."""


def fused(template: nn.Module, body: nn.Module, x: Tensor, batch: int) -> tuple[Program | None, list[str]]:
    """Find the fused form of a stacked network.

    Args:
        template: One member's network, in evaluation mode.
        body: The same with stacked layers.
        x: One input ``[B, C, H, W]`` of the template, for the sizes of its maps.
        batch: Samples of a step, on which it depends what is faster.

    Returns:
        The program, or None where nothing has a unit; and what has none, and why.
    """
    try:
        graph = traced(template)
        return _Fusion(template, body, graph, shapes_of(template, graph, x), batch).program()
    except UnfusedError as error:
        return None, [str(error)]
    except Exception as error:  # whatever a network's own code raises where it meets what it does not expect
        if is_out_of_memory(error):
            raise
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

    @property
    def inputs(self) -> list[fx.Node]:
        """The nodes whose values it needs."""
        return [*self.first.all_input_nodes, *([self.other] if self.other else [])]


class _Fusion:
    def __init__(
        self, template: nn.Module, body: nn.Module, graph: fx.Graph, shapes: dict[str, tuple[int, ...]], batch: int
    ) -> None:
        self.template, self.body, self.graph, self.shapes, self.batch = template, body, graph, shapes, batch
        self.inside = set[fx.Node]()
        """The nodes of all units so far."""
        self.reasons = list[str]()
        maps = [node for node in graph.nodes if len(shapes.get(node.name, ())) == 4]
        convolutions = [node for node in maps if isinstance(self._layer(node), nn.Conv2d)]
        norms = [node for node in maps if isinstance(self._layer(node), nn.BatchNorm2d)]
        alone = [norm for norm in norms if norm.args[0] not in convolutions]
        self.has_tails = bool(norms) or any(map(patterns.adds, maps))
        self.tails_pay = sum(map(self._work, convolutions)) >= TAIL_WORK * max(1, len(convolutions) + len(alone))

    def program(self) -> tuple[Program | None, list[str]]:
        ends, named = dict[fx.Node, Found](), list[tuple[fx.Node, Found]]()
        source, result, of_maps, plain = "", "", False, list[fx.Node]()
        for node in self.graph.nodes:
            if node not in self.inside:
                if (unit := self._unit(node)) is not None:
                    self.inside.update(self._nodes(unit.first, unit.last))
                    ends[unit.last] = self._unit_step(unit), unit.inputs
                    of_maps = True
                elif (linear := self._linear(node)) is not None:
                    last, step = linear
                    self.inside.update(self._nodes(node, last))
                    ends[last] = step, node.all_input_nodes
            if node.op == "placeholder":
                source = node.name
            elif node.op == "output":
                (value,) = node.args
                if not isinstance(value, fx.Node):
                    raise UnfusedError("returns something else than one tensor")
                result = value.name
            elif node in ends:
                named.append((node, ends[node]))
            elif node not in self.inside:
                named.append((node, (self._plain_step(node), node.all_input_nodes)))
                plain.append(node)
        if not ends:
            return None, self.reasons or ["no convolution"]
        if not of_maps and not all(map(self._costs_nothing, plain)):
            return None, [*self.reasons, "linear layers among others"]  # which a compiler may fuse
        return Program(list(_with_dead(named, result)), source, result), self.reasons

    def _nodes(self, node: fx.Node, last: fx.Node) -> Iterator[fx.Node]:
        while True:
            yield node
            if node is last:
                return
            (node,) = node.users

    def _costs_nothing(self, node: fx.Node) -> bool:
        """Whether a node only looks at a value in another shape, in training."""
        layer = self._layer(node)
        return isinstance(layer, nn.Flatten | nn.Identity) or node.target in (
            "flatten",
            "view",
            "reshape",
            torch.flatten,
        )

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
        if isinstance(layer, nn.Conv2d) and patterns.padding(layer) is None:
            self.reasons.append(f"{node.target}: no kernel for other than zeros, as many on both sides")
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
        nodes = list(self._nodes(unit.first, unit.last))[:-1]
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
        if plain and not spec.adds and patterns.adds(node):
            other = node.args[1] if node.args[0] is unit.last else node.args[0]
            if isinstance(other, fx.Node) and other is not unit.last and self.shapes.get(other.name) == shape:
                return replace(unit, last=node, other=other, spec=replace(spec, adds=True))
            return None
        if plain and (name := patterns.activation(node, layer)) is not None:
            return replace(unit, last=node, spec=replace(spec, activation=name))
        pooled = patterns.pooled(spec, layer)
        return None if pooled is None else replace(unit, last=node, spec=pooled)

    def _unit_step(self, unit: _Unit) -> Step:
        return self._own_step(unit) or self._tail_step(unit)

    def _own_step(self, unit: _Unit) -> Step | None:
        """A step of our own convolutions, where they are the faster ones."""
        return self._block_step(unit) or self._stem_step(unit)

    def _work(self, node: fx.Node) -> int:
        """Multiply-adds of a member's convolution in a step."""
        _, _, height, width = self.shapes[node.name]
        return self.batch * cast(nn.Conv2d, self._layer(node)).weight.numel() * height * width

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
            single = cast(nn.Conv2d, self._layer(unit.conv))
            settings = convolution(single, cast(tuple[int, int], patterns.padding(single)), height, width)

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
        around = cast(tuple[int, int], patterns.padding(single))
        square = single.stride[0] == single.stride[1] and around[0] == around[1]
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
            padding=around[0],
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
        kernel, stride = cast(Any, (single.kernel_size, single.stride))
        around = cast(tuple[int, int], patterns.padding(single))
        built = stem(StemSpec(unit.spec, channels, height, width, kernel, stride, around))
        if built is None:
            return None
        name, conv = source.name, cast(StackedConv2d, self.body.get_submodule(str(unit.conv.target)))
        norm = cast(StackedBatchNorm, self.body.get_submodule(str(unit.norm.target)))
        return lambda values: Maps(built(values[name], conv.weight, conv.bias, _normalisation(norm)))

    def _block_is_faster(self, unit: _Unit, single: nn.Conv2d) -> bool:
        if unit.spec.pool == "none" and self.has_tails:
            return False  # large maps in another layout than its neighbours'
        pixel = self.shapes[cast(fx.Node, unit.conv).name][2:] == (1, 1)
        return single.in_channels < FEW_CHANNELS or self._work(cast(fx.Node, unit.conv)) < BLOCK_WORK or pixel

    def _linear(self, node: fx.Node) -> tuple[fx.Node, Step] | None:
        """A linear layer of features with the activation that follows: its last node, and its step."""
        single = self._layer(node)
        if type(single) is not nn.Linear or len(self.shapes[node.name]) != 2 or self.batch < FEWEST_SAMPLES:
            return None
        following = next(iter(node.users), node)
        name = None if len(node.users) != 1 else patterns.activation(following, self._layer(following))
        spec = LinearSpec(single.in_features, single.out_features, name or "identity")
        if name is not None and spec.unsupported() is not None:
            name, spec = None, replace(spec, activation="identity")
        if (built := linear(spec)) is None:
            return None
        layer, source = cast(StackedLinear, self.body.get_submodule(str(node.target))), node.all_input_nodes[0].name

        def step(values: Values) -> Any:
            return built(joined(values[source]), layer.weight, layer.bias)

        return node if name is None else following, step

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


def _with_dead(named: Sequence[tuple[fx.Node, Found]], result: str) -> Iterator[tuple[str, Step, tuple[str, ...]]]:
    """Name every step, and the values that it is the last to need."""
    needed = {result}
    found = list[tuple[str, Step, tuple[str, ...]]]()
    for node, (step, inputs) in reversed(named):
        dead = tuple(dict.fromkeys(i.name for i in inputs if i.name not in needed))
        needed.update(i.name for i in inputs)
        found.append((node.name, step, dead))
    return reversed(found)
