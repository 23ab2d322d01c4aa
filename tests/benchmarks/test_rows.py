"""Known answers: rates made up by hand, ratios and shares computed by hand."""

import json
import math

import pytest
from rich.console import Console

from benchmarks.contenders import EAGER, OURS, OURS_OWN, PEAK, TEXTBOOK, TEXTBOOK_WORKERS, Contender, all_contenders
from benchmarks.rows import goals, rows
from benchmarks.study import StudyCost
from benchmarks.tables import print_goals, print_rows, print_study, write
from benchmarks.workers import Measured

MEASURED = [
    Measured(Contender(TEXTBOOK, 256, threads=2), [100.0, 110.0, 90.0], first=1.0),
    Measured(Contender(TEXTBOOK_WORKERS, 256, threads=2), [200.0, 100.0, 400.0]),
    Measured(Contender(EAGER, 256), [300.0, 200.0, 400.0]),
    Measured(Contender(OURS, 256, 9, processes=2), [1200.0, 1000.0, 1600.0], notes={"fused": True}),
    Measured(Contender(OURS, 256, 9), [600.0, 600.0, 600.0]),
    Measured(Contender(OURS_OWN, 256, 9, processes=2), failure="out of | memory"),
    Measured(Contender(PEAK, 256), [1000.0, 1000.0, 1000.0]),
    Measured(Contender(PEAK, 256, processes=2), [2000.0, 2000.0, 2000.0]),
]


@pytest.fixture
def found():
    return {(r.loop, r.processes): r for r in rows(MEASURED, flop=0.5)}


def test_median_and_spread_of_the_repeats(found):
    ours = found[OURS, 2]
    assert (ours.median, ours.low, ours.high, ours.repeats) == (1200.0, 1000.0, 1600.0, 3)


def test_ratios_are_medians_of_the_repeats_own_ratios_to_the_faster_textbook_loop(found):
    assert found[OURS, 2].to_textbook == 6.0  # of 6, 10 and 4
    assert found[TEXTBOOK_WORKERS, 1].to_textbook == 1.0


def test_eager_is_compared_on_as_many_processes(found):
    assert found[OURS, 1].to_eager == 2.0  # of 2, 3 and 1.5
    assert found[OURS, 2].to_eager is None
    assert found[TEXTBOOK, 1].to_eager is None  # two threads


def test_share_of_the_peak_on_as_many_cores(found):
    assert found[OURS, 2].peak_share == pytest.approx(0.3)
    assert found[OURS, 1].peak_share == pytest.approx(0.3)
    assert found[TEXTBOOK, 1].peak_share == pytest.approx(0.025)
    assert found[PEAK, 1].peak_share is None


def test_what_failed_says_why_and_has_no_figures(found):
    failed = found[OURS_OWN, 2]
    assert failed.failure == "out of | memory"
    assert math.isnan(failed.median)
    assert (failed.to_textbook, failed.peak_share) == (None, None)


def test_goals_name_what_was_measured():
    asked = goals(rows(MEASURED, flop=0.5), cohort=9, workers=2)
    assert [(goal.asked, goal.measured) for goal in asked] == [(5.5, 6.0), (0.5, pytest.approx(0.3))]
    assert [goal.measured for goal in goals(rows(MEASURED, flop=0.5), cohort=10, workers=2)] == [None, None]


def test_every_contender_is_listed_once():
    listed = all_contenders(256, workers=2, models=[1, 5, 10, 18], cohort=9)
    assert len(set(listed)) == len(listed)
    assert {(c.models, c.processes) for c in listed if c.loop == OURS} == {
        *((k, 1) for k in (1, 5, 9, 10, 18)),
        *((k, 2) for k in (9, 18)),
    }


def test_printed_and_written(tmp_path, capsys):
    found = rows(MEASURED, flop=0.5)
    asked = goals(found, cohort=9, workers=2)
    cost = StudyCost(("lr",), 36, 36, 2_160_000, (9, 9, 9, 9), 1.0, 60.0, 415.0)
    machine = {
        "cpu": "a processor",
        "cores": 2,
        "cpu_capability": "AVX2",
        "system": "Linux x86_64",
        "versions": {"torch": "2"},
        "commit": "abc",
        "dirty": True,
        "date": "2026-01-01",
        "load_before": 0.0,
        "command": "python -m benchmarks",
        "repeats": 3,
        "seconds": 1.0,
        "flop_per_sample": 500_000,
    }
    console = Console(width=150)
    print_rows(console, found)
    print_goals(console, asked)
    print_study(console, cost)
    printed = capsys.readouterr().out
    assert "6.00x (asked: at least 5.50x)" in printed
    assert "36,000 samples/s" in printed
    assert "6.92 times as long" in printed

    paths = write(tmp_path, found, MEASURED, machine, asked, cost)
    assert sorted(path.name for path in paths) == ["machine.json", "repeats.csv", "throughput.csv", "throughput.md"]
    text = (tmp_path / "throughput.md").read_text()
    assert "| ablate, shared order | 9 | 1 x 2 | 1,200 | 1,000 - 1,600 | 6.00 |  | 30% | 0.0 s |" in text
    assert "failed: out of \\| memory" in text
    assert len((tmp_path / "throughput.csv").read_text().splitlines()) == 1 + len(found)
    assert len((tmp_path / "repeats.csv").read_text().splitlines()) == 1 + 7 * 3
    assert json.loads((tmp_path / "machine.json").read_text())["notes"][0]["notes"] == {"fused": True}
