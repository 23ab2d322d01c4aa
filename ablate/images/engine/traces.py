"""A network's graph, traced with ``torch.fx``, and why a network has none that may be trusted."""

import copy
import random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ablate.images.engine.exhaustion import is_out_of_memory

_RANDOM = {F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout, F.rrelu}


class UnfusedError(Exception):
    """A network has no fused form; the message says why."""


def traced(template: nn.Module) -> fx.Graph:
    """The graph of a network, which is the same in training and in evaluation.

    Args:
        template: One member's network; it is left as it is.

    Raises:
        UnfusedError: Its code branches, draws, counts or uses parameters in a way that a graph would not repeat.
    """
    graphs = []
    for training in (True, False):
        traced = copy.deepcopy(template).train(training)
        before = _python_state(traced)
        try:
            graphs.append(_Tracer().trace(traced))
        except Exception as error:  # the same, when it meets a symbol
            if is_out_of_memory(error):
                raise
            raise UnfusedError(f"cannot be traced: {str(error).splitlines()[0] if str(error) else error!r}") from None
        if _python_state(traced) != before:
            raise UnfusedError("draws random numbers or counts in its own code, which a trace would freeze")
    if str(graphs[0]) != str(graphs[1]):
        raise UnfusedError("is another network in training than in evaluation")
    for node in graphs[0].nodes:
        if node.op == "call_function" and node.target in _RANDOM:
            raise UnfusedError(f"draws random numbers outside of layers ({node.target.__name__})")
        if node.op == "get_attr" and isinstance(attribute(template, node.target), nn.Parameter):
            raise UnfusedError(f"uses the parameter {node.target} outside of its layer")
    if sum(node.op == "placeholder" for node in graphs[0].nodes) != 1:
        raise UnfusedError("takes more than one input")
    return graphs[0]


def _python_state(network: nn.Module) -> tuple[object, ...]:
    """What a network's own code may draw from, and count in."""
    own = [
        [(name, value) for name, value in vars(layer).items() if isinstance(value, int | float | str | tuple | None)]
        for layer in network.modules()
    ]
    return random.getstate(), torch.get_rng_state().numpy().tobytes(), own


class _Tracer(fx.Tracer):
    """Looks into modules that have others inside; the project's own layers are leaves, as torch's are."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) or next(m.children(), None) is None


class _Shapes(fx.Interpreter):
    """Runs a graph and keeps the shapes of its tensors."""

    def __init__(self, template: nn.Module, graph: fx.Graph) -> None:
        super().__init__(template, graph=graph)
        self.shapes = dict[str, tuple[int, ...]]()

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.shapes[n.name] = tuple(value.shape)
        return value


def shapes_of(template: nn.Module, graph: fx.Graph, x: Tensor) -> dict[str, tuple[int, ...]]:
    """The shapes of a graph's tensors by the names of their nodes, for an input ``[B, C, H, W]``."""
    interpreter = _Shapes(template, graph)
    with torch.no_grad():
        interpreter.run(x)
    return interpreter.shapes


def attribute(module: nn.Module, path: str) -> Any:
    """What a module holds under a name with dots."""
    for name in path.split("."):
        module = getattr(module, name)
    return module
