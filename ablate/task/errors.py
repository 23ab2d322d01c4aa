"""The one error that bad input by a user raises."""

from collections.abc import Sequence


class ConfigError(ValueError):
    """Bad input by the user: one or more problems, each naming the place, the value and what is allowed.

    Args:
        problems: One line a problem.
    """

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))
