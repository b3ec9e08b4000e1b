"""What a push service's answer means for a push: taken, gone, refused, or come back later."""

import email.utils
import random
from dataclasses import dataclass

from app.push.connections import Answer

FIRST_RETRY_MS = 2_000
LONGEST_RETRY_MS = 5 * 60_000
LONGEST_RETRY_AFTER_MS = 3600_000
"""A push service that asks for more than an hour is asked again after an hour."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a push: the state it goes to, why, and for `queued` how long to wait."""

    state: str
    error: str | None = None
    wait_ms: int = 0


SENT = Outcome("sent")


def judge(answer: Answer, attempts: int, now_ms: int) -> Outcome:
    """Return what an answer means (RFC 8030, sections 5, 7.2, 7.3 and 8.4; RFC 8292, section 2)."""
    status = answer.status
    if 200 <= status < 300:
        return SENT
    if status in {404, 410}:
        return Outcome("gone", "gone")
    if status in {401, 403}:
        return Outcome("failed", "server_key")
    if status == 413:
        return Outcome("failed", "too_large")
    if status == 429 or status >= 500:
        code = "limited" if status == 429 else "service_error"
        asked_ms = _retry_after_ms(answer.retry_after, now_ms)
        return Outcome(
            "queued", code, backoff_ms(attempts) if asked_ms is None else _jittered(asked_ms)
        )
    return Outcome("failed", "redirected" if 300 <= status < 400 else "refused")


def backoff_ms(attempts: int) -> int:
    """Return how long to wait after so many tries: twice as long each time, up to five minutes."""
    return _jittered(min(FIRST_RETRY_MS * 2 ** min(attempts, 16), LONGEST_RETRY_MS))


def _jittered(wait_ms: int) -> int:
    # So that all that failed together does not come back together.
    return int(wait_ms * random.uniform(1.0, 1.25))  # noqa: S311


def _retry_after_ms(said: str | None, now_ms: int) -> int | None:
    """Return how long a push service asks to wait: seconds or a date (RFC 9110, section 10.2.3)."""
    if said is None:
        return None
    said = said.strip()
    if said.isdigit() and len(said) < 10:
        wait_ms = int(said) * 1000
    else:
        try:
            wait_ms = int(email.utils.parsedate_to_datetime(said).timestamp() * 1000) - now_ms
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(wait_ms, 0), LONGEST_RETRY_AFTER_MS)
