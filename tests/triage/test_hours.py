"""Opening hours, and since when something has waited too long."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.triage.hours import Hours, began

GRONINGEN = ZoneInfo("Europe/Amsterdam")
WORKDAYS = Hours(((540, 1020),) * 5 + (None, None), frozenset({"2026-12-25"}))


def at(said: str) -> int:
    return round(datetime.fromisoformat(said).replace(tzinfo=GRONINGEN).timestamp() * 1000)


@pytest.mark.parametrize(
    ("said", "is_open"),
    [
        ("2026-11-02T09:00", True),
        ("2026-11-02T16:59", True),
        ("2026-11-02T17:00", False),
        ("2026-11-02T08:59", False),
        ("2026-11-07T12:00", False),
        ("2026-12-25T12:00", False),
    ],
)
def test_somebody_is_there_within_the_hours_of_the_day(said: str, is_open: bool) -> None:
    assert WORKDAYS.includes(datetime.fromisoformat(said)) is is_open


@pytest.mark.parametrize(
    ("now", "minutes", "since"),
    [
        ("2026-11-03T12:00", 60, "2026-11-03T11:00"),
        ("2026-11-03T10:00", 120, "2026-11-02T16:00"),
        ("2026-11-02T09:30", 60, "2026-10-30T16:30"),  # over a weekend
        ("2026-11-02T09:30", 16 * 60, "2026-10-29T09:30"),
        ("2026-11-02T03:00", 60, "2026-10-30T16:00"),
        ("2026-12-28T10:00", 120, "2026-12-24T16:00"),  # over a closed Friday and a weekend
    ],
)
def test_only_opening_hours_count(now: str, minutes: int, since: str) -> None:
    assert began(WORKDAYS, at(now), minutes, GRONINGEN) == at(since)


def test_without_hours_every_minute_counts_also_when_the_clock_goes_back() -> None:
    # On 25 October 2026 the hour from two to three comes twice.
    now_ms = at("2026-10-25T04:00")
    assert began(None, now_ms, 180, GRONINGEN) == now_ms - 180 * 60_000
    assert began(Hours(), now_ms, 180, GRONINGEN) == now_ms - 180 * 60_000
    all_day = Hours(((0, 1440),) * 7)
    assert began(all_day, now_ms, 180, GRONINGEN) == now_ms - 180 * 60_000


@given(
    st.integers(1_790_000_000_000, 1_800_000_000_000), st.integers(5, 5000), st.integers(0, 10**9)
)
@settings(max_examples=100, deadline=None)
def test_a_later_look_never_finds_an_earlier_limit(now_ms: int, minutes: int, more_ms: int) -> None:
    early = began(WORKDAYS, now_ms, minutes, GRONINGEN)
    assert early <= now_ms - minutes * 60_000
    assert early <= began(WORKDAYS, now_ms + more_ms, minutes, GRONINGEN)
