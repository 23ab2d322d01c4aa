"""The trajectory of a record, from its identity alone."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, get_args

from ablate.images.config import ScheduleConfig


def trajectory_of(identity: Mapping[str, Any], digest: str) -> str:
    """What the record's task says; the digest itself where the task is not known here.

    Args:
        identity: Of the run.
        digest: Of the run.
    """
    if "train" not in identity:
        return digest
    if not _DEPENDS_ON_EPOCHS.get(identity.get("schedule", {}).get("name"), True):
        identity = {**identity, "train": {k: v for k, v in identity["train"].items() if k != "epochs"}}
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


_DEPENDS_ON_EPOCHS: dict[str, bool] = {
    schedule.model_fields["name"].default: schedule.depends_on_epochs
    for schedule in get_args(get_args(ScheduleConfig)[0])
}
