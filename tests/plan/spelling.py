"""Values as people write them into YAML files, each with what it means: for studies that are generated."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Spelt:
    """A value and how it is written."""

    text: str
    value: Any


WORDS = [
    "relu",
    "a b",
    "é",
    "on",
    "off",
    "no",
    "yes",
    "y",
    "0x1F",
    "0o17",
    "007",
    "1:30",
    "2024-01-01",
    "1e",
    "e3",
    "=",
]
"""Texts that need no quotes in YAML (1.1 takes some for other things, here they are what stands there)."""
QUOTED = ["1", "1.0", "1e-4", ".5", "true", "null", "~", "", " x ", "it's", "[/red]", "# no", "a: b", "{x}", "${", "-"]
"""Texts that do, many of which look like other types."""


def quoted(text: str, mark: str = "'") -> str:
    """A text in YAML's quotes."""
    if mark == "'":
        return "'" + text.replace("'", "''") + "'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def of_float(low: int = 0, high: int = 999, exponents: tuple[int, int] = (-4, 0)) -> st.SearchStrategy[Spelt]:
    """Numbers with a point or an exponent, in every notation that YAML and Hydra share."""

    def spelt(digits: int, exponent: int, way: int) -> Spelt:
        number = float(f"{digits}e{exponent}")
        fixed = f"{number:.6f}".rstrip("0")
        texts = [
            f"{digits}e{exponent}",
            f"{digits}.0E{exponent}",
            f"+{digits}.e{exponent}",
            fixed,
            f"{fixed}0",
            fixed.lstrip("0") if fixed.lstrip("0") != "." else "0.",
            repr(number) if "e" not in repr(number) else fixed,
        ]
        return Spelt(texts[way], number)

    return st.builds(spelt, st.integers(low, high), st.integers(*exponents), st.integers(0, 6))


def of_int(low: int, high: int) -> st.SearchStrategy[Spelt]:
    """Whole numbers: ``5``, ``+5``, ``1_000``."""

    def spelt(number: int, way: int) -> Spelt:
        return Spelt([str(number), f"{number:+d}", f"{number:_d}"][way], number)

    return st.builds(spelt, st.integers(low, high), st.integers(0, 2))


bools = st.sampled_from([Spelt(text, text.lower() == "true") for text in ("true", "false", "True", "FALSE")])
nulls = st.sampled_from([Spelt(text, None) for text in ("null", "~", "Null", "NULL")])
endless = st.sampled_from(
    [Spelt(t, float(t.replace(".", ""))) for t in (".inf", "-.inf", ".nan", "inf", "-INF", "NaN")]
)
words = st.sampled_from([Spelt(text, text) for text in WORDS])
lookalikes = st.builds(
    lambda text, mark: Spelt(quoted(text, mark), text),
    st.sampled_from([*QUOTED, *WORDS]).filter(lambda text: "${" not in text),
    st.sampled_from("'\""),
)
texts = st.one_of(words, lookalikes)


def among(*options: str) -> st.SearchStrategy[Spelt]:
    """One of some texts, with or without quotes."""
    return st.builds(
        lambda text, way: Spelt([text, quoted(text), quoted(text, '"')][way], text),
        st.sampled_from(options),
        st.integers(0, 2),
    )


def listed(items: st.SearchStrategy[Spelt], low: int, high: int) -> st.SearchStrategy[Spelt]:
    """Lists of values."""
    return st.lists(items, min_size=low, max_size=high).map(
        lambda found: Spelt("[" + ", ".join(item.text for item in found) + "]", [item.value for item in found])
    )


def link(path: str) -> Spelt:
    """A link to another value of the configuration, of which the meaning is not known here."""
    return Spelt(quoted(f"${{{path}}}"), f"${{{path}}}")


names = st.one_of(texts, of_int(0, 2000), of_float(), bools, nulls).map(
    # The name of a level is the text of the file, whatever it looks like.
    lambda spelt: Spelt(spelt.text, spelt.value if spelt.text[:1] in ("'", '"') else spelt.text)
)
