"""A mapping with a name, ``model: {name: vgg11, width: 8}``: it chooses the option of that name and sets its fields."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ablate.plan.application import ApplicationComposer
from ablate.plan.configuration import Composer
from ablate.plan.study_file import StudyFile
from ablate.task.errors import ConfigError


def chosen_by_name(file: StudyFile, composer: Composer | ApplicationComposer) -> StudyFile:
    """A study file whose mappings' names have become choices of options, as a ``defaults`` list makes them.

    A name that is no option's is a field's value like any other. So is it where the ``defaults`` list chooses an option
    that has this name itself (``lenet_1998`` has ``name: lenet``), and in an application of somebody else's, unless the
    option has its own name in a field ``name``.

    Args:
        file: As it was read.
        composer: Knows the options.

    Raises:
        ConfigError: The ``defaults`` list chooses another option; lists every such group.
    """
    choices, values, problems = dict(file.choices), dict(file.values), list[str]()
    for group, given in file.values.items():
        name = given.get("name") if isinstance(given, Mapping) else None
        if not isinstance(name, str) or name not in composer.options(group):
            continue
        own = _own_name(group, name, composer)
        if own is None or (isinstance(composer, ApplicationComposer) and own != name):
            continue
        has = file.choices.get(group, name)
        if has == name:
            choices[group] = name
            values[group] = {field: value for field, value in given.items() if field != "name"}
            if not values[group]:
                del values[group]
        elif has in composer.options(group) and _own_name(group, has, composer) != name:
            problems.append(f"{group}.name = {name!r}: defaults chooses {group} {has}; leave one of the two out")
    if problems:
        raise ConfigError(problems)
    return replace(file, choices=choices, values=values)


def options_as_fields(group: str, given: Any, values: Any, composer: Composer | ApplicationComposer) -> list[str]:
    """Options that stand as fields in a group, ``model: {vgg11: {width: 8}}``, with what to write instead.

    Args:
        group: A key of a study file.
        given: What the file has there.
        values: What the configuration has there.
        composer: Knows the options.
    """
    if isinstance(composer, ApplicationComposer) or not isinstance(given, Mapping) or not isinstance(values, Mapping):
        return []
    options = composer.options(group)
    return [
        f"{group}.{field}: there is no such field; the option is chosen by its name, "
        + (f"{group}: {{name: {field}, ...}}" if "name" in values else f"{group}: {field}")
        for field in given
        if field in options and field not in values
    ]


def option_of_word(group: str, value: Any, word: str) -> str:
    """The option that a word of the command line chooses.

    Args:
        group: The configuration group.
        value: What the word sets it to.
        word: The word itself.

    Raises:
        ConfigError: It is a mapping; says which words choose an option and set its fields.
    """
    if not isinstance(value, Mapping):
        return str(value)
    fields = [f"{group}.{field}=..." for field in value if field != "name"]
    words = [*([f"{group}={value['name']}"] if "name" in value else []), *fields]
    raise ConfigError(f"{word}: a word chooses an option or sets one field; write {' '.join(words)}")


def _own_name(group: str, option: str, composer: Composer | ApplicationComposer) -> str | None:
    """The field ``name`` that an option has of its own; None: it has none."""
    values: Any = composer.compose([f"{group}={option}"])
    for part in (*group.split("/"), "name"):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values if isinstance(values, str) else None
