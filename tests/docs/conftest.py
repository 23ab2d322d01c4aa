"""Pages of the documentation are followed: their files written, their commands run, their output looked for."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TAKEN = re.compile(r"^<!-- \w+(?: \S+)? -->\n.*?^<!-- end -->$", re.MULTILINE | re.DOTALL)
"""Parts of pages that are taken from the code."""
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    title: str
    text: str
    section: str


def blocks_of(page):
    """All fenced blocks that somebody wrote on a page, with the heading that each stands under."""
    text = TAKEN.sub("", (ROOT / page).read_text())
    found = []
    for match in BLOCK.finditer(text):
        headings = re.findall(r"^## (.+)$", text[: match.start()], re.MULTILINE)
        found.append(Block(match[1], match[2] or "", match[3], headings[-1] if headings else ""))
    return found


class Reader:
    """Does what pages say, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}

    @staticmethod
    def blocks(page):
        return blocks_of(page)

    def follow(self, page):
        """Every block of a page in order; returns how many there were."""
        blocks = blocks_of(page)
        for block in blocks:
            self.do(block)
        return len(blocks)

    def do(self, block):
        if block.title:
            file = self.folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            there = file.read_text() if block.title == "pyproject.toml" and file.exists() else ""
            table, rest = block.text.split("\n", 1)
            at = f"\n{there}".find(f"\n{table}\n")
            if at >= 0:  # the table is there already: its new line goes below its name
                end = at + len(table) + 1
                file.write_text(there[:end] + rest + there[end:])
            else:
                file.write_text(there + ("\n" if there else "") + block.text)
        elif block.language == "console":
            self.run(block.text)

    def _expanded(self, word):
        """A word with ``*`` as a shell would have it."""
        found = sorted(self.folder.glob(word)) if "*" in word else []
        return [str(path.relative_to(self.folder)) for path in found] or [word]

    def run(self, text, code=0):
        """Commands behind ``$``, each with lines that its output must have, as they stand or (``...``) in part.

        Returns:
            What the last one printed; with another exit code than 0, its errors.
        """
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, *expected = part.splitlines()
            words = [found for word in shlex.split(command, comments=True) for found in self._expanded(word)]
            if words[0] == "cd":
                self.folder = self.folder / words[1]
                continue
            python = {"python": [sys.executable], "sed": ["sed"]}
            words = [*python.get(words[0], [sys.executable, "-m", words[0]]), *words[1:]]
            done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True)
            assert done.returncode == code, f"{command}\n{done.stdout}{done.stderr}"
            shown = " ".join(done.stdout.split())
            for line in expected:
                for piece in line.split("..."):
                    assert " ".join(piece.split()) in shown, f"{command}\nshows no {line!r} but\n{done.stdout}"
        return done.stderr if code else done.stdout


@pytest.fixture
def reader(tmp_path):
    return Reader(tmp_path)
