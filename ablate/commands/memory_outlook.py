"""What ``ablate plan`` says of memory."""

from collections.abc import Iterator, Mapping
from typing import Any

from ablate.execute.fitting import Fitted, Room
from ablate.task.memory import in_words


def memory_outlook(fitted: Fitted, room: Room) -> dict[str, Any]:
    """What the cohorts take, and what there is for them.

    Args:
        fitted: The cohorts.
        room: What there is, for workers that take the largest cohorts at the same time at worst.

    Returns:
        JSON data, in bytes: ``worker``, ``workers``, ``at_hand`` and ``smaller`` (members by cohort key).
    """
    known = sorted((size for size in fitted.sizes if size is not None), reverse=True)
    is_known = bool(known) and len(known) == len(fitted.sizes)
    return {
        "worker": known[0] if is_known else None,
        "workers": sum(known[: room.workers]) if is_known else None,
        "at_hand": room.at_hand,
        "smaller": fitted.smaller,
    }


def memory_lines(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The same for people, each line with its style.

    Args:
        found: As :func:`ablate.commands.plan.outlook` returns it.
    """
    memory, workers = found["memory"], found["workers"]
    if memory["worker"] is None:
        if found["unit"] == "training samples" and found["cohorts"]:
            yield "memory: not worked out; --measure does", ""
        return
    at_hand = "" if memory["at_hand"] is None else f", of {in_words(memory['at_hand'])} at hand"
    together = f", {in_words(memory['workers'])} for {workers} workers" if workers > 1 else ""
    line = f"memory: at most about {in_words(memory['worker'])} a worker{together}{at_hand}"
    is_short = memory["at_hand"] is not None and memory["workers"] > memory["at_hand"]
    if is_short:
        line += (
            "; fewer workers (workers=1) or a smaller batch take less"
            if workers > 1
            else "; a smaller batch takes less"
        )
    yield line, "yellow" if is_short else ""
    if memory["smaller"]:
        sizes = ", ".join(map(str, sorted(set(memory["smaller"].values()))))
        yield f"cohorts are smaller than they could be, of at most {sizes} runs: there is no memory for more", "yellow"
