"""Somebody's own Hydra application with hydra/sweeper=ablate: its function is never passed over in silence."""

import subprocess
import sys


def test_a_foreign_function_is_not_taken_for_ours(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("optimizer:\n  lr: 0.1\nseed: 0\n")
    (tmp_path / "train.py").write_text(
        "import hydra\n@hydra.main(config_path='conf', config_name='config', version_base='1.3')\n"
        "def main(cfg):\n    print('called')\n    return cfg.optimizer.lr\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    command = [sys.executable, "train.py", "-m", "hydra/sweeper=ablate", "optimizer.lr=0.1,0.2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "hydra/sweeper=ablate" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.db"))
