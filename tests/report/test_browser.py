"""The page in a real browser: collected only where there is chromium (see ``conftest.py``)."""

import html
import json
import re
import shutil
import subprocess

import pytest

from ablate.task.printable import printable

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--mute-audio"),
    *("--enable-logging=stderr", "--window-size=1280,1200", "--virtual-time-budget=4000", "--dump-dom"),
)
ACT = """
<script>
addEventListener("load", () => {
  const found = {};
  const column = (table, i) => [...table.tBodies[0].rows].map((row) => row.cells[i].textContent.trim());
  const table = document.querySelector("table.sortable");
  const heads = [...table.tHead.rows[0].cells];
  const mean = heads.findIndex((head) => head.textContent.trim() === "mean");
  found.before = column(table, 0);
  heads[mean].querySelector("button").click();
  found.up = column(table, mean);
  found.sorted = heads[mean].getAttribute("aria-sort");
  heads[mean].querySelector("button").click();
  found.down = column(table, mean);
  heads[0].querySelector("button").click();
  found.after = column(table, 0);

  const svg = document.querySelector("#chart svg");
  found.paths = document.querySelectorAll("#chart path.run").length;
  const box = svg.getBoundingClientRect();
  const path = document.querySelector("#chart path.run");
  const end = path.getPointAtLength(path.getTotalLength());
  const scale = box.width / svg.viewBox.baseVal.width;
  const at = { clientX: box.left + end.x * scale, clientY: box.top + end.y * scale, bubbles: true };
  svg.dispatchEvent(new PointerEvent("pointermove", at));
  found.tip = document.querySelector("#chart .tip").textContent;
  found.tipShown = !document.querySelector("#chart .tip").classList.contains("hidden");
  found.readout = document.getElementById("readout").textContent;
  svg.dispatchEvent(new PointerEvent("pointerleave"));
  found.tipGone = document.querySelector("#chart .tip").classList.contains("hidden");

  const key = (name) => svg.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  key("ArrowRight");
  found.first = document.getElementById("readout").textContent;
  key("ArrowLeft");
  found.keyed = document.getElementById("readout").textContent;
  document.getElementById("pick-none").click();
  found.none = document.querySelectorAll("#chart path.run").length;
  const factor = document.getElementById("pick-factor");
  factor.value = "1";
  factor.dispatchEvent(new Event("change"));
  found.second = document.querySelectorAll("#chart path.run").length;
  found.chips = [...document.querySelectorAll("#pick-levels label")].map((label) => label.textContent);
  const metric = document.getElementById("pick-metric");
  metric.value = "0";
  metric.dispatchEvent(new Event("change"));
  found.axis = [...document.querySelectorAll("#chart text")].map((text) => text.textContent);
  found.wide = document.documentElement.scrollWidth <= innerWidth;
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
</script>
"""


def browse(path, profile):
    done = subprocess.run(
        [shutil.which("chromium"), *FLAGS, f"--user-data-dir={profile}", path.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout, re.findall(r".*CONSOLE.*", done.stderr)


@pytest.fixture(scope="module")
def visit(nasty_report, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    page = (nasty_report[0] / "report.html").read_text(encoding="utf-8")
    path = folder / "report.html"
    path.write_text(page.replace("</body>", ACT + "</body>"), encoding="utf-8")
    dom, console = browse(path, folder / "profile")
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, re.DOTALL)
    return json.loads(html.unescape(found.group(1))) if found else {}, console


def test_the_page_opens_without_a_word_on_the_console(visit):
    found, console = visit
    assert console == []
    assert found


def test_the_console_would_be_heard(tmp_path):
    path = tmp_path / "bad.html"
    path.write_text("<script>missing()</script>")
    _, console = browse(path, tmp_path / "profile")
    assert "missing is not defined" in console[0]


def test_tables_sort_by_their_numbers(visit):
    found, _ = visit
    values = [float(text) for text in found["up"]]
    assert values == sorted(values)
    assert found["sorted"] == "ascending"
    assert found["down"] == found["up"][::-1]
    assert found["after"] == found["before"]


def test_hovering_shows_value_level_seed_and_epoch(visit, nasty_study):
    found, _ = visit
    assert found["tipShown"]
    assert found["tipGone"]
    value, label, seed, epoch = re.fullmatch(
        r"([\d.]+)kernel size (\d), seed (\d), epoch (\d+)(?:, diverged)?", found["tip"]
    ).groups()
    runs = nasty_study.runs
    digest = runs[(runs["label"] == label) & (runs["seed"] == int(seed))]["digest"].iloc[0]
    rows = nasty_study.curves[nasty_study.curves["digest"] == digest]
    assert float(value) == pytest.approx(rows[rows["step"] == int(epoch)]["test_acc"].iloc[0], rel=1e-4)
    assert found["readout"].startswith(f"test accuracy {value} at kernel size {label}, seed {seed}, epoch {epoch}")


def test_the_keyboard_walks_along_a_curve(visit):
    found, _ = visit
    assert "kernel size 3, seed 0, epoch 4, diverged" in found["first"]
    assert "kernel size 3, seed 0, epoch 3, diverged" in found["keyed"]


def test_the_curves_follow_the_selectors(visit, nasty_study):
    found, _ = visit
    assert found["paths"] == 17
    assert found["none"] == 0
    assert found["second"] == 11
    assert found["chips"] == [printable(level.label) for level in nasty_study.view.factors[1].levels]
    assert "train loss" in found["axis"]


def test_nothing_is_wider_than_the_window(visit):
    assert visit[0]["wide"]
