"""A study in which every name is hostile, through every output."""

import csv
import io
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from ablate.report import print_report
from ablate.report.files import csv_text, harmless
from ablate.report.latex import ANY, escape
from ablate.task.printable import UNSAFE, one_line

TEXTS = ("table.md", "table.tex", "report.html", "summary.json")


@pytest.mark.parametrize("name", TEXTS)
def test_no_file_holds_a_character_that_cannot_be_seen(nasty_report, name):
    text = (nasty_report[0] / name).read_text(encoding="utf-8")
    assert not UNSAFE.search(text)


def test_latex_has_no_special_character_that_is_not_meant(nasty_report):
    text = (nasty_report[0] / "table.tex").read_text(encoding="utf-8")
    cells = re.sub(r"\$\^\\dagger\$|%$", "", text.partition(r"\begin{table}")[2], flags=re.MULTILINE)
    cells = re.sub(r"\\[a-zA-Z]+|\\[&%$#_{}\\]", "", cells)
    assert not set("#%~^") & set(cells), "escaped everywhere"
    assert re.sub(r"\$[-]?\$", "", cells).count("$") % 2 == 0
    depth = 0
    for brace in re.findall(r"[{}]", cells):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0


def test_markdown_keeps_its_columns(nasty_report):
    text = (nasty_report[0] / "table.md").read_text(encoding="utf-8")
    table: list[int] = []
    for line in text.splitlines():
        if line.startswith("|"):
            table.append(len(re.findall(r"(?<!\\)\|", line)))
        elif table:
            assert len(set(table)) == 1
            table = []
    assert "<script>" not in text


def test_figures_are_xml(nasty_report):
    files = list((nasty_report[0] / "figures").glob("*.svg"))
    assert files
    for file in files:
        ET.parse(file)


@pytest.mark.parametrize("width", [30, 80, 400])
def test_the_terminal_shows_names_as_they_are_and_cuts_none(nasty_study, width):
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    print_report(nasty_study.view, nasty_study.runs, console)
    text = out.getvalue()
    assert not UNSAFE.search(text)
    flat = re.sub(r"\s+", "", text)
    label = next(level.label for level in nasty_study.view.factors[1].levels if level.value == "relu")
    if width == 400:
        assert re.sub(r"\s+", "", one_line(label)) in flat
    assert "[/red]" in flat or width == 30
    assert "…" not in text


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100, 160])
def test_a_mark_of_disagreement_is_seen_at_every_width(make_study, width):
    study = make_study(["model.kernel_size", "optimizer.lr"], seeds=10)
    runs = study.runs.assign(test_acc=study.runs["test_acc"] - 0.1)
    out = io.StringIO()
    print_report(study.view, runs, Console(file=out, width=width))
    assert out.getvalue().count("†") == 12 + 1, "every level's, and the sentence that says what it means"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+x", "'+x"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("-0.5", "-0.5"),
        ("+1e3", "+1e3"),
        ("lr = 2", "lr = 2"),
        ("", ""),
    ],
)
def test_formulas_are_made_harmless_and_numbers_kept(text, cell):
    assert harmless(text) == cell


def test_every_text_of_a_table_is_harmless(make_study):
    frame = make_study(["model.activation"], seeds=2).runs.assign(label="=cmd|x", error=None, level=-1.5)
    rows = list(csv.DictReader(io.StringIO(csv_text(frame))))
    assert {row["label"] for row in rows} == {"'=cmd|x"}
    assert {row["level"] for row in rows} == {"-1.5"}
    assert {row["error"] for row in rows} == {""}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex here")
def test_a_hostile_table_compiles(nasty_report, tmp_path):
    every = "".join(
        map(escape, [*map(chr, range(32, 127)), *"éüñçšßøæÅłđąþ", *"αλμωΩ", *"中文ไทย🙂±∞†—→█\u2212\u00d7\u2013"])
    )
    start = r"\documentclass{article}\usepackage{booktabs,array}\begin{document}" + ANY + r"\input{table}"
    paper = f"{start} {every}" + r"\end{document}"
    (tmp_path / "table.tex").write_bytes((nasty_report[0] / "table.tex").read_bytes())
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
