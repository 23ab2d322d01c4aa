"""Pages by axe-core in a real browser: collected only where there is chromium (see ``conftest.py``)."""

import pytest

from tests.report.browser import visit

pytest.importorskip("axe_core_python")


@pytest.mark.parametrize(("width", "look"), [(400, "dark"), (1400, "light")])
def test_a_page_has_no_serious_finding(nasty_report, tmp_path, width, look):
    seen = visit(nasty_report[0] / "report.html", width, look, tmp_path)
    assert seen.findings == ()
    assert seen.console == ()
    assert seen.rules > 20
    assert not seen.overflows
    assert seen.width in (width, width - 15), "but for a scroll bar"
    assert seen.dark == (look == "dark")


def test_findings_are_found(tmp_path):
    page = tmp_path / "bad.html"
    style = "color: #ccc; background: #fff; width: 3000px"
    page.write_text(f'<!doctype html><html lang="en"><body><p style="{style}">faint</p><img src=""></body></html>')
    seen = visit(page, 400, "light", tmp_path)
    assert any("color-contrast" in line for line in seen.findings)
    assert any("image-alt" in line for line in seen.findings)
    assert seen.overflows
