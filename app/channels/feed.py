"""A neighbourhood's site as a source to listen to: RSS or Atom, read only.

Its items are no questions put to the municipality; they go to the listening list. What a feed says
twice is known again by what was seen before, which travels in the cursor: publishers leave ids out,
change them at every visit, and repeat themselves.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from app.channels.contract import (
    Batch,
    Incoming,
    Setup,
    SetupField,
    Temporary,
)
from app.channels.feed_items import Item, alternate_of, is_feed, read
from app.channels.feed_only import CAPABILITIES, ReadOnly, external_id
from app.channels.safe_http import Fetched, fetch

__all__ = ["CAPABILITIES", "SETUP", "Feed", "build", "external_id"]

MAX_BYTES = 3_000_000
POLL_S = 900.0
MAX_SEEN = 400
"""Items remembered beside those that the feed has now."""
PARSE_S = 20.0

ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/html;q=0.5"

SETUP = Setup(
    intro=(
        (
            "Plak het adres van de site of van de feed. De berichten komen in de lijst "
            "Meeluisteren. Het zijn geen vragen aan de gemeente: antwoorden kan niet."
        ),
        (
            "Paste the address of the site or of its feed. Its items go to the list Listening. "
            "They are no questions to the municipality: they cannot be answered."
        ),
    ),
    fields=(
        SetupField(
            "url",
            ("Adres van de site of feed", "Address of the site or feed"),
            "url",
            ("Bijvoorbeeld https://buurtkrant.example/feed", "Such as https://paper.example/feed"),
        ),
    ),
)


def build(config: Mapping[str, Any], _secret: str, now_ms: Callable[[], int]) -> "Feed":
    """Make the adapter. Raises Permanent("bad_config") without an address that can be fetched."""
    return Feed(config, now_ms)


class Feed(ReadOnly):
    """Reads one feed, or the feed that a page names."""

    async def fetch(self, cursor: str | None) -> Batch:
        """Return what is new or says something else than before, oldest first.

        Raises Temporary, or Permanent when there is no feed at this address.
        """
        past = _past(cursor)
        got = await self._get(past.get("feed") or self._url, past)
        if got.status == 304:
            return Batch((), cursor)
        named = "" if is_feed(got.body) else await self._named(got)
        if named:
            past = {"seen": past["seen"], "feed": named}
            got = await self._get(named, past)
        try:
            async with asyncio.timeout(PARSE_S):
                items = await asyncio.to_thread(read, got.body, got.url, self._now_ms())
        except TimeoutError:
            # The thread goes on until it is done: there must never be many of them.
            raise Temporary("site_slow", "parsing", POLL_S, account_wide=True) from None
        return self._batch(items, got, past)

    async def _named(self, got: Fetched) -> str:
        """Return the feed that a page names."""
        return await asyncio.to_thread(alternate_of, got.body, got.url)

    async def _get(self, url: str, past: Mapping[str, Any]) -> Fetched:
        headers = {
            name: past[key]
            for name, key in (("if-none-match", "etag"), ("if-modified-since", "modified"))
            if past.get(key)
        }
        return await fetch(
            url,
            max_bytes=MAX_BYTES,
            accept=ACCEPT,
            headers=headers,
            private_hosts=self._private_hosts,
        )

    def _batch(self, items: list[Item], got: Fetched, past: Mapping[str, Any]) -> Batch:
        """Tell the new from the known; `seen` is {mark: [id, digest]}, oldest first."""
        seen: dict[str, list[str]] = dict(past["seen"])
        found: list[Incoming] = []
        for item in items:
            known = next((seen.pop(mark) for mark in item.marks if mark in seen), None)
            name = known[0] if known else item.external_id
            if known is None or known[1] != item.digest:
                found.append(_incoming(item, name, "new" if known is None else "edit"))
            for mark in item.marks:
                seen.pop(mark, None)
                seen[mark] = [name, item.digest]
        now = sum(len(item.marks) for item in items)
        kept = dict(list(seen.items())[-(now + MAX_SEEN) :])
        cursor: dict[str, Any] = {"v": 1, "seen": kept}
        cursor |= {
            key: got.headers[name][:500]
            for key, name in (("etag", "etag"), ("modified", "last-modified"))
            if got.headers.get(name)
        }
        if past.get("feed"):
            cursor["feed"] = past["feed"]
        return Batch(tuple(found), json.dumps(cursor, separators=(",", ":")))


def _incoming(item: Item, external_id: str, kind: Any) -> Incoming:
    return Incoming(
        external_id=external_id,
        address="",
        sender_name=item.author,
        text=item.text,
        sent_at_ms=item.published_ms,
        kind=kind,
        sender_kind="organisation",
        subject=item.title,
        public=True,
        link=item.link if item.link.startswith("https://") else "",
        notices=item.notices,
    )


def _past(cursor: str | None) -> dict[str, Any]:
    """Return what a cursor of ours says; anything else is the beginning."""
    try:
        past = json.loads(cursor or "")
        seen = past["seen"]
        if past["v"] == 1 and all(
            isinstance(one, list) and [type(part) for part in one] == [str, str]
            for one in seen.values()
        ):
            return dict(past)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return {"seen": {}}
