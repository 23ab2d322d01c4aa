"""Where in a picture a network looks: saliency, CAM, Grad-CAM and occlusion.

- Saliency: the largest change over the colours of the class's output with a pixel (Simonyan, Vedaldi & Zisserman 2014).
- CAM: the last maps, weighted as the linear layer behind global pooling weights their means (Zhou et al. 2016).
- Grad-CAM: the last convolution's maps, weighted by the mean gradient of the class's output, what is negative cut off
  (Selvaraju et al. 2017).
- Occlusion: how much the class's output falls where a square is covered (Zeiler & Fergus 2014).

Gradients, layers and squares are Captum's; CAM, which it has not, comes from the network. Maps are enlarged to the
size of the network's input (bilinear).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ablate.task.errors import ConfigError

METHODS = ("saliency", "cam", "grad_cam", "occlusion")
COVERED = 8
"""Squares side by side that cover a picture; neighbours overlap by half."""
NEUTRAL = (nn.Flatten, nn.Identity, nn.Dropout)
"""Layers after global pooling that change nothing of what its means say of a class."""


@dataclass(frozen=True)
class _Call:
    """A leaf layer as it was called."""

    name: str
    layer: nn.Module
    shape: tuple[int, ...]
    """The shape of its output, without the batch."""


def maps_of(method: str, network: nn.Module, inputs: Tensor, targets: Tensor, layer: str | None = None) -> Tensor:
    """Maps of where a network looks for a class.

    Args:
        method: One of :data:`METHODS`.
        network: The network in evaluation mode.
        inputs: ``[N, C, H, W]``, as the network sees them.
        targets: int64 ``[N]``: the class of each.
        layer: The layer of ``grad_cam``; None: what follows the last convolution and has its shape.

    Returns:
        float32 ``[N, H, W]``; higher: looked at more.

    Raises:
        ConfigError: Captum is not installed; the network has no global pooling (``cam``) or no maps (``grad_cam``).
    """
    found: Tensor = _METHODS[method](network, inputs, targets, layer)
    return found.detach()


def why_not(method: str, network: nn.Module, inputs: Tensor) -> str | None:
    """Why a network has no maps of a method, or None.

    Args:
        method: One of :data:`METHODS`.
        network: The network in evaluation mode.
        inputs: ``[1, C, H, W]``.
    """
    try:
        if method == "cam":
            _class_weights(network, inputs)
        elif method == "grad_cam":
            last_maps(network, inputs)
    except ConfigError as error:
        return error.problems[0]
    return None


def last_maps(network: nn.Module, inputs: Tensor) -> str:
    """The layer that Grad-CAM looks at: the last that has maps of the last convolution's shape.

    So the activation (in a residual network the shortcut, too) is in them and the pooling is not.

    Args:
        network: The network in evaluation mode.
        inputs: ``[1, C, H, W]`` or more.

    Raises:
        ConfigError: No convolution has maps larger than a pixel.
    """
    calls = _calls(network, inputs)
    found = [
        i
        for i, call in enumerate(calls)
        if _convolves(call.layer) and len(call.shape) == 3 and call.shape[1:] != (1, 1)
    ]
    if not found:
        raise ConfigError("grad_cam: the network has no convolution with maps larger than one pixel")
    last = found[-1]
    for call in calls[last + 1 :]:
        if call.shape != calls[last].shape:
            break
        last += 1
    return calls[last].name


def _convolves(layer: nn.Module) -> bool:
    from ablate.images.networks.lenet_1998 import TableConv2d

    return isinstance(layer, nn.Conv2d | TableConv2d)


def _saliency(network: nn.Module, inputs: Tensor, targets: Tensor, layer: str | None) -> Tensor:
    gradients: Tensor = _captum().Saliency(network).attribute(inputs.clone().requires_grad_(), target=targets)
    return gradients.amax(1)


def _grad_cam(network: nn.Module, inputs: Tensor, targets: Tensor, layer: str | None) -> Tensor:
    name = layer if layer is not None else last_maps(network, inputs[:1])
    with_maps = [call.name for call in _calls(network, inputs[:1]) if len(call.shape) == 3]
    if name not in with_maps:
        raise ConfigError(f"layer = {name!r}: must be a layer with maps: {', '.join(with_maps)}")
    method = _captum().LayerGradCam(network, network.get_submodule(name))
    found: Tensor = method.attribute(inputs, target=targets, relu_attributions=True)
    return _enlarged(found[:, 0], inputs)


def _cam(network: nn.Module, inputs: Tensor, targets: Tensor, layer: str | None) -> Tensor:
    return _enlarged(class_maps(network, inputs, targets), inputs)


@torch.no_grad()
def class_maps(network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """CAM in the size of the last maps: its mean, and the linear layer's bias, are the class's output.

    Args:
        network: The network in evaluation mode; ends in global average pooling and at most one linear layer.
        inputs: ``[N, C, H, W]``.
        targets: int64 ``[N]``.

    Returns:
        ``[N, h, w]``.

    Raises:
        ConfigError: It does not end so.
    """
    pooling, linear = _class_weights(network, inputs[:1])
    seen = list[Tensor]()
    hook = pooling.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        network(inputs)
    finally:
        hook.remove()
    (maps,) = seen
    if linear is None:
        return maps[torch.arange(len(maps)), targets]
    return torch.einsum("nc,nchw->nhw", linear.weight[targets], maps)


def _class_weights(network: nn.Module, inputs: Tensor) -> tuple[nn.Module, nn.Linear | None]:
    """The global pooling, and the linear layer behind it where there is one."""
    calls = _calls(network, inputs)
    pooled = [i for i, call in enumerate(calls) if _pools_all(call.layer) and call.shape[1:] == (1, 1)]
    after = [call.layer for call in calls[pooled[-1] + 1 :] if not isinstance(call.layer, NEUTRAL)] if pooled else []
    if not pooled or len(after) > 1 or any(not isinstance(layer, nn.Linear) for layer in after):
        raise ConfigError(
            "cam: the network does not end in global average pooling and at most one linear layer (as nin and resnet "
            "do); grad_cam needs neither"
        )
    return calls[pooled[-1]].layer, after[0] if after and isinstance(after[0], nn.Linear) else None


def _pools_all(layer: nn.Module) -> bool:
    return isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size in (1, (1, 1))


def _occlusion(network: nn.Module, inputs: Tensor, targets: Tensor, layer: str | None) -> Tensor:
    channels, height, width = inputs.shape[1:]
    window = (channels, max(1, height // COVERED * 2), max(1, width // COVERED * 2))
    strides = (channels, max(1, window[1] // 2), max(1, window[2] // 2))
    covered = inputs.mean((2, 3), keepdim=True).expand_as(inputs)  # by each picture's own mean colour
    method = _captum().Occlusion(network)
    with torch.no_grad():
        found: Tensor = method.attribute(
            inputs, window, strides, baselines=covered, target=targets, perturbations_per_eval=8
        )
    return found.mean(1)


_METHODS: dict[str, Callable[[nn.Module, Tensor, Tensor, str | None], Tensor]] = {
    "saliency": _saliency,
    "cam": _cam,
    "grad_cam": _grad_cam,
    "occlusion": _occlusion,
}


def _enlarged(maps: Tensor, inputs: Tensor) -> Tensor:
    size = (inputs.shape[-2], inputs.shape[-1])
    return nn.functional.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]


@torch.no_grad()
def _calls(network: nn.Module, inputs: Tensor) -> list[_Call]:
    """The leaf layers in the order in which they are called."""
    calls = list[_Call]()

    def note(name: str) -> Any:
        return lambda layer, _, output: calls.append(_Call(name, layer, tuple(output.shape[1:])))

    leaves = [(name, layer) for name, layer in network.named_modules() if next(layer.children(), None) is None]
    hooks = [layer.register_forward_hook(note(name)) for name, layer in leaves]
    try:
        network(inputs[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _captum() -> Any:
    try:
        from captum import attr
    except ImportError:
        raise ConfigError("maps of where a network looks need Captum: pip install 'ablate[diagnose]'") from None
    return attr
