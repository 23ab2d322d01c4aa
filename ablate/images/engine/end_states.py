"""The state of a run at its end, kept so that one of more epochs goes on from there.

Runs that differ in their number of epochs alone share a trajectory where the schedule does not depend on it: the longer
one begins as the shorter one. A state is a checkpoint of one member, named by its trajectory and its epoch.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ablate.images.engine.checkpoints import PLAIN, as_bytes, code_version, state_of
from ablate.images.engine.cohort import FusedCohort
from ablate.images.engine.random_states import random_states, set_random_states
from ablate.images.run import RunConfig
from ablate.task.checkpoint import (
    Checkpoints,
    DamagedError,
    latest_state,
    read_checkpoint,
    state_file,
    write_checkpoint,
)
from ablate.task.record import Measurement


def begins_at(checkpoints: Checkpoints | None, run: RunConfig) -> int:
    """The epoch from whose end a run goes on; 0: it begins anew."""
    found = None if checkpoints is None else latest_state(checkpoints.states, run.trajectory, run.train.epochs)
    return 0 if found is None else found[0]


def keep_state(
    checkpoints: Checkpoints, run: RunConfig, cohort: FusedCohort, row: int, curve: Sequence[Measurement]
) -> None:
    """Keep the state of a member that is complete; what cannot be written is told.

    Args:
        checkpoints: The worker's.
        run: The member.
        cohort: Its cohort.
        row: Its position among the members in training.
        curve: What it has measured.
    """
    tensors = {name: t[row : row + 1] if stacked else t for name, (t, stacked) in state_of(cohort).items()}
    tensors |= {f"random.{name}": state for name, state in random_states(cohort.device).items()}
    tensors = {name: tensor.to("cpu").contiguous().clone() for name, tensor in tensors.items()}
    plain = {"curve": [[m.step, dict(m.values), m.seconds] for m in curve]}
    about = {
        "runs": [run.digest],
        "step": cohort.epoch,
        "content": run.trajectory,
        "version": code_version(),
        "device": cohort.device.type,
    }
    file = state_file(checkpoints.states, run.trajectory, cohort.epoch)
    try:
        write_checkpoint(file, about, save(tensors | {PLAIN: as_bytes(plain)}))
    except OSError as error:
        checkpoints.tell(cohort.epoch, f"{file}: a state cannot be kept: {error.strerror or error}")


def go_on(checkpoints: Checkpoints, runs: Sequence[RunConfig], cohort: FusedCohort) -> list[list[Measurement]] | None:
    """Bring a cohort that has not trained yet to where the states of all its members are.

    Args:
        checkpoints: The worker's.
        runs: The members, by position; all of them begin at the same epoch.
        cohort: The cohort.

    Returns:
        What each member has measured until there; None: a state cannot be used, which is told, and nothing is changed.
    """
    found = []
    for run in runs:
        latest = latest_state(checkpoints.states, run.trajectory, run.train.epochs)
        if latest is None:
            return None
        try:
            found.append(_read(latest[1], run, cohort))
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            checkpoints.refuse(latest[1], DamagedError(str(error)))
            return None
    steps = {len(plain["curve"]) for _, plain in found}
    if len(steps) > 1:  # another worker has just written a later one: they begin anew
        return None
    with torch.no_grad():
        for name, (tensor, stacked) in state_of(cohort).items():
            rows = [found[k][0][name] for k in cohort.members]
            tensor.copy_(torch.cat(rows) if stacked else rows[0])
    (cohort.epoch,) = steps
    cohort.notes["resumed"] = [cohort.epoch]
    first = found[0][0]
    set_random_states(
        {n.removeprefix("random."): t for n, t in first.items() if n.startswith("random.")}, cohort.device
    )
    return [[Measurement(*measured) for measured in plain["curve"]] for _, plain in found]


def _read(file: Path, run: RunConfig, cohort: FusedCohort) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
    checkpoint, payload = read_checkpoint(file)
    wanted = {"content": run.trajectory, "version": code_version(), "device": cohort.device.type}
    for name, mine in wanted.items():
        if checkpoint.about.get(name) != mine:
            raise DamagedError(f"it is of another {'version of the code' if name == 'version' else name}")
    tensors = load(payload)
    plain = json.loads(tensors.pop(PLAIN).numpy().tobytes())
    if [measured[0] for measured in plain["curve"]] != list(range(1, checkpoint.step + 1)):
        raise DamagedError("its curve is not that of its epochs")
    for name, (tensor, stacked) in state_of(cohort).items():
        shape = (1, *tensor.shape[1:]) if stacked else tuple(tensor.shape)
        if (tuple(tensors[name].shape), tensors[name].dtype) != (shape, tensor.dtype):
            raise DamagedError(f"{name} is {tensors[name].dtype} {tuple(tensors[name].shape)}, not {shape}")
    return tensors, plain
