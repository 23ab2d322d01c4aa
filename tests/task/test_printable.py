import unicodedata
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.task.printable import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode, 中文, a\tb\nc", "plain, ünïcode, 中文, a\tb\nc"),
        ("\x1b[31mred\x07", "␛[31mred␇"),
        ("a\r\nb\rc", "a\nb␍c"),
        ("\x00\x7f\x9b\ud800\ufffe", "␀␡���"),
        ("user\u202etxt.exe\u2066", "user�txt.exe�"),
        ("a\u2028b", "a b"),
    ],
)
def test_what_cannot_be_seen_has_a_stand_in(text, shown):
    assert printable(text) == shown


@given(st.text(st.characters(codec=None)))
def test_any_text_is_fit_for_xml_and_for_a_terminal(text):
    shown = printable(text)
    ET.fromstring(f"<a>{shown.replace('&', '').replace('<', '')}</a>".encode())
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert printable(shown) == shown
    assert "\n" not in one_line(text)
