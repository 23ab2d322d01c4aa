"""The help of every command ends with examples, and what they say can be typed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ablate.cli import main
from ablate.commands.command_help import EXAMPLES
from ablate.commands.studies import named, order
from ablate.plan.compose import sources
from ablate.search.request import search_request

ROOT = Path(__file__).parents[2]
LINES = [(name, line) for name, lines in EXAMPLES.items() for line in lines]
ids = [line for _, line in LINES]
GROUP = click.Context(main, info_name="ablate", **main.context_settings)
"""What commands stand under, as typed: click keeps the help option of whoever makes a command's first context."""


def test_every_command_has_one_or_two():
    assert set(EXAMPLES) == set(main.commands)
    assert {len(lines) for lines in EXAMPLES.values()} == {2}


def test_the_list_of_commands_cuts_no_sentence():
    text = main.get_help(click.Context(main, info_name="ablate", max_content_width=80, terminal_width=80))
    listed = text.partition("Commands:\n")[2].splitlines()
    assert len(listed) == len(main.commands)
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)


@pytest.mark.parametrize("command", main.commands)
def test_the_help_ends_with_them_and_fits_80_columns(command):
    if command == "run":  # Hydra's own flags, this text among them
        call = [sys.executable, "-m", "ablate", "run", "--help"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        text = subprocess.run(call, env=environment, capture_output=True, text=True, check=True).stdout
        assert text[text.index("Examples:\n") :].startswith(
            "".join(["Examples:\n", *(f"  {e}\n" for e in EXAMPLES[command])])
        )
        return
    context = click.Context(main.commands[command], GROUP, command, max_content_width=80)
    lines = main.commands[command].get_help(context).splitlines()
    assert lines[-3:] == ["Examples:", *(f"  {line}" for line in EXAMPLES[command])]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(("command", "line"), LINES, ids=ids)
def test_an_example_parses(command, line, monkeypatch):
    """As the shell and click would have it; a study's name and overrides are composed and checked as well."""
    monkeypatch.chdir(ROOT)
    program, name, *words = shlex.split(line)
    assert (program, name) == ("ablate", command)
    context = main.commands[command].make_context(command, list(words), GROUP)
    typed = context.params.get("words") or context.params.get("arguments") or context.params.get("overrides") or ()
    studies = [word for word in typed if "=" not in word]
    studies = [] if command == "run" else studies
    overrides = [word for word in typed if "=" in word]
    if command == "search":
        assert search_request(named(studies, overrides)).study.name == studies[0]
    elif studies:
        assert order(named(studies, overrides)).asked == tuple(studies)
    elif command in ("run", "model"):
        assert sources(overrides)
