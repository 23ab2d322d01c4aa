"""The look of all figures: one column of a paper (85 mm), colours that the colour-blind tell apart, stable SVG.

The palette is Okabe and Ito's (2008, *Color Universal Design*); a metric also has its own marker and dash, so that no
figure depends on colour alone.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate.report.viridis import viridis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ablate.task.metric import Metric

WIDTH = 85 / 25.4
"""Width of one column, in inches."""
COLUMN = 3.3
"""Width of a PDF, in inches: that of a column of most conferences, a little less."""
DPI = 300
COMPRESSION = 3
"""Of PNG files: the next level takes a third longer for files that are a tenth smaller, the last five times as long."""

INK, MUTED, RULE, CARD = "#1b1f24", "#5f6b7a", "#d9dee5", "#fffffe"
"""Text and axes, secondary text, grid, background of markers: the page swaps them for its own colours."""
DARK = "#11161c"
"""Marks upon bars."""
PAPER, PRINT = "#ffffff", "#000000"
"""Text on dark and on light cells: the page, light or dark, leaves both as they are."""
LUMINANCE, AS_FAR_FROM_BOTH = (0.2126, 0.7152, 0.0722), 0.179
"""Relative luminance by linear red, green and blue, and that of a cell on which black and white are read as well
(Web Content Accessibility Guidelines 2.1)."""
BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7"
CYCLE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)


@dataclass(frozen=True)
class Stroke:
    """How one series is drawn."""

    color: str
    marker: str
    dash: str


STROKES = tuple(
    Stroke(color, marker, dash)
    for dash in ("-", "--", ":", "-.")
    for color, marker in zip((VERMILION, BLUE, GREEN, ORANGE, PURPLE, SKY), "^osDvP", strict=True)
)
"""Strokes of a study's metrics, in its order: every colour, then every colour dashed. From the 25th they repeat."""

STYLE: Any = {
    "figure.dpi": 100,
    "savefig.dpi": DPI,
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.titlelocation": "left",
    "axes.labelsize": 7,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.2,
    "text.parse_math": False,
    "svg.fonttype": "path",
    "path.simplify": True,
}


@contextmanager
def styled() -> Iterator[None]:
    """Within it, matplotlib draws in the report's style."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        yield


def strokes(metrics: "Sequence[Metric]") -> dict[str, Stroke]:
    """The stroke of each of a study's metrics, by its name; a metric keeps it through all figures of the study."""
    return {metric.name: STROKES[index % len(STROKES)] for index, metric in enumerate(metrics)}


def colors(count: int, *, ordered: bool) -> list[str]:
    """Colours of the levels of a factor.

    Args:
        count: Levels.
        ordered: Levels on an axis take steps of one light-to-dark scale (viridis), kinds take the cycle.

    Returns:
        Hex colours; kinds beyond the cycle's six fall back on the scale, so that no two levels share one.
    """
    if not ordered and count <= len(CYCLE):
        return list(CYCLE[:count])
    return [viridis(0.2 + 0.68 * i / max(count - 1, 1)) for i in range(count)]


def lighter(color: str, share: float = 0.5) -> str:
    """A colour mixed with white."""
    return "#" + "".join(f"{round(int(color[i : i + 2], 16) * (1 - share) + 255 * share):02x}" for i in (1, 3, 5))


def ink_on(color: Sequence[float]) -> str:
    """The ink, black or white, that is read best on a cell of this colour (red, green, blue, each of 0 to 1)."""
    linear = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color[:3])
    bright = sum(share * part for share, part in zip(LUMINANCE, linear, strict=True))
    return PRINT if bright > AS_FAR_FROM_BOTH else PAPER


def across(entries: Sequence[Any], columns: int) -> list[Any]:
    """Reorder a legend's entries, which matplotlib fills column by column, so that they read row by row."""
    rows = -(-len(entries) // columns)
    full = len(entries) - (rows - 1) * columns
    order = [row * columns + column for column in range(columns) for row in range(rows if column < full else rows - 1)]
    return [entries[i] for i in order]


def settle(figure: "Figure") -> None:
    """Compute the layout once, so that all formats share it and none computes it again."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine(None)


def svg(figure: "Figure", name: str) -> bytes:
    """The figure as SVG: no date, ids that depend on ``name`` and the content alone."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
    return buffer.getvalue()


def png(figure: "Figure") -> bytes:
    """The figure as PNG at print resolution on white: without the channel of transparency, of which nothing is left."""
    from PIL import Image

    raw, buffer = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="raw", dpi=DPI, facecolor="white")
    width, height = (int(DPI * inches) for inches in figure.get_size_inches())
    pixels = Image.frombuffer("RGBA", (width, height), raw.getvalue(), "raw", "RGBA", 0, 1).convert("RGB")
    pixels.save(buffer, "png", dpi=(DPI, DPI), compress_level=COMPRESSION)
    return buffer.getvalue()


def pdf(figure: "Figure") -> bytes:
    """The figure as PDF, as wide as a column: no date, fonts as TrueType outlines, which publishers ask for."""
    import matplotlib

    buffer = io.BytesIO()
    width, height = figure.get_size_inches()
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        figure.set_size_inches(COLUMN, height * COLUMN / width)
        figure.savefig(buffer, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
        figure.set_size_inches(width, height)
    return buffer.getvalue()


def inline_svg(vector: bytes, name: str, alt: str) -> str:
    """A figure as an ``<svg>`` element for a page: no background, ink in the page's own colours, named by ``alt``.

    Args:
        vector: The vector from :func:`svg`.
        name: Distinguishes the ids of several figures of one page.
        alt: What the figure shows, for those who do not see it.

    Returns:
        Markup; ``alt`` is escaped. Where colours stand for values, or a picture is shown, its class is ``as-it-is``: a
        dark page lifts the colours of all others.
    """
    from markupsafe import escape

    from ablate.task.printable import printable

    text = vector.decode()
    size = re.search(r'viewBox="([^"]*)"', text)
    text = text[text.index("<svg") :]
    has_values = '<g id="QuadMesh' in text or "<image " in text
    text = re.sub(r"\s*<(metadata|defs)>\s*<(rdf|style).*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="patch_1">.*?</g>', "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'<g id="[A-Za-z]\w*_\d+">', "<g>", text)
    text = re.sub(r'(id="|xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    for color, replacement in _page_colors().items():
        text = text.replace(color, replacement)
    head = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" role="img" aria-label="{escape(printable(alt))}"'
    head += ' class="as-it-is"' if has_values else ""
    return re.sub(r"<svg [^>]*>", lambda _: f'{head} viewBox="{size.group(1) if size else ""}">', text, count=1)


def _page_colors() -> dict[str, str]:
    """What the page, light or dark, puts in place of a figure's own colours."""
    own = {INK: "currentColor", DARK: "currentColor", MUTED: "var(--muted)", RULE: "var(--rule)", CARD: "var(--card)"}
    return own | {lighter(color): f"color-mix(in srgb, {color} 50%, var(--card))" for color in CYCLE}
