"""What people wrote to an account: mentions, direct messages, followed hashtags, and later changes.

Servers differ in how they page: ids may be opaque, `since_id` unknown, the Link header absent, a
page one row long. So a list is walked from its newest row backwards by `max_id`, the one parameter
that all have, until a row that is known; a server that knows `since_id` gets there sooner.

No event says for certain that a question was edited or deleted, so the last ones are looked at
again: at once when the stream speaks of one, and all of them now and then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from app.channels.contract import Batch, Gap, Incoming, IncomingAttachment
from app.channels.mastodon_settings import Instance, MastodonSettings
from app.channels.mastodon_text import post_text, shown_name
from app.channels.social_http import Caller, fetch_picture, instant_ms

PAGE = 40
MAX_PAGES = 60
MAX_ROWS = 400
BATCH = 40
WATCHED = 30
"""How many questions are looked at again for an edit or a deletion."""

SWEEP_MS = 6 * 60 * 1000
"""How often: thirty requests in six minutes, of the 300 in five that a server allows."""

MAX_ANCESTORS = 20
MAX_PICTURES = 4
MAX_BATCH_BYTES = 40_000_000
"""Once so many pictures came along, the rest waits for the next look: forty posts may have 160."""


@dataclass(slots=True)
class Mark:
    """How far a list was read: the newest row taken in, and when it was made."""

    id: str = ""
    ms: int = 0


@dataclass(slots=True)
class Cursor:
    mentions: Mark = field(default_factory=Mark)
    hashtags: dict[str, Mark] = field(default_factory=dict)
    watched: dict[str, str] = field(default_factory=dict)
    """Id of a question → when it was last edited, as its server says it; oldest first."""
    swept_ms: int = 0

    def write(self) -> str:
        return json.dumps(
            {
                "mentions": [self.mentions.id, self.mentions.ms],
                "hashtags": {tag: [mark.id, mark.ms] for tag, mark in self.hashtags.items()},
                "watched": self.watched,
                "swept_ms": self.swept_ms,
            },
            separators=(",", ":"),
        )


def read_cursor(text: str | None) -> Cursor:
    """Read a cursor; one that is not ours starts over."""
    try:
        said = json.loads(text or "")
        return Cursor(
            mentions=_mark(said["mentions"]),
            hashtags={str(tag): _mark(mark) for tag, mark in said["hashtags"].items()},
            watched={str(name): str(edited) for name, edited in said["watched"].items()},
            swept_ms=int(said["swept_ms"]),
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return Cursor()


def _mark(said: list[Any]) -> Mark:
    return Mark(str(said[0]), int(said[1]))


@dataclass(frozen=True, slots=True)
class Me:
    id: str
    acct: str
    page: str = ""


class Reading:
    """One look at an account, from a cursor to the next."""

    def __init__(
        self,
        caller: Caller,
        settings: MastodonSettings,
        me: Me,
        instance: Instance,
        now_ms: Callable[[], int],
    ) -> None:
        self._caller = caller
        self._settings = settings
        self._me = me
        self._instance = instance
        self._now_ms = now_ms

    async def fetch(self, cursor: Cursor, changed: set[str]) -> Batch:
        """Return what is new after `cursor`, and what `changed` of what is watched."""
        items: list[Incoming] = await self._changes(cursor, changed)
        rows, whole = await walk(
            self._caller,
            "/api/v1/notifications",
            {"types[]": "mention"},
            cursor.mentions,
            token=self._settings.token,
            floor_ms=max(self._settings.since_ms, cursor.mentions.ms),
        )
        gap = None if whole or not cursor.mentions.id else self._gap(cursor.mentions, rows)
        more = len(rows) > BATCH
        for row in reversed(rows[-BATCH:]):
            status = row.get("status")
            if row.get("type") == "mention" and isinstance(status, dict):
                items += await self._take(status, cursor)
            cursor.mentions = _mark_of(row, cursor.mentions)
            if _is_full(items):
                more = True
                break
        for tag in self._settings.hashtags:
            if _is_full(items):
                more = True
                break
            found, again = await self._hashtag(tag, cursor)
            items += found
            more = more or again
        known = dict.fromkeys(item.external_id for item in items if item.kind == "new")
        return Batch(tuple(_once(items, known)), cursor.write(), more, gap=gap)

    async def _hashtag(self, tag: str, cursor: Cursor) -> tuple[list[Incoming], bool]:
        mark = cursor.hashtags.get(tag, Mark())
        rows, _ = await walk(
            self._caller,
            f"/api/v1/timelines/tag/{tag}",
            {},
            mark,
            token=self._settings.token,
            floor_ms=max(self._settings.since_ms, mark.ms),
        )
        items: list[Incoming] = []
        for row in reversed(rows[-BATCH:]):
            if row.get("visibility") in {"public", "unlisted"}:
                items += await self._take(row, cursor, subject=f"#{tag}")
            mark = _mark_of(row, mark)
            if _is_full(items):
                break
        cursor.hashtags[tag] = mark
        return items, len(rows) > BATCH or _is_full(items)

    async def _take(
        self, status: dict[str, Any], cursor: Cursor, subject: str = ""
    ) -> list[Incoming]:
        account = status.get("account")
        if not isinstance(account, dict) or not status.get("id"):
            return []
        ours = str(account.get("id")) == self._me.id
        if ours or status.get("reblog") or str(status["id"]) in cursor.watched:
            return []
        item = await self._incoming(status, account, subject)
        cursor.watched[item.external_id] = str(status.get("edited_at") or "")
        while len(cursor.watched) > WATCHED:
            cursor.watched.pop(next(iter(cursor.watched)))
        return [item]

    async def _incoming(
        self, status: dict[str, Any], account: dict[str, Any], subject: str
    ) -> Incoming:
        pictures, notices = await self._pictures(status)
        quoted = (status.get("quote") or {}) if isinstance(status.get("quote"), dict) else {}
        quoted_status = quoted.get("quoted_status")
        link = str(status.get("url") or status.get("uri") or "")
        return Incoming(
            external_id=str(status["id"]),
            address=full_address(account, self._instance.domain),
            sender_name=shown_name(account),
            text=post_text(status),
            sent_at_ms=min(instant_ms(status.get("created_at")) or self._now_ms(), self._now_ms()),
            subject=subject,
            quoted=post_text(quoted_status) if isinstance(quoted_status, dict) else None,
            attachments=pictures,
            in_reply_to=await self._ancestors(status),
            automatic=account.get("bot") is True,
            notices=notices,
            public=is_public(status),
            link=link if link.startswith("https://") else "",
            raw=json.dumps(status, ensure_ascii=False).encode(),
        )

    async def _ancestors(self, status: dict[str, Any]) -> tuple[str, ...]:
        """Return the ids of what a post answers, nearest first: its conversation may be ours."""
        parent = status.get("in_reply_to_id")
        if not parent:
            return ()
        answer = await self._caller.ask(
            "GET", f"/api/v1/statuses/{status['id']}/context", token=self._settings.token
        )
        said = answer.value()
        found = said.get("ancestors") if answer.ok and isinstance(said, dict) else None
        above = [str(row["id"]) for row in _rows(found) if row.get("id")]
        nearest = dict.fromkeys([str(parent), *reversed(above)])
        return tuple(nearest)[:MAX_ANCESTORS]

    async def _pictures(
        self, status: dict[str, Any]
    ) -> tuple[tuple[IncomingAttachment, ...], tuple[str, ...]]:
        pictures: list[IncomingAttachment] = []
        media = list(_rows(status.get("media_attachments")))
        for one in media[:MAX_PICTURES]:
            if one.get("type") != "image":
                continue
            # What came from elsewhere may not lie on this server yet: then it has no `url`.
            url = str(one.get("url") or one.get("remote_url") or "")
            picture = await fetch_picture(url, self._settings.private_hosts)
            if picture is not None:
                pictures.append(picture)
        lost = ("attachments_dropped",) if len(pictures) < len(media) else ()
        return tuple(pictures), lost

    async def _changes(self, cursor: Cursor, changed: set[str]) -> list[Incoming]:
        now_ms = self._now_ms()
        due = [name for name in cursor.watched if name in changed]
        if not 0 <= now_ms - cursor.swept_ms < SWEEP_MS:
            due, cursor.swept_ms = list(cursor.watched), now_ms
        items: list[Incoming] = []
        for name in due:
            answer = await self._caller.ask(
                "GET", f"/api/v1/statuses/{name}", token=self._settings.token
            )
            status = answer.value()
            if not isinstance(status, dict):
                continue
            account = status.get("account")
            if answer.status in {404, 410} and "error" in status:
                del cursor.watched[name]
                items.append(_gone(name, now_ms))
            elif answer.ok and isinstance(account, dict) and str(status.get("id")) == name:
                edited = str(status.get("edited_at") or "")
                if edited != cursor.watched[name]:
                    cursor.watched[name] = edited
                    items.append(self._edited(status, account))
        return items

    def _edited(self, status: dict[str, Any], account: dict[str, Any]) -> Incoming:
        return Incoming(
            external_id=str(status["id"]),
            address=full_address(account, self._instance.domain),
            sender_name=shown_name(account),
            text=post_text(status),
            sent_at_ms=min(instant_ms(status.get("edited_at")) or self._now_ms(), self._now_ms()),
            kind="edit",
            public=is_public(status),
            raw=json.dumps(status, ensure_ascii=False).encode(),
        )

    def _gap(self, mark: Mark, rows: list[dict[str, Any]]) -> Gap | None:
        oldest = instant_ms(rows[-1].get("created_at")) if rows else None
        return Gap(mark.ms, oldest) if oldest is not None else None


async def walk(
    caller: Caller,
    path: str,
    params: dict[str, str],
    mark: Mark,
    *,
    token: str,
    floor_ms: int,
) -> tuple[list[dict[str, Any]], bool]:
    """Return the rows of a list that are newer than `mark`, newest first.

    False with them when there were more than one walk takes: what lies between is not in it.
    """
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    before = ""
    for _ in range(MAX_PAGES):
        query = {**params, "limit": str(PAGE)}
        query |= {"since_id": mark.id} if mark.id else {}
        query |= {"max_id": before} if before else {}
        page = (await caller.ask("GET", path, token=token, params=query)).rows()
        fresh = [row for row in page if row.get("id") and str(row["id"]) not in seen]
        if not fresh:
            return rows, True
        for row in fresh:
            made_ms = instant_ms(row.get("created_at"))
            if str(row["id"]) == mark.id or (made_ms is not None and made_ms < floor_ms):
                return rows, True
            seen.add(str(row["id"]))
            rows.append(row)
        if len(rows) >= MAX_ROWS:
            return rows, False
        before = str(fresh[-1]["id"])
    return rows, False


def full_address(account: dict[str, Any], domain: str) -> str:
    """Return `name@server` in lower case, for people of this server as well."""
    acct = str(account.get("acct") or account.get("username") or "").lstrip("@").lower()
    return acct if "@" in acct or not acct else f"{acct}@{domain}"


def is_public(status: dict[str, Any]) -> bool | None:
    """Say whether anybody can read a post, and so our answer. A server's own visibility is private.

    None for what followers read: all of ours read the answer, who are as good as everybody.
    """
    visibility = status.get("visibility")
    return None if visibility == "private" else visibility in {"public", "unlisted"}


def _is_full(items: list[Incoming]) -> bool:
    size_bytes = sum(len(file.content) for item in items for file in item.attachments)
    return size_bytes > MAX_BATCH_BYTES


def _gone(name: str, now_ms: int) -> Incoming:
    return Incoming(
        external_id=name, address="", sender_name="", text="", sent_at_ms=now_ms, kind="delete"
    )


def _once(items: list[Incoming], known: dict[str, None]) -> Iterable[Incoming]:
    """Yield each message once: a hashtag and a mention may stand in one post."""
    for item in items:
        if item.kind != "new":
            yield item
        elif item.external_id in known:
            del known[item.external_id]
            yield item


def _mark_of(row: dict[str, Any], mark: Mark) -> Mark:
    return Mark(str(row["id"]), max(instant_ms(row.get("created_at")) or 0, mark.ms))


def _rows(value: object) -> Iterable[dict[str, Any]]:
    return (row for row in value if isinstance(row, dict)) if isinstance(value, list) else ()
