"""The paragraph on methods of a study's paper: Markdown, LaTeX, and the BibTeX entries of what it cites."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ablate.report.latex import ANY, escape
from ablate.report.methods_sentences import method_sentences
from ablate.report.tables import markdown_text
from ablate.report.view import Cited, Sentence, StudyView

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import StudyAnalysis

HEAD = r"% \input{methods} where the paragraph belongs; its citations: \bibliography{references}"
YAML = "---\nbibliography: references.bib\n---\n"
"""Where ``pandoc --citeproc methods.md`` finds the entries."""


def methods_files(
    view: StudyView, runs: "pd.DataFrame", records: "pd.DataFrame", analysis: "StudyAnalysis"
) -> dict[str, str]:
    """What a paper has to say of a study: design, seeds, tests, corrections, intervals and software.

    Args:
        view: The study.
        runs: The frame of runs.
        records: A row a record, with ``provenance.*``.
        analysis: Of these runs.

    Returns:
        Text by name of file: ``methods.md`` (with pandoc's citations), ``methods.tex`` and ``references.bib``, which
        has the entries that are cited and no others.
    """
    sentences = [*method_sentences(view, runs, records, analysis)]
    tex = _written(sentences, escape, lambda keys: rf"~\cite{{{','.join(keys)}}}")
    md = _written(sentences, markdown_text, lambda keys: f" [{'; '.join(f'@{key}' for key in keys)}]")
    head = [HEAD, ANY] if r"\anychar" in tex else [HEAD]
    cited = {key for sentence in sentences for part in sentence if isinstance(part, Cited) for key in part.keys}
    return {
        "methods.md": f"{YAML}\n{md}\n",
        "methods.tex": "\n".join([*head, tex]) + "\n",
        "references.bib": bibliography(cited),
    }


def bibliography(keys: Iterable[str]) -> str:
    """The BibTeX entries of these keys, by key.

    Raises:
        KeyError: There is no such entry.
    """
    return "\n\n".join(entries()[key] for key in sorted(set(keys))) + "\n"


@cache
def entries() -> dict[str, str]:
    """Every BibTeX entry that this package can cite, by key."""
    text = (files("ablate.report") / "references.bib").read_text(encoding="utf-8")
    found = [entry.strip() for entry in re.split(r"^(?=@)", text, flags=re.MULTILINE) if entry.strip()]
    return {entry.partition("{")[2].partition(",")[0]: entry for entry in found}


def _written(sentences: Sequence[Sentence], plain: Callable[[str], str], cite: Callable[[tuple[str, ...]], str]) -> str:
    return " ".join(
        "".join(cite(part.keys) if isinstance(part, Cited) else _kept_ends(part, plain) for part in sentence)
        for sentence in sentences
    )


def _kept_ends(text: str, plain: Callable[[str], str]) -> str:
    """Escaped, with a blank at either end where there was one."""
    return " " * text[:1].isspace() + plain(text) + " " * text[-1:].isspace()
