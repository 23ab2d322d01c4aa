"""Writes down what the function of a Hydra application returns; named by an override of a run, in its own process."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class RecordReturn(Callback):
    """Hydra's callback.

    Args:
        path: File to write: a line of JSON with the returned numbers by metric.
        names: Metrics that a number, or numbers in a list, are; a mapping names its numbers itself.
    """

    def __init__(self, path: str, names: Sequence[str] = ()) -> None:
        self._path, self._names = Path(path), list(names)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """See Hydra; a function that raised has returned nothing."""
        if job_return.status is JobStatus.COMPLETED:
            values = named(job_return.return_value, self._names)
            self._path.write_text(json.dumps(values) + "\n", encoding="utf-8")


def named(returned: Any, names: Sequence[str]) -> dict[str, Any]:
    """What a function returned, by metric.

    Args:
        returned: A number (also of NumPy, or a tensor with one element), a list of them, a mapping, or None.
        names: The names of the number, or of each in a list.

    Returns:
        Numbers; where something else was returned, a text that says so, which nobody will take for a number.
    """
    if returned is None:
        return {}
    if isinstance(returned, Mapping):
        return {str(name): number for name, value in returned.items() if (number := number_of(value)) is not None}
    if isinstance(returned, list | tuple):
        if len(returned) != len(names):
            return dict.fromkeys(names, f"{len(returned)} returned values, but 'returns' names {len(names)}")
        return {name: _said(value) for name, value in zip(names, returned, strict=True)}
    if len(names) != 1:
        return dict.fromkeys(names, f"one returned value, but 'returns' names {len(names)}")
    return {names[0]: _said(returned)}


def number_of(value: Any) -> float | None:
    """A value as a number; None: it is none."""
    if isinstance(value, bool | str | bytes):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _said(value: Any) -> float | str:
    number = number_of(value)
    return number if number is not None else f"the returned {type(value).__name__}"


__all__ = ["RecordReturn", "named", "number_of"]
