"""What is said where a command line does not name a study as its command wants it."""

from collections.abc import Sequence

from ablate.plan.compose import option_names
from ablate.plan.launch import LAUNCH_KEYS, launch_key
from ablate.plan.sources import study_names
from ablate.plan.study_file import STUDY_KEYS
from ablate.plan.suggestions import did_you_mean
from ablate.task.errors import ConfigError
from ablate.task.identity import flatten


def no_study(words: Sequence[str]) -> ConfigError:
    """Say that overrides alone name no study, and what may have been meant by those that are none.

    Args:
        words: The command line.
    """
    problems = ["name at least one study; ablate studies lists them"]
    groups, values = option_names([])
    known = [*flatten(values), *groups, *LAUNCH_KEYS, *(f"study.{key}" for key in STUDY_KEYS)]
    for word in words:
        key, _, value = word.lstrip("+~").partition("=")
        hint = "" if key in known or launch_key(word) else did_you_mean(key, known, f"={value}")
        problems += [f"{word}: there is no such field{hint}"] if hint else []
    return ConfigError(problems)


def check_no_study(words: Sequence[str]) -> None:
    """Refuse what looks like the name of a study where one is named by an option.

    Raises:
        ConfigError: Lists every such word.
    """
    names, problems = study_names(), []
    for word in words:
        name = word.removeprefix("study=").removeprefix("./").removeprefix("sweeps/").removesuffix(".yaml")
        if "=" not in name:
            hint = f"; did you mean --study {name}?" if name in names else did_you_mean(name, names)
            problems.append(f"{word}: a study is named with --study STUDY{hint}")
    if problems:
        raise ConfigError(problems)
