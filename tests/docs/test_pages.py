"""Pages are followed by somebody who does what they say, in an empty folder; the site is built without network."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FOLLOWED = {"tutorial.md": 10, "table.md": 2, "program.md": 3, "hydra.md": 3, "function.md": 6, "network.md": 1}
FOLLOWED |= {"json.md": 2, "study_file.md": 6, "machines.md": 10}
"""Pages with commands, and the number of their blocks."""


@pytest.mark.parametrize("page", FOLLOWED)
def test_a_page_is_followed_to_the_letter(reader, page):
    assert reader.follow(f"docs/{page}") == FOLLOWED[page]


def test_no_page_with_commands_is_left_out(reader):
    with_commands = {
        file.name
        for file in (ROOT / "docs").glob("*.md")
        if any(block.language == "console" for block in reader.blocks(f"docs/{file.name}"))
    }
    assert with_commands == {*FOLLOWED, "extending.md"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(out)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_nothing_of_the_site_comes_from_elsewhere(site):
    for page in site.glob("*.html"):
        text = page.read_text()
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=\"?([^\">\s]+)", text)
        loaded += re.findall(r"<link[^>]*rel=\"?(?:stylesheet|icon|preconnect)[^>]*href=\"?([^\">\s]+)", text)
        assert loaded
        assert not [place for place in loaded if place.startswith(("http", "//"))], page.name


def test_what_is_taken_from_the_code_is_as_the_code_is_now():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    parts = 0
    for page in (ROOT / "docs").glob("*.md"):
        text = page.read_text()
        parts += len(reference.PART.findall(text))
        assert reference.filled(text) == text, f"{page.name}: python docs/reference.py writes it anew"
        assert "{{" not in text, f"{page.name}: GitHub shows it as it stands"
    assert parts > 50


def test_every_link_by_name_has_its_address():
    for page in (ROOT / "docs").glob("*.md"):
        text = page.read_text()
        used, named = (
            set(re.findall(r"\]\[([\w-]+)\]", text)),
            set(re.findall(r"^\[([\w-]+)\]: https", text, re.MULTILINE)),
        )
        assert used == named, page.name


def test_every_field_and_every_command_is_in_the_reference(site):
    from ablate.cli import main
    from ablate.images.run import RunConfig

    configuration, commands = ((site / name).read_text() for name in ("configuration.html", "commands.html"))
    for place, values in RunConfig.model_json_schema()["$defs"].items():
        for field in values.get("properties", {}):
            assert f"<code>{field}</code>" in configuration or field in ("name", "found"), f"{place}.{field}"
    for command in main.commands:
        assert f"ablate {command}" in commands
