"""Small Hydra applications of somebody's own, written into a folder."""

from pathlib import Path
from textwrap import dedent

from ablate.hydra_app.task import declared
from ablate.task.project import read_project

MAIN = """
import hydra

@hydra.main(version_base={base}, config_path="../configs", config_name="train")
def main(cfg):
    return cfg.optimizer.lr + cfg.seed

if __name__ == "__main__":
    main()
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    """Files by their path."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text).lstrip("\n"))
    return folder


USUAL = {
    "src/train.py": MAIN.format(base='"1.3"'),
    "configs/train.yaml": """
        defaults:
          - optimizer: sgd
          - _self_
        seed: 0
        epochs: 4
        warmup: ${optimizer.warmup}
        out: ${hydra:runtime.output_dir}
        started: ${now:%H-%M}
        chosen: ${hydra:runtime.choices.optimizer}
        data: {root: "${oc.env:PWD}/data", split_seed: "${seed}"}
        hydra: {run: {dir: "logs/${now:%Y}"}}
        """,
    "configs/optimizer/sgd.yaml": "{lr: 0.1, warmup: 1}",
    "configs/optimizer/adam.yaml": "{lr: 0.001, warmup: 2, betas: [0.9, 0.999]}",
    "configs/experiment/long.yaml": """
        # @package _global_
        defaults:
          - override /optimizer: adam
        epochs: 40
        """,
}


def task(folder: Path, **table):
    """The task of an application in a folder."""
    given = {"kind": "hydra", "script": "src/train.py", "metrics": {"value": {"goal": "max"}}, **table}
    return declared("app", given, read_project(folder))
