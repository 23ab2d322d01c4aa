"""The composing process: ``python -m ablate.hydra_app.composing_process``, in which somebody's application is composed.

The application's script is executed as it always is, up to the call of the function that ``@hydra.main`` decorates. By
then it has registered its structured configurations and resolvers, and the decorator has said where its configuration
is. Instead of calling the function, requests are answered, a line of JSON each, until there are no more.

Standard input holds one line with :class:`Start`, then requests; answers go to the descriptor that it names, as what
the application prints goes to standard output.
"""

import functools
import importlib
import json
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import hydra
from hydra import compose, initialize_config_dir, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

_UNSPECIFIED: Any = object()

CHOSEN = ("runtime.choices", "job.name", "job.config_name", "runtime.version")
"""What of Hydra's own node is a part of the setting; the rest (folders, numbers, times) is left as it is written."""


def main() -> None:
    """See the module."""
    start = json.loads(sys.stdin.readline())
    answers = os.fdopen(start["answers"], "w", buffering=1, encoding="utf-8")
    serving = _Serving(start, answers.write)
    hydra.main = serving.decorator
    vars(sys.modules["hydra.main"])["main"] = serving.decorator  # hydra.main is the function, no longer the module
    # Groups are often missing in a first composition; the function is never called, so Hydra need not parse these.
    sys.argv = [start["script"] or start["module"] or "app"]
    try:
        if start["script"]:
            sys.path.insert(0, str(Path(start["script"]).parent))
            runpy.run_path(start["script"], run_name="__main__")
        elif start["function"]:
            getattr(importlib.import_module(start["module"]), start["function"])()
        else:
            runpy.run_module(start["module"], run_name="__main__", alter_sys=True)
    except _Done:
        return
    except SystemExit as error:
        serving.say({"error": f"ended by itself ({error.code}) before it called the function of @hydra.main"})
    except BaseException as error:
        serving.say({"error": _in_words(error), "traceback": traceback.format_exc()})
    else:
        serving.say({"error": "ended without a call of a function with @hydra.main"})


class _Done(BaseException):
    """There are no more requests."""


