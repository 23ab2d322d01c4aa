"""Get what ``make bench-gpu`` needs on a machine that reaches no registry: ``make wheels-gpu WHEELS=FOLDER``.

Writes a folder of wheels for a Python and a platform, which need not be this machine's, and Fashion-MNIST's files below
it where they are here. PyTorch is not among them, and neither is torchvision, which has to fit it: without torchvision
only the textbook loop is missing from the table, and is named as failed.

    python -m benchmarks.gpu.wheels build/gpu --python 3.12
"""

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("hydra-core", "numpy", "omegaconf", "pydantic", "safetensors", "sqlalchemy")
"""Those of the package's dependencies that the benchmark imports."""
ONLY_SOURCES = "antlr4-python3-runtime==4.9.*"
"""What hydra-core needs and PyPI has as sources only: of pure Python."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
DATA = "fashion-mnist"
"""The folder of the data beside the wheels."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Download and copy; exit code 1 where the data are not here.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to; made if it is not there")
    parser.add_argument("--python", default=f"{sys.version_info.major}.{sys.version_info.minor}", metavar="3.N")
    parser.add_argument("--platforms", nargs="+", default=list(PLATFORMS), metavar="P", help="pip's names of platforms")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    for command in commands(options.folder, options.python, options.platforms):
        subprocess.run([sys.executable, "-m", "pip", *command], check=True)
    copied = copy_data(options.folder)
    print(f"{len(list(options.folder.glob('*.whl')))} wheels and {copied} files of Fashion-MNIST in {options.folder}")
    if not copied:
        print("Fashion-MNIST is not here: get it with `ablate data fashion_mnist`, else noise stands in for it")
    return int(not copied)


def commands(folder: Path, python: str, platforms: Sequence[str]) -> list[list[str]]:
    """What pip is told.

    Args:
        folder: Where wheels go.
        python: Version of the machine that they are for.
        platforms: Of that machine.
    """
    place = ["--dest", str(folder), "--find-links", str(folder)]
    target = ["--python-version", python, *(word for platform in platforms for word in ("--platform", platform))]
    return [
        ["wheel", "--no-deps", "--wheel-dir", str(folder), ONLY_SOURCES],
        ["download", "--only-binary", ":all:", *place, *target, *requirements()],
    ]


def requirements() -> list[str]:
    """The needed dependencies as the project states them."""
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    return [line for line in stated if re.split(r"[<>=!~ \[]", line)[0] in NEEDED]


def copy_data(folder: Path) -> int:
    """Copy Fashion-MNIST's files, and say how many there were."""
    from ablate.images.config import FashionMNIST
    from ablate.images.data import describe, where

    config = FashionMNIST()
    if where(config) is None:
        return 0
    files = [Path(file["path"]) for file in describe(config.name)["files"]]
    (folder / DATA).mkdir(exist_ok=True)
    for file in files:
        shutil.copy(file, folder / DATA / file.name)
    return len(files)


if __name__ == "__main__":
    sys.exit(main())
