"""What the documentation says of notebooks is so, and its pictures are what its code draws from committed records."""

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import ablate

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "notebook.md").read_text()


@pytest.fixture(scope="module")
def drawing():
    spec = importlib.util.spec_from_file_location("draw_figures", ROOT / "docs" / "draw_figures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pooling(monkeypatch):
    monkeypatch.chdir(ROOT)
    return ablate.load("pooling")


@pytest.fixture(autouse=True)
def closed():
    from matplotlib import pyplot

    with pyplot.rc_context({"backend": "agg"}):
        yield
    pyplot.close("all")


def test_every_block_of_the_page_runs_and_draws_what_it_shows(drawing, monkeypatch):
    monkeypatch.chdir(ROOT)
    drawn = dict(drawing.of_the_notebook_page())
    shown = re.findall(r"\(figures/([\w-]+)\.png\)", PAGE)
    assert list(drawn) == shown
    assert len(shown) == 6
    for name, figure in drawn.items():
        assert (ROOT / "docs" / "figures" / f"{name}.png").is_file()
        (ax,) = figure.axes
        assert ax.lines or ax.collections, name
    assert len(PAGE.split("```python")) - 1 == len(drawing.BLOCK.findall(PAGE)) == 11
    levels = [text.get_text() for text in drawn["notebook-forest"].axes[0].get_yticklabels()]
    assert "1.3" in levels


def test_the_pictures_of_other_pages_are_drawn_by_commands_of_the_documentation():
    text = "".join(file.read_text() for file in (ROOT / "docs").glob("*.md"))
    shown = {name for name in re.findall(r"\(figures/([\w-]+)\.png\)", text)} - {"levels"}  # a report's
    assert shown == {file.stem for file in (ROOT / "docs" / "figures").glob("*.png")}
    source = "".join((ROOT / "docs" / f"draw_{what}.py").read_text() for what in ("figures", "structure"))
    assert all(f'"{name}"' in source or f'"{name}.png"' in source for name in shown if not name.startswith("notebook-"))


def test_a_level_is_asked_for_by_value_and_is_the_mean_of_its_seeds(pooling):
    assert pooling.summary("test_acc", "max") == pooling.analysis.summary("test_acc", "max", "model.pooling")
    own = pooling.runs[pooling.runs["level"] == "max"]["test_acc"]
    assert pooling.summary("test_acc", "max").mean == pytest.approx(own.mean())
    with pytest.raises(KeyError, match=r"no level 'median'; levels are avg, max"):
        pooling.summary("test_acc", "median")


def test_curves_name_level_and_seed_and_end_where_the_runs_do(pooling):
    last = pooling.curves.sort_values("step").groupby(["level", "seed"])["test_acc"].last()
    expected = pooling.runs.set_index(["level", "seed"])["test_acc"].sort_index()
    np.testing.assert_array_equal(last.sort_index(), expected)
    assert len(last) == 20


def test_it_says_where_it_looked(pooling, monkeypatch, tmp_path):
    held = f"20 complete; looked in the store {ROOT}/results/ablate.db and reports below {ROOT}/results"
    assert repr(pooling) == f"<study pooling: {held}>"
    empty = ablate.load("pooling", f"results={tmp_path}")
    assert f"20 missing; looked in the store {tmp_path}/ablate.db" in repr(empty)


class Cells(HTMLParser):
    """Rows of the tables of a page; fails on what is no HTML."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        self.text = ""

    def handle_data(self, data):
        self.text += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(self.text)


def test_a_notebook_shows_answer_table_and_verdicts(pooling):
    html = pooling._repr_html_()
    head, *rows = Cells(html).rows
    assert head[:4] == ["factor", "level", "runs", "mean test accuracy"]
    assert [row[1:4:2] for row in rows] == [
        [level, f"{pooling.summary('test_acc', level).mean:.4f}"] for level in ("avg", "max")
    ]
    assert rows[0][-1] == "baseline"
    assert html.count("<li>") == len(pooling.analysis.verdicts) > 0
    assert pooling.origin in html
