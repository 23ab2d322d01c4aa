"""docs/pictures.md says what the code does."""

from pathlib import Path

from ablate.images.data.layout import PARTS
from ablate.images.data.picture import BACKGROUNDS, MOST_PIXELS
from ablate.images.data.picture_names import ENDINGS
from ablate.images.data.survey import DIM

TEXT = (Path(__file__).parents[3] / "docs" / "pictures.md").read_text()


def test_the_page_names_what_the_code_has():
    assert f"(`{' '.join(ENDINGS)}`, in any case)" in TEXT
    assert f"{MOST_PIXELS:,} pixels" in TEXT
    assert f"1/{256 // DIM} of the range" in TEXT
    for name in (*BACKGROUNDS, *(name for names in PARTS.values() for name in names)):
        assert f"`{name}`" in TEXT
