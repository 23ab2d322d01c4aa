"""Records of a study with other values than its file states: what lies there where a study's own runs are missing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate.plan.plan import Plan
from ablate.task.identity import flatten, task_name_of

if TYPE_CHECKING:
    from ablate.task.record import Record

ASIDE = ("seed", "engine", "task")
"""Parts of an identity that no override sets."""
MOST = 3
"""Groups of records that are told."""


@dataclass(frozen=True)
class Nearby:
    """Records that would be a study's, had it these values."""

    words: tuple[str, ...]
    """Overrides."""
    records: int
    of_other_code: bool = False
    """Whether they were trained with other code, which no override brings back."""


def nearby(plan: Plan, records: "Iterable[Record]") -> list[Nearby]:
    """Group the records that differ from settings of a plan in the same values, outside what the plan varies.

    A group counts where it has records of two settings at least: of one alone, they may be of any other study.

    Args:
        plan: The plan of a study.
        records: The records of anything; curves are not read.

    Returns:
        The largest groups first.
    """
    settings = {point.run.with_seed(0).digest: flatten(point.run.identity) for point in plan.points}
    if not settings:
        return []
    names = dict.fromkeys(name for setting in settings.values() for name in setting if name not in ASIDE)
    varied = [name for name in names if len({repr(setting.get(name)) for setting in settings.values()}) > 1]
    places = {_key(setting, varied) for setting in settings.values()}
    fixed = next(iter(settings.values()))
    tasks = {point.run.task for point in plan.points}
    groups: dict[tuple[tuple[str, ...], bool], list[tuple[str, ...]]] = {}
    for record in records:
        if task_name_of(record.config) not in tasks:
            continue
        flat = flatten(record.config)
        if _key(flat, varied) not in places:
            continue
        other = [n for n in {**names, **flat} if n not in varied and n not in ASIDE and flat.get(n) != fixed.get(n)]
        changed = [n for n in other if not n.startswith("code.")]
        if other and all(name in flat for name in changed):
            words = tuple(f"{n.removeprefix('config.')}={_written(flat[n])}" for n in changed)
            groups.setdefault((words, changed != other), []).append(_key(flat, varied))
    wide = {group: places for group, places in groups.items() if len(set(places)) > 1 or len(settings) == 1}
    found = [Nearby(words, len(places), of_other_code) for (words, of_other_code), places in wide.items()]
    return sorted(found, key=lambda one: (-one.records, one.words))[:MOST]


def _key(flat: dict[str, Any], varied: Iterable[str]) -> tuple[str, ...]:
    return tuple(repr(flat.get(name)) for name in varied)


def _written(value: Any) -> str:
    """A value in the grammar of overrides."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"[{','.join(map(_written, value))}]" if isinstance(value, list | tuple) else str(value)
