"""The real engine on real images, in real worker processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.execute import execute
from ablate.images.config import SGD, FashionMNIST, Train
from ablate.images.run import RunConfig
from ablate.store import open_store
from ablate.task.errors import ConfigError


def run(lr, seed=0, epochs=1, **data):
    return RunConfig(
        optimizer=SGD(lr=lr),
        seed=seed,
        train=Train(epochs=epochs, batch_size=32),
        data=FashionMNIST(train_size=96, **data),
    )


SWEEP = """
import sys
from ablate.execute import execute
from ablate.store import open_store
from test_engine import run
if __name__ == "__main__":
    runs = [run(lr, seed, epochs) for lr in (0.1, 0.5) for seed in (0, 1) for epochs in (1, 2)] + [run(1e38)]
    with open_store(sys.argv[1]) as store:
        print(execute(runs, store, workers=2, device="cpu"))
    sys.exit("torch" in sys.modules)
"""


def test_a_small_sweep(tmp_path):
    (tmp_path / "sweep.py").write_text(SWEEP)
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    location = str(tmp_path / "runs.db")
    done = subprocess.run(
        [sys.executable, tmp_path / "sweep.py", location],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("9 runs: 8 complete, 1 diverged, 0 failed (5 trained in")
    with open_store(location) as store:
        records = store.get([run(0.1, 1, epochs).digest for epochs in (1, 2)])
        short, long = (records[run(0.1, 1, epochs).digest] for epochs in (1, 2))
        assert repr(short.result.curves) == repr(long.result.curves[:1])
        assert long.result.notes["cohort"] >= 2
        assert long.provenance["threads"] == 1
        assert 0.0 < long.result.curves[1].values["test_acc"] < 1.0
        assert store.count() == {"complete": 8, "diverged": 1}


def test_missing_data_and_missing_gpu(tmp_path):
    with open_store(str(tmp_path / "runs.db")) as store:
        with pytest.raises(ConfigError, match=str(tmp_path)):
            execute([run(0.1, root=str(tmp_path))], store, workers=1, device="cpu")
        with pytest.raises(ConfigError, match="device = cuda:99: PyTorch sees"):
            execute([run(0.1)], store, workers=1, device="cuda:99")
        with pytest.raises(RuntimeError, match="device string: abacus"):
            execute([run(0.1)], store, workers=1, device="abacus")
