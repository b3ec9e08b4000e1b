"""What X has cost this month: every post and message that is read or written is paid for.

The count lies in a purse that all processes share which read or write for the account; before one
is given, in this process only. It goes along with the cursor too, from which a purse that knows
nothing of this month begins. Source: X, "Pricing" (read 2026-11): one price per thing returned,
charged once a day in UTC, and one per request that writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.channels.contract import Permanent, Purse

POST_READ, USER_READ, MESSAGE_READ = 5_000, 10_000, 10_000
POST, POST_WITH_LINK, MESSAGE = 15_000, 200_000, 15_000
"""In millionths of a dollar."""

DAY_MS = 24 * 3600 * 1000


@dataclass(slots=True)
class Meter:
    """One account's month."""

    month: str = ""
    spent: int = 0
    """In millionths of a dollar, as far as is known here."""
    purse: Purse | None = None
    _day: int = 0
    _paid: set[str] = field(default_factory=set)

    async def knows(self, month: str, spent: int, now_month: str) -> None:
        """Go on from what was stored, if that is more than what is known."""
        await self.turn(now_month)
        if month != self.month:
            return
        if self.purse is None:
            self.spent = max(self.spent, spent)
        elif not self.spent:
            await self.count(spent)

    async def turn(self, month: str) -> None:
        """Begin a month at what others have spent in it."""
        if month != self.month:
            self.month, self.spent = month, 0
        await self.count(0)

    def room(self, cost: int, cap: int) -> None:
        """Raise Permanent("cost_cap") when this would cost more than the month may."""
        if self.spent + cost > cap:
            raise Permanent("cost_cap", f"{self.spent} of {cap} millionths")

    async def set_aside(self, cost: int, cap: int) -> None:
        """Count before it is spent, so that two at once do not both find room for it.

        Raises Permanent("cost_cap").
        """
        self.room(cost, cap)
        await self.count(cost)
        try:
            self.room(0, cap)
        except Permanent:
            await self.count(-cost)
            raise

    async def read(self, ids: Iterable[str], price: int, now_ms: int) -> None:
        """Count what was returned; the same thing again on the same day costs nothing."""
        if now_ms // DAY_MS != self._day:
            self._day, self._paid = now_ms // DAY_MS, set()
        new = set(ids) - self._paid
        self._paid |= new
        if new:
            await self.count(len(new) * price)

    async def count(self, cost: int) -> None:
        """Count what was spent; less than nothing gives back what was set aside."""
        if self.purse is None:
            self.spent += cost
        else:
            self.spent = await self.purse.spend(self.month, cost)


_meters: dict[str, Meter] = {}


def meter_of(account: str) -> Meter:
    """Return the one meter of an account in this process."""
    return _meters.setdefault(account, Meter())


def forget() -> None:
    """Know nothing, as after a restart."""
    _meters.clear()
