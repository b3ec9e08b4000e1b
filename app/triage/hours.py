"""Opening hours: when somebody is there, and how long ago a target began. Pure; zone given in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

MINUTE_MS = 60_000
MAX_DAYS = 800
"""How far back opening hours are counted; a target is never longer."""

Span = tuple[int, int]
"""From and until, in minutes after midnight on the clock on the wall."""


@dataclass(frozen=True, slots=True)
class Hours:
    """A week from Monday on, and the days on which nobody is there (ISO dates)."""

    week: tuple[Span | None, ...] = (None,) * 7
    closed: frozenset[str] = field(default=frozenset())

    def on(self, day: date) -> Span | None:
        """Return when it is open on a day."""
        return None if day.isoformat() in self.closed else self.week[day.weekday()]

    def includes(self, at: datetime) -> bool:
        """Say whether it is open at a moment, told on the clock on the wall."""
        span = self.on(at.date())
        return span is not None and span[0] <= at.hour * 60 + at.minute < span[1]

    def never(self) -> bool:
        """Say whether it is never open."""
        return not any(self.week)


def began(hours: Hours | None, now_ms: int, minutes: int, zone: tzinfo) -> int:
    """Return the instant since which this many minutes have passed, of opening hours if given.

    Whatever has waited since then or longer has waited too long. A week that is never open counts
    every minute.
    """
    if hours is None or hours.never():
        return now_ms - minutes * MINUTE_MS
    left_ms = minutes * MINUTE_MS
    day = datetime.fromtimestamp(now_ms / 1000, zone).date()
    for _ in range(MAX_DAYS):
        span = hours.on(day)
        if span is not None:
            opens_ms, closes_ms = (_instant(day, minute, zone) for minute in span)
            until_ms = min(closes_ms, now_ms)
            if until_ms - opens_ms >= left_ms:
                return until_ms - left_ms
            left_ms -= max(0, until_ms - opens_ms)
        day -= timedelta(days=1)
    return now_ms - MAX_DAYS * 24 * 60 * MINUTE_MS


def _instant(day: date, minute: int, zone: tzinfo) -> int:
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the wall's, given its zone
    on_the_wall = midnight + timedelta(minutes=minute)
    return round(on_the_wall.replace(tzinfo=zone).timestamp() * 1000)


def hours_from(week: Sequence[Sequence[int] | None], closed: Sequence[str]) -> Hours:
    """Return opening hours as they are stored."""
    return Hours(tuple((span[0], span[1]) if span else None for span in week), frozenset(closed))
