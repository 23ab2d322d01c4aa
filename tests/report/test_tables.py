import io
import math
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from ablate.report import analyse_study, print_report
from ablate.report.latex import escape, latex_tables
from ablate.report.summary import summarise
from ablate.report.tables import markdown, sheets, wide

LOST = {
    ("model.kernel_size", 3, 0): "diverged",
    ("model.kernel_size", 3, 1): "failed",
    ("model.kernel_size", 4, 2): "missing",
}


@pytest.fixture
def study(make_study):
    return make_study(["model.kernel_size"], seeds=6, statuses=LOST)


def test_the_wide_table_holds_the_statistics_of_complete_runs(study):
    table = wide(study.view, summarise(study.view, study.runs)).set_index("label")
    for label in ("3", "4", "5"):
        runs = study.runs[(study.runs["label"] == label) & (study.runs["status"] == "complete")]
        values = runs["train_acc"].to_numpy()
        row = table.loc[label]
        assert row["complete"] == len(values)
        assert row["train_acc_mean"] == pytest.approx(np.mean(values))
        assert row["train_acc_sd"] == pytest.approx(np.std(values, ddof=1))
        assert row["train_acc_low"] < row["train_acc_mean"] < row["train_acc_high"]
        assert row["seconds"] == pytest.approx(runs["seconds"].mean())
    assert table.loc["3", ["diverged", "failed", "missing"]].tolist() == [1, 1, 0]
    assert table.loc["4", ["diverged", "failed", "missing"]].tolist() == [0, 0, 1]
    assert table["is_baseline"].tolist() == [False, False, True]


def test_differences_are_paired_by_seed(study):
    table = wide(study.view, summarise(study.view, study.runs)).set_index("label")
    runs = study.runs[study.runs["status"] == "complete"].pivot(index="seed", columns="label", values="test_acc")
    for label in ("3", "4"):
        pairs = (runs[label] - runs["5"]).dropna()
        t = stats.ttest_1samp(pairs, 0.0).confidence_interval(1 - 0.05 / 2)  # of two levels, with fewer than six pairs
        row = table.loc[label]
        assert row["test_acc_difference"] == pytest.approx(pairs.mean())
        assert (row["test_acc_difference_low"], row["test_acc_difference_high"]) == pytest.approx((t.low, t.high))
    assert math.isnan(table.loc["5", "test_acc_difference"])


def test_published_numbers_stand_beside_ours(study):
    table = wide(study.view, summarise(study.view, study.runs)).set_index("label")
    assert table["test_acc_published"].tolist() == [0.792, 0.782, 0.809]
    values = study.runs[(study.runs["label"] == "5")]["test_acc"]
    half = stats.t.ppf(0.975, 5) * values.std(ddof=1) * math.sqrt(1 / 6 + 1 / 10) + 0.0005
    assert table.loc["5", "test_acc_prediction_high"] == pytest.approx(values.mean() + half)
    assert table.loc["5", "test_acc_inside"] == (abs(values.mean() - 0.809) <= half)


def test_without_published_numbers_there_is_no_such_column(make_study):
    study = make_study(["model.kernel_size"], seeds=3, published=False)
    levels = summarise(study.view, study.runs)
    assert "published" not in sheets(study.view, levels)[0].columns
    assert "published" not in markdown(study.view, levels)


def test_one_seed_has_a_mean_and_no_spread(make_study):
    study = make_study(["model.kernel_size"], seeds=1)
    sheet = sheets(study.view, summarise(study.view, study.runs))[0]
    assert [row[3] for row in sheet.rows] == ["\u2013"] * 3
    assert "±" not in sheet.rows[0][2]


def test_every_row_is_as_wide_as_its_heading(study):
    for sheet in sheets(study.view, summarise(study.view, study.runs)):
        assert sum(span for _, span in sheet.groups) == len(sheet.columns)
        assert {len(row) for row in sheet.rows} == {len(sheet.columns)}


def test_markdown_says_counts_and_escapes(study):
    text = markdown(study.view, summarise(study.view, study.runs))
    assert "| 3 | 4 of 6 (1 diverged, 1 failed) |" in text
    assert "| **5** | 6 |" in text
    assert "\\[" in text
    assert all(line.count("|") - line.count("\\|") == 12 for line in text.splitlines() if line.startswith("| 3 | 4 of"))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a_b & 100 % #1 {x} $5 ~ ^", r"a\_b \& 100 \% \#1 \{x\} \$5 \textasciitilde{} \textasciicircum{}"),
        ("C:\\temp", r"C:\textbackslash{}temp"),
        ("[1, 2]", "{}[1, 2]"),
        ("\u22120.5 ± 0.1", r"$-$0.5 $\pm$ 0.1"),
    ],
)
def test_latex_escapes(text, escaped):
    assert escape(text) == escaped


