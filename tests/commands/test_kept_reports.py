"""A report of which nothing has changed is left as it is; of anything else that counts, it is made anew."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from ablate.commands import kept_reports
from ablate.commands.kept_reports import KeptReport
from ablate.commands.studies import named, order, records_of
from ablate.commands.study_content import Content
from ablate.task.correctness import save_correctness
from tests.commands.conftest import ROOT

STUDY = "activation"


@pytest.fixture
def report(results, ablate):
    """Reports the study; gives what was printed, the content of its files, and which of them were written."""
    folder = results(STUDY) / STUDY
    sweeps = folder.parents[1] / "sweeps"
    shutil.copytree(ROOT / "sweeps", sweeps)

    def run(*words):
        before = {file: file.stat().st_ino for file in folder.rglob("*")}
        said = ablate("report", STUDY, *words)
        files = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
        written = {name for name, file in files.items() if before.get(file) != file.stat().st_ino}
        return said, {name: file.read_bytes() for name, file in files.items()}, written

    run.folder, run.study = folder, sweeps / f"{STUDY}.yaml"
    return run


def test_a_report_is_made_anew_where_and_only_where_something_changed(report):
    said, files, written = report()
    assert {"report.html", "summary.json", "table.csv", "runs.csv"} < written
    assert report() == (said, files, set())
    (report.folder / "table.md").write_text("edited\n")
    (report.folder / "report.html").unlink()
    assert report()[:2] == (said, files)
    (figure,) = {name for name in files if name.endswith("levels.png")}
    (report.folder / figure).write_bytes(b"")
    assert report()[:2] == (said, files)
    assert report()[2] == set()
    _, with_pdf, written = report("--pdf")
    assert figure.replace(".png", ".pdf") in with_pdf
    assert "report.html" in written
    assert report("--pdf")[2] == set()
    report.study.write_text(report.study.read_text().replace("question: ", "question: As asked anew, "))
    assert b"As asked anew, " in report()[1]["report.html"]
    assert report()[2] == set()


def test_all_that_a_page_shows_counts(report, monkeypatch):
    report()
    wanted = order(named([STUDY], []))
    (study,), plan, results = wanted.plan.studies, wanted.plan, report.folder.parent
    records = records_of(plan, wanted.launch)

    def kept(words="as printed"):
        return KeptReport(study, plan, Content(records), report.folder, results, words)

    kept().keep([report.folder / "report.html"])
    assert kept().files() == [report.folder / "report.html"]
    assert kept("otherwise").files() is None
    digest = plan.runs[0].digest
    file = save_correctness(results / "correctness", digest, "test_acc", "these", np.ones(8, bool))
    assert kept().files() is None
    file.unlink()
    assert kept().files() is not None
    diagnosis = kept_reports.folder_of(results, digest) / "diagnosis.json"
    diagnosis.parent.mkdir(parents=True)
    diagnosis.write_text("{}")
    assert kept().files() is None
    diagnosis.unlink()
    assert kept().files() is not None
    records.pop(digest)
    assert kept().files() is None


LOADED = """
import sys
from ablate.cli import main
heavy = {"torch", "hydra", "omegaconf", "pandas", "matplotlib", "scipy", "jinja2"}
for command in ("plan", "sweep", "report"):
    main([command, "activation"], standalone_mode=False)
    print("loaded by", command, *sorted(heavy & set(sys.modules)))
"""


def test_commands_with_nothing_to_do_load_nothing_that_computes(report):
    report()
    subprocess.run([sys.executable, "-m", "ablate", "sweep", STUDY], check=True, capture_output=True)
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = [line.split()[2:] for line in done.stdout.splitlines() if line.startswith("loaded by")]
    assert told == [["plan"], ["sweep"], ["report", "jinja2"]]


def test_a_union_takes_its_parts_figures_and_has_one_of_its_own(results, ablate):
    folder, names = results(STUDY, "pooling"), (STUDY, "pooling", "both")
    union = folder.parent / "sweeps" / "both.yaml"
    union.parent.mkdir()
    union.write_text(f"study: {{includes: [{STUDY}, pooling]}}\n")
    said = ablate("report", "both")
    assert [line.partition(":")[0] for line in said.splitlines()[:-1]] == [f"results/{name}" for name in names]
    own, *parts = ({f.name: f.read_bytes() for f in (folder / name / "figures").glob("*.png")} for name in names[::-1])
    assert {name: own[name] for part in parts for name in part if name != "forest.png"} == {
        name: content for name, content in own.items() if name != "forest.png"
    }
    assert "forest.png" in own
    assert all(part.get("forest.png") != own["forest.png"] for part in parts)
    page = (folder / "both" / "report.html").read_bytes()
    (folder / "both" / "report.html").unlink()
    assert ablate("report", "both") == said
    assert (folder / "both" / "report.html").read_bytes() == page
