import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ablate.analyse import AnalysisError
from ablate.report import figure_style as look
from ablate.report import write_index, write_report
from ablate.report.factor_figures_data import subjects
from ablate.report.files import write_csv, write_folder, write_text
from ablate.report.summary import summarise
from ablate.report.write import begin_report, draw_own, finish_report
from ablate.task.errors import ConfigError


def write(study, out, **options):
    return write_report(study.view, study.runs, study.curves, out, records=study.records, **options)


def test_everything_is_written_and_listed(nasty_report):
    out, files = nasty_report
    names = [path.relative_to(out).as_posix() for path in files]
    assert {"runs.csv", "curves.csv", "table.csv", "table.md", "table.tex", "report.html", "summary.json"} <= set(names)
    assert {"figures/forest.svg", "figures/forest.png", "figures/model_kernel_size-levels.svg"} <= set(names)
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert sorted(names) == sorted(there - {"figures/.drawn.json"})


def test_the_same_records_give_the_same_bytes(nasty_study, nasty_report, tmp_path):
    _, files = nasty_report
    again = write(nasty_study, tmp_path / "nasty")
    assert len(again) == len(files)
    for first, second in zip(files, again, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


@pytest.fixture
def drawn(monkeypatch):
    """Figures that were drawn, by this process alone."""
    made = []
    monkeypatch.setattr("ablate.report.processes.cores", lambda: 1)
    monkeypatch.setattr(look, "png", lambda figure, draw=look.png: made.append(figure) or draw(figure))
    return made


def contents(files):
    return {path.name: path.read_bytes() for path in files}


def test_a_union_takes_over_the_figures_of_its_parts(make_study, tmp_path, drawn):
    part = make_study(["model.kernel_size"], seeds=3, name="part")
    union = make_study(["model.kernel_size", "model.activation"], seeds=3, name="union")
    alone = write(union, tmp_path / "alone")
    every = len(drawn)
    assert every == sum(path.suffix == ".png" for path in alone)
    of_part = write(part, tmp_path / "part")
    drawn.clear()
    shared = write(union, tmp_path / "union", beside=[tmp_path / "part"])
    assert len(drawn) == every - sum("kernel_size" in path.name and path.suffix == ".png" for path in of_part)
    assert contents(shared) == contents(alone)


def test_what_is_drawn_ahead_is_drawn_once_and_the_factors_of_last_time_are_taken_over(make_study, tmp_path, drawn):
    study = make_study(["model.kernel_size", "model.activation"], seeds=3)
    every = sum(path.suffix == ".png" for path in write(study, tmp_path / "at once"))
    drawn.clear()

    def write_union(runs):
        begun = begin_report(study.view, runs, study.curves, tmp_path / "union", records=study.records)
        return contents(finish_report(draw_own(begun)))

    before = write_union(study.runs)
    assert len(drawn) == every
    drawn.clear()
    assert write_union(study.runs) == before
    assert not drawn
    runs = study.runs.copy()
    runs.loc[(runs["factor"] == "model.activation") & ~runs["is_baseline"], "test_acc"] -= 0.01
    assert {name for name, content in write_union(runs).items() if content != before[name]} >= {"forest.png"}
    assert 0 < len(drawn) < every, "those of the other factor are taken over"


def test_what_is_there_is_not_drawn_again_but_what_changed_is(make_study, tmp_path, drawn):
    study = make_study(["model.kernel_size"], seeds=3)
    first = write(study, tmp_path)
    before, every = contents(first), len(drawn)
    drawn.clear()
    assert contents(write(study, tmp_path)) == before
    assert not drawn
    vector = next(path for path in first if path.suffix == ".svg" and path.name != "forest.svg")
    vector.with_suffix(".png").write_bytes(b"another")
    assert contents(write(study, tmp_path)) == before
    assert len(drawn) == every - 1, "all of a factor, but not the forest plot"
    drawn.clear()
    kept = tmp_path / "figures" / ".drawn.json"
    kept.write_text(kept.read_text().replace("kernel size", "another title"))
    assert contents(write(study, tmp_path)) == before
    assert len(drawn) == every
    drawn.clear()
    kept.unlink()
    kept.mkdir()
    assert contents(write(study, tmp_path)) == before
    assert len(drawn) == every
    kept.rmdir()
    runs = study.runs.assign(test_acc=study.runs["test_acc"] - 0.01)
    other = contents(write(replace_runs(study, runs), tmp_path))
    assert {name for name in other if name.endswith(".png") and other[name] != before[name]}
    assert set(other) == set(before)


def replace_runs(study, runs):
    return SimpleNamespace(view=study.view, runs=runs, curves=study.curves, records=study.records)


def test_a_pdf_is_written_when_it_is_asked_for_and_then_kept_up_to_date(make_study, tmp_path, drawn):
    study = make_study(["model.pooling"], seeds=3)
    write(study, tmp_path)
    figures = tmp_path / "figures"
    assert not list(figures.glob("*.pdf"))
    files = write(study, tmp_path, with_pdf=True)
    pdfs = {path.stem: path.read_bytes() for path in files if path.suffix == ".pdf"}
    assert set(pdfs) == {path.stem for path in figures.glob("*.png")}
    linked = re.findall(r'href="figures/([^"]+).pdf"', (tmp_path / "report.html").read_text("utf-8"))
    assert sorted(linked) == sorted(pdfs)
    runs = study.runs.assign(test_acc=study.runs["test_acc"] - 0.01)
    write(replace_runs(study, runs), tmp_path)
    assert {name for name in pdfs if (figures / f"{name}.pdf").read_bytes() != pdfs[name]}


def test_processes_draw_what_one_alone_draws(make_study, tmp_path):
    """In a process of its own: one with threads, as those of a test run in parallel are, is not copied."""
    code = """
import os, sys
from ablate.report import processes
from ablate.report.processes import in_processes
processes.cores = lambda: 3
def fails_in_a_helper(mine=os.getpid()):
    assert os.getpid() == mine
    return "mine"
def slow(): import time; time.sleep(0.2); return os.getpid()
found = in_processes([lambda i=i: (i, b"x" * 300_000) for i in range(20)] + [fails_in_a_helper] * 3)
assert found == [(i, b"x" * 300_000) for i in range(20)] + ["mine"] * 3
assert len(set(in_processes([slow] * 6))) == 3
try:
    in_processes([slow, slow, lambda: 1 / 0])
except ZeroDivisionError:
    print("raised")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "raised\n"


@pytest.mark.parametrize("column", ["test_acc", "status"])
def test_figures_of_other_numbers_are_drawn_anew(make_study, column):
    study = make_study(["model.kernel_size"], seeds=3)
    runs = study.runs.copy()
    runs.loc[0, column] = {"test_acc": 0.5, "status": "diverged"}[column]
    keys = {
        subject.key
        for frame in (study.runs, runs, study.runs.iloc[:])
        for subject in subjects(study.view, summarise(study.view, frame), frame, study.curves)
    }
    assert len(keys) == 2


def test_csv_keeps_every_bit(tmp_path):
    values = np.random.default_rng(0).normal(size=200) * 10.0 ** np.arange(-100, 100)
    path = write_csv(tmp_path / "a.csv", pd.DataFrame({"x": values}))
    assert [float(line) for line in path.read_text().splitlines()[1:]] == values.tolist()


def test_records_go_through_their_own_writer(make_study, tmp_path):
    study = make_study(["model.pooling"], seeds=2)
    files = write(study, tmp_path / "out", save_records=lambda folder: (folder / "runs.csv").write_text("own\n"))
    assert (tmp_path / "out" / "runs.csv").read_text() == "own\n"
    assert not (tmp_path / "out" / "curves.csv").exists()
    assert files[0].name == "runs.csv"


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_text(tmp_path / "a.txt", "old")

    def refuse(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(ConfigError, match="cannot be written: disk full"):
        write_text(path, "new")
    with pytest.raises(ConfigError, match="cannot be written: disk full"):
        write_folder(tmp_path, lambda folder: (folder / "a.txt").write_text("newer"))
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_a_place_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for write_to in (lambda place: write_text(place / "a.txt", "x"), lambda place: write_folder(place, lambda _: None)):
        with pytest.raises(ConfigError, match=r"file/below.*: cannot be written: Not a directory"):
            write_to(tmp_path / "file" / "below")


@pytest.mark.parametrize(
    ("seeds", "statuses"),
    [
        (1, {}),
        (2, {("model.activation", "relu", s): "diverged" for s in range(2)}),
        (2, {("model.activation", "sigmoid", s): "failed" for s in range(2)}),
        (2, {("model.activation", level, s): "missing" for level in ("relu", "sigmoid") for s in range(2)}),
    ],
)
def test_a_study_with_hardly_any_data_still_has_a_report(make_study, tmp_path, seeds, statuses):
    study = make_study(["model.activation"], seeds=seeds, statuses=statuses)
    files = write(study, tmp_path / "out")
    assert files[-1].name == "summary.json"
    counts = json.loads(files[-1].read_text())["runs"]
    assert sum(counts.values()) == 2 * seeds


def test_a_claim_about_an_unknown_level_is_refused(nasty_study, tmp_path):
    claim = replace(nasty_study.view.claims[0], levels=(3, 99))
    with pytest.raises(AnalysisError, match="99"):
        write(replace(nasty_study, view=replace(nasty_study.view, claims=(claim,))), tmp_path / "out")


def test_the_index_lists_every_study_by_its_summary(make_study, nasty_report):
    out, _ = nasty_report
    index = write_index(out.parent)
    text = index.read_text()
    assert index.name == "index.html"
    assert 'href="nasty/report.html"' in text
    assert "1 diverged" in text
    assert "<script>alert" not in text


def test_an_empty_folder_has_an_index_too(tmp_path):
    assert "0 studies" in write_index(tmp_path).read_text()


def test_importing_is_cheap_and_a_report_needs_no_torch(tmp_path):
    code = (
        "import sys, ablate.report\n"
        "heavy = {'pandas', 'matplotlib', 'jinja2', 'scipy', 'torch', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import ablate.report.page, ablate.report.drawings, ablate.report.compare, ablate.report.terminal\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
