"""What a reader sees as one sign counts as one."""

import pytest

from app.text.graphemes import graphemes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("Stoep", 5),
        ("Fatma Yıldız", 12),
        ("e\u0301e\u0301n", 3),
        ("regel\r\nregel", 11),
        ("👍🏽", 1),
        ("👩‍👩‍👧‍👦", 1),
        ("❤️", 1),
        ("🇳🇱🇧🇪", 2),
        ("🇳🇱🇧", 2),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", 1),
        ("한국어", 3),
        ("\u1112\u1161\u11ab", 1),
        ("a\u200db", 2),
        ("\n\u0301", 2),
        ("🧑‍🚒🧑‍🚒", 2),
    ],
)
def test_it_counts_what_is_seen(text: str, count: int) -> None:
    assert graphemes(text) == count
