"""Results to tables, figures and a page to read: the only writer of ``results/``.

Importing this package is cheap: pandas, matplotlib and Jinja2 are loaded by the first call that needs them.
"""

from ablate.report.index import write_index
from ablate.report.view import FactorView, LevelView, StudyView
from ablate.report.write import write_report

__all__ = ["FactorView", "LevelView", "StudyView", "write_index", "write_report"]
