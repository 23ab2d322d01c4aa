"""A task's configuration, composed once for each choice of its groups' options."""

import copy
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.plan.command_line import plain
from ablate.plan.sources import own_conf
from ablate.plan.suggestions import did_you_mean
from ablate.task.code_digest import NO_CODE, code_digest
from ablate.task.errors import ConfigError
from ablate.task.identity import flatten
from ablate.task.kept_results import keep, key_of, read_kept, user_cache
from ablate.task.task import Configuration

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

STAGES, PACKAGES = ("task", "plan"), ("hydra-core", "omegaconf")
"""What composes."""
YAML = (".yaml", ".yml")
"""Endings of what Hydra composes."""
ELSEWHERE = (b"searchpath", b"oc.")
"""What files have in them that lead to what lies beside them: other folders, environment variables."""
FINDS_FILES, OWN_PLUGINS = b"SearchPathPlugin", "ablate_study"
"""What code has in it by which Hydra finds further files, and the folder of ours."""


class Composer:
    """Composes one task's configuration; every composition is kept, as to load Hydra and compose takes half a second.

    Between commands, compositions lie in the user's cache with a digest of the files and the code that they are of.
    """

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._composed: dict[tuple[str, ...], dict[str, Any]] = {}
        self._chosen: dict[tuple[str, ...], dict[str, str]] = {}

    def options(self, group: str) -> tuple[str, ...]:
        """The options of a configuration group; none: it is no group."""
        return tuple(self._options.get(group, ()))

    def compose(self, choices: Sequence[str] = ()) -> dict[str, Any]:
        """The configuration as plain nested data, links kept as text.

        Args:
            choices: Hydra's overrides that choose options.

        Returns:
            A copy.

        Raises:
            ConfigError: An option does not exist, or the files are faulty.
        """
        return copy.deepcopy(self._kept(tuple(choices)))

    def chosen(self, choices: Sequence[str] = ()) -> dict[str, str]:
        """The option that each configuration group has with these choices.

        Raises:
            ConfigError: As for :meth:`compose`.
        """
        self._kept(tuple(choices))
        return dict(self._chosen.get(tuple(choices), {}))

    @cached_property
    def roots(self) -> frozenset[str]:
        """The keys at the top of the configuration as it is without any choice."""
        return frozenset(self._kept(()))

    def owns(self, key: str) -> bool:
        """Whether a word of the command line about this key is about the configuration."""
        return key in self.roots or bool(self.options(key))

    def _kept(self, choices: tuple[str, ...]) -> dict[str, Any]:
        if choices not in self._composed:
            if self._configuration.folder is None:
                self._composed[choices] = self._of_defaults(choices)
            else:
                self._composed[choices], self._chosen[choices] = self._between_commands(
                    ["composed", *choices], partial(self._of_folder, choices)
                )
        return self._composed[choices]

    @cached_property
    def _options(self) -> Mapping[str, Sequence[str]]:
        """The options of every configuration group."""
        if self._configuration.folder is None:
            return {}
        found: Mapping[str, Sequence[str]] = self._between_commands(["options"], self._options_of_folder)
        return found

    def _of_defaults(self, choices: tuple[str, ...]) -> dict[str, Any]:
        from omegaconf import OmegaConf

        if choices:
            raise ConfigError(f"{choices[0]}: there are no groups in this configuration")
        return to_plain(OmegaConf.create(dict(self._configuration.defaults)))

    def _of_folder(self, choices: tuple[str, ...]) -> list[dict[str, Any]]:
        """The values, and the option that each group has."""
        from hydra import compose
        from omegaconf import open_dict

        with hydra_errors(), self._hydra():
            overrides = [*self._configuration.overrides, *choices]
            composed = compose(self._configuration.name, overrides=overrides, return_hydra_config=True)
            chosen = {str(group): str(option) for group, option in composed.hydra.runtime.choices.items()}
            with open_dict(composed):
                del composed["hydra"]
        return [to_plain(composed), chosen]

    def _options_of_folder(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}

        def add(parent: str) -> None:
            for name in loader.list_groups(parent):
                group = f"{parent}/{name}" if parent else name
                if _is_path(group):
                    for folder in self._folders:
                        _refuse_loop(folder / group)
                    found[group] = list(loader.get_group_options(group))
                    add(group)

        with self._hydra() as loader:
            add("")
        return found

    def _between_commands(self, what: Sequence[str], make: Callable[[], Any]) -> Any:
        """What was made of the same files before, else what is made of them now."""
        configuration = self._configuration
        if self._content is None:
            return make()
        try:
            name = key_of([str(configuration.folder), configuration.name, *what])
            file = user_cache() / "compositions" / f"{name}.json"
        except RuntimeError:  # there is no home folder
            return make()
        found = read_kept(file, self._content)
        if found is None:
            found = make()
            with suppress(TypeError, ValueError):
                if repr(json.loads(json.dumps(found))) == repr(found):  # JSON has no dates, and no keys but texts
                    keep(file, self._content, found)
        return found

    @cached_property
    def _folders(self) -> list[Path]:
        """The folder, and the project's own, whose files come before; see hydra_plugins/ablate_study/search_path.py."""
        assert self._configuration.folder is not None
        return [self._configuration.folder, *([own] if (own := own_conf()) is not None else [])]

    @cached_property
    def _content(self) -> str | None:
        """A digest of all that is composed, and of what composes; None: other files may be part of it."""
        configuration, plugins = self._configuration, find_spec("hydra_plugins")
        try:
            files = [_files(folder, YAML) for folder in self._folders]
            code = [_files(Path(place)) for place in (plugins and plugins.submodule_search_locations) or ()]
        except OSError:  # Hydra says what is wrong with it
            return None
        stated = {"": repr((configuration.overrides, configuration.options)).encode()}
        if any(word in text for of in (*files, stated) for text in of.values() for word in ELSEWHERE):
            return None
        if any(FINDS_FILES in text and f"/{OWN_PLUGINS}/" not in place for of in code for place, text in of.items()):
            return None
        return key_of([*map(_digests, files), *map(_digests, code), _digests(stated), code_digest(STAGES, PACKAGES)])

    @contextmanager
    def _hydra(self) -> "Iterator[ConfigLoader]":
        """Hydra's state for this configuration, with its further options; that of before is put back."""
        from hydra import initialize_config_dir
        from hydra.core.config_store import ConfigStore
        from hydra.core.global_hydra import GlobalHydra
        from hydra.core.plugins import Plugins

        Plugins.instance()  # its first call adds Hydra's own options to the store
        state, store = GlobalHydra.instance(), ConfigStore.instance()
        before, state.hydra = state.hydra, None
        stored, store.repo = store.repo, copy.deepcopy(store.repo)
        for group, options in self._configuration.options.items():
            for option, values in options.items():
                store.store(option, dict(values), group)
        try:
            with initialize_config_dir(config_dir=str(self._configuration.folder), version_base="1.3"):
                yield GlobalHydra.instance().config_loader()
        finally:
            GlobalHydra.instance().hydra, store.repo = before, stored


