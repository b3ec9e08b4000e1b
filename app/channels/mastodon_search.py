"""Listening on Mastodon: what is said in public under a hashtag, or with certain words.

A hashtag has a timeline on every server. Words are another matter: a server looks through posts
only where its administrator set that up, and then finds what the account itself wrote or met, and
of others' posts those whose authors let themselves be found. Until a search has found something
that the account could not have known of, it says so (docs.joinmastodon.org, methods/search and
admin/elasticsearch; read November 2026).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from app.channels.contract import Batch, Incoming, Permanent
from app.channels.mastodon_read import Mark, Me, full_address, is_public, walk
from app.channels.mastodon_settings import Instance, MastodonSettings
from app.channels.mastodon_text import post_text, shown_name
from app.channels.social_http import Caller, instant_ms
from app.channels.social_search import FIRST_MS, MAX_ITEMS, MAX_ROWS, read_memory, words_of

PAGE = 40
MAX_PAGES = 15
"""Of a look for words; some servers give fewer rows a page than they are asked for."""

_HASHTAG = re.compile(r"#(\w{1,100})")
_MET = ("favourited", "reblogged", "bookmarked", "pinned")
"""What the account did with a post, by which a server finds it for this account alone."""


async def search(
    caller: Caller,
    settings: MastodonSettings,
    who: tuple[Me, Instance],
    query: str,
    cursor: str | None,
    now_ms: Callable[[], int],
) -> Batch:
    """See Searching. Raises Permanent for words on a server or with a token that cannot."""
    words = words_of(query)
    tag = _HASHTAG.fullmatch(words)
    if tag is None:
        return await _search_words(caller, settings, who, words, cursor, now_ms)
    me, instance = who
    mark = _read(cursor)
    rows, _ = await walk(
        caller,
        f"/api/v1/timelines/tag/{tag[1]}",
        {},
        mark,
        token=settings.token,
        floor_ms=mark.ms or now_ms() - FIRST_MS,
    )
    items: list[Incoming] = []
    for row in reversed(rows[-MAX_ITEMS:]):
        account = row.get("account")
        if isinstance(account, dict) and is_public(row) and str(account.get("id")) != me.id:
            items.append(_heard(row, account, instance.domain, now_ms()))
        mark = Mark(str(row["id"]), max(instant_ms(row.get("created_at")) or 0, mark.ms))
    return Batch(tuple(items), json.dumps([mark.id, mark.ms]), more=len(rows) > MAX_ITEMS)


async def _search_words(
    caller: Caller,
    settings: MastodonSettings,
    who: tuple[Me, Instance],
    words: str,
    cursor: str | None,
    now_ms: Callable[[], int],
) -> Batch:
    me, instance = who
    memory = read_memory(cursor)
    floor_ms = memory.floor_ms(now_ms())
    found = [
        (row, ms)
        for row, ms in await _walk_words(caller, settings.token, words, floor_ms, now_ms)
        if ms >= floor_ms and not memory.knows(str(row["id"]))
    ]
    found.reverse()  # the oldest first, also of what was said at one moment
    found.sort(key=lambda one: one[1])
    taken = found[:MAX_ITEMS]
    memory.keep((str(row["id"]), ms) for row, ms in taken)
    items: list[Incoming] = []
    for row, _ in taken:
        account = row.get("account")
        if isinstance(account, dict) and is_public(row) and str(account.get("id")) != me.id:
            items.append(_heard(row, account, instance.domain, now_ms()))
            memory.others = memory.others or not _is_met(row, me)
    return Batch(
        tuple(items),
        memory.write(),
        more=len(found) > MAX_ITEMS,
        remark="" if memory.others else "words_maybe_own",
    )


async def _walk_words(
    caller: Caller, token: str, words: str, floor_ms: int, now_ms: Callable[[], int]
) -> list[tuple[dict[str, Any], int]]:
    """Return posts and when they were made, each once.

    Mastodon gives the newest first, others what they think fits best: only a page on which nothing
    is new enough, or nothing is new at all, ends the walk.
    """
    found: dict[str, tuple[dict[str, Any], int]] = {}
    at = 0
    for _ in range(MAX_PAGES):
        answer = await caller.ask(
            "GET",
            "/api/v2/search",
            token=token,
            params={"q": words, "type": "statuses", "limit": str(PAGE), "offset": str(at)},
        )
        if answer.status == 403:
            raise Permanent("search_not_allowed", "answered 403")
        if answer.status in {404, 410}:
            raise Permanent("hashtags_only", f"answered {answer.status}")
        if answer.status in {400, 422}:
            raise Permanent("query_refused", f"answered {answer.status}")
        said = answer.table().get("statuses")
        page = [row for row in said if isinstance(row, dict)] if isinstance(said, list) else []
        at += len(page)
        fresh = [
            (row, min(instant_ms(row.get("created_at")) or now_ms(), now_ms()))
            for row in page
            if row.get("id") and not row.get("reblog") and str(row["id"]) not in found
        ]
        found |= {str(row["id"]): (row, ms) for row, ms in fresh}
        if not any(ms >= floor_ms for _, ms in fresh) or len(found) >= MAX_ROWS:
            break
    return list(found.values())


def _is_met(status: dict[str, Any], me: Me) -> bool:
    """Say whether the account had to do with a post: such a one is found without a full search."""
    named = status.get("mentions")
    named = named if isinstance(named, list) else []
    spoken_to = any(isinstance(one, dict) and str(one.get("id")) == me.id for one in named)
    return spoken_to or any(status.get(name) is True for name in _MET)


def _heard(status: dict[str, Any], account: dict[str, Any], domain: str, now_ms: int) -> Incoming:
    link = str(status.get("url") or status.get("uri") or "")
    return Incoming(
        external_id=str(status["id"]),
        address=full_address(account, domain),
        sender_name=shown_name(account),
        text=post_text(status),
        sent_at_ms=min(instant_ms(status.get("created_at")) or now_ms, now_ms),
        automatic=account.get("bot") is True,
        public=True,
        link=link if link.startswith("https://") else "",
    )


def _read(cursor: str | None) -> Mark:
    """Return where a cursor of ours was; anything else is the beginning."""
    try:
        name, ms = json.loads(cursor or "")
        return Mark(str(name), int(ms))
    except (ValueError, TypeError):
        return Mark()