def test_latex_has_a_cell_a_column(study):
    made = latex_tables(study.view, summarise(study.view, study.runs))
    assert list(made) == ["table", *(f"table-{name}" for name in study.view.names if name != study.view.metric.name)]
    text = made["table"]
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    body = text.partition(r"\midrule")[2].partition(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == 3
    head = text.partition(r"\midrule")[0].strip().splitlines()[-1]
    assert {line.replace(r"\&", "").count("&") for line in body} == {head.replace(r"\&", "").count("&")}
    assert text.count("{") == text.count("}")


def test_latex_puts_intervals_below_where_numbers_are_long_and_none_where_they_are_exact(make_study):
    study = make_study(["optimizer.lr"])
    levels = summarise(study.view, study.runs)
    (short, *_), (long, *_) = (latex_tables(study.view, levels.assign(digits=n)).values() for n in (4, 9))
    assert short.count(r"\\") == 2 + len(study.view.factors[0].levels)  # a head of two words, and a row a level
    assert long.count(r"\\") == 1 + 2 * len(study.view.factors[0].levels)
    assert re.search(r"\n *(& )+\{\}\[[^&]*\] \\\\", long)
    assert r"\shortstack[l]{learning\\rate}" in short
    exact = levels.assign(standing="exact", difference_low=np.nan, difference_high=np.nan)
    text = next(iter(latex_tables(study.view, exact).values()))
    assert " & value & publ. & difference " in text
    assert "it follows from the setting, not from the seed" in text
    assert "(exact)" in text
    assert "95" not in text.partition(r"\midrule")[0]


@pytest.mark.parametrize("width", [80, 240])
def test_the_terminal_shows_every_number_at_any_width(study, width):
    out = io.StringIO()
    print_report(study.view, study.runs, Console(file=out, width=width))
    text = out.getvalue()
    mean = study.runs[study.runs["label"] == "5"]["test_acc"].mean()
    assert f"{mean:.4f}" in text
    assert "1 diverged" in text
    assert "0.809" in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_what_a_user_named_is_no_markup_in_the_terminal(make_study):
    study = make_study(["model.activation"], seeds=2)
    runs = study.runs.assign(label=study.runs["label"].replace("relu", "[bold]relu[/bold]"))
    factor = study.view.factors[0]
    levels = tuple(
        type(level)(level.value, "[bold]relu[/bold]" if level.value == "relu" else level.label)
        for level in factor.levels
    )
    view = type(study.view)(study.view.name, (type(factor)(factor.path, levels),), study.view.metrics)
    out = io.StringIO()
    print_report(view, runs, Console(file=out, width=100))
    assert "[bold]relu[/bold]" in out.getvalue()


def test_the_summary_keeps_the_order_of_the_study(make_study):
    study = make_study(["train.batch_size", "model.activation"], seeds=2)
    levels = summarise(study.view, study.runs)
    first = levels.drop_duplicates(["factor", "label"])
    assert first["factor"].tolist() == ["train.batch_size"] * 10 + ["model.activation"] * 2
    assert first["label"].tolist()[:10] == [str(2**i) for i in range(1, 11)]
    assert isinstance(levels, pd.DataFrame)


def test_remarks_follow_the_count_of_published_numbers(make_study):
    study = make_study(remarks=("Table 3's <last> level has one bad seed.",))
    analysis = analyse_study(study.view, study.runs)
    text = markdown(study.view, summarise(study.view, study.runs, analysis), analysis)
    assert "is counted once.\n\n- Table 3's &lt;last&gt; level has one bad seed.\n" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex here (CI installs no TeX: 200 MB)")
def test_a_latex_table_fits_a_column_of_a_paper(make_study, tmp_path):
    study = make_study(["optimizer.lr", "train.batch_size", "model.activation"])
    for name, text in latex_tables(study.view, summarise(study.view, study.runs)).items():
        (tmp_path / "table.tex").write_text(text, encoding="utf-8")
        geometry = r"\usepackage[textwidth=3.3in]{geometry}\usepackage{booktabs,array}"
        paper = rf"\documentclass[10pt]{{article}}{geometry}\begin{{document}}\input{{table}}\end{{document}}"
        (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]
        assert "Overfull" not in done.stdout, name
