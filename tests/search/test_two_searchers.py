"""Two searchers at once on one store: they share the work and the budget, and leave nothing open."""

import pytest

from benchmarks.two_searchers import share

BUDGET = 36_000
"""Training samples; for a longer trial see ``benchmarks/two_searchers.py``."""
RUN = 1_500 * 2
STUDY = f"""# @package _global_
study:
  question: Which small setting is best?
  seeds: 1
  metrics: [test_acc, val_acc]
  search:
    budget: {{samples: {BUDGET}}}
    seeds: 2
    batch: 4
    family: 2
    space:
      optimizer.lr: {{low: 0.02, high: 0.5, log: true}}
      optimizer.momentum: {{low: 0.0, high: 0.9}}
      train.label_smoothing: {{low: 0.0, high: 0.2}}
    confirm: {{top: 1, protocols: [holdout_test]}}
data: {{train_size: 2000, val_size: 500}}
train: {{epochs: 2, batch_size: 32}}
model: {{activation: relu, activation_c5: relu, activation_f6: relu}}
"""


@pytest.mark.slow
def test_two_searchers_share_one_search(tmp_path):
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "small.yaml").write_text(STUDY)
    found = share(tmp_path, "small", [])
    assert not found.problems
    # What a run will cost is put aside before it starts, so that searchers never overspend what is counted in samples.
    assert BUDGET - RUN < found.spent <= BUDGET
    assert found.trials["COMPLETE"] > 4
