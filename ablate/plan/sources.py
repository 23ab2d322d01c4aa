"""Where configuration and study files lie: the user's own ``./conf`` and ``./sweeps`` first, then the packaged ones."""

from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ablate.task.errors import ConfigError
from ablate.task.packaged import packaged


def own_conf() -> Path | None:
    """The user's own ``./conf``, whose options come before the packaged ones."""
    folder = Path.cwd() / "conf"
    return folder if folder.is_dir() and folder != packaged() / "conf" else None


def offer_studies() -> None:
    """Make every study file an option of the configuration group ``sweeps``, merged into the whole configuration.

    The files are put into Hydra's store of configurations and not onto its search path, where every other folder beside
    ``./sweeps`` would become a configuration group as well. One that is no YAML is left out; naming it says why.
    """
    offered = ConfigStore.instance()
    offered.repo.pop("sweeps", None)
    for name in study_names():
        *groups, last = name.split("/")
        try:
            node = read_study_file(name)
        except ConfigError:
            continue
        offered.store(last, node, group="/".join(["sweeps", *groups]), package="_global_", provider="ablate")


def read_study_file(name: str) -> DictConfig:
    """A study file as it stands.

    Raises:
        ConfigError: There is none of that name, or it is no YAML mapping.
    """
    file = sweep_file(f"{name}.yaml")
    try:
        node = OmegaConf.load(file)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(node, DictConfig):
        raise ConfigError(f"{file}: must be a mapping with a study: node")
    return node


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
    """Refuse a name that is no study, or the name of a file that cannot be read.

    Raises:
        ConfigError: Lists the studies that exist, or says what is wrong with the file.
    """
    names = study_names()
    if name not in names:
        raise ConfigError(f"study {name!r}: there is none of that name; studies are {', '.join(names) or '(none)'}")
    read_study_file(name)
