"""No command can reduce the set of records that can be read, and what lies in reports is found."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from ablate.cli import main
from ablate.commands.kept_records import folders, records_in, take_up, with_kept
from ablate.store import open_store
from ablate.store.frames import read_folder, write_folder
from ablate.task.errors import ConfigError
from ablate.task.record import Record, Result

TINY = ["data.train_size=300", "train.epochs=1", "train.compile=off", "device=cpu", "workers=1"]
STUDIES = ("pooling", "quickstart")


def readable(results, known):
    """Every record that a store or a report below a folder holds: digest, and how much of it.

    Args:
        known: What was found before, by the content of the files.
    """
    found = {}
    for folder in [results, *folders(results)]:
        files = [folder / "runs.csv", folder / "curves.csv"]
        if not files[0].exists():
            continue
        content = tuple(file.read_bytes() if file.exists() else b"" for file in files)
        if content not in known:
            known[content] = [(r.digest, r.result.status, len(r.result.curves)) for r in read_folder(folder)]
        for digest, *held in known[content]:
            found.setdefault(digest, set()).add(tuple(held))
    for database in results.glob("*.db"):
        with open_store(str(database), read_only=True) as store:
            for record in store.all():
                found.setdefault(record.digest, set()).add((record.result.status, len(record.result.curves)))
    return found


JUDGED = ["-f", "config.model.pooling", "-s", "config.seed", "-m", "test_acc:max"]
SEARCH = """study:
  search:
    budget: {runs: 3}
    space: {optimizer.lr: {low: 0.05, high: 0.5, log: true}, model.pooling: [max, avg]}
    seeds: 1
    batch: 2
  seeds: 1
