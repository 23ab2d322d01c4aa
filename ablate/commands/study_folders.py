"""Where a study's report belongs: ``results/STUDY`` is the study of its file, and not one that was changed.

A study that an override changes (its baseline, levels, seeds, metrics, published numbers, ...) is written to
``results/STUDY@DIGEST``, where DIGEST is of the overrides: a smoke run never takes the place of the study, and the same
overrides lead to the same folder again. Where things go (``results=``, ``store=``) and what trains (``device=``,
``workers=``, ``cohort_size=``, ``keep=``) changes no study.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.plan.command_line import parse_command_line
from ablate.plan.compose import Source, sources
from ablate.plan.launch import launch_key
from ablate.task.identity import digest_of

PLACES = ("results", "store")
"""Launch settings without which a report cannot be rebuilt: where its records lie."""
APART = ("replaced", "changed")
"""Fields of a study that say what the command line did to it, not what it is."""


@dataclass(frozen=True)
class Words:
    """The words of a command line beside the names of studies."""

    changes: tuple[str, ...] = ()
    """What may change a study."""
    places: tuple[str, ...] = ()
    """Where records lie, without passwords."""

    @property
    def digest(self) -> str:
        """Eight hex digits of the changes, whatever their order."""
        return digest_of(sorted(self.changes))[:8]

    def command(self, verb: str, study: str, *, changed: bool) -> str:
        """A command about a study, as a shell takes it.

        Args:
            verb: A command of ``ablate``, such as ``report``.
            study: Its name.
            changed: Whether the changes belong to it.
        """
        return shlex.join(["ablate", verb, study, *(self.changes if changed else ()), *self.places])


def words_of(arguments: Sequence[str], found: Sequence[Source]) -> Words:
    """Sort the words of a command line.

    Args:
        arguments: Overrides, ``sweeps=STUDY`` among them.
        found: The studies that it asks for; what is a field of their configuration is no launch setting.
    """
    owned = {str(key) for source in found for key in source.baseline}
    rest = parse_command_line(arguments).words
    keys = {word: None if word.partition("=")[0].lstrip("+") in owned else launch_key(word) for word in rest}
    return Words(
        tuple(word for word, key in keys.items() if key is None),
        tuple(without_password(word) for word, key in keys.items() if key in PLACES),
    )


def changed_studies(found: Sequence[Source], arguments: Sequence[str]) -> frozenset[str]:
    """Names of the studies that are not what their files state, those that include such a one among them.

    Args:
        found: As the command line has them, included ones before the union that includes them.
        arguments: The command line.
    """
    if not words_of(arguments, found).changes:
        return frozenset()
    names = [f"sweeps={name}" for name in parse_command_line(arguments).studies]
    files = {source.study.name: source for source in (sources(names) if names else [])}
    changed: set[str] = set()
    for source in found:
        name = source.study.name
        if name not in files or not _same(source, files[name]) or changed & set(source.study.includes):
            changed.add(name)
    return frozenset(changed)


def folder_names(changed: frozenset[str], words: Words) -> Mapping[str, str]:
    """The name of each changed study's folder; all others lie in one of their own name."""
    return {name: f"{name}@{words.digest}" for name in changed}


def _same(a: Source, b: Source) -> bool:
    one, other = (source.study.model_dump(exclude=set(APART)) for source in (a, b))
    return one == other and a.baseline == b.baseline


def without_password(word: str) -> str:
    """A word of a command line, with the password in a store's URL hidden."""
    from ablate.store import shown

    key, _, value = word.partition("=")
    return f"{key}={shown(value)}" if launch_key(word) in PLACES else word
