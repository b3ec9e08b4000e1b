"""What X has cost this month: every post and message that is read or written is paid for.

The count lives in this process, so that whoever reads and whoever writes share it, and goes along
with the cursor, so that a restart goes on with it. Source: X, "Pricing" (read 2026-11): one price
per thing returned, charged once a day in UTC, and one per request that writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.channels.contract import Permanent

POST_READ, USER_READ, MESSAGE_READ = 5_000, 10_000, 10_000
POST, POST_WITH_LINK, MESSAGE = 15_000, 200_000, 15_000
"""In millionths of a dollar."""

DAY_MS = 24 * 3600 * 1000


@dataclass(slots=True)
class Meter:
    """One account's month."""

    month: str = ""
    spent: int = 0
    """In millionths of a dollar."""
    _day: int = 0
    _paid: set[str] = field(default_factory=set)

    def knows(self, month: str, spent: int, now_month: str) -> None:
        """Go on from what was stored, if that is more than what is known here."""
        self.turn(now_month)
        if month == self.month:
            self.spent = max(self.spent, spent)

    def turn(self, month: str) -> None:
        """Begin a month at nothing."""
        if month != self.month:
            self.month, self.spent = month, 0

    def room(self, cost: int, cap: int) -> None:
        """Raise Permanent("cost_cap") when this would cost more than the month may."""
        if self.spent + cost > cap:
            raise Permanent("cost_cap", f"{self.spent} of {cap} millionths")

    def read(self, ids: Iterable[str], price: int, now_ms: int) -> None:
        """Count what was returned; the same thing again on the same day costs nothing."""
        if now_ms // DAY_MS != self._day:
            self._day, self._paid = now_ms // DAY_MS, set()
        new = set(ids) - self._paid
        self._paid |= new
        self.spent += len(new) * price

    def wrote(self, price: int) -> None:
        """Count a request that writes, whether or not its answer arrived."""
        self.spent += price


_meters: dict[str, Meter] = {}


def meter_of(account: str) -> Meter:
    """Return the one meter of an account in this process."""
    return _meters.setdefault(account, Meter())


def forget() -> None:
    """Know nothing, as after a restart."""
    _meters.clear()
