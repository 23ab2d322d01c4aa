import io
import re

import pytest
from rich.console import Console

from ablate.images.metrics import METRICS
from ablate.report import analyse_study, print_report, write_report
from ablate.report.warnings import MOST_LABELS, warnings


def warned(study):
    return warnings(study.view, analyse_study(study.view, study.runs))


def missing(factor, levels, seeds):
    return {(factor, level, seed): "missing" for level in levels for seed in seeds}


@pytest.fixture
def unfinished(make_study):
    """Batch sizes hardly begun, learning rates half way."""
    lost = missing("train.batch_size", [2**i for i in range(1, 11) if i != 8], range(10))
    lost |= missing("optimizer.lr", (1.0, 1.1), range(4, 10)) | missing("optimizer.lr", (1.2,), range(5, 10))
    return make_study(["optimizer.lr", "train.batch_size"], seeds=10, statuses=lost)


def test_an_unfinished_study_has_a_line_a_kind(unfinished):
    lines = warned(unfinished)
    assert len(lines) <= 8
    assert len({re.sub(r"\\d", "", line.partition(" (")[0]) for line in lines}) == len(lines)


def test_metrics_of_which_the_same_holds_are_not_told_apart(unfinished):
    (line,) = [line for line in warned(unfinished) if "No ranking" in line]
    assert line == "No ranking: 1 level(s) with two runs; ranking needs two (batch size)."


def test_levels_stand_together_by_factor(unfinished):
    (line,) = [line for line in warned(unfinished) if "nothing to compare" in line]
    assert line.endswith("nothing to compare (batch size 2, 4, 8, 16, 32, 64, 128, 512, 1024).")


def test_numbers_that_differ_become_ranges(unfinished):
    (line,) = [line for line in warned(unfinished) if "one of the two levels only" in line]
    assert line.startswith("5 to 6 seed(s) ran at one")
    assert line.endswith("(learning rate 1.0, 1.1, 1.2).")


def test_what_holds_of_some_metrics_only_names_them(make_study):
    study = make_study(["model.kernel_size"], seeds=6)
    runs = study.runs.assign(test_acc=study.runs["test_acc"].where(study.runs["label"] != "3"))
    lines = warnings(study.view, analyse_study(study.view, runs))
    assert any(line.endswith("(in test accuracy; kernel size 3).") for line in lines), lines


def test_a_list_of_levels_has_an_end(make_study, monkeypatch):
    monkeypatch.setattr("ablate.report.warnings.MOST_LABELS", 3)
    study = make_study(["train.batch_size"], seeds=2)
    assert any(line.endswith("(batch size 2, 4, 8 and 6 more).") for line in warned(study))
    assert MOST_LABELS == 12


def test_a_complete_study_has_no_warning(make_study):
    assert warned(make_study(["model.kernel_size", "model.activation"], seeds=10, metrics=(METRICS["test_acc"],))) == []


def test_names_of_users_are_left_as_they_are(nasty_study):
    levels = [level.label for level in nasty_study.view.factors[1].levels]
    assert any(levels[1] in line for line in warned(nasty_study))


@pytest.mark.parametrize(
    ("factors", "folded"), [(["optimizer.lr"], False), (["optimizer.lr", "train.batch_size"], True)]
)
def test_many_warnings_fold_into_one_block_of_the_page(make_study, unfinished, tmp_path, factors, folded):
    study = unfinished if folded else make_study(factors, seeds=4)
    lines = warned(study)
    write_report(study.view, study.runs, study.curves, tmp_path, records=study.records)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (len(lines) > 3) is folded
    assert page.count('<details class="warning">') == int(folded)
    assert page.count('<p class="warning">') == (0 if folded else len(lines))
    out = io.StringIO()
    print_report(study.view, study.runs, Console(file=out, width=400))
    assert out.getvalue().count("Warning: ") == len(lines)


def test_a_baseline_whose_runs_fall_apart_is_named_itself(make_study):
    study = make_study(["optimizer.lr"], seeds=8)
    base = study.runs["is_baseline"] & (study.runs["seed"] < 2)
    runs = study.runs.assign(test_acc=study.runs["test_acc"].mask(base, 0.2))
    label = study.runs.loc[base, "label"].iloc[0]
    (line,) = [w for w in warnings(study.view, analyse_study(study.view, runs)) if "of the baseline" in w]
    assert line.endswith(f"look at the single runs (in test accuracy; learning rate {label})."), line
