"""What people wrote to an account: mentions, replies and quotes, and what became of them later.

Notifications stand in the order in which posts were written, not in which they arrived: a post
from a slow phone appears behind ones that were read already. So each look goes back an hour before
the newest one known, and the names of what was seen in that hour travel in the cursor.
Source: docs.bsky.app/docs/api/app-bsky-notification-list-notifications, read November 2026.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from app.channels.bluesky_session import Account
from app.channels.bluesky_text import post_text, rows, table
from app.channels.contract import Batch, Gap, Incoming, IncomingAttachment
from app.channels.social_http import fetch_picture, instant_ms

REASONS = ("mention", "reply", "quote")
PAGE = 100
MAX_PAGES = 10
BATCH = 25
"""As many as one call to getPosts takes."""

LATE_MS = 60 * 60 * 1000
MAX_SEEN = 2 * MAX_PAGES * PAGE
"""More than one look can meet: what was forgotten would be new again, and no look would end."""

WATCHED = 50
SWEEP_MS = 2 * 60 * 1000
"""How often the last questions are looked at for a deletion: two calls for all of them."""

MISSED = "?"
"""Before the CID of a question that was not there once. An app view that stumbles leaves posts out,
so only one that is missed twice was deleted."""


@dataclass(slots=True)
class Cursor:
    newest_ms: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    """Short names of posts that were taken in → when they were written."""
    watched: dict[str, str] = field(default_factory=dict)
    """Address of a question → the CID of what it said; oldest first."""
    swept_ms: int = 0
    chat: str = ""
    """How far the log of private messages was read."""

    def write(self) -> str:
        return json.dumps(
            {
                "newest_ms": self.newest_ms,
                "seen": self.seen,
                "watched": self.watched,
                "swept_ms": self.swept_ms,
                "chat": self.chat,
            },
            separators=(",", ":"),
        )


def read_cursor(text: str | None) -> Cursor:
    """Read a cursor; one that is not ours starts over."""
    try:
        said = json.loads(text or "")
        return Cursor(
            newest_ms=int(said["newest_ms"]),
            seen={str(name): int(ms) for name, ms in said["seen"].items()},
            watched={str(uri): str(cid) for uri, cid in said["watched"].items()},
            swept_ms=int(said["swept_ms"]),
            chat=str(said.get("chat") or ""),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Cursor()


class Reading:
    """One look at an account, from a cursor to the next."""

    def __init__(
        self,
        account: Account,
        now_ms: Callable[[], int],
        *,
        since_ms: int,
        private_hosts: Collection[str],
    ) -> None:
        self._account = account
        self._now_ms = now_ms
        self._since_ms = since_ms
        self._private_hosts = private_hosts

    async def fetch(self, cursor: Cursor) -> Batch:
        """Return what is new after `cursor`, and what changed of the last questions."""
        items = await self._changes(cursor)
        found, whole = await self._walk(cursor)
        gap = None
        if not whole and cursor.newest_ms and found:
            gap = Gap(cursor.newest_ms, _ms(found[-1], self._now_ms()))
        taken = list(reversed(found[-BATCH:]))
        views = await self._posts([str(row["uri"]) for row in taken])
        did = await self._account.did()
        for row in taken:
            uri, ms = str(row["uri"]), _ms(row, self._now_ms())
            cursor.seen[_short(uri)] = ms
            cursor.newest_ms = max(cursor.newest_ms, ms)
            if table(row.get("author")).get("did") in {did, None}:
                continue
            items.append(await self._incoming(row, views.get(uri, {}), did))
            cursor.watched[uri] = str(row.get("cid") or "")
        _forget(cursor)
        return Batch(tuple(items), cursor.write(), len(found) > BATCH, gap=gap)

    async def _walk(self, cursor: Cursor) -> tuple[list[dict[str, Any]], bool]:
        """Return notifications that were not taken in yet, newest first; False when cut off."""
        floor_ms = max(self._since_ms, cursor.newest_ms - LATE_MS)
        found: dict[str, dict[str, Any]] = {}
        page = ""
        for _ in range(MAX_PAGES):
            answer = await self._account.ask(
                "GET",
                "app.bsky.notification.listNotifications",
                params={
                    "limit": str(PAGE),
                    "reasons": list(REASONS),
                    **({"cursor": page} if page else {}),
                },
            )
            said = answer.table()
            told = rows(said.get("notifications"))
            for row in told:
                if _ms(row, self._now_ms()) < floor_ms:
                    return list(found.values()), True
                uri = str(row.get("uri") or "")
                asked = row.get("reason") in REASONS and uri.startswith("at://")
                if asked and _short(uri) not in cursor.seen:
                    found.setdefault(uri, row)
            page = str(said.get("cursor") or "")
            if not page or not told:
                return list(found.values()), True
        return list(found.values()), False

    async def _incoming(self, row: dict[str, Any], view: dict[str, Any], own_did: str) -> Incoming:
        author, record = table(row.get("author")), table(row.get("record"))
        uri = str(row["uri"])
        pictures, notices = await self._pictures(view, record)
        refs = table(record.get("reply"))
        above = [str(table(refs.get(name)).get("uri") or "") for name in ("parent", "root")]
        now_ms = self._now_ms()
        return Incoming(
            external_id=uri,
            address=str(author["did"]),
            sender_name=shown_name(author),
            text=post_text(record),
            sent_at_ms=min(instant_ms(record.get("createdAt")) or _ms(row, now_ms), now_ms),
            quoted=_quoted(view),
            attachments=pictures,
            in_reply_to=tuple(dict.fromkeys(_ours(one, own_did) for one in above if one)),
            automatic=any(one.get("val") == "bot" for one in rows(author.get("labels"))),
            notices=notices,
            public=True,
            link=page_of(uri),
            raw=json.dumps(row, ensure_ascii=False).encode(),
        )

    async def _pictures(
        self, view: dict[str, Any], record: dict[str, Any]
    ) -> tuple[tuple[IncomingAttachment, ...], tuple[str, ...]]:
        sent = table(record.get("embed"))
        sent = table(sent.get("media")) or sent
        shown = table(view.get("embed"))
        shown = table(shown.get("media")) or shown
        pictures = []
        for image in rows(shown.get("images"))[:4]:
            picture = await fetch_picture(str(image.get("fullsize") or ""), self._private_hosts)
            if picture is not None:
                pictures.append(picture)
        lost = len(pictures) < len(rows(sent.get("images"))) or "video" in sent
        return tuple(pictures), ("attachments_dropped",) if lost else ()

    async def _changes(self, cursor: Cursor) -> list[Incoming]:
        now_ms = self._now_ms()
        if 0 <= now_ms - cursor.swept_ms < SWEEP_MS:
            return []
        cursor.swept_ms = now_ms
        items = []
        names = list(cursor.watched)
        for at in range(0, len(names), BATCH):
            some = names[at : at + BATCH]
            views = await self._posts(some)
            for uri in some:
                view, known = views.get(uri), cursor.watched[uri]
                if view is None and not known.startswith(MISSED):
                    cursor.watched[uri] = MISSED + known
                elif view is None:
                    del cursor.watched[uri]
                    items.append(_changed(uri, "delete", now_ms))
                else:
                    cursor.watched[uri] = cid = str(view.get("cid"))
                    if cid != known.removeprefix(MISSED):
                        text = post_text(table(view.get("record")))
                        items.append(_changed(uri, "edit", now_ms, text))
        return items

    async def _posts(self, uris: list[str]) -> dict[str, dict[str, Any]]:
        """Return posts as they stand now, by address; what is gone is not among them."""
        if not uris:
            return {}
        answer = await self._account.ask("GET", "app.bsky.feed.getPosts", params={"uris": uris})
        return {str(post.get("uri")): post for post in rows(answer.table().get("posts"))}


def _forget(cursor: Cursor) -> None:
    """Drop names that no look will meet again, and keep the cursor small."""
    oldest_ms = cursor.newest_ms - LATE_MS
    kept = [(name, ms) for name, ms in cursor.seen.items() if ms >= oldest_ms]
    cursor.seen = dict(kept[-MAX_SEEN:])
    while len(cursor.watched) > WATCHED:
        cursor.watched.pop(next(iter(cursor.watched)))


def _ours(uri: str, own_did: str) -> str:
    """Return a name as deliveries know it: of our own posts only the key."""
    return uri.rpartition("/")[2] if uri.startswith(f"at://{own_did}/") else uri


def page_of(uri: str) -> str:
    """Return the address at which people see a post."""
    _, _, rest = uri.partition("at://")
    did, _, path = rest.partition("/")
    return f"https://bsky.app/profile/{did}/post/{path.rpartition('/')[2]}"


def _quoted(view: dict[str, Any]) -> str | None:
    """Return the words of a post that this one quotes."""
    embed = table(view.get("embed"))
    quoted = table(embed.get("record"))
    quoted = table(quoted.get("record")) or quoted
    value = table(quoted.get("value"))
    return post_text(value) or None if value else None


def shown_name(author: dict[str, Any]) -> str:
    """Return how somebody is called, with the name that is hers alone."""
    handle = str(author.get("handle") or "")
    shown = " ".join(str(author.get("displayName") or "").split())[:80]
    return f"{shown} (@{handle})" if shown and handle else shown or f"@{handle}"


def _ms(row: dict[str, Any], now_ms: int) -> int:
    found = instant_ms(row.get("indexedAt"))
    return min(found, now_ms) if found is not None else now_ms


def _short(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()[:12]


def _changed(uri: str, kind: Any, now_ms: int, text: str = "") -> Incoming:
    did = uri.removeprefix("at://").partition("/")[0]
    return Incoming(
        external_id=uri, address=did, sender_name="", text=text, sent_at_ms=now_ms, kind=kind
    )
