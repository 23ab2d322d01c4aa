"""Tables that were printed are printed again as they were, for as long as all is as it was."""

import json
import sys
from dataclasses import replace

import pytest

from ablate.commands import printed_studies, study_content
from ablate.commands.printed_studies import print_study
from ablate.commands.studies import named, order
from ablate.store.provenance import collect
from ablate.task.record import Measurement, Record, Result

STUDY = """study:
  factors: {optimizer.lr: [0.1, 0.3]}
  metrics: [train_loss, test_acc]
  seeds: 6
  published: {table: printed.csv, factor: optimizer.lr, source: a paper, repeats: 10}
optimizer: {lr: 0.1}
data: {train_size: 1000}
train: {epochs: 1}
"""


@pytest.fixture
def printed(tmp_path, monkeypatch, capsys):
    """Prints the study; gives what was printed and whether it was computed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "sweeps" / "own.yaml").write_text(STUDY)
    (tmp_path / "sweeps" / "printed.csv").write_text("lr,test_acc\n0.3,0.5\n")
    made = []
    monkeypatch.setattr(printed_studies, "_made", lambda *a, make=printed_studies._made: made.append(a) or make(*a))

    def run(worse=0.0, words=()):
        wanted = order(named(["own"], words))
        made.clear()
        print_study(wanted.plan.studies[0], wanted.plan, records(wanted.plan, worse), wanted.folder("own"))
        return capsys.readouterr().out, bool(made)

    return run


def records(plan, worse):
    found = {}
    for run in plan.runs:
        accuracy = 0.5 + 0.2 * run.config["optimizer"]["lr"] + 0.001 * run.seed - worse
        values = {"train_loss": 1 - accuracy, "train_acc": accuracy, "test_loss": 1 - accuracy, "test_acc": accuracy}
        result = Result("complete", (Measurement(1, values, 1.0),), None, {}, {})
        found[run.digest] = Record(run.digest, run.identity, result, collect())
    return found


def test_what_is_as_it_was_is_printed_as_it_was(printed):
    text, was_computed = printed()
    assert "0.5625" in text
    assert was_computed
    assert printed() == (text, False)


def test_what_changed_is_computed_anew(printed, tmp_path, monkeypatch):
    text, _ = printed()
    other, was_computed = printed(worse=0.1)
    assert was_computed
    assert other != text
    assert printed() == (text, True), "only the last one is kept"
    (tmp_path / "sweeps" / "printed.csv").write_text("lr,test_acc\n0.3,0.6\n")
    other, was_computed = printed()
    assert was_computed
    assert other != text
    (tmp_path / "sweeps" / "own.yaml").write_text(STUDY.replace("seeds: 6", "seeds: 5"))
    assert printed()[1]
    assert not printed()[1]
    monkeypatch.setattr(study_content, "code_digest", lambda *_: "other code")
    assert printed()[1]
    monkeypatch.setenv("COLUMNS", "60")
    assert printed()[1]


def test_a_damaged_file_or_one_that_cannot_be_written_changes_nothing(printed, tmp_path):
    text, _ = printed()
    (kept,) = (tmp_path / "results").iterdir()
    assert json.loads(kept.read_text())["value"] == text
    for content in ("", "[]", "{}", '{"key": 1}', kept.read_text().replace("0.5625", "0.9999")):
        kept.write_text(content)
        assert printed() == (text, True)
    kept.unlink()
    kept.mkdir()
    assert printed() == (text, True)


def test_a_task_of_other_code_is_always_computed(printed, monkeypatch):
    printed()
    monkeypatch.setattr(study_content, "find_task", lambda name: sys)
    assert printed()[1]
    assert printed()[1]


def test_every_field_of_a_record_counts(printed, tmp_path):
    wanted = order(named(["own"], []))
    held = records(wanted.plan, 0.0)
    arguments = (wanted.plan.studies[0], wanted.plan)
    before = study_content.Content(held).of(*arguments, tmp_path)
    digest, record = next(iter(held.items()))
    for changed in (
        replace(record, provenance={**record.provenance, "host": "another"}),
        replace(record, result=replace(record.result, status="failed", error="it broke")),
        replace(record, result=replace(record.result, notes={"engine": 2})),
    ):
        assert study_content.Content(held | {digest: changed}).of(*arguments, tmp_path) != before
