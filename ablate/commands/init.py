"""``ablate init``: a small complete project to begin with, copied from the examples."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ablate.task.errors import ConfigError
from ablate.task.packaged import packaged

NOT_COPIED = {"results", "logs", "outputs", "multirun"}
"""Folders that work on an example leaves in it."""


@dataclass(frozen=True)
class Kind:
    """A kind of project."""

    example: str
    """Its folder in ``examples``."""
    study: str
    """The study to begin with."""
    what: str
    edit: str
    """Where somebody's own code goes."""


KINDS: Mapping[str, Kind] = {
    "network": Kind(
        "network",
        "blocks",
        "a PyTorch network, a data set and a metric of yours; trained by ablate, many runs at a time",
        "tiles/network.py, tiles/residual.py, tiles/photographs.py",
    ),
    "function": Kind(
        "function", "boosting", "a Python function train(config, seed, report); no PyTorch needed", "trainer.py"
    ),
    "hydra": Kind(
        "hydra_app", "optimizers", "a Hydra application as it is", "src/train.py, src/flowers, configs, pyproject.toml"
    ),
    "program": Kind(
        "script", "rates", "any program as it is: called with flags, metrics read from what it writes", "train.py"
    ),
}
"""What can be begun, by the word that stands for it."""


def init_command(kind: str | None, folder: Path) -> None:
    """Write a project and say how to go on; without a kind, say which there are.

    Args:
        kind: One of :data:`KINDS`; None: list them.
        folder: The folder of the project; made where it is missing.

    Raises:
        ConfigError: See :func:`write_project`.
    """
    if kind is None:
        print("ablate init KIND [FOLDER] writes a small project that runs at once; kinds are:\n")
        for name, one in KINDS.items():
            print(f"  {name:<9} {one.what}")
        return
    written = write_project(kind, folder)
    chosen = KINDS[kind]
    print(f"{len(written)} files in {folder}: {', '.join(str(file) for file in written)}\n")
    if folder.resolve() != Path.cwd():
        print(f"  cd {_quoted(folder)}")
    print(f"  ablate plan {chosen.study}      # what it will cost; trains nothing")
    print(f"  ablate sweep {chosen.study}     # trains what is missing")
    print(f"  ablate report {chosen.study}    # results/{chosen.study}/report.html")
    print(f"\nYour own code goes into {chosen.edit}; your question into sweeps/{chosen.study}.yaml.")


def write_project(kind: str, folder: Path) -> list[Path]:
    """Write a project of a kind into a folder; nothing that is there is overwritten.

    Args:
        kind: One of :data:`KINDS`.
        folder: Made where it is missing.

    Returns:
        The files, relative to the folder.

    Raises:
        ConfigError: There is no such kind, files are there already, or the folder cannot be written.
    """
    if kind not in KINDS:
        raise ConfigError(f"init {kind!r}: there is no such kind of project; kinds are {', '.join(KINDS)}")
    example = packaged() / "examples" / KINDS[kind].example
    files = sorted(
        file.relative_to(example)
        for file in example.rglob("*")
        if file.is_file() and not _is_left_over(file.relative_to(example))
    )
    there = [file for file in files if _is_there(folder / file)]
    if there:
        advice = f"name another folder: ablate init {kind} FOLDER"
        raise ConfigError(
            [f"{folder / file}: is there already and is not overwritten; {advice}" for file in sorted(there)]
        )
    try:
        for file in files:
            content = (example / file).read_bytes()
            if file == Path("pyproject.toml"):
                content = _named(content.decode(), folder.resolve().name).encode()
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            with (folder / file).open("xb") as opened:
                opened.write(content)
    except OSError as error:
        raise ConfigError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None
    return files


def _is_left_over(file: Path) -> bool:
    return any(part in NOT_COPIED or part == "__pycache__" or part.startswith(".") for part in file.parts)


def _is_there(file: Path) -> bool:
    """Whether something has this name, be it a link that leads nowhere."""
    try:
        return file.is_symlink() or file.exists()
    except OSError:
        return False


def _named(text: str, folder: str) -> str:
    """A ``pyproject.toml`` with the folder's name as the project's, as far as it can be one (PEP 508)."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", folder).strip("-").lower()
    return re.sub(r'(?m)^name = ".*"$', f'name = "{name}"', text, count=1) if name and name != "ablate" else text


def _quoted(folder: Path) -> str:
    import shlex

    return shlex.quote(str(folder))
