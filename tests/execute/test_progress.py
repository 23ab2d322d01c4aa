import io

from ablate.execute import progress
from ablate.execute.progress import LiveProgress, PlainProgress, Progress, State, make_progress
from ablate.execute.summary import Failure, Summary, clock

STATE = State(
    planned=20,
    done=7,
    running=4,
    failed=1,
    diverged=2,
    elsewhere=3,
    samples=1000,
    samples_left=500,
    samples_per_second=12345.6,
    seconds_left=3723.0,
    is_guess=False,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_state_in_one_line():
    assert str(STATE) == (
        "7/20 runs, 4 running, 1 failed, 2 diverged, 3 in another sweep, 67 % trained, 12,346 samples/s, 1:02:03 left"
    )


def test_plain_lines_come_at_most_every_ten_seconds(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    file = io.StringIO()
    shown = PlainProgress(file)
    shown.start(STATE)
    for _ in range(21):
        now[0] += 1.0
        shown.update(STATE)
    shown.say("a cohort ended")
    shown.close()
    assert file.getvalue().splitlines() == [str(STATE)] * 3 + ["a cohort ended"]


def test_a_terminal_gets_a_live_display():
    file = Terminal()
    shown = make_progress(file=file)
    assert isinstance(shown, LiveProgress)
    shown.start(STATE)
    shown.say("[brackets] are text")
    shown.close()
    assert "7/20 runs" in file.getvalue()
    assert "[brackets] are text" in file.getvalue()
    LiveProgress(Terminal()).close()


def test_no_terminal_and_quiet():
    assert isinstance(make_progress(file=io.StringIO()), PlainProgress)
    assert type(make_progress(file=Terminal(), quiet=True)) is Progress


def test_durations():
    assert [clock(s) for s in (0.4, 59.6, 3600, 100 * 3600)] == ["0:00:00", "0:01:00", "1:00:00", "100:00:00"]


def test_a_summary_for_people():
    failure = Failure("d", "optimizer.lr=9", "ValueError: no")
    text = str(
        Summary(
            10,
            {"complete": 6, "failed": 1},
            4,
            2,
            1,
            0,
            (failure,),
            samples=1000,
            seconds=10.0,
            deaths=1,
            lost_seconds=5,
        )
    )
    assert text.splitlines() == [
        "10 runs: 6 complete, 0 diverged, 1 failed, 3 not trained "
        "(4 trained in 0:00:10, 2 already in the store, 1 taken from longer runs)",
        "1,000 training samples, 100 a second",
        "worker processes died: 1; 0:00:05 of training lost",
        "failed: optimizer.lr=9: ValueError: no",
    ]


def test_a_summary_tells_the_same_failure_once():
    failures = [*(Failure(f"{s}", f"seed={s}", "ValueError: no") for s in range(5)), Failure("d", "seed=9", "other")]
    assert [line for line in str(Summary(6, failures=tuple(failures))).splitlines() if line.startswith("failed")] == [
        "failed: seed=0; seed=1; seed=2; and 2 more runs: ValueError: no",
        "failed: seed=9: other",
    ]
