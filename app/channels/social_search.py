"""What a saved search heard before, on platforms that answer with a list, the newest first.

What is found may stand there late: a post from a slow phone, or from a server far away, takes its
place behind ones that were read already. So each look goes back a few hours before the newest one
known, and the names of what was heard in those hours travel in the cursor.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.channels.contract import Permanent

FIRST_MS = 7 * 24 * 3600 * 1000
"""How far back the first look of a search goes."""

LATE_MS = 6 * 3600 * 1000
MAX_SEEN = 1000
"""More than one look can meet: what was forgotten would be new again, and no look would end."""

MAX_ROWS = 500
MAX_ITEMS = 50
_WORD = re.compile(r"\w")


@dataclass(slots=True)
class Memory:
    """How far a search has listened."""

    newest_ms: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    """Short names of what was heard → when it was said."""
    others: bool = False
    """Something was found that this account could not have known of by itself."""

    def floor_ms(self, now_ms: int) -> int:
        """Return before when nothing is looked for."""
        return self.newest_ms - LATE_MS if self.newest_ms else now_ms - FIRST_MS

    def knows(self, name: str) -> bool:
        return _short(name) in self.seen

    def keep(self, heard: Iterable[tuple[str, int]]) -> None:
        """Remember what was heard: names, and when it was said."""
        for name, ms in heard:
            self.seen[_short(name)] = ms
            self.newest_ms = max(self.newest_ms, ms)
        oldest_ms = self.newest_ms - LATE_MS
        kept = sorted((one for one in self.seen.items() if one[1] >= oldest_ms), key=_said)
        self.seen = dict(kept[-MAX_SEEN:])

    def write(self) -> str:
        said = {"newest_ms": self.newest_ms, "seen": self.seen, "others": self.others}
        return json.dumps(said, separators=(",", ":"))


def read_memory(cursor: str | None) -> Memory:
    """Read a cursor; one that is not ours starts over."""
    try:
        said = json.loads(cursor or "")
        return Memory(
            newest_ms=int(said["newest_ms"]),
            seen={str(name): int(ms) for name, ms in said["seen"].items()},
            others=said["others"] is True,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Memory()


def words_of(query: str) -> str:
    """Return what is looked for, on one line. Raises Permanent when there is no word in it."""
    words = " ".join(query.split())
    if not _WORD.search(words):
        raise Permanent("query_refused", "no word in it")
    return words


def _said(one: tuple[str, int]) -> int:
    return one[1]


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]