def _files(folder: Path, endings: Collection[str] | None = None) -> dict[str, bytes]:
    """The files below a folder.

    Args:
        folder: The folder.
        endings: Those of these endings alone; None: all but what Python compiles.

    Raises:
        OSError: One cannot be read, or is in a folder that a link leads to.
    """
    found = {}
    for place in sorted(folder.rglob("*")):
        if place.is_symlink() and place.is_dir():
            raise OSError(f"{place}: leads elsewhere")
        wanted = place.suffix not in NO_CODE if endings is None else place.suffix in endings
        if wanted and place.is_file():
            found[place.as_posix()] = place.read_bytes()
    return found


def _refuse_loop(place: Path) -> None:
    """Refuse a group that is a link to a folder which it is in: there would be no end of groups.

    Raises:
        ConfigError: It is one.
    """
    if place.is_symlink() and place.parent.resolve().is_relative_to(place.resolve()):
        raise ConfigError(f"{place}: is a link to a folder that it is in")


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {place: hashlib.sha256(content).hexdigest() for place, content in files.items()}


def to_plain(config: "DictConfig") -> dict[str, Any]:
    """Plain nested data, links kept as text."""
    from omegaconf import OmegaConf

    values = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    if not isinstance(values, dict):
        raise ConfigError("the composed configuration is no mapping")
    return {str(key): value for key, value in values.items()}


def changed(values: Mapping[str, Any], overrides: "Sequence[Override]") -> dict[str, Any]:
    """Nested values with a command line's changes, by Hydra's rules: ``+`` adds, ``++`` does either, ``~`` leaves out.

    Raises:
        ConfigError: Lists every override that fits nothing.
    """
    if not overrides:
        return dict(values)
    from omegaconf import OmegaConf

    config = OmegaConf.create(dict(values))
    OmegaConf.set_struct(config, True)
    problems = []
    for override in overrides:
        try:
            with hydra_errors():
                _change(config, override)
        except ConfigError as error:
            problems += [f"{override.input_line}: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(problems)
    return to_plain(config)


def _change(config: "DictConfig", override: "Override") -> None:
    from omegaconf import OmegaConf, open_dict

    key = override.key_or_group
    exists = _exists(config, key)
    if override.package is not None:
        raise ConfigError(f"there is no configuration group {key}")
    if override.is_delete():
        if not exists:
            raise ConfigError(unknown(key, to_plain(config)))
        parent, _, last = key.rpartition(".")
        node = OmegaConf.select(config, parent) if parent else config
        with open_dict(node):
            del node[last]
        return
    value = plain(override.value())
    is_added = override.is_add() or override.is_force_add()
    if not exists and not is_added:
        raise ConfigError(unknown(key, to_plain(config)))
    if override.is_add() and exists and not isinstance(value, Mapping | list):
        raise ConfigError(f"there is a {key} already; without the + it is changed")
    OmegaConf.update(config, key, value, merge=True, force_add=is_added)


def unknown(key: str, values: Mapping[str, Any]) -> str:
    """Say that there is no such field, and what may have been meant."""
    hint = did_you_mean(key, flatten(values))
    return f"{key}: there is no such field{hint}" + ("" if hint else "; one that the files leave out is added with a +")


def _exists(config: "DictConfig", key: str) -> bool:
    from omegaconf import DictConfig, OmegaConf

    node: Any = config
    for part in key.replace("[", ".").replace("]", "").split("."):
        if OmegaConf.is_interpolation(node) or not OmegaConf.is_config(node):
            return False
        if isinstance(node, DictConfig):
            if OmegaConf.is_missing(node, part):
                return True
            if part not in node.keys():
                return False
            node = node._get_node(part)
        else:
            if not part.isdigit() or int(part) >= len(node):
                return False
            node = node._get_node(int(part))
    return True


def _is_path(group: str) -> bool:
    return all(part.replace("_", "").replace("-", "").isalnum() for part in group.split("/"))


@contextmanager
def hydra_errors() -> Iterator[None]:
    """Hydra's and OmegaConf's errors as one line for the user."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        keep = [line for line in lines if not line.startswith(("full_key:", "object_type=", "reference_type="))]
        raise ConfigError(" ".join(keep[:8])) from None
