"""Studies of the package that have no committed results train to their ends at a tiny size, every level of them."""

import json

import pytest
from click.testing import CliRunner

from ablate.cli import main

TINY = ["study.seeds=1", "data.train_size=150", "data.test_size=50", "train.epochs=1", "train.batch_size=50"]
STUDIES = {
    "activations": 9,
    "optimizers": 8,
    "schedules": 5,
    "losses": 3,
    "normalisation": 4,
    "layer_sizes": 8,
    "pooling_kinds": 4,
}
"""With the number of their settings."""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packaged")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        shown = CliRunner().invoke(main, ["sweep", *STUDIES, *TINY, "workers=1", "device=cpu", "--json"])
        plans = {}
        for study in STUDIES:
            plans[study] = json.loads(CliRunner().invoke(main, ["plan", study, *TINY, "--json"]).stdout)
    return shown, plans


def test_every_level_trains(swept):
    shown, plans = swept
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["sweep"]["failed"] == 0, found["sweep"]["failures"]
    assert {study: plan["runs_distinct"] for study, plan in plans.items()} == STUDIES
    assert all(plan["in_store"] == plan["runs_distinct"] for plan in plans.values())
