"""Results to tables, figures and a page to read: the only writer of ``results/``.

``write_report`` writes everything of a study, ``write_index`` the page over all studies, ``print_report`` the verdicts
and tables in a terminal, ``compare_runs`` holds two sets of runs against each other. The figures of ``figures``,
``curves`` and ``forest`` also draw on an ``Axes`` of one's own. Importing this package is cheap: pandas, matplotlib and
Jinja2 are loaded by the first call that needs them.
"""

from typing import TYPE_CHECKING, Any

from ablate.report.index import write_index
from ablate.report.view import FactorView, LevelView, StudyView
from ablate.report.write import write_report

if TYPE_CHECKING:
    from ablate.report.compare import compare_runs
    from ablate.report.compare_text import comparison_json, comparison_markdown, print_comparison
    from ablate.report.summary import analyse_study, summarise
    from ablate.report.terminal import print_report

__all__ = [
    "FactorView",
    "LevelView",
    "StudyView",
    "analyse_study",
    "compare_runs",
    "comparison_json",
    "comparison_markdown",
    "print_comparison",
    "print_report",
    "summarise",
    "write_index",
    "write_report",
]

_HEAVY = {
    "analyse_study": "summary",
    "compare_runs": "compare",
    "comparison_json": "compare_text",
    "comparison_markdown": "compare_text",
    "print_comparison": "compare_text",
    "print_report": "terminal",
    "summarise": "summary",
}
"""Functions whose modules load pandas, and those modules."""


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HEAVY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HEAVY[name]}"), name)
