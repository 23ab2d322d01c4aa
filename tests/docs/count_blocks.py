"""Counts the code blocks of the documentation, and those that tests run: ``python tests/docs/count_blocks.py``."""

from pathlib import Path

from conftest import ROOT, blocks_of

WHOLE = ("notebook.md", "extending.md")
"""Pages whose Python is run block by block."""


def main() -> None:
    """Print a line for each page with blocks, and the sum."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    total, run = 0, 0
    for page in pages:
        blocks = blocks_of(page.relative_to(ROOT))
        done = [b for b in blocks if b.title or (b.language == "console" and not _makes(b)) or _is_python(page, b)]
        if blocks:
            print(f"{page.relative_to(ROOT)}: {len(done)} of {len(blocks)}")
        total, run = total + len(blocks), run + len(done)
    print(f"{run} of {total} code blocks are run as tests")


def _makes(block) -> bool:
    """Whether a block calls the Makefile, which a test does not."""
    return block.text.startswith("$ make ")


def _is_python(page: Path, block) -> bool:
    return page.name in WHOLE and block.language == "python"


if __name__ == "__main__":
    main()
