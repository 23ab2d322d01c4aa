"""Runs that the store has of other code are told of, with the file that changed; unrelated files are not."""

from types import SimpleNamespace

import pytest

from ablate.commands.changed_code import changed_under_their_version, trained_before
from ablate.commands.nearby_records import Nearby, nearby
from ablate.store import open_store
from ablate.task.finding import find_task
from ablate.task.record import Record, Result

TABLE = """
[tool.ablate.tasks.digits]
kind = "function"
function = "trainer:train"
metrics.acc = {{ goal = "max" }}
defaults = {{ lr = 1.0 }}
{more}
"""
SOURCE = "from helper import SCALE\ndef train(config, seed, report):\n    report(0, {'acc': SCALE})\n"


@pytest.fixture
def task(write):
    """Writes a project and loads its task anew."""

    def loaded(helper="SCALE = 1\n", more=""):
        write("pyproject.toml", TABLE.format(more=more))
        write("trainer.py", SOURCE)
        write("helper.py", helper)
        return find_task("digits")

    return loaded


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "ablate.db")) as opened:
        yield opened


def runs_of(task):
    return [task.parse({"lr": lr, "seed": seed}) for lr in (1.0, 2.0) for seed in (0, 1)]


def keep(store, runs):
    store.add(*(Record(r.digest, r.identity, Result("complete", notes={"code": r.details["code"]})) for r in runs))


def test_nothing_is_said_of_runs_that_were_never_trained(task, store):
    keep(store, runs_of(task())[:1])
    assert trained_before(runs_of(task())[1:], store) == []


def test_each_run_is_counted_with_the_latest_of_its_earlier_codes(task, store):
    keep(store, runs_of(task()))
    keep(store, runs_of(task("SCALE = 2\n"))[:1])
    after = runs_of(task("SCALE = 3\n"))
    latest, earlier = trained_before(after, store)
    assert (latest.runs, earlier.runs) == (1, 3)
    assert latest.why.startswith("helper (was ")
    assert latest.why != earlier.why
    assert trained_before(runs_of(task("SCALE = 3\n\n# a comment\n")), store) == [latest, earlier]


def test_code_that_changed_under_a_version_set_by_hand_is_told(task, store):
    before = runs_of(task(more='version = "1"'))
    keep(store, before)
    assert changed_under_their_version(before, store) == []
    after = runs_of(task("SCALE = 3\n", more='version = "1"'))
    assert [run.digest for run in after] == [run.digest for run in before]
    (change,) = changed_under_their_version(after, store)
    assert change.runs == 4
    assert change.why.startswith("helper (was ")


def test_what_lies_beside_a_study_is_told_in_the_words_of_its_command_line_and_other_code_as_such(task):
    def beside(plan, *records):
        made = [Record(r.digest, r.identity, Result("complete")) for r in records]
        return nearby(SimpleNamespace(points=[SimpleNamespace(run=run) for run in plan]), made)

    before, after = runs_of(task()), runs_of(task("SCALE = 2\n"))
    assert beside(after, *before) == [Nearby((), 4, of_other_code=True)]
    assert beside(after[:2], *after[2:]) == [Nearby(("lr=2.0",), 2)]
    assert beside(after[:2], *before[2:]) == [Nearby(("lr=2.0",), 2, of_other_code=True)]
