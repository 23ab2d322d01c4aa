"""Where the time of a whole study goes: nothing is counted twice, and nothing is lost."""

from datetime import UTC, datetime

import pytest

from ablate.task.record import Guess, Measurement, Record, Result
from benchmarks.study import main
from benchmarks.whole_studies import Rates, StudyRun, spent


def _record(name: str, begun: float, ended: float, epochs: int, seconds: float) -> Record:
    stamps = [datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds") for at in (begun, ended)]
    curves = tuple(Measurement(epoch + 1, {}, seconds) for epoch in range(epochs))
    guesses = {"train_acc": Guess(0.1, 6000), "test_acc": Guess(0.1, 1000)}
    result = Result("complete", curves, guesses=guesses)
    return Record(name, {}, result, {"started": stamps[0], "ended": stamps[1]})


def test_the_parts_are_the_whole():
    # Two workers: one trains two runs together and then another, the second one cohort of two, and waits.
    records = [_record("a", 1005.0, 1025.0, 2, 4.5), _record("b", 1005.0, 1025.0, 2, 4.5)]
    records += [_record("c", 1026.0, 1036.0, 2, 4.0)]
    records += [_record("d", 1005.5, 1030.0, 2, 5.0), _record("e", 1005.5, 1030.0, 2, 5.0)]
    run = StudyRun(("lr",), "warm", 1000.0, 1040.0, records, None)
    went = list(spent(run, 2, Rates(train=4000.0, test=20_000.0)).values())
    assert sum(went) == pytest.approx(2 * 40.0)
    pure, tests, slower, start, outside, waiting, end = went
    assert pure == 5 * 2 * 6000 / 2000
    assert tests == 5 * 2 * 1000 / 10_000
    assert slower == pytest.approx(18.0 + 8.0 + 20.0 - pure - tests)
    assert (start, outside) == pytest.approx((2 * 5.0, (20.0 - 18.0) + (10.0 - 8.0) + (24.5 - 20.0)))
    assert waiting == pytest.approx(1.0 + 0.5 + 6.0)
    assert end == 2 * 4.0


@pytest.mark.slow
def test_a_study_is_measured_beside_its_bare_step(tmp_path, capsys):
    tiny = ["--minutes", "0.01", "--train-size", "512", "--repeats", "1", "--seconds", "0.05"]
    assert main([*tiny, "--out", str(tmp_path / "study.md")]) == 0
    text = (tmp_path / "study.md").read_text()
    assert text in capsys.readouterr().out
    rows = [line for line in text.splitlines() if line.startswith("| `ablate sweep lr study.seeds=2 train.epochs=1")]
    assert ["empty cache" in row for row in rows] == [True, False]
    assert all(f"| {36 * 512:,} |" in row for row in rows)
    assert text.count("| the bare step | ") == 2
