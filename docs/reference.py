"""Writes the parts of pages that are taken from the code, so that they read the same here, on GitHub and in the site.

``python docs/reference.py`` (``make reference``) writes anew what stands between a line that is one of the following
and ``<!-- end -->``; a test fails where that would change a page.

- ``<!-- doc MODULE -->`` or ``<!-- doc MODULE:NAME -->``: what a docstring says, without its lists of arguments;
- ``<!-- fields MODULE:CLASS -->``: a table of a configuration class's fields;
- ``<!-- attributes MODULE:CLASS -->``: a list of a class's attributes;
- ``<!-- api MODULE -->``: every public class and function of a module;
- ``<!-- commands -->``: the help of every command;
- ``<!-- study_keys -->``: a table of what a study may say;
- ``<!-- metrics MODULE:TASK -->``: a table of a task's metrics;
- ``<!-- file PATH -->``: a file of the repository as a code block.

MkDocs takes figures of committed results from here, too.
"""

import ast
import importlib
import inspect
import re
import typing
from collections.abc import Sequence
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

ROOT = Path(__file__).parents[1]

FIGURES = {"figures/levels.png": "results/quickstart/figures/optimizer_lr-levels.png"}
"""By place in the site, the file in the repository."""

PART = re.compile(r"^<!-- (\w+)(?: (\S+))? -->\n.*?^<!-- end -->$", re.MULTILINE | re.DOTALL)
SECTIONS = re.compile(r"\n(?:Args|Returns|Raises|Yields):\n.*", re.DOTALL)


def main() -> None:
    """Write every page anew, and name those that have changed."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if (now := filled(text)) != text:
            page.write_text(now, encoding="utf-8")
            print(page.relative_to(ROOT))


def filled(page: str) -> str:
    """A page with the parts that are taken from the code as the code is now."""
    return PART.sub(_part, page)


def _part(match: re.Match[str]) -> str:
    begin = match[0].partition("\n")[0]
    return f"{begin}\n\n{PARTS[match[1]](match[2]).strip()}\n\n<!-- end -->"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by MkDocs with all files of the site."""
    for place, source in FIGURES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def doc(place: str) -> str:
    """What a docstring says."""
    return as_markdown(SECTIONS.sub("", _docstring(place)))


def fields(place: str) -> str:
    """A table of fields: name, type, default, meaning."""
    cls = _object(place)
    meanings = attribute_docstrings(cls)
    return f"{as_markdown(_docstring(place))}\n\n{_table_of(cls, meanings, list(cls.model_fields))}"


def attributes(place: str) -> str:
    """A list of a class's attributes with what their docstrings say."""
    return "\n".join(f"- `{name}`: {_in_line(text)}" for name, text in attribute_docstrings(_object(place)).items())


def study_keys(_: str | None) -> str:
    """A table of what a study may say."""
    from ablate.plan.study import Study
    from ablate.plan.study_file import STUDY_KEYS

    return _table_of(Study, attribute_docstrings(Study), STUDY_KEYS)


def _table_of(cls: type[BaseModel], meanings: dict[str, str], names: Sequence[str]) -> str:
    rows = ["| field | values | default | meaning |", "| --- | --- | --- | --- |"]
    for name in names:
        field = cls.model_fields[name]
        default = "required" if field.is_required() else _default(field)
        kind = _type(typing.get_type_hints(cls, include_extras=True)[name])
        rows.append(f"| `{name}` | {_cell(kind)} | {default} | {_cell(as_markdown(meanings.get(name, '')))} |")
    return "\n".join(rows) + "\n"


def api(module: str) -> str:
    """Public classes and functions of a module with their docstrings."""
    loaded = importlib.import_module(module)
    parts = [as_markdown(inspect.getdoc(loaded) or "")]
    for name, found in vars(loaded).items():
        if name.startswith("_") or getattr(found, "__module__", None) != module or not callable(found):
            continue
        parts.append(f"### `{module}.{name}`")
        parts.append(_described(found))
        if inspect.isclass(found) and not issubclass(found, BaseModel):
            meanings = attribute_docstrings(found)
            for member, value in vars(found).items():
                if member.startswith("_") or not (callable(value) or isinstance(value, property)):
                    continue
                function = value.fget if isinstance(value, property) else value
                signature = "" if isinstance(value, property) else str(_signature(function))
                parts.append(f"- **`{member}{signature}`** {_in_line(inspect.getdoc(function) or '')}")
            parts += [f"- **`{member}`** {_in_line(text)}" for member, text in meanings.items()]
    return "\n\n".join(parts) + "\n"


