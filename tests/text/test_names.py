"""A name that somebody else chose stands on one line and turns nothing around."""

import pytest

from app.text.names import one_line


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Jan de Vries", "Jan de Vries"),
        ("  Jan\r\n\tde\u2028Vries\x07 ", "Jan de Vries"),
        ("\u202eseirV ed naJ\u202c", "seirV ed naJ"),
        ("\u2066Jan\u2069 \u202a\u202dx", "Jan x"),
        ("\u200b\u2060\ufeff\u00ad \u200b", ""),
        ("👩‍👩‍👧 gezin", "👩‍👩‍👧 gezin"),
        ("محمد\u200cعلی", "محمد\u200cعلی"),
        ("a" * 1_000_000, "a" * 50),
        ("\n" * 1_000_000, ""),
    ],
)  # fmt: skip
def test_a_name_is_one_line_that_can_be_seen(name: str, shown: str) -> None:
    assert one_line(name, 50) == shown
