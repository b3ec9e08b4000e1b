"""More mentions within an hour than anybody expects: all come in, once, and then it is quiet."""

import json
from collections import Counter
from typing import Any

import pytest

from app.channels.bluesky_read import BATCH, MAX_PAGES, PAGE, Reading, read_cursor
from app.channels.contract import Gap, Incoming
from app.channels.social_http import Answer
from tests.support.town import NOON_MS

US = "did:plc:wij"


class Busy:
    """An account as its server tells of it: so many mentions, one each second, the newest first.

    It does not cover anything about connections or signing in.
    """

    def __init__(self, mentions: int) -> None:
        self.posts = [self._mention(number) for number in range(mentions)]
        self.asked = 0

    @staticmethod
    def _mention(number: int) -> dict[str, Any]:
        second = f"2026-10-01T10:{number // 60 % 60:02}:{number % 60:02}Z"
        return {
            "uri": f"at://did:plc:{number}/app.bsky.feed.post/{number}",
            "cid": str(number),
            "reason": "mention",
            "author": {"did": f"did:plc:{number}", "handle": "iemand.example"},
            "record": {"text": f"nummer {number}", "createdAt": second},
            "indexedAt": second,
        }

    async def did(self) -> str:
        return US

    async def ask(self, _method: str, name: str, *, params: dict[str, Any]) -> Answer:
        self.asked += 1
        said: dict[str, Any] = {"posts": [{"uri": uri} for uri in params.get("uris", [])]}
        if name.endswith("listNotifications"):
            at = int(params.get("cursor", 0))
            page = self.posts[::-1][at : at + PAGE]
            said = {"notifications": page, "cursor": str(at + PAGE) if len(page) == PAGE else ""}
        return Answer(200, {}, json.dumps(said).encode())


async def read_all(busy: Busy, cursor: str | None) -> tuple[Counter[str], str, list[Gap]]:
    """Fetch until nothing is left; return how often each mention came, and the cursor."""
    now_ms = NOON_MS + 365 * 24 * 3600 * 1000
    reading = Reading(busy, lambda: now_ms, since_ms=0, private_hosts=())  # type: ignore[arg-type]
    came: Counter[str] = Counter()
    gaps: list[Gap] = []
    for _ in range(3 * len(busy.posts) // BATCH + 3):
        batch = await reading.fetch(read_cursor(cursor))
        cursor = batch.cursor
        came.update(
            item.text for item in batch.items if isinstance(item, Incoming) and item.kind == "new"
        )
        gaps += [batch.gap] if batch.gap else []
        if not batch.more:
            return came, cursor or "", gaps
    raise AssertionError(f"it never ends: {len(came)} of {len(busy.posts)} came in")


@pytest.mark.parametrize("mentions", [600, (MAX_PAGES - 1) * PAGE])
async def test_a_storm_of_mentions_comes_in_once_and_ends(mentions: int) -> None:
    busy = Busy(mentions)
    came, cursor, gaps = await read_all(busy, None)
    assert came == {f"nummer {number}": 1 for number in range(mentions)}
    assert gaps == []
    busy.posts.append(Busy._mention(mentions))
    came, _, _ = await read_all(busy, cursor)
    assert came == {f"nummer {mentions}": 1}