"""

RECORDS = ("runs.csv", "curves.csv", "trials.csv")
DONE = [
    ["plan", "pooling", "quickstart", "study.seeds=2"],
    ["plan", "pooling", "train.epochs=1", "--json"],
    ["studies", "study.seeds=1"],
    ["runs"],
    ["runs", "--study", "pooling", "train.epochs=1"],
    ["report", "quickstart", "study.seeds=3"],
    ["report", "quickstart", "study.metrics=[test_acc]"],
    ["report", "quickstart", "optimizer.lr=0.1,0.3"],
    ["report", "pooling", "study.published.repeats=1"],
    ["report", "pooling", "store=other.db"],
    ["report", "pooling"],
    ["compare", "pooling", "results/pooling"],
    ["compare", "results/quickstart", "results/pooling/runs.csv"],
    ["watch", "pooling", "--json"],
    ["watch", "pooling", "study.seeds=2", "--json"],
    ["export", "pooling", "study.seeds=2", "--to", "csv", "--out", "exported"],
    ["export", "pooling", "--to", "csv", "--out", "results/pooling"],
    ["judge", "results/pooling/runs.csv", *JUDGED],
    ["judge", "results/pooling/runs.csv", *JUDGED, "--name", "pooling"],
    ["judge", "results/pooling/runs.csv", *JUDGED, "--name", "quickstart", "--where", "seed=1"],
    ["merge", "results/pooling"],
    ["merge", "results/pooling", "results/quickstart", "--store", "other.db"],
    ["sweep", "pooling"],
    ["sweep", "quickstart", "study.seeds=[0]", *TINY],
    ["report", "quickstart", "study.seeds=[0]", *TINY],
    ["report", "quickstart"],
    ["run", "optimizer.lr=0.2", *TINY],
    ["run", "-m", "optimizer.lr=0.2,0.4", *TINY],
    ["reproduce", "study.seeds=[0]", *TINY],
    ["search", "search", "study.search.budget.samples=1k", "store=results/search/x.db"],
    ["search", "tiny", "data.val_size=100", *TINY],
    ["report", "tiny", "data.val_size=100", *TINY],
    ["report", "search", "study.seeds=2"],
    ["data", "fashion_mnist"],
    ["model", "model=alexnet"],
    ["plugins"],
    ["init", "function", "results/pooling"],
    ["init", "function", "project"],
    ["predict", "0", "results/pooling/figures/forest.png"],
    ["diagnose", "0"],
]


REFUSED = [
    ["compare", "results/quickstart", "results/pooling/runs.csv"],
    ["judge", "results/pooling/runs.csv", *JUDGED, "--name", "pooling"],
    ["judge", "results/pooling/runs.csv", *JUDGED, "--name", "quickstart", "--where", "seed=1"],
    ["search", "search", "study.search.budget.samples=1k", "store=results/search/x.db"],
    ["predict", "0", "results/pooling/figures/forest.png"],
    ["diagnose", "0"],
]


def ends(*arguments):
    """How a command ends, without a traceback."""
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert "Traceback" not in done.output, done.output
    return done.exit_code


@pytest.mark.slow
def test_no_command_reduces_what_can_be_read(results, tmp_path):
    folder = results(*STUDIES, "search")
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "lenet_article.yaml").write_text("study: {includes: [pooling]}\n")
    (tmp_path / "sweeps" / "tiny.yaml").write_text(SEARCH)
    stated = {file: file.read_bytes() for name in RECORDS for file in folder.rglob(name)}
    read = {}
    known = before = readable(folder, read)
    assert len(known) >= 44 + 37
    refused = []
    for command in DONE:
        refused += [command] if ends(*command) else []
        now = readable(folder, read)
        assert all(now.get(digest, set()) >= held for digest, held in known.items()), command
        known = now
        changed = [file for file, content in stated.items() if file.read_bytes() != content]
        assert not changed, f"{command} rewrote records of a study's file: {changed}"
    assert {command[0] for command in DONE} == set(main.commands), "every command"
    assert len(known) > len(before)
    assert refused == REFUSED


def test_a_study_changed_on_the_command_line_has_a_folder_of_its_own(results, ablate):
    folder = results("pooling")
    before = {file: file.read_bytes() for file in (folder / "pooling").rglob("*") if file.is_file()}
    said = ablate("report", "pooling", "study.published.repeats=1")
    (changed,) = (path for path in folder.iterdir() if path.name.startswith("pooling@"))
    assert f"it goes to results/{changed.name}" in said
    assert {file: file.read_bytes() for file in before} == before
    ablate("report", "pooling", "study.published.repeats=1", "workers=1")
    ablate("report", "pooling", "study.seeds=10")
    ablate("report", "pooling", "results=results")
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 2, "what changes nothing has no folder"


def test_a_report_s_command_rebuilds_it(results, ablate, tmp_path):
    results("pooling")
    (tmp_path / "results").rename(tmp_path / "my results")
    ablate("report", "pooling", "study.seeds=4", "results=my results")
    (folder,) = (path for path in (tmp_path / "my results").iterdir() if path.name.startswith("pooling@"))
    page = (folder / "report.html").read_text()
    command = page.partition('<h3>Command</h3><pre tabindex="0">')[2].partition("</pre>")[0]
    command = command.replace("&amp;", "&").replace("&#39;", "'")
    sweep, report = command.split(" && ")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shutil.rmtree(folder)
    for part in (sweep, report):
        ablate(*shlex.split(part)[1:])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_records_that_the_study_no_longer_asks_for_stay(results, tmp_path, ablate):
    folder = results("pooling") / "pooling"
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "pooling.yaml").write_text("study: {factors: {model.pooling: [avg]}, seeds: 2}\n")
    digests = [record.digest for record in read_folder(folder)]
    ablate("report", "pooling")
    assert {record.digest for record in read_folder(folder)} == set(digests)
    assert "2 runs complete" in (folder / "report.html").read_text()


def test_a_damaged_report_is_not_written_over(results, ablate):
    folder = results("pooling", "quickstart")
    file = folder / "quickstart" / "curves.csv"
    file.write_bytes(file.read_bytes()[:-3000])
    before = file.read_bytes()
    assert "quickstart" in ablate("report", "quickstart", code=2)
    assert file.read_bytes() == before
    ablate("report", "pooling")


def test_a_fresh_clone_has_nothing_to_train(results, ablate, tmp_path):
    results("pooling")
    found = json.loads(ablate("plan", "pooling", "--json"))
    assert (found["in_store"], found["in_reports"], found["to_train"]) == (0, 20, 0)
    assert not (tmp_path / "results" / "ablate.db").exists()
    said = ablate("sweep", "pooling")
    assert "20 records taken up from results/pooling/runs.csv into the store" in said
    assert "0 trained" in said or "20 already in the store" in said
    found = json.loads(ablate("plan", "pooling", "--json"))
    assert (found["in_store"], found["in_reports"], found["to_train"]) == (20, 0, 0)


def test_a_study_without_records_says_what_is_there_and_how_to_reach_it(results, ablate):
    ablate("sweep", "quickstart", "results=out", *TINY, "study.seeds=[0]")
    words = "data.train_size=300 train.epochs=1"
    said = ablate("report", "quickstart", "results=out", code=2)
    assert "there is no record of it as its file states it" in said
    found, reach = said.strip().splitlines()[-1].split(": ")[-2:]
    assert found == "there are 3 runs of it with data.train_size=300 train.epochs=1"
    assert reach == "ablate report quickstart data.train_size=300 train.epochs=1 results=out"
    assert "3 runs complete" in page_of(ablate(*shlex.split(reach)[1:]))
    assert ablate("runs", "results=out", "--study", "quickstart").endswith("0 runs\n")
    assert ablate("runs", "results=out", "--study", "quickstart", *words.split()).endswith("3 runs\n")


def page_of(said):
    return Path(said.partition("; read ")[2].partition(" first")[0]).read_text()


def record(status):
    return Record("a" * 64, {"seed": 0}, Result(status, error="boom" if status == "failed" else None))


@pytest.mark.parametrize(
    ("there", "given", "kept"),
    [
        ("complete", "failed", "complete"),
        ("failed", "complete", "complete"),
        ("failed", "failed", "failed"),
        ("complete", "complete", "complete"),
    ],
)
def test_a_failed_record_takes_no_other_s_place(tmp_path, monkeypatch, there, given, kept):
    monkeypatch.setattr("ablate.store.csv_files.read_folder", lambda folder: [record(there)])
    (tmp_path / "runs.csv").touch()
    assert [r.result.status for r in with_kept(tmp_path, [record(given)])] == [kept]


def test_only_what_is_wanted_and_final_is_taken_up(results, tmp_path):
    folder = results("pooling")
    records = read_folder(folder / "pooling")
    wanted = [r.digest for r in records[:3]]
    with open_store(str(tmp_path / "a.db")) as store:
        store.merge(records[:1])
        assert take_up(store, folder, wanted) == {folder / "pooling" / "runs.csv": 2}
        assert take_up(store, folder, wanted) == {}
        assert {r.digest for r in store.all()} == set(wanted)
    assert list(records_in(folder, wanted)) == wanted
    assert records_in(tmp_path / "nowhere", wanted) == {}


def test_runs_csv_of_others_are_no_reports(results, tmp_path):
    folder = results("pooling")
    (folder / "other").mkdir()
    (folder / "other" / "runs.csv").write_text("run,loss\n1,0.5\n")
    wanted = [r.digest for r in read_folder(folder / "pooling")]
    assert len(records_in(folder, wanted)) == 20
    (folder / "other" / "runs.csv").write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(ConfigError, match="other"):
        records_in(folder, [*wanted, "b" * 64])
    write_folder(folder / "other", [])
