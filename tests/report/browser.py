"""Pages in a real browser: what axe-core finds, what the console says, how wide the page is.

As a command: ``python tests/report/browser.py PAGE...`` (``make check-pages``: every page below ``results``).
"""

import html
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--mute-audio"),
    *("--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"),
)
LOOKS = {"light": 1, "dark": 0}
"""By colour scheme, chromium's own number for it."""
SERIOUS = ("serious", "critical")
ASK = """
<script>
addEventListener("load", async () => {
  const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] });
  const told = {
    width: [document.documentElement.scrollWidth, innerWidth],
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
    rules: found.passes.length,
    findings: found.violations.map(
      (v) => [v.impact, v.id, v.help, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160))]
    ),
  };
  const out = parent.document.createElement("pre");
  out.id = "axe-found";
  out.textContent = JSON.stringify(told);
  parent.document.body.append(out);
});
</script>
"""


@dataclass(frozen=True)
class Visit:
    """What a browser found of a page."""

    findings: tuple[str, ...]
    """Of axe-core, serious and critical ones."""
    minor: tuple[str, ...]
    console: tuple[str, ...]
    rules: int
    """That axe-core could check and found kept."""
    width: int
    """Of the window that the page had."""
    overflows: bool
    """Whether the page is wider than the window."""
    dark: bool


def visit(page: Path, width: int, look: str, folder: Path) -> Visit:
    """Open a page with axe-core in it.

    Args:
        page: An HTML file that needs no network.
        width: Of the window, in CSS pixels.
        look: ``light`` or ``dark``.
        folder: For a copy of the page and the browser's profile.
    """
    spec = importlib.util.find_spec("axe_core_python")
    axe = (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    copy = folder / f"{width}-{look}.html"
    # A script of its own element: nothing of the page is touched, and its policy lets scripts in it run.
    safe = axe.replace("</script", "<\\/script")
    inside = f"<script>{safe}</script>{ASK}</body>"
    head, _, tail = page.read_text(encoding="utf-8").rpartition("</body>")
    # In a frame, as a window is never narrower than 500 px.
    style = f"width:{width}px;height:1200px;border:0"
    frame = f'<iframe title="page" style="{style}" srcdoc="{html.escape(head + inside + tail)}"></iframe>'
    copy.write_text(f'<!doctype html><html lang="en"><body style="margin:0">{frame}</body></html>', encoding="utf-8")
    command = [
        *(shutil.which("chromium"), *FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1500,1300"),
        *(f"--blink-settings=preferredColorScheme={LOOKS[look]}", copy.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=180)
    told = re.search(r'<pre id="axe-found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert told, f"axe-core told nothing of {page}: {done.stderr[-2000:]}"
    found = json.loads(html.unescape(told[1]))
    lines = {impact: [] for impact in (*SERIOUS, "other")}
    for impact, rule, text, nodes in found["findings"]:
        lines[impact if impact in SERIOUS else "other"].append(f"{impact} {rule}: {text}: {nodes}")
    return Visit(
        findings=tuple(line for impact in SERIOUS for line in lines[impact]),
        minor=tuple(lines["other"]),
        console=tuple(re.findall(r".*CONSOLE.*", done.stderr)),
        rules=found["rules"],
        width=found["width"][1],
        overflows=found["width"][0] > found["width"][1],
        dark=found["dark"],
    )


def main(pages: list[str]) -> int:
    """Visit every page at 400 and 1400 px, light and dark; print what is wrong."""
    wrong = 0
    for page in pages:
        for width in (400, 1400):
            for look in LOOKS:
                with tempfile.TemporaryDirectory() as folder:
                    seen = visit(Path(page), width, look, Path(folder))
                bad = [*seen.findings, *seen.console, *(["wider than the window"] if seen.overflows else [])]
                wrong += bool(bad)
                print(f"{page} {width} {look}: {seen.rules} rules kept, {len(bad)} serious, {len(seen.minor)} minor")
                for line in bad:
                    print(f"  {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
