"""Checkpoints of a cohort in training: at the end of an epoch, or after any step of one that takes long.

A checkpoint holds parameters, statistics and the optimiser's state of the members that are still in training, what all
members have measured, and the results of those that have left. Orders, augmentation and noise come from streams that
begin anew in each epoch (:mod:`ablate.images.engine.streams`): within one, the step and the states of the layers' own
generators tell where they are.
"""

import functools
import hashlib
import json
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ablate.images.engine.cohort import FusedCohort, PartialEpoch
from ablate.images.engine.layers import StackedLayer
from ablate.images.engine.random_states import random_states, set_random_states
from ablate.task.checkpoint import Checkpoints, DamagedError
from ablate.task.record import Measurement, Result

CODE = ("config", "data", "engine", "networks")
"""Folders of the built-in task whose code can change what is trained."""
PLAIN = "plain"
"""The name of the tensor with what is no tensor: JSON, as bytes."""


@dataclass(frozen=True)
class CohortProgress:
    """What a cohort has come to, beside its tensors; filled while it trains."""

    digests: Sequence[str]
    """Of its runs."""
    members: Sequence[int]
    """By which they are known in what follows."""
    curves: MutableMapping[int, list[Measurement]]
    """What each has measured."""
    results: MutableMapping[int, Result]
    """Of those that have left."""