class _Serving:
    """Stands in for ``hydra.main``."""

    def __init__(self, start: Mapping[str, Any], write: Callable[[str], object]) -> None:
        self._start, self._write = start, write
        self._name = Path(start["script"]).stem if start["script"] else str(start["module"]).rpartition(".")[2]
        self._folder: str | None = None

    def say(self, answer: Mapping[str, Any]) -> None:
        self._write(json.dumps(answer) + "\n")

    def decorator(
        self, config_path: Any = _UNSPECIFIED, config_name: str | None = None, version_base: Any = _UNSPECIFIED
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Stand in for ``hydra.main``."""

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            def decorated(cfg_passthrough: DictConfig | None = None) -> Any:
                if cfg_passthrough is not None:
                    return function(cfg_passthrough)
                self._serve(function, config_path, config_name, version_base)

            return decorated

        return decorate

    def _serve(
        self, function: Callable[..., Any], config_path: Any, config_name: str | None, version_base: Any
    ) -> None:
        base = {} if version_base is _UNSPECIFIED else {"version_base": version_base}
        name = self._start["config_name"] or config_name
        old = version_base is _UNSPECIFIED or (version_base is not None and str(version_base) in ("1.0", "1.1"))
        if config_path is _UNSPECIFIED:
            config_path = "." if old else None
        folder = self._folder = self._start["config_path"] or _folder(function, config_path)
        with _initialised(folder, {"job_name": self._name, **base}):
            loader = GlobalHydra.instance().config_loader()
            groups = list(_groups(loader))
            where = {
                "folder": folder,
                "config_name": name,
                "function": getattr(function, "__qualname__", str(function)),
            }
            self.say({"ready": True, "groups": groups, **where})
            for line in sys.stdin:
                self.say(self._answer(json.loads(line), name))
        raise _Done

    def _answer(self, request: Mapping[str, Any], name: str | None) -> dict[str, Any]:
        try:
            config = compose(name, overrides=request["overrides"], return_hydra_config=True)
            if "select" in request:
                return {"selected": str(_selected(config, request["select"]))}
            return _composed(config, request["project"])
        except (HydraException, OmegaConfBaseException) as error:
            return {"error": _in_words(error)}
        except UnicodeDecodeError as error:
            return {"error": f"{_not_text(self._folder)}: is no text in UTF-8: {error.reason}"}
        except Exception as error:  # a resolver of the application's own
            return {"error": f"{self._name}: {_in_words(error)}", "traceback": traceback.format_exc()}


def _composed(config: DictConfig, project: str) -> dict[str, Any]:
    """Choices and resolved values of a composed configuration."""
    HydraConfig.instance().set_config(config)
    OmegaConf.register_new_resolver("hydra", functools.partial(_of_hydra, config.hydra.copy()), replace=True)
    OmegaConf.register_new_resolver("now", lambda pattern: f"(now {pattern})", replace=True)
    choices = {str(group): option for group, option in config.hydra.runtime.choices.items()}
    OmegaConf.set_readonly(config, False)
    with open_dict(config):
        del config["hydra"]
    resolved = OmegaConf.to_container(config, resolve=True, throw_on_missing=True, enum_to_str=True)
    return {"values": _plain(resolved, project, ""), "choices": choices}


def _selected(config: DictConfig, path: str) -> Any:
    """A value as the application itself would have it in a multirun."""
    HydraConfig.instance().set_config(config)
    OmegaConf.register_new_resolver("hydra", lambda key: OmegaConf.select(config.hydra, key), replace=True)
    return OmegaConf.select(config, path, throw_on_missing=True)


def _of_hydra(node: DictConfig, key: str) -> Any:
    """``${hydra:KEY}``: what is a part of the setting as it is, what differs from run to run by its name."""
    if any(key == chosen or key.startswith(f"{chosen}.") for chosen in CHOSEN):
        with suppress(OmegaConfBaseException):
            return OmegaConf.select(node, key)
    return f"(hydra {key})"


def _plain(value: Any, project: str, place: str) -> Any:
    """JSON data, with paths below the project's folder relative to it."""
    if isinstance(value, dict):
        return {
            str(key): _plain(child, project, f"{place}.{key}" if place else str(key)) for key, child in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(child, project, f"{place}.{index}") for index, child in enumerate(value)]
    if isinstance(value, Path):
        value = str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value) if not isinstance(value, bytes) else value.hex()
    if text == project:
        return "."
    return f".{text.removeprefix(project)}" if text.startswith(f"{project}{os.sep}") else text


def _folder(function: Callable[..., Any], config_path: str | None) -> str | None:
    """The folder of the configuration, or ``pkg://...``; None: there is none."""
    if config_path is None or config_path.startswith("pkg://") or os.path.isabs(config_path):
        return config_path
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    file = Path(str(function.__globals__["__file__"]))
    return str((file.resolve().parent / config_path).resolve())


def _not_text(folder: str | None) -> str:
    """The first file of a configuration that cannot be decoded."""
    for file in sorted(Path(folder).rglob("*.yaml")) if folder is not None else ():
        try:
            file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return str(file)
    return "a file of the configuration"


def _initialised(folder: str | None, base: Mapping[str, Any]) -> Any:
    """Hydra with the application's search path."""
    if folder is not None and folder.startswith("pkg://"):
        return initialize_config_module(folder.removeprefix("pkg://").replace("/", "."), **base)
    if folder is None:
        return hydra.initialize(config_path=None, **base)
    return initialize_config_dir(folder, **base)


def _groups(loader: Any, parent: str = "") -> Any:
    """Every configuration group with its options, but for Hydra's own."""
    from hydra.core.object_type import ObjectType

    for name in loader.list_groups(parent):
        group = f"{parent}/{name}" if parent else name
        if group == "hydra":
            continue
        yield [group, loader.get_group_options(group, results_filter=ObjectType.CONFIG)]
        yield from _groups(loader, group)


def _in_words(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    keep = [line for line in lines if not line.startswith(("full_key:", "object_type=", "reference_type="))]
    keys = [line.removeprefix("full_key:").strip() for line in lines if line.startswith("full_key:")]
    text = " ".join(keep[:8])
    text = f"{keys[0]}: {text}" if keys and keys[0] not in text else text
    return text if isinstance(error, HydraException | OmegaConfBaseException) else f"{type(error).__name__}: {text}"


if __name__ == "__main__":
    main()
