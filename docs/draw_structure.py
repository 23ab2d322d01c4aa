"""Draws which package imports which, in version 0.1.0 and today, and lists the modules that have moved since.

Call ``python docs/draw_structure.py`` in the repository's root, with its history. Both come from the code alone. A
package stands above all that it imports; imports in a circle are marked.
"""

import ast
import io
import subprocess
import tarfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx

from ablate.report.figure_style import INK, MUTED, VERMILION, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEFORE = "b9fe09e"
"""The last commit of version 0.1.0."""
ROOT = Path(__file__).parents[1]
FIGURE = Path(__file__).parent / "figures" / "structure.png"
BY_HAND = {"comparing": "commands.compare"}
"""A module of which no name was kept."""
SEEN = 0.3
"""Share of a module's names that another has to hold, to be where it went."""

Sources = Mapping[str, str]
"""Text by dotted module, without ``ablate.``; the package itself is left out."""


def sources_of(commit: str) -> dict[str, str]:
    """The modules of a commit."""
    data = subprocess.run(["git", "archive", commit, "ablate"], cwd=ROOT, capture_output=True, check=True).stdout
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive.getmembers():
            if member.isfile() and member.name.endswith(".py"):
                name = member.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                if name not in ("ablate", "ablate.__main__"):
                    found[name.removeprefix("ablate.")] = archive.extractfile(member).read().decode()
    return found


def imports(sources: Sources) -> "nx.DiGraph":
    """Packages that import each other; an edge's weight is how many modules of the one import the other."""
    graph = nx.DiGraph()
    for module, text in sources.items():
        own = _package(module, sources)
        graph.add_node(own)
        found = set()
        for node in ast.walk(ast.parse(text)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                there = name.removeprefix("ablate.")
                while there != name and there and there not in sources:
                    there = there.rpartition(".")[0]
                if name.startswith("ablate.") and there:
                    found.add(_package(there, sources))
        for other in found - {own}:
            graph.add_edge(own, other, weight=graph.get_edge_data(own, other, {"weight": 0})["weight"] + 1)
    return graph


def _package(module: str, sources: Sources) -> str:
    """The first part of a module; modules at the top are a package of their own name."""
    first = module.partition(".")[0]
    return first if any(name.startswith(f"{first}.") for name in sources) else f"{first}.py"


def draw(graph: "nx.DiGraph", axes: "Axes", title: str) -> None:
    """Packages above what they import; imports in a circle are marked."""
    circles = [c for c in nx.strongly_connected_components(graph) if len(c) > 1]
    folded = nx.condensation(graph)
    level: dict[str, int] = {}
    for node in reversed(list(nx.topological_sort(folded))):
        height = max((level[next(iter(folded.nodes[n]["members"]))] + 1 for n in folded.successors(node)), default=0)
        level |= dict.fromkeys(folded.nodes[node]["members"], height)
    rows = defaultdict(list)
    for name in sorted(graph, key=lambda name: (-level[name], name)):
        rows[level[name]].append(name)
    place = {
        name: ((i + 0.5) / len(names) + (0.06 if row % 2 else -0.06) * (len(names) < 3), row)
        for row, names in rows.items()
        for i, name in enumerate(names)
    }
    direct = {(a, b) for a, b in nx.transitive_reduction(folded).edges}
    for a, b in graph.edges:
        circle = any(a in c and b in c for c in circles)
        if not circle and (folded.graph["mapping"][a], folded.graph["mapping"][b]) not in direct:
            continue
        color = VERMILION if circle else MUTED
        style = {"arrowstyle": "-|>", "color": color, "lw": 1.0, "shrinkA": 9, "shrinkB": 9}
        bend = {"connectionstyle": "arc3,rad=0.2"} if circle else {}
        axes.annotate("", place[b], place[a], arrowprops=style | bend)
    for name, (x, y) in place.items():
        box = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": INK, "lw": 0.8}
        axes.text(x, y, name, ha="center", va="center", fontsize=8, color=INK, bbox=box)
    axes.set(xlim=(0, 1), ylim=(-0.6, max(rows) + 0.6), title=title)
    axes.axis("off")


def moved(before: Sources, now: Sources) -> dict[str, list[str]]:
    """Every module of before that is not there now, with where most of its functions and classes are."""
    homes = defaultdict(set)
    for module, text in now.items():
        for name in _defined(text):
            homes[name].add(module)
    renamed = _renamed()
    found = {}
    for module, text in before.items():
        if module not in now:
            counts = Counter(home for name in _defined(text) for home in homes[name] if len(homes[name]) == 1)
            most = max(counts.values(), default=0)
            known = [home for home in [(BY_HAND | renamed).get(module)] if home]
            homed = [*known, *(h for h, n in counts.most_common() if n >= SEEN * most and h not in known)]
            found[module] = homed or [name for name in now if name.rpartition(".")[2] == module.rpartition(".")[2]]
    return found


def _renamed() -> dict[str, str]:
    """What Git takes for renames."""
    command = ["git", "diff", "--name-status", "-M35", "-l2000", "--diff-filter=R", BEFORE, "HEAD", "--", "ablate"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    files = (line.split("\t")[1:] for line in told.splitlines() if line.endswith(".py"))
    return {_module(a): _module(b) for a, b in files}


def _module(file: str) -> str:
    return file.removeprefix("ablate/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _defined(text: str) -> set[str]:
    """The public functions and classes of a module."""
    body = ast.parse(text).body
    return {n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")}


def main() -> None:
    """Draw both structures into one figure, and print the table of modules that moved."""
    import matplotlib.pyplot as plt

    before, now = sources_of(BEFORE), sources_of("HEAD")
    with styled():
        figure, axes = plt.subplots(1, 2, figsize=(11, 7.5))
        for one, sources, title in zip(axes, (before, now), ("0.1.0", "today"), strict=True):
            draw(imports(sources), one, f"{title}: {len(sources)} modules")
        figure.savefig(FIGURE, dpi=110, bbox_inches="tight")
    print("| in 0.1.0 | now |\n| --- | --- |")
    for module, homes in sorted(moved(before, now).items()):
        print(f"| `{module}` | {', '.join(f'`{home}`' for home in homes) or 'gone'} |")


if __name__ == "__main__":
    main()
