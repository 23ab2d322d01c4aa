"""What a study file or a record says is printed as it stands, whatever a terminal or Rich would take it for."""

import csv
import io

import pytest

from ablate.report.console import output, plain
from ablate.store import open_store
from ablate.store.frames import read_folder
from ablate.task.identity import digest_of
from ablate.task.record import Measurement, Record, Result

NAMES = ("[/red]", "[low]", "[bold]x", ":smile:", "=1+1")


@pytest.fixture
def study(tmp_path, results):
    levels = "\n".join(f"      '{name}': {{optimizer.lr: {(i + 1) / 10}}}" for i, name in enumerate(NAMES))
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "odd.yaml").write_text(
        "study:\n  question: '[/] or [link=x]y[/link]?'\n  seeds: 1\n  labels: {rate: 'lr [/b] & width'}\n"
        f"  factors:\n    rate:\n{levels}\n"
    )


def test_plan_prints_levels_as_they_are_named(study, ablate):
    text = ablate("plan", "odd")
    assert ", ".join(NAMES) in " ".join(text.split())


@pytest.mark.parametrize("error", ["boom [/x] [bold]", "a\x1b]0;title\x07b", "x\x00y"])
def test_an_error_of_a_record_breaks_no_list_and_steers_no_terminal(results, ablate, tmp_path, error):
    results("pooling")
    (one, *_) = read_folder(tmp_path / "results" / "pooling")
    config = {**one.config, "seed": 4711}
    with open_store(str(tmp_path / "results" / "ablate.db")) as store:
        store.add(Record(digest_of(config), config, Result("failed", error=error)))
    text = ablate("runs")
    assert "1 runs" in text
    assert not {"\x1b", "\x07", "\x00"} & set(text)
    assert ("[/x] [bold]" in text) == ("[/x]" in error)
    row = next(csv.DictReader(io.StringIO(ablate("runs", "--csv"))))
    assert row["status"] == "failed"


def test_a_list_of_runs_has_the_columns_that_any_of_them_measured(results, ablate, tmp_path):
    results("pooling")
    (one, *_) = read_folder(tmp_path / "results" / "pooling")
    config = {**one.config, "seed": 4711}
    measured = Measurement(1, {"train_loss": 0.5, "val_acc": 0.875}, 1.0)
    with open_store(str(tmp_path / "results" / "ablate.db")) as store:
        store.add(Record(digest_of(config), config, Result("complete", (measured,))))
    text = ablate("runs")
    assert "validation accuracy" in text
    assert "0.875" in text
    assert "test accuracy" not in text


def test_cells_that_a_spreadsheet_would_run_are_harmless(results, ablate, tmp_path):
    results("pooling")
    (one, *_) = read_folder(tmp_path / "results" / "pooling")
    config = {**one.config, "seed": 4711}
    with open_store(str(tmp_path / "results" / "ablate.db")) as store:
        store.add(Record(digest_of(config), config, Result("failed", error="=HYPERLINK(1)"), {"host": "@home"}))
    (row,) = csv.DictReader(io.StringIO(ablate("runs", "--csv")))
    assert (row["error"], row["provenance.host"]) == ("'=HYPERLINK(1)", "'@home")


def test_without_a_terminal_nothing_is_cut(capsys):
    line = "x" * 5000 + " †"
    output().print(plain(line))
    assert capsys.readouterr().out == f"{line}\n"
