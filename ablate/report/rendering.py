"""Pages from the templates of this package; loading it loads nothing that computes."""

from functools import cache
from typing import TYPE_CHECKING, Any

from ablate.task.printable import printable

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """Fill a template of this package; everything is escaped but what is marked as markup."""
    from markupsafe import Markup

    from ablate import __version__

    style = Markup(template_text("style.css"))
    return _environment().get_template(template).render(style=style, version=__version__, **values)


@cache
def _environment() -> "Environment":
    """One for all pages, as each compiles its templates anew."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("ablate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown_text,
    )


def _shown_text(value: Any) -> Any:
    """Text of others without characters that an HTML file cannot hold; markup of our own as it is."""
    from markupsafe import Markup

    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def template_text(name: str) -> str:
    """A file of the templates as it is."""
    from importlib.resources import files

    return (files("ablate.report") / "templates" / name).read_text(encoding="utf-8")
