"""When a phone is asked to prove itself: every day once, and not in the night."""

import hashlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.i18n import ZONE

HOUR_MS = 3600_000
FIRST_TEST_MS = 60_000
"""After subscribing; a test that is asked for comes before it."""

EVERY_MS = 22 * HOUR_MS
SPREAD_MS = 2 * HOUR_MS
SILENT_EVERY_MS = HOUR_MS
"""A phone that fell silent may have been in a tunnel: it is asked again."""

PROOF_MS = 26 * HOUR_MS
"""For so long a shown notification proves that the phone can be woken."""

ANSWER_MS = 10 * 60_000
"""How long a phone may take to say that it showed something, before it is called silent."""

NIGHT_FROM, NIGHT_TO = 22, 7
"""Hours of the night, local time."""


def next_test_ms(subscription_id: str, now_ms: int) -> int:
    """Return when a phone that has just proved itself is tested again.

    22 to 24 hours later, spread by the subscription; what would fall in the night is done in the
    two hours before it, so that no proof grows older than `PROOF_MS`.
    """
    spread_ms = _spread_ms(subscription_id)
    at_ms = now_ms + EVERY_MS + spread_ms
    if not is_night(at_ms):
        return at_ms
    return _last(NIGHT_FROM, at_ms) - SPREAD_MS + spread_ms - 1


def after_the_night_ms(subscription_id: str, now_ms: int) -> int:
    """Return when a test that came due in the night is done: from 7 to 9 in the morning."""
    begins = _next(NIGHT_TO, now_ms)
    return begins + _spread_ms(subscription_id)


def is_night(at_ms: int) -> bool:
    """Say whether people here are asleep at this instant."""
    hour = _local(at_ms).hour
    return hour >= NIGHT_FROM or hour < NIGHT_TO


def _spread_ms(subscription_id: str) -> int:
    digest = hashlib.sha256(subscription_id.encode()).digest()
    return int.from_bytes(digest[:4]) % SPREAD_MS


def _last(hour: int, at_ms: int) -> int:
    """Return the last time before or at an instant that clocks here said `hour` o'clock."""
    then = _local(at_ms)
    if then.hour < hour:
        then -= timedelta(days=1)
    return _instant(then, hour)


def _next(hour: int, at_ms: int) -> int:
    then = _local(at_ms)
    if then.hour >= hour:
        then += timedelta(days=1)
    return _instant(then, hour)


def _instant(day: datetime, hour: int) -> int:
    return int(day.replace(hour=hour, minute=0, second=0, microsecond=0).timestamp() * 1000)


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(ZONE))
