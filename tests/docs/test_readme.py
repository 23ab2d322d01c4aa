"""The README: short, its links lead somewhere, its study runs, its numbers are those of the reports that it names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

PROGRAM = """
import argparse, random
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int)
parser.add_argument("--lr", type=float)
parser.add_argument("--width", type=int)
given = parser.parse_args()
for epoch in (1, 2):
    luck = random.Random(given.seed).gauss(0, 0.01)
    print(f"epoch {epoch} of 2: loss 1.2, val_acc {0.7 + given.lr / 5 + luck + epoch / 100:.4f}", flush=True)
"""
ROWS = [line for line in README.splitlines() if "](results/" in line and line.startswith("| ")]


def test_it_is_short():
    assert len(README.splitlines()) <= 120


def test_its_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", README)
    assert len(links) > 20
    for link in filter(None, sum(links, ())):
        assert (ROOT / link).exists(), link


def test_its_smallest_study_runs(reader):
    (reader.folder / "train.py").write_text(PROGRAM)
    blocks = [block for block in reader.blocks("README.md") if block.section == "Your own program"]
    assert [block.title or block.language for block in blocks] == ["ablate.toml", "sweeps/first.yaml", "console"]
    for block in blocks:
        reader.do(block)
    table = (reader.folder / "results" / "first" / "table.md").read_text()
    assert re.search(r"\| 0.3 \| \+0\.0400 .*better", table)
    assert re.search(r"\| 64 \| 0\.0000 .*identical", table)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split(" |")[0][2:40])
def test_a_line_on_the_article_is_that_of_its_report(row):
    _, numbers, verdict = (cell.strip() for cell in row.strip("|").split("|"))
    outcome, table = re.match(r"\[(\w+)\]\((results/\w+/table.md)\)", verdict).groups()
    text = (ROOT / table).read_text()
    assert f"- **{outcome}**: " in text
    measured = re.findall(r"0\.\d{4}", numbers)
    assert measured
    for number in measured:
        assert number in text, number


def test_every_conclusion_of_the_article_is_there():
    assert len(ROWS) == 10
