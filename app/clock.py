"""The time, given in from outside so that a test can set it.

Every instant in Stoep is a whole number of milliseconds since 1970 in UTC: on the phone, on the
wire and in the database. One representation leaves no room for a naive datetime.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Something that knows what time it is."""

    def now_ms(self) -> int:
        """Return the present instant in epoch milliseconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Return the present instant in epoch milliseconds."""
        return time.time_ns() // 1_000_000


class SetClock:
    """A clock that stands still until it is moved; for tests and simulations."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Return the instant the clock was last set to."""
        return self._now_ms

    def forward(self, *, ms: int = 0, s: int = 0) -> None:
        """Move the clock on."""
        self._now_ms += ms + s * 1000
