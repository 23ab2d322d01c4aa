"""Shorter runs that are prefixes of longer ones: trained once, at the longest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ablate.task.record import Record
from ablate.task.run import Run


@dataclass(frozen=True)
class Prefixes:
    """Which runs are trained, and which are taken from those."""

    trained: tuple[Run, ...]
    """The longest run of each trajectory, in order of first appearance."""
    read_off: Mapping[str, tuple[Run, ...]]
    """The shorter runs of each trained run, by its digest, longest first; a run without any has no entry."""


def find_prefixes(runs: Iterable[Run]) -> Prefixes:
    """Group runs by trajectory: where nothing else depends on it, the number of steps only says where to stop.

    Args:
        runs: Any; of two with the same digest the first counts.

    Returns:
        Every run once: trained, or to be taken from one that is.
    """
    groups: dict[str, dict[str, Run]] = {}
    for run in runs:
        groups.setdefault(run.trajectory, {}).setdefault(run.digest, run)
    trained, shorter_of = [], {}
    for group in groups.values():
        longest, *shorter = sorted(group.values(), key=lambda run: -(run.length or 0))
        trained.append(longest)
        if shorter:
            shorter_of[longest.digest] = tuple(shorter)
    return Prefixes(tuple(trained), shorter_of)


def read_off(runs: Iterable[Run], along: Mapping[str, Record]) -> dict[str, Record]:
    """The records of those of ``runs`` that another run of the same trajectory settles.

    A record settles every run up to its last step, and where it diverged, every longer one, too.

    Args:
        runs: Any.
        along: A record of one run of each trajectory.

    Returns:
        By digest: the curve up to the run's own last step, with the status that it has there, the time that it
        took to there, and ``prefix_of`` in its provenance.
    """
    found = {}
    for run in runs:
        source = along.get(run.trajectory)
        record = _prefix(run, source) if source is not None else None
        if record is not None:
            found[run.digest] = record
    return found


def _prefix(run: Run, source: Record) -> Record | None:
    result, length = source.result, run.length
    finite = result.curves[: len(result.curves) - (result.status == "diverged")]
    if source.digest == run.digest:
        return source
    if length is not None and finite and finite[-1].step >= length:
        curves = tuple(measurement for measurement in finite if measurement.step <= length)
        result = replace(result, status="complete", curves=curves, error=None)
    elif result.status != "diverged":
        return None
    origin = source.provenance.get("prefix_of", source.digest)
    return Record(run.digest, run.identity, result, {**source.provenance, "prefix_of": origin})
