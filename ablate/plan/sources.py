"""Where configuration and study files lie: the user's own ``./conf`` and ``./sweeps`` first, then the packaged ones."""

from pathlib import Path

from ablate.config import ConfigError


def packaged() -> Path:
    """The folder that holds the project's own ``conf`` and ``sweeps``: in a wheel the package, else the checkout."""
    package = Path(__file__).resolve().parent.parent
    return package if (package / "conf").is_dir() else package.parent


def search_path() -> list[str]:
    """Hydra search path entries, first wins; ``sweeps`` is a configuration group below the second of each pair."""
    own = Path.cwd()
    folders = [own / "conf"] if (own / "conf").is_dir() else []
    folders += [own] if (own / "sweeps").is_dir() else []
    return [f"file://{folder}" for folder in [*folders, packaged() / "conf", packaged()]]


def sweep_folders() -> list[Path]:
    """Folders with study files, first wins."""
    return [folder for folder in dict.fromkeys([Path.cwd() / "sweeps", packaged() / "sweeps"]) if folder.is_dir()]


def study_names() -> list[str]:
    """Every study that can be named, sorted."""
    return sorted(
        {
            file.relative_to(folder).with_suffix("").as_posix()
            for folder in sweep_folders()
            for file in folder.rglob("*.yaml")
        }
    )


def sweep_file(name: str) -> Path:
    """A file below a folder of study files, such as a published table.

    Raises:
        ConfigError: There is none.
    """
    for folder in sweep_folders():
        file = (folder / name).resolve()
        if file.is_file() and file.is_relative_to(folder.resolve()):
            return file
    raise ConfigError(f"{name}: there is no such file below {' or '.join(str(f) for f in sweep_folders())}")


def check_study_name(name: str) -> None:
    """Refuse a name that is no study.

    Raises:
        ConfigError: Lists the studies that exist.
    """
    names = study_names()
    if name not in names:
        raise ConfigError(f"study {name!r}: there is none of that name; studies are {', '.join(names) or '(none)'}")
