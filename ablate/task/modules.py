"""Which modules of a project a module imports, found without executing anything."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

_SUFFIXES = (".py", *EXTENSION_SUFFIXES)


def find_module(name: str, roots: Sequence[Path]) -> Path | None:
    """The file of a module below one of some folders.

    Args:
        name: Dotted.
        roots: As on ``sys.path``, the first wins.

    Returns:
        ``a/b.py``, ``a/b/__init__.py``, a compiled module, or the folder of a package without ``__init__.py``; None:
        it is not of this project.
    """
    namespace = None
    for root in roots:
        base = root.joinpath(*name.split("."))
        for candidate in (base / "__init__.py", *(base.with_name(base.name + suffix) for suffix in _SUFFIXES)):
            if candidate.is_file():
                return candidate
        if namespace is None and base.is_dir():
            namespace = base
    return namespace


def named_modules(values: Any, roots: Sequence[Path]) -> set[str]:
    """Modules of a project that a setting names, in texts such as ``package.module.Class``.

    Args:
        values: Plain data.
        roots: As for :func:`find_module`.
    """
    if isinstance(values, Mapping):
        return {name for value in values.values() for name in named_modules(value, roots)}
    if isinstance(values, list | tuple):
        return {name for value in values for name in named_modules(value, roots)}
    if not isinstance(values, str) or not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", values):
        return set()
    name = values
    while name:
        file = find_module(name, roots)
        if file is not None and file.is_file():
            return {name}
        name = name.rpartition(".")[0]
    return set()


def files_of(modules: Sequence[str], roots: Sequence[Path], scripts: Sequence[Path] = ()) -> dict[str, Path]:
    """Files of some modules and of all that they import from the same project, however far down.

    Imports anywhere in a file count, those in functions too, but not those for type checking alone. A module that is
    imported by a computed name is not seen.

    Args:
        modules: Dotted names.
        roots: Folders of the project's modules.
        scripts: Files that are executed by their path; their own folder is a root as well, before the others.

    Returns:
        By name of the module (of a script: its file's name), the file; sorted.
    """
    roots = [*dict.fromkeys(script.parent for script in scripts), *roots]
    found: dict[str, Path] = {script.name: script for script in scripts}
    waiting = list(modules)
    for script in scripts:
        waiting += _imported("__main__", script, roots)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        file = find_module(name, roots)
        if file is None:
            continue
        if parent := name.rpartition(".")[0]:
            waiting.append(parent)
        if file.is_file():
            found[name] = file
            if file.suffix == ".py":
                waiting += _imported(name, file, roots)
    return dict(sorted(found.items()))


def _imported(module: str, file: Path, roots: Sequence[Path]) -> Iterator[str]:
    """Names that may be modules of the project."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in _walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - (node.level - 1)] if package else []
                base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield base
            for alias in node.names:
                if alias.name == "*":
                    yield from (f"{base}.{name}" for name in _exported(base, roots))
                else:
                    yield f"{base}.{alias.name}" if base else alias.name
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if called in ("import_module", "__import__") and isinstance(first, ast.Constant):
                name = str(first.value)
                yield f"{package}{name}" if name.startswith(".") and package else name


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those below ``if TYPE_CHECKING:``."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _walk(other)
        else:
            yield from _walk(child)


def _exported(package: str, roots: Sequence[Path]) -> Iterator[str]:
    """Names in a package's ``__all__``, which ``import *`` imports where they are modules."""
    file = find_module(package, roots)
    if file is None or file.name != "__init__.py":
        return
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(getattr(target, "id", "") == "__all__" for target in targets):
                yield from (
                    part.value
                    for part in ast.walk(node.value)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )
