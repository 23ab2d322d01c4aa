"""Why a run failed, in one line."""

import pytest

from ablate.execute.ledger import reason

TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 3, in main\n    fit()\n    ^^^^^\n'
HYDRA = "hydra.errors.InstantiationException: Error in call to target 'lightning.Trainer':\nValueError('no bar')\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "no reason given"),
        ("  \n", "no reason given"),
        ("ended by signal 9\nout of memory\n", "out of memory"),
        (TRACEBACK + "ValueError: too fast\n", "ValueError: too fast"),
        (
            "exit code 1\n" + TRACEBACK + HYDRA + "full_key: trainer\n",
            HYDRA.replace("\n", " ") + "full_key: trainer",
        ),
        (TRACEBACK + "ValueError: a\n\nb\n", "ValueError: a b"),
        (TRACEBACK, "^^^^^"),
    ],
)
def test_kind_and_message(error, said):
    assert reason(error) == said
