"""What accounts spend at platforms that are paid for by use, counted for all processes together.

It lies with the other counts by period, and is forgotten with them when its month is over.
"""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlmodel import Session

from app.db import Database

_SPEND = text(
    "INSERT INTO rate_count (key, period, count) VALUES (:key, :period, :count)"
    " ON CONFLICT (key, period) DO UPDATE SET count = rate_count.count + :count"
    " RETURNING count"
)
_SPENT = text("SELECT count FROM rate_count WHERE key = :key AND period = :period")
UNIT = 1000
"""Of millionths: the count is a number of 32 bits, and no price is finer than a thousandth."""


class AccountPurse:
    """What one account has spent. See Purse."""

    def __init__(self, db: Database, account_id: str) -> None:
        self._db = db
        self._key = f"spent by {account_id}"

    async def spend(self, month: str, millionths: int) -> int:
        """See Purse. In a transaction of its own: what fails afterwards was spent as well."""
        named = {"key": self._key, "period": _end_ms(month)}
        if not millionths:
            rows = await self._db.all(_SPENT.text, named)
            return int(rows[0][0]) * UNIT if rows else 0

        def count(session: Session) -> int:
            # Rounded up: what was spent is never less than what is counted.
            amount = -(-millionths // UNIT)
            spent: int = session.execute(_SPEND, named | {"count": amount}).scalar_one()
            return spent

        return await self._db.write(count) * UNIT


def _end_ms(month: str) -> int:
    """Return when a month is over, as a window of counts is named."""
    year, number = int(month[:4]), int(month[5:])
    after = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return int(after.timestamp() * 1000)
