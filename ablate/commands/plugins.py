"""``ablate plugins``: which tasks and parts there are, where they come from, and whether they load."""

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass

from ablate.task.errors import ConfigError
from ablate.task.finding import CHECKS, Found, find_parts, load_object
from ablate.task.project import GROUPS, read_project
from ablate.task.task import composes_itself


@dataclass(frozen=True)
class Plugin:
    """One line of the list."""

    group: str
    name: str
    kind: str
    origin: str
    problem: str | None
    """Why it cannot be loaded; None: it can."""


def plugins() -> list[Plugin]:
    """Every part that the project, installed packages and this one declare; all but built-in ones are loaded to see."""
    return [_tried(part) for group in GROUPS for part in find_parts(group)]


def print_plugins(as_json: bool = False) -> bool:
    """Print the list.

    Args:
        as_json: Machine-readable.

    Returns:
        Whether everything can be loaded.
    """
    found, problems = plugins(), read_project().problems
    if as_json:
        import json
        from dataclasses import asdict

        print(json.dumps({"plugins": [asdict(plugin) for plugin in found], "problems": list(problems)}, indent=2))
    else:
        _print_table(found)
        for problem in problems:
            print(f"broken: {problem}")
    return not problems and all(plugin.problem is None for plugin in found)


def _tried(part: Found) -> Plugin:
    problem = part.problem
    if problem is None and part.origin != "built in":
        try:
            with redirect_stdout(sys.stderr):  # what it prints is no part of the list
                _load(part)
        except ConfigError as error:
            problem = "; ".join(error.problems)
    return Plugin(part.group, part.name, part.kind, part.origin, problem)


def _load(part: Found) -> None:
    """Load a part as what needs it does.

    Raises:
        ConfigError: It cannot be loaded, or is not what a part of its group must be.
    """
    from ablate.execute.choice import load_executor

    if part.group == "tasks":
        task = part.load()
        task.provide(())
        if composes_itself(task):
            task.compose(())
    elif part.group == "executors":
        load_executor(part.name)
    else:
        load_object(CHECKS[part.group])(part.group, part.name)


def _print_table(found: list[Plugin]) -> None:
    from ablate.report.console import add_column, add_row, output, table

    made = table()
    for heading in ("part", "name", "kind", "origin", "loads"):
        add_column(made, heading, left=True)
    for plugin in found:
        loads = "yes" if plugin.problem is None else f"broken: {plugin.problem}"
        add_row(made, plugin.group[:-1], plugin.name, plugin.kind, plugin.origin, loads)
    output().print(made)
