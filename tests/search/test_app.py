"""The whole way: search in worker processes, proof, report, outlook, and what the command line refuses."""

import dataclasses
import html
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import search_fakes as fakes
import yaml

from ablate.execute import execute
from ablate.plan.compose import sources
from ablate.search.command import run_search, trials_of, write_search_report
from ablate.search.forecast import print_search_outlook, raced_share, search_outlook
from ablate.search.found import answer, found_setting, starts_of
from ablate.search.proof import best_settings, proof_plan
from ablate.search.settings import Racing
from ablate.store import open_store
from ablate.store.frames import read_folder

SEARCH = {"budget": {"samples": 130_000}, "compare": {"article": {"optimizer.lr": 0.5, "train.batch_size": 16}}}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search that has been made and proven by formula."""
    order = fakes.order(results=tmp_path_factory.mktemp("results"), confirm={"top": 2}, **SEARCH)
    order = dataclasses.replace(
        order, source=dataclasses.replace(order.source, launch=order.launch.model_copy(update={"workers": 1}))
    )
    study = run_search(order, quiet=True, engine="search_fakes:Engine")
    with open_store(order.launch.store_location) as store:
        execute(proof_plan(order, study).runs, store, workers=1, device="cpu", engine="search_fakes:Engine")
    return order, study


@pytest.fixture(scope="module")
def reported(searched):
    """The lines that are printed after the report of that search has been written."""
    return write_search_report(*searched, with_pdf=True)


def test_every_training_is_a_run_of_the_store(searched):
    order, study = searched
    with open_store(order.launch.store_location, read_only=True) as store:
        counts = store.count()
        digests = {digest for t in study.trials for digest in t.user_attrs["runs"].values()}
        statuses = store.status_of(digests)
    assert set(statuses) == digests
    assert set(statuses.values()) == {"complete", "stopped"}
    assert counts["stopped"] == sum(t.state.name == "PRUNED" for t in study.trials)


def test_the_same_search_again_trains_nothing(searched):
    order, study = searched
    with open_store(order.launch.store_location, read_only=True) as store:
        mark = store.mark()
    again = run_search(order, quiet=True, engine="search_fakes:Engine")
    with open_store(order.launch.store_location, read_only=True) as store:
        assert store.mark() == mark
    assert [t.params for t in again.trials] == [t.params for t in study.trials]


def test_the_report_says_what_was_found_what_was_luck_and_what_mattered(searched, reported):
    out = Path(searched[0].launch.results)
    assert reported[-1].startswith(f"{out}/tiny: ")
    page = (out / "tiny" / "search.html").read_text()
    for text in (
        "Best settings",
        "Found and confirmed",
        "What mattered",
        "Budget",
        "Each by itself, the changes of article move the test accuracy by ",
    ):
        assert text in page
    assert "The best setting found reaches a higher test accuracy than the baseline." in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    figures = {f.name for f in (out / "tiny" / "figures").iterdir()}
    assert {"search-history.svg", "search-slices.svg", "search-slices.pdf", "search-slices.png"} <= figures
    for name in ("tiny/search.html", "tiny_heldout/report.html"):
        assert '<pre tabindex="0">ablate search tiny</pre>' in (out / name).read_text(), "leads here again"


def test_the_setting_found_can_be_read_and_copied(searched, reported):
    order, study = searched
    (label, trial), *_ = best_settings(order, study)
    setting = found_setting(order, study)
    assert (setting.label, setting.trial.number) == (label, trial.number)
    wanted = order.build(order.space.changes(dict(trial.params)))
    copied = [(path, value) for path, value in yaml.safe_load(setting.yaml).items()]
    assert order.baseline.configure(copied).digest == wanted.digest
    program, verb, *words = shlex.split(setting.command)
    assert (program, verb) == ("ablate", "run")
    assert sources(words)[-1].departing.configure().digest == wanted.digest
    assert [path for path, *_ in setting.rows] == [path for path, _ in copied]
    assert {path: base for path, _, base in setting.rows}["optimizer.lr"] == str(
        order.baseline.run.config["optimizer"]["lr"]
    )
    page = (Path(order.launch.results) / "tiny" / "search.html").read_text()
    assert setting.command in html.unescape(page)
    assert "For a study file" in page


def test_whether_a_start_won_is_said(searched):
    order, study = searched
    best = best_settings(order, study)[0][1]
    starts = {start.name: start for start in starts_of(order, study, best)}
    assert set(starts) == {"baseline", "article"}
    for start in starts.values():
        assert study.trials[start.trial].params.items() >= order.starts[start.name].items()
        assert start.won == (study.trials[start.trial].params == best.params)
    said = answer(order, found_setting(order, study), list(starts.values()), len(study.trials))
    assert f"trial {best.number}" in said[0]
    won = [dataclasses.replace(starts["article"], won=True)]
    assert "given: article." in answer(order, found_setting(order, study), won, 3)[1]
    lost = [dataclasses.replace(starts["article"], won=False, value=None)]
    assert "came to its end" in answer(order, found_setting(order, study), lost, 3)[1]
    assert answer(order, None, (), 3) == ("No setting is complete: nothing is found.",)


def test_index_and_reports_lead_to_the_search(searched, reported):
    results = Path(searched[0].launch.results)
    assert 'href="tiny/search.html">its search</a>' in (results / "index.html").read_text()
    for name in ("tiny", "tiny_heldout"):
        assert '<a href="../tiny/search.html">' in (results / name / "report.html").read_text()
    text = (results / "tiny" / "methods.md").read_text()
    assert "by a tree-structured Parzen estimator [@bergstra2011]" in text
    assert f"{len(searched[1].trials)} settings were tried" in text
    assert "successive halving [@li2020]" in text
    assert "@inproceedings{akiba2019," in (results / "tiny" / "references.bib").read_text()


def test_a_report_is_rebuilt_from_its_own_files_byte_by_byte(searched, reported, tmp_path):
    order, _ = searched
    tiny = Path(order.launch.results) / "tiny"
    files = [tiny / "trials.csv", tiny / "trials.json", tiny / "search.html", tiny / "figures" / "search-slices.svg"]
    before = [file.read_bytes() for file in files]
    launch = order.launch.model_copy(update={"store": str(tmp_path / "none.db")})
    moved = dataclasses.replace(order, source=dataclasses.replace(order.source, launch=launch))
    write_search_report(moved, trials_of(moved))
    assert [file.read_bytes() for file in files] == before


def test_the_records_that_a_report_keeps_make_the_same_search_free(searched, reported, tmp_path):
    order, study = searched
    kept = read_folder(Path(order.launch.results) / "tiny" / "trained")
    assert {record.result.status for record in kept} == {"complete", "stopped"}
    launch = order.launch.model_copy(update={"store": str(tmp_path / "again.db")})
    moved = dataclasses.replace(order, source=dataclasses.replace(order.source, launch=launch))
    with open_store(launch.store_location) as store:
        assert store.merge(kept) == len(kept)
        mark = store.mark()
    again = run_search(moved, quiet=True, engine="search_fakes:Engine")
    assert [(t.params, t.values) for t in again.trials] == [(t.params, t.values) for t in study.trials]
    with open_store(launch.store_location, read_only=True) as store:
        assert store.mark() == mark


def test_the_outlook_says_what_the_budget_buys(tmp_path, capsys):
    order = fakes.order(results=tmp_path, **{**SEARCH, "budget": {"samples": 900_000}})
    found = search_outlook(order)
    assert (found["run_work"], found["runs_in_full"], found["settings_in_full"]) == (9000, 100, 50)
    assert found["settings_raced"] > 100
    assert found["proof"]["runs"] == 3 * (5 + 2 + 5)
    assert (found["spent"], found["trials"]) == (0, 0)
    assert not list(tmp_path.iterdir())
    json.dumps(found)
    print_search_outlook(found)
    assert "buys 100 full runs" in " ".join(capsys.readouterr().out.split())


def test_the_outlook_knows_what_is_spent(searched):
    order, study = searched
    found = search_outlook(order)
    assert found["trials"] == len(study.trials)
    assert 0 < found["spent"] <= 130_000
    assert found["proof"]["in_store"] > 0


def test_the_expected_cost_of_a_raced_setting():
    """With rungs at 1/9 and 1/3 and a third going on: 1/9 + 2/27 + 2/27, and a 27th of two more seeds."""
    search = fakes.order(seeds=3).search
    assert raced_share(search, 9) == pytest.approx(1 / 9 + 2 / 27 + 2 / 27 + 2 / 27)
    without = search.model_copy(update={"racing": Racing(steps=False, seeds=False)})
    assert raced_share(without, 9) == 3.0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("study.search.budget.minutes=0", "study.search.budget.minutes = 0.0: input should be greater than 0"),
        (
            "study.search.budget.samples=null",
            "study.search.budget: needs one of samples, cost, steps, runs, minutes",
        ),
        ("study.search.budget.minutes=60", "= 4.9e+07 and minutes = 60: one of them; set the other to null"),
        ("study.search.budget={minutes: null, samples: 0}", "study.search.budget.samples = 0: input should be greater"),
        ("study.search.budget={minutes: null, samples: many}", "budget.samples = 'many': must be a number above 0"),
        ("study.search.budget={minutes: null, samples: 5}", "budget = 5 samples: does not buy a single run; the cheap"),
        (
            "study.search.budget={minutes: 1e-6, samples: null}",
            "study.search.budget = 1e-06 minutes: does not buy a single run",
        ),
        ("study.search.budget=60", "study.search.budget = 60: must be an amount of one unit, such as {runs: 50}"),
        ("study.search.sampler=magic", "study.search.sampler = 'magic': input should be 'tpe', 'random'"),
        (
            "study.search.space.optimizer.lr2=[0.1,0.2]",
            "study.search.space.optimizer.lr2 = 0.1: optimizer.lr2: there is",
        ),
        ("study.search.space.optimizer.lr={low: 1, high: 1}", "optimizer.lr: low = 1, high = 1: is an empty range"),
        ("study.search.space.optimizer.lr={low: 0, high: 1, log: true}", "optimizer.lr: low = 0: a logarithmic range"),
        ("study.search.space.model.pool_size=[13,14]", "study.search.space.model.pool_size = 13: "),
        ("study.search.space.model.kernel_size=3,5", "study.search.space.model.kernel_size=3,5: must be a list, [...]"),
        ("study.search.space=[1]", "study.search.space=[1]: must map factors to their choices or ranges"),
        ("~study.search.space.model.speed", "~study.search.space.model.speed: is no factor of the space; factors are"),
        (
            "store=/proc/no/where.db",
            "store = /proc/no/where.db: there is no folder /proc/no; must be a file in one that is there",
        ),
        ("store=.", "store = .: is a folder; must be a file in a folder that can be written"),
        ("store=a_file", "store = a_file: file is not a database; must be a file in a folder that can be written"),
        ("store=a_file/ablate.db", "store = a_file/ablate.db: there is no folder a_file; must be a file in one"),
    ],
)
def test_the_command_refuses_bad_input_with_one_line_and_exit_code_2(tmp_path, override, message):
    (tmp_path / "a_file").write_text("no database at all, " * 100)
    done = subprocess.run(
        [sys.executable, "-m", "ablate", "search", "search", override],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("ablate: error: ")
    assert message in line
    assert done.stdout == ""
    assert [entry.name for entry in tmp_path.iterdir()] == ["a_file"], "something was written"
