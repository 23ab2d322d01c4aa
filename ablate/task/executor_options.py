"""What a command line says about an executor (``executor.partition=gpu``), as the executor's class wants it."""

from typing import Any

from pydantic import BaseModel, ValidationError

from ablate.task.errors import ConfigError
from ablate.task.executor import ExecutorChoice
from ablate.task.fields import problems_of


def executor_options(maker: Any, choice: ExecutorChoice) -> BaseModel | None:
    """The options, validated.

    Args:
        maker: What makes the executor; where it has ``Options``, a pydantic class, those are its options.
        choice: Which executor, and what was said about it.

    Returns:
        None for an executor that has no options.

    Raises:
        ConfigError: Lists every problem.
    """
    kind = getattr(maker, "Options", None)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        if choice.options:
            given = ", ".join(f"executor.{name}" for name in choice.options)
            raise ConfigError(f"{given}: executor {choice.name} has no options")
        return None
    names = kind.model_fields
    problems = [
        f"executor.{name}: executor {choice.name} has no such option; they are {', '.join(names)}"
        for name in choice.options
        if name not in names
    ]
    try:
        made = kind.model_validate({k: v for k, v in choice.options.items() if k in names}, strict=False)
    except ValidationError as error:
        problems += problems_of(error, "executor.")
    if problems:
        raise ConfigError(problems)
    return made
