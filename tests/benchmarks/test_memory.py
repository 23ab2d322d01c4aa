import sys

import pytest

from benchmarks import memory
from benchmarks.memory import CASES, Case, main


def test_each_case_is_one_cohort():
    for case in CASES:
        assert len(case.runs) == case.members
        assert len({run.cohort_key for run in case.runs}) == 1
        assert len({run.data_order for run in case.runs}) == (1 if case.shared else case.members)
    assert len(CASES) >= 12
    assert len({case.title for case in CASES}) >= 8


@pytest.mark.parametrize(("taken", "code", "off"), [(1000, 0, "5.0"), (1500, 1, "30.0")])
def test_the_table_says_how_far_predictions_are_off(monkeypatch, tmp_path, taken, code, off):
    monkeypatch.setattr(memory, "memory_of", lambda cohorts, device: [1050 * 2**20 for _ in cohorts])
    monkeypatch.setattr(memory, "taken_by", lambda runs, device: taken * 2**20)
    assert main(["--only", "VGG", "--out", str(tmp_path / "memory.md")]) == code
    text = (tmp_path / "memory.md").read_text()
    assert f"Farthest off the median:\n{off} %." in text
    assert "| VGG-11, small | 2 | 64 | shared | sgd | 1050.0 |" in text


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the most memory of a process is Linux's to tell")
def test_a_cohort_takes_what_is_predicted():
    case = Case("LeNet", CASES[0].model, 4, 256, images=2_000)
    (predicted,) = memory.memory_of([case.runs], "cpu")
    assert predicted == pytest.approx(memory.taken_by(case.runs, "cpu"), rel=0.10)