def commands(_: str | None) -> str:
    """Every command's help, as a terminal of 100 columns shows it."""
    from ablate.cli import main

    parts = []
    width = {"max_content_width": 100, "terminal_width": 100}
    context = click.Context(main, info_name="ablate", **main.context_settings, **width)
    for name, command in main.commands.items():
        inner = click.Context(command, parent=context, info_name=name, **command.context_settings, **width)
        parts.append(f"## `ablate {name}`\n\n```text\n{command.get_help(inner)}\n```")
    return "\n\n".join(parts) + "\n"


def file(path: str) -> str:
    """A file as a code block."""
    return f"```{Path(path).suffix.lstrip('.')}\n{(ROOT / path).read_text().strip()}\n```"


def metrics(place: str) -> str:
    """A table of a task's metrics."""
    rows = ["| metric | is | better | unit | from | to |", "| --- | --- | --- | --- | ---: | ---: |"]
    for name, metric in _object(place).metrics.items():
        better = "higher" if metric.goal == "max" else "lower"
        low, high = ("" if end is None else f"{end:g}" for end in (metric.low, metric.high))
        rows.append(f"| `{name}` | {metric.title} | {better} | {metric.unit} | {low} | {high} |")
    return "\n".join(rows) + "\n"


PARTS = {
    "doc": doc,
    "fields": fields,
    "attributes": attributes,
    "study_keys": study_keys,
    "metrics": metrics,
    "api": api,
    "commands": commands,
    "file": file,
}


def attribute_docstrings(cls: type) -> dict[str, str]:
    """The string under each attribute of a class and of its bases, by name."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("ablate"):
            continue
        tree = ast.parse(inspect.getsource(importlib.import_module(base.__module__)))
        node = next((n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == base.__name__), None)
        for before, after in zip(node.body, node.body[1:], strict=False) if node else ():
            if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr):
                text = getattr(after.value, "value", None)
                if isinstance(text, str):
                    found[ast.unparse(before.target)] = inspect.cleandoc(text)
    return found


def as_markdown(text: str) -> str:
    """A docstring's reStructuredText as Markdown."""
    text = re.sub(r":\w+:`~?([^`]+)`", lambda match: f"`{match[1].removeprefix('ablate.')}`", text)
    return text.replace("``", "`")


def _described(found: object) -> str:
    text = as_markdown(inspect.getdoc(found) or "")
    parts = SECTIONS.split(text, maxsplit=1)
    lists = text[len(parts[0]) :].strip("\n")
    signature = f"```python\n{getattr(found, '__name__', '')}{_signature(found)}\n```"
    return f"{signature}\n\n{parts[0]}" + (f"\n\n```text\n{lists}\n```" if lists else "")


def _signature(found: object) -> str:
    try:
        return str(inspect.signature(found))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "(...)"


def _in_line(text: str) -> str:
    return " ".join(as_markdown(SECTIONS.sub("", text)).split())


def _docstring(place: str) -> str:
    return inspect.getdoc(_object(place)) or ""


def _object(place: str) -> typing.Any:
    module, _, name = place.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found


def _type(kind: typing.Any) -> str:
    """A type for people: its values, or what it is and its limits."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        limits = [
            f"{sign} {getattr(limit, key)}"
            for note in arguments[1:]
            for limit in [note, *getattr(note, "metadata", ())]
            for key, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
            if getattr(limit, key, None) is not None
        ]
        return ", ".join([_type(arguments[0]), *limits])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is not None and type(None) in arguments:
        return " or ".join([_type(a) for a in arguments if a is not type(None)] + ["null"])
    if arguments:
        name = getattr(origin, "__name__", "")
        inner = ", ".join("..." if argument is ... else _type(argument) for argument in arguments)
        return inner.replace(", ", " or ") if name in ("Union", "UnionType") else f"{name} of {inner}"
    return getattr(kind, "__name__", str(kind))


def _default(field: FieldInfo) -> str:
    if field.default_factory_takes_validated_data:
        return "the task's"
    return _value(field.get_default(call_default_factory=True))


def _value(value: object) -> str:
    if isinstance(value, BaseModel):
        return f"`{getattr(value, 'name', type(value).__name__)}`"
    shown = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else str(value)
    return f"`{shown}`" if shown else "empty"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
