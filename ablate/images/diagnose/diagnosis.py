"""The diagnosis of a run: what its network says of the pictures that it was evaluated on, and where it looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ablate.images.config import ImageFolder
from ablate.images.data import load, split
from ablate.images.data.facts import prepared
from ablate.images.diagnose.maps import METHODS, maps_of, why_not
from ablate.images.diagnose.randomised import agreement_down
from ablate.images.diagnose.verdicts import Calibration, ClassScores, calibration, class_scores, confusion, worst_errors
from ablate.images.engine.predict import Predictor
from ablate.images.kept_weights import KeptWeights
from ablate.images.run import RunConfig
from ablate.task.errors import ConfigError

Part = Literal["test", "val"]
Evaluated = tuple[Part, NDArray[np.uint8], NDArray[np.int64]]
"""A part of the data, its pictures as stored, and their labels."""


@dataclass(frozen=True)
class Looked:
    """Pictures, and where a network looks in them for the class that it takes them for."""

    pictures: NDArray[np.uint8]
    """``[N, channels, height, width]``, as stored, cut as the network sees them."""
    labels: NDArray[np.int64] | None
    """``[N]``; None: nobody knows their classes."""
    predicted: NDArray[np.int64]
    """``[N]``."""
    shares: NDArray[np.float32]
    """``[N]``: the probabilities of the predicted classes."""
    maps: Mapping[str, NDArray[np.float32]]
    """The maps by method, ``[N, height, width]`` of the network's input."""


@dataclass(frozen=True)
class Diagnosis:
    """Why the network of one run errs."""

    part: Part
    """The part of the data on which all is measured."""
    samples: int
    accuracy: float
    confusion: NDArray[np.int64]
    scores: ClassScores
    calibration: Calibration
    worst: Looked
    """The errors of which the network was surest."""
    left_out: Mapping[str, str]
    """Why the network has no maps of a method, by method."""
    randomised: Mapping[str, Sequence[tuple[str, float]]]
    """Layers from the output down, by method, and how far maps are what they were once these and all after them lost
    their weights (mean rank correlation)."""


def evaluated(run: RunConfig) -> Evaluated:
    """The pictures that a run is evaluated on: the test part, or what it held out where it must not see that.

    Args:
        run: The run from its kept weights.

    Returns:
        The part, its pictures uint8 ``[N, channels, height, width]`` as stored, and their labels ``[N]``.

    Raises:
        ConfigError: The data is not there or no longer what the run was trained on.
    """
    data = run.data
    if isinstance(data, ImageFolder):
        (now,) = prepared([data.model_copy(update={"content": None, "found": None})])
        if isinstance(now, ImageFolder) and now.content != data.content:
            raise ConfigError(f"data.root = {data.root!r}: its files are no longer those that the run was trained on")
    images = load(data, torch.device("cpu"))
    if data.tests:
        return "test", images.test_images.numpy(), images.test_labels.numpy()
    _, held_out = split(images, data, run.seed)
    assert held_out is not None, "a protocol without test images holds some out"
    return "val", images.train_images[held_out].numpy(), images.train_labels[held_out].numpy()


def with_root(kept: KeptWeights, root: str | None) -> KeptWeights:
    """The same with its data in another place, where one is given."""
    if root is None:
        return kept
    data = kept.run.data.model_copy(update={"root": root})
    return replace(kept, run=kept.run.model_copy(update={"data": data}))


def diagnose(kept: KeptWeights, methods: Sequence[str], layer: str | None, most: int, found: Evaluated) -> Diagnosis:
    """Look at a run's network.

    Args:
        kept: Its weights.
        methods: The methods of maps; none: all that the network has.
        layer: The layer of Grad-CAM; None: the last with maps.
        most: Errors that are shown.
        found: What :func:`evaluated` returned.

    Raises:
        ConfigError: A method was asked for that the network does not have.
    """
    part, pictures, labels = found
    predictor = Predictor(kept)
    shares = predictor.shares(pictures).numpy()
    counts = confusion(labels, shares.argmax(1), len(kept.classes))
    chosen, left_out = methods_of(predictor, pictures, methods)
    worst = worst_errors(shares, labels, most)
    shown = looked_at(predictor, pictures[worst], labels[worst], chosen, layer)
    # Of pictures at hand, not of errors alone: what is checked is the method.
    inputs = predictor.inputs(torch.as_tensor(pictures[: max(most, 2)]))
    targets = predictor.network(inputs).argmax(-1)
    run = kept.run
    randomised = {
        method: agreement_down(
            predictor.network,
            run.train,
            run.seed,
            partial(maps_of, method, inputs=inputs, targets=targets, layer=layer),
        )
        for method in chosen
        if method != "occlusion"  # hundreds of passes for each layer, and no gradient that could ignore weights
    }
    return Diagnosis(
        part=part,
        samples=len(labels),
        accuracy=float((shares.argmax(1) == labels).mean()),
        confusion=counts,
        scores=class_scores(counts),
        calibration=calibration(shares, labels),
        worst=shown,
        left_out=left_out,
        randomised=randomised,
    )


def methods_of(
    predictor: Predictor, pictures: NDArray[np.uint8], asked: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """The methods whose maps are made, and why others are not.

    Raises:
        ConfigError: One that was asked for is none of the network's.
    """
    one = predictor.inputs(torch.as_tensor(pictures[:1]))
    reasons = {method: why_not(method, predictor.network, one) for method in asked or METHODS}
    missing = {method: reason for method, reason in reasons.items() if reason is not None}
    if asked and missing:
        raise ConfigError(list(missing.values()))
    return [method for method in reasons if method not in missing], missing


def looked_at(
    predictor: Predictor,
    pictures: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    methods: Sequence[str],
    layer: str | None,
) -> Looked:
    """Pictures and where a network looks in them.

    Args:
        predictor: The network and the preparation of its images.
        pictures: uint8 ``[N, channels, height, width]``, as stored.
        labels: ``[N]``; None: nobody knows them.
        methods: The methods of maps.
        layer: The layer of Grad-CAM.
    """
    stored = torch.as_tensor(pictures)
    inputs = predictor.inputs(stored)
    if len(inputs) == 0:
        nothing = np.zeros(0, np.int64)
        empty = {method: np.zeros((0, *inputs.shape[-2:]), np.float32) for method in methods}
        return Looked(pictures, labels, nothing, np.zeros(0, np.float32), empty)
    with torch.no_grad():
        shares = torch.softmax(predictor.network(inputs), -1)
    targets = shares.argmax(-1)
    made = {method: maps_of(method, predictor.network, inputs, targets, layer).numpy() for method in methods}
    top: Tensor = shares.max(-1).values
    return Looked(predictor.cut(stored).numpy(), labels, targets.numpy(), top.numpy(), made)