class CohortCheckpoints:
    """Writes the checkpoints of one cohort, and goes on from one.

    Args:
        checkpoints: The worker's; None: there are none.
        content: Names the cohort; see :func:`ablate.task.checkpoint.content_of`.
        cohort: Not trained yet.
        progress: The same cohort's.
    """

    def __init__(
        self, checkpoints: Checkpoints | None, content: str, cohort: FusedCohort, progress: CohortProgress
    ) -> None:
        self._checkpoints, self._content = checkpoints, content
        self._cohort, self._progress = cohort, progress
        self._resumed: list[int] = []
        """Epochs after which it was gone on with."""
        self._seconds = 0.0
        """Spent on the epoch under way before it was cut off."""
        self._begun = time.perf_counter()

    def resume(self) -> PartialEpoch | None:
        """Bring the cohort and its progress to where its checkpoint is, if there is a sound one.

        Returns:
            The part of an epoch that has been trained; None: a new epoch begins.
        """
        if self._checkpoints is None:
            return None
        self._checkpoints.begin()
        found = self._checkpoints.read(self._content, code_version(), self._cohort.device.type)
        if found is None:
            return None
        checkpoint, payload = found
        try:
            tensors = load(payload)
            plain = json.loads(tensors.pop(PLAIN).numpy().tobytes())
            self._check(tensors, plain)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            self._checkpoints.refuse(checkpoint.file, DamagedError(f"{type(error).__name__}: {error}"))
            return None
        return self._restore(tensors, plain)

    def begin_epoch(self) -> float:
        """An epoch begins, or goes on; returns when it would have begun without an interruption."""
        self._begun, self._seconds = time.perf_counter() - self._seconds, 0.0
        return self._begun

    def after_step(self, part: Callable[[], PartialEpoch]) -> None:
        """A step of an epoch has been trained: a place to leave off."""
        if self._checkpoints is not None and self._checkpoints.is_due():
            self._write(part())

    def after_epoch(self) -> None:
        """An epoch has been trained and evaluated, and members have left: another one."""
        if self._checkpoints is not None and self._cohort.members and self._checkpoints.is_due():
            self._write(None)

    def _write(self, part: PartialEpoch | None) -> None:
        assert self._checkpoints is not None
        cohort, progress = self._cohort, self._progress
        left = {k: progress.results[i] for k, i in enumerate(progress.members) if i in progress.results}
        plain = {
            "members": cohort.members,
            "epoch": cohort.epoch,
            "step": part.step if part is not None else None,
            "seconds": time.perf_counter() - self._begun if part is not None else 0.0,
            "resumed": self._resumed,
            "curves": [[[m.step, dict(m.values), m.seconds] for m in progress.curves[i]] for i in progress.members],
            "results": {k: [result.status, dict(result.notes)] for k, result in left.items()},
        }
        about = {
            "runs": list(progress.digests),
            "step": cohort.epoch,
            "content": self._content,
            "version": code_version(),
            "device": cohort.device.type,
        }
        self._checkpoints.write(self._content, about, lambda: save(_tensors(cohort, part) | {PLAIN: as_bytes(plain)}))

    def _check(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
        """See that everything fits before anything is changed.

        Raises:
            ValueError, KeyError, TypeError: It does not.
        """
        members, left = plain["members"], [int(k) for k in plain["results"]]
        if sorted([*members, *left]) != list(range(len(self._progress.members))) or not members:
            raise ValueError("its members are others")
        if len(plain["curves"]) != len(self._progress.members):
            raise ValueError("its curves are those of others")
        for name, (tensor, is_stacked) in state_of(self._cohort).items():
            shape = (len(members), *tensor.shape[1:]) if is_stacked else tuple(tensor.shape)
            if (tuple(tensors[name].shape), tensors[name].dtype) != (shape, tensor.dtype):
                raise ValueError(f"{name} is {tensors[name].dtype} {tuple(tensors[name].shape)}, not {shape}")

    def _restore(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> PartialEpoch | None:
        cohort, progress = self._cohort, self._progress
        cohort.keep([cohort.members.index(k) for k in plain["members"]])
        cohort.epoch = plain["epoch"]
        with torch.no_grad():
            for name, (tensor, _) in state_of(cohort).items():
                tensor.copy_(tensors[name])
        self._resumed, self._seconds = [*plain["resumed"], cohort.epoch], plain["seconds"]
        cohort.notes["resumed"] = self._resumed
        for i, curve in zip(progress.members, plain["curves"], strict=True):
            progress.curves[i] += [Measurement(*measured) for measured in curve]
        for k, (status, notes) in plain["results"].items():
            i = progress.members[int(k)]
            progress.results[i] = Result(status, tuple(progress.curves[i]), notes=notes)
        states = {name.removeprefix("random."): t for name, t in tensors.items() if name.startswith("random.")}
        if plain["step"] is None:
            set_random_states(states, cohort.device)
            return None
        noise = [t for name, t in sorted(tensors.items()) if name.startswith("noise.")]
        return PartialEpoch(plain["step"], tensors["sums"], noise, lambda: set_random_states(states, cohort.device))


def state_of(cohort: FusedCohort) -> dict[str, tuple[Tensor, bool]]:
    """All tensors of a cohort that training changes, and whether each has a row for each member."""
    found: dict[str, tuple[Tensor, bool]] = {}
    for place, module in cohort.model.body.named_modules():
        is_stacked = isinstance(module, StackedLayer)
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        found |= {f"model.{place}.{name}": (tensor.detach(), is_stacked) for name, tensor in own}
    for name, tensors in cohort.optimizer.state.items():
        found |= {f"optimizer.{name}.{i}": (tensor, cohort.model.stacked) for i, tensor in enumerate(tensors)}
    return found


def _tensors(cohort: FusedCohort, part: PartialEpoch | None) -> dict[str, Tensor]:
    found = {name: tensor for name, (tensor, _) in state_of(cohort).items()}
    found |= {f"random.{name}": state for name, state in random_states(cohort.device).items()}
    if part is not None:
        found["sums"] = part.sums
        found |= {f"noise.{i:06}": state for i, state in enumerate(part.noise)}
    return {name: tensor.to("cpu").contiguous().clone() for name, tensor in found.items()}


def as_bytes(plain: Mapping[str, Any]) -> Tensor:
    """JSON data as a tensor."""
    return torch.frombuffer(bytearray(json.dumps(plain).encode()), dtype=torch.uint8)


@functools.cache
def code_version() -> str:
    """A digest of the code that trains: of PyTorch's version, and of sources of this package."""
    folder = Path(__file__).parents[1]
    made = hashlib.sha256(torch.__version__.encode())
    sources = [file for part in CODE for ending in ("py", "c", "h") for file in folder.glob(f"{part}/**/*.{ending}")]
    for file in sorted(sources):
        made.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return made.hexdigest()
