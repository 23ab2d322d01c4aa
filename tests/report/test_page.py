import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from ablate.report import explorer
from ablate.report.explorer import explorer_data, script_json
from ablate.report.page import render_page
from ablate.report.summary import analyse_study, summarise
from ablate.task.printable import printable

VOID = {"meta", "br", "input", "link", "hr", "img"}


class Outline(HTMLParser):
    """Elements with their attributes, and whether every element was closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def page(nasty_report):
    return (nasty_report[0] / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outline(page):
    return Outline(page)


def test_the_page_is_well_formed(outline):
    assert outline.open == []


def test_what_a_user_named_is_text(page, outline):
    assert [tag for tag, _ in outline.elements].count("script") == 2
    assert "<script>alert" not in page
    assert "</script><script>alert(1)</script> _x_ & 50% $y$" in " ".join(outline.text)


def test_nothing_is_fetched(outline):
    policy = next(
        a["content"] for tag, a in outline.elements if tag == "meta" and "content" in a and "src" in a["content"]
    )
    assert policy.startswith("default-src 'none'")
    links = [a[name] for _, a in outline.elements for name in ("src", "href", "xlink:href") if name in a]
    assert links
    assert all(re.match(r"#|figures/|[a-z_-]+\.(csv|md|tex|bib)$", link) for link in links), links
    assert not [a for tag, a in outline.elements if tag in ("link", "img", "iframe")]


def test_no_link_is_dead(nasty_report, outline):
    links = {a["href"] for tag, a in outline.elements if tag == "a" and not a["href"].startswith("#")}
    assert any(link.endswith(".svg") for link in links)
    assert not [link for link in links if not (nasty_report[0] / link).exists()]


def test_ids_are_unique_and_references_resolve(page, outline):
    ids = [a["id"] for _, a in outline.elements if "id" in a]
    glyphs = [i for i in ids if "DejaVu" in i]
    assert len(set(ids)) == len(ids)
    assert glyphs
    wanted = {a[n][1:] for _, a in outline.elements for n in ("href", "xlink:href") if a.get(n, "").startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page)) - {"chart-area"}
    assert wanted <= set(ids)


def test_figures_have_names_and_headings_can_be_focused(outline):
    figures = [a for tag, a in outline.elements if tag == "svg"]
    assert figures
    assert all(a["role"] == "img" and len(a["aria-label"]) > 40 for a in figures)
    heads = [a for tag, a in outline.elements if tag == "th" and a.get("scope") == "col" and "data-kind" in a]
    assert len([tag for tag, _ in outline.elements if tag == "button"]) == len(heads) + 2


def test_a_telephone_shows_difference_and_standing_before_it_is_scrolled(page):
    table = page.partition('<table class="sortable">')[2].partition("</thead>")[0]
    assert re.findall(r"<button[^>]*>([^<]*)", table)[1:4] == ["difference", "standing", "95 % interval"]


def test_verdicts_come_before_tables_and_the_forest_before_them(page):
    places = [page.index(f'id="{name}"') for name in ("forest", "verdicts", "factor-1", "curves", "lost", "cost")]
    assert places == sorted(places)
    verdicts = page.partition('class="verdicts"')[2].partition("</ol>")[0]
    assert len(re.findall(r'class="badge (supported|refuted|undecided)"', verdicts)) == 2


def test_lost_runs_tracebacks_and_origin_are_shown(outline):
    text = " ".join(outline.text)
    for expected in (
        "RuntimeError: <injected>",
        "1 diverged",
        "1 failed",
        "1 missing",
        "Example CPU",
        "0123456789abcdef",
    ):
        assert expected in text
    assert "90 min" in text


def test_the_data_of_the_curves_is_that_of_the_frame(nasty_study, page):
    text = re.search(r'<script type="application/json" id="runs">(.*?)</script>', page, re.DOTALL).group(1)
    data = json.loads(text)
    assert data == explorer_data(nasty_study.view, nasty_study.runs, nasty_study.curves)
    assert data["factors"][1]["levels"][1]["label"] == printable(nasty_study.view.factors[1].levels[1].label)
    with_curves = set(nasty_study.curves["digest"])
    assert len(data["runs"]) == len(with_curves)
    run = next(run for run in data["runs"] if run["st"] == "diverged")
    assert run["v"][0][-1] is None
    baseline = next(run for run in data["runs"] if len(run["p"]) == 2)
    rows = nasty_study.curves[nasty_study.curves["digest"].str.startswith(baseline["d"])]
    assert baseline["v"][2] == pytest.approx(rows["test_acc"].tolist(), rel=1e-4)


def test_json_cannot_end_its_script():
    text = script_json({"a": "</script><!--\u2028&"})
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text) == {"a": "</script><!--\u2028&"}


def test_a_page_says_what_it_leaves_out(make_study, monkeypatch):
    study = make_study(["model.activation"], seeds=4)
    monkeypatch.setattr(explorer, "MOST_VALUES", 150)
    data = explorer_data(study.view, study.runs, study.curves)
    assert (len(data["runs"]), data["left_out"]) == (5, 3)
    analysis = analyse_study(study.view, study.runs)
    levels = summarise(study.view, study.runs, analysis)
    text = render_page(study.view, study.runs, study.curves, study.records, levels, analysis, [], [])
    assert "3 runs are left out" in text


def test_svg_files_are_xml_without_dates(nasty_report):
    for path in (nasty_report[0] / "figures").glob("*.svg"):
        root = ET.parse(path).getroot()
        assert root.tag.endswith("svg")
        assert "dc:date" not in path.read_text()
