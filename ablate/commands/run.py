"""``ablate run``: one run, or with ``-m`` a sweep, in Hydra's grammar and with such flags as make sense."""

from collections.abc import Sequence

from omegaconf import OmegaConf

from ablate.commands.command_help import EXAMPLES
from ablate.commands.exits import user_errors
from ablate.commands.sweep import train_arguments
from ablate.plan.command_line import parse_command_line, parse_overrides
from ablate.plan.compose import option_names, sources
from ablate.plan.launch import Launch, launch_key
from ablate.plan.study_file import read_study_file
from ablate.plan.suggestions import did_you_mean
from ablate.task.errors import ConfigError

FLAGS = {
    "-m": "multirun",
    "--multirun": "multirun",
    "-c": "cfg",
    "--cfg": "cfg",
    "-h": "help",
    "--help": "help",
}

HELP = """Usage: ablate run [-m] [OVERRIDES]

  Train one run, and print what it reached; with -m every combination of the overrides' values, which is a sweep.
  A study is run with: ablate sweep STUDY, or: ablate run -m sweeps=STUDY

  -m, --multirun  Several values of an override make runs: optimizer.lr=0.5,0.9 'seed=range(0,3)'.
  -c, --cfg job   Print the configuration and train nothing.
  -h, --help      This text.

Examples:
{examples}

Configuration groups (GROUP=OPTION):
"""


def run_arguments(arguments: Sequence[str]) -> None:
    """Do what ``ablate run`` was asked for.

    Args:
        arguments: Overrides, and flags anywhere among them.

    Raises:
        SystemExit: 1 where a run failed, 2 for bad input, 130 after an interruption.
    """
    with user_errors():
        words, flags = _split(arguments)
        if "help" in flags:
            print(_help(words))
        elif "cfg" in flags:
            print("---\n".join(OmegaConf.to_yaml(dict(source.baseline)) for source in sources(words)), end="")
        else:
            _check_multirun(words, "multirun" in flags)
            train_arguments(words)


def _split(arguments: Sequence[str]) -> tuple[list[str], set[str]]:
    """Words and flags.

    Raises:
        ConfigError: Lists every argument that is neither.
    """
    words, flags, problems = [], set[str](), []
    left = list(arguments)
    while left:
        word = left.pop(0)
        name, has_value, value = word.partition("=")
        if not word.startswith("-"):
            words.append(word)
        elif name in FLAGS and FLAGS[name] == "cfg":
            value = value if has_value else left.pop(0) if left else ""
            flags.add("cfg")
            if value != "job":
                problems.append(f"{name} {value}: must be job: there is no other configuration here")
        elif word in FLAGS:
            flags.add(FLAGS[word])
        else:
            problems.append(f"{word}: there is no such flag{did_you_mean(name, FLAGS)}; flags are {', '.join(FLAGS)}")
    if problems:
        raise ConfigError(problems)
    return words, flags


def _check_multirun(words: Sequence[str], is_multirun: bool) -> None:
    """What trains many runs must have been asked for as such.

    Raises:
        ConfigError: It was not.
    """
    if is_multirun:
        return
    asked = parse_command_line(words)
    for name in asked.studies:
        read_study_file(name)
    if asked.studies:
        names = " ".join(asked.studies)
        raise ConfigError(
            f"sweeps={','.join(asked.studies)}: a study is many runs; train it with: ablate sweep {names} "
            "(or ablate run -m)"
        )
    several = [o for o in parse_overrides([w for w in asked.words if launch_key(w) is None]) if o.is_sweep_override()]
    if several:
        raise ConfigError(
            [
                f"{o.input_line}: several values make several runs; say so with -m, or write a list as [1,2] and "
                "a text with commas in quotes"
                for o in several
            ]
        )


def _help(words: Sequence[str]) -> str:
    groups, values = option_names(words)
    lines = [f"  {group}: {', '.join(options)}" for group, options in groups.items()]
    fields = Launch.model_fields.items()
    settings = [f"  {name}={'null' if f.default is None else f.default}" for name, f in fields if not f.default_factory]
    return (
        HELP.format(examples="\n".join(f"  {line}" for line in EXAMPLES["run"]))
        + "\n".join(lines)
        + "\n\nWhere things go and what trains:\n"
        + "\n".join(settings)
        + "\n\nConfiguration (override anything, KEY=VALUE):\n\n"
        + OmegaConf.to_yaml(values)
    )
