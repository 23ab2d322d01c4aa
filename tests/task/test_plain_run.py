"""Runs of plain values: identity, digests, prefixes, and what workers are sent."""

import pickle
import subprocess
import sys

from ablate.task.identity import digest_of
from ablate.task.plain_run import PlainRun

RUN = PlainRun("digits", "a:B", {"lr": 0.1, "train": {"epochs": 3}}, 1, {"source": "ab"}, {"secret": 1}, 3, 3)


def test_the_identity_is_the_content():
    assert RUN.identity == {
        "task": "digits",
        "code": {"source": "ab"},
        "config": {"lr": 0.1, "train": {"epochs": 3}},
        "seed": 1,
    }
    assert RUN.digest == digest_of(RUN.identity)
    assert RUN.with_seed(2).identity == RUN.identity | {"seed": 2}
    assert RUN.with_seed(1) == RUN
    assert len({RUN, RUN.with_seed(1), RUN.with_seed(2)}) == 2


def test_details_and_costs_are_no_part_of_it():
    assert PlainRun("digits", "c:D", RUN.config, 1, RUN.code).digest == RUN.digest


def test_a_shorter_run_is_a_prefix_only_where_that_was_declared():
    def run(epochs, path):
        return PlainRun("t", "e:E", {"lr": 1, "train": {"epochs": epochs}}, 0, {}, length=epochs, length_path=path)

    assert run(1, None).trajectory == run(1, None).digest != run(2, None).trajectory
    assert run(1, "train.epochs").trajectory == run(2, "train.epochs").trajectory != run(1, None).trajectory


def test_it_trains_alone():
    assert RUN.cohort_key != RUN.with_seed(2).cohort_key
    assert RUN.default_members == 1
    assert RUN.samples / RUN.guessed_speed == 60


def test_how_fast_it_is_is_told_by_its_setting_else_by_its_task():
    changed = PlainRun("digits", "a:B", RUN.config, 2, {"source": "cd"})
    other = PlainRun("digits", "a:B", {"lr": 0.2}, 1, RUN.code)
    assert changed.speed_keys == RUN.speed_keys
    assert [key in RUN.speed_keys for key in other.speed_keys] == [False, True]


def test_it_travels():
    assert RUN.digest  # looked up once, and then kept in the run
    assert pickle.loads(pickle.dumps(RUN)) == RUN


def test_it_is_light():
    code = (
        "import ablate.task.plain_run, sys; print(sorted({'torch', 'pydantic', 'hydra', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
