"""A reply is too long when the platform says so, not when Python does."""

import pytest

from app.channels import registry

LINK = f"https://stoepstad.example/{'a' * 300}"
FAMILY = "👨‍👩‍👧"
"""One sign to a reader and to Bluesky, five to Python."""


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("x", f"Zie {LINK}"),
        ("mastodon", f"Zie {LINK} {LINK}"),
        ("bluesky", FAMILY * 120),
        ("email", "a" * 10_000),
    ],
)
def test_what_the_platform_takes_is_accepted(kind: str, text: str) -> None:
    assert registry.fits(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("x", "a" * 10_000), ("bluesky", FAMILY * 1_000), ("mastodon", "a" * 460)],
)
def test_where_not_everybody_reads_along_there_may_be_more_room(kind: str, text: str) -> None:
    assert registry.fits(kind, text, public=False)
    assert not registry.fits(kind, text + "aa" * 500, public=False)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("x", "道" * 141),
        ("bluesky", "a" * 301),
        ("mastodon", "a" * 501),
        ("telegram", "a" * 4_097),
        ("contact", "a"),
        ("hyves", "a"),
    ],
)
def test_what_it_would_refuse_is_refused_before(kind: str, text: str) -> None:
    assert not registry.fits(kind, text)
