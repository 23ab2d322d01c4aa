"""Where configuration and study files lie: the user's own ``./conf`` and ``./sweeps`` first, then the packaged ones."""

import re
from collections.abc import Iterator
from pathlib import Path

from ablate.plan.suggestions import did_you_mean
from ablate.task.errors import ConfigError
from ablate.task.packaged import packaged

MAX_TABLE_BYTES = 1024 * 1024
RESERVED = ("ablate.db", "correctness", "diagnoses", "index.html", "slurm", "weights")
"""Names that other things have in a folder of results."""
MAX_NAME_BYTES = 200
"""Most bytes of a study's name; what is put behind it fits into a file's name, too."""

_PART = re.compile(r"[\w+][\w+\- .]*", re.UNICODE)
_OWN_GROUPS = ("model", "data", "optimizer", "schedule", "train")


def own_conf() -> Path | None:
    """The user's own ``./conf``, whose options come before the packaged ones; None: there is none, or not for us.

    A ``config.yaml`` in it that does not name our groups is some other application's, and so is then all of the folder.
    """
    folder = Path.cwd() / "conf"
    if not folder.is_dir() or folder == packaged() / "conf":
        return None
    primary = folder / "config.yaml"
    return folder if not primary.exists() or _names_our_groups(primary) else None


def _names_our_groups(primary: Path) -> bool:
    from omegaconf import DictConfig, ListConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        config = OmegaConf.load(primary)
    except (YAMLError, OmegaConfBaseException, OSError, UnicodeDecodeError):
        return False
    defaults = config.get("defaults") if isinstance(config, DictConfig) else None
    entries = OmegaConf.to_container(defaults) if isinstance(defaults, ListConfig) else []
    named = {str(key) for entry in entries or () if isinstance(entry, dict) for key in entry}
    return named >= set(_OWN_GROUPS)


def sweep_folders() -> list[Path]:
    """Folders with study files, first wins."""
    return [folder for folder in dict.fromkeys([Path.cwd() / "sweeps", packaged() / "sweeps"]) if folder.is_dir()]


def study_names() -> list[str]:
    """Every study that can be named, sorted; by the files' names and kinds alone, none of which is read."""
    return sorted({name for folder in sweep_folders() for name in _names_below(folder)})


def _names_below(folder: Path) -> Iterator[str]:
    for file in folder.rglob("*.yaml"):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if is_study_name(name) and _below(folder, f"{name}.yaml") is not None:
            yield name


def is_study_name(name: str) -> bool:
    """Whether a study file may be called so: it also names a folder of results and stands in addresses and figures.

    Letters, digits and ``_ + - .`` and blanks (no part begins with a dot, a dash or a blank, or ends with a blank),
    ``/`` for folders. What else lies in a folder of results is no name.
    """
    if name.partition("/")[0] in RESERVED:
        return False
    return len(name.encode(errors="replace")) <= MAX_NAME_BYTES and all(
        _PART.fullmatch(part) and not part.endswith((" ", ".")) for part in name.split("/")
    )


def study_path(name: str) -> Path:
    """The file of a study.

    Raises:
        ConfigError: There is none; says which there are.
    """
    if is_study_name(name):
        for folder in sweep_folders():
            file = _below(folder, f"{name}.yaml")
            if file is not None:
                return file
    names = study_names()
    plain = name.removeprefix("./").removeprefix("sweeps/").removesuffix(".yaml")
    if any(
        (folder / f"{name}.yaml").is_file() for folder in sweep_folders() if not is_study_name(name) and _fits(name)
    ):
        raise ConfigError(
            f"study {name!r}: a study file's name has letters, digits, '_', '-', '+', '.' and blanks in it and begins "
            f"with none of '-', '.' and blank; it is at most {MAX_NAME_BYTES} bytes long, and none of "
            f"{', '.join(RESERVED)}; rename the file"
        )
    hint = f"; did you mean {plain}?" if plain != name and plain in names else did_you_mean(plain, names)
    raise ConfigError(
        f"study {name!r}: there is none of that name{hint or ''}; studies are {', '.join(names) or '(none)'}"
    )


def sweep_file(name: str) -> Path:
    """A file below a folder of study files, such as a published table.

    Raises:
        ConfigError: There is none, or it is larger than :data:`MAX_TABLE_BYTES`.
    """
    for folder in sweep_folders():
        file = _below(folder, name)
        if file is not None:
            if file.stat().st_size > MAX_TABLE_BYTES:
                raise ConfigError(f"{file}: is too large for a table: more than {MAX_TABLE_BYTES // 1024} KiB")
            return file
    raise ConfigError(f"{name}: there is no such file below {' or '.join(str(f) for f in sweep_folders())}")


def _below(folder: Path, name: str) -> Path | None:
    """A regular file that really lies in a folder, whatever links lead to it."""
    if not _fits(name):
        return None
    try:
        file = (folder / name).resolve()
        return file if file.is_file() and file.is_relative_to(folder.resolve()) else None
    except (OSError, RuntimeError):
        # Links that go in a circle, folders that may not be looked into.
        return None


def _fits(name: str) -> bool:
    """Whether the system takes it for a path at all."""
    return (
        "\0" not in name
        and all(len(part.encode(errors="replace")) < 255 for part in name.split("/"))
        and len(name) < 2000
    )
