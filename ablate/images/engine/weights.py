"""Weights as safetensors files: written when a run is complete, read to predict and to diagnose."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ablate.images.data import Images
from ablate.images.kept_weights import KeptWeights, weights_file
from ablate.images.networks import build
from ablate.images.run import RunConfig
from ablate.task.errors import ConfigError
from ablate.task.whole_files import aside

OF_THE_DATA = "data."
"""Before the names of tensors that belong to the images' preparation."""


def save_weights(folder: Path, run: RunConfig, state: Mapping[str, Tensor], images: Images, epoch: int) -> Path:
    """Write the weights of a run: aside first, then renamed.

    Args:
        folder: The folder of weights; made where needed.
        run: Its digest is the file's name, its configuration lies in the file.
        state: Parameters and statistics by the names of the run's own network.
        images: Their classes, mean and standard deviation are needed to predict.
        epoch: That has been reached.
    """
    about = {
        "config": json.dumps(run.model_dump(mode="json", exclude={"code"})),
        "code": json.dumps(run.code),
        "classes": json.dumps(images.classes),
        "channels": str(images.train_images.shape[1]),
        "epoch": str(epoch),
    }
    tensors = {name: value.detach().to("cpu").contiguous().clone() for name, value in state.items()}
    tensors |= {f"{OF_THE_DATA}mean": images.mean.cpu().clone(), f"{OF_THE_DATA}std": images.std.cpu().clone()}
    file = weights_file(folder, run.digest)
    folder.mkdir(parents=True, exist_ok=True)
    with aside(file) as place:
        save_file(tensors, place, about)
    return file


def load_network(kept: KeptWeights, channels: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A run's network with its weights, ready to predict.

    Args:
        kept: What :func:`ablate.images.kept_weights.find_weights` returned.
        channels: The channels of its input.

    Returns:
        The network (evaluation mode, on the CPU), and the mean and standard deviation of its training images.

    Raises:
        ConfigError: The file is damaged or not of this network.
    """
    try:
        tensors = load_file(kept.file)
        mean, std = tensors.pop(f"{OF_THE_DATA}mean"), tensors.pop(f"{OF_THE_DATA}std")
    except (SafetensorError, OSError, KeyError) as error:
        raise ConfigError(f"{kept.file}: is damaged ({error})") from None
    with torch.random.fork_rng(devices=[]):
        network = build(kept.run.model, channels, kept.run.data.input_size, len(kept.classes)).eval()
    try:
        missing, unexpected = network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise ConfigError(
            f"{kept.file}: does not fit model {kept.run.model.name} ({str(error).splitlines()[0]})"
        ) from None
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ConfigError(f"{kept.file}: does not fit model {kept.run.model.name} ({_some([*missing, *unexpected])})")
    return network, mean, std


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
