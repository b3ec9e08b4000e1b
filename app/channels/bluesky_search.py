"""Listening on Bluesky: what is said in public with certain words, to nobody in particular.

The app view searches all posts that it has; our own data server passes the question on. Sources:
the lexicons app.bsky.feed.searchPosts and app.bsky.feed.defs#postView, read November 2026.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from app.channels.bluesky_read import page_of, shown_name
from app.channels.bluesky_session import Account, error_of
from app.channels.bluesky_text import post_text, rows, table
from app.channels.contract import Batch, Incoming, Permanent
from app.channels.social_http import instant_ms
from app.channels.social_search import MAX_ITEMS, MAX_ROWS, read_memory, words_of

PAGE = 100


async def search(
    account: Account, query: str, cursor: str | None, now_ms: Callable[[], int]
) -> Batch:
    """See Searching. Pictures stay there: nobody has asked us anything yet."""
    words = words_of(query)
    memory = read_memory(cursor)
    floor_ms = memory.floor_ms(now_ms())
    own_did = await account.did()
    found = [
        (post, ms)
        for post, ms in await _walk(account, words, floor_ms, now_ms)
        if ms >= floor_ms and not memory.knows(str(post["uri"]))
    ]
    found.reverse()  # the oldest first, also of what was said at one moment
    found.sort(key=lambda one: one[1])
    taken = found[:MAX_ITEMS]
    memory.keep((str(post["uri"]), ms) for post, ms in taken)
    items = [
        _heard(post, ms) for post, ms in taken if table(post.get("author")).get("did") != own_did
    ]
    return Batch(tuple(items), memory.write(), more=len(found) > MAX_ITEMS)


async def _walk(
    account: Account, words: str, floor_ms: int, now_ms: Callable[[], int]
) -> list[tuple[dict[str, Any], int]]:
    """Return posts and when they were said, each once.

    They come the newest first, but by a moment that the app view does not show, so only a page on
    which nothing is new enough ends the walk.
    """
    found: dict[str, tuple[dict[str, Any], int]] = {}
    since = datetime.fromtimestamp(floor_ms / 1000, UTC).isoformat(timespec="milliseconds")
    asked = {
        "q": words,
        "sort": "latest",
        "since": since.replace("+00:00", "Z"),
        "limit": str(PAGE),
    }
    page = ""
    for _ in range(MAX_ROWS // PAGE):
        answer = await account.ask(
            "GET",
            "app.bsky.feed.searchPosts",
            params={**asked, **({"cursor": page} if page else {})},
        )
        if answer.status == 404:
            raise Permanent("cannot_search", "answered 404")
        if answer.status == 403:
            raise Permanent("search_not_allowed", "answered 403")
        if answer.status == 400:
            raise Permanent("query_refused", f"answered 400 {error_of(answer)[:60]}")
        said = answer.table()
        posts = [post for post in rows(said.get("posts")) if _is_post(post)]
        timed = [(post, _said_ms(post, now_ms())) for post in posts]
        for post, ms in timed:
            found.setdefault(str(post["uri"]), (post, ms))
        page = str(said.get("cursor") or "")
        if not page or not any(ms >= floor_ms for _, ms in timed):
            break
    return list(found.values())


def _is_post(post: dict[str, Any]) -> bool:
    known = str(table(post.get("author")).get("did") or "").startswith("did:")
    return known and str(post.get("uri") or "").startswith("at://")


def _said_ms(post: dict[str, Any], now_ms: int) -> int:
    """Return when it was said; no later than the app view saw it, whatever a phone's clock says."""
    said = instant_ms(table(post.get("record")).get("createdAt"))
    seen = instant_ms(post.get("indexedAt"))
    return min(one for one in (said, seen, now_ms) if one is not None)


def _heard(post: dict[str, Any], ms: int) -> Incoming:
    author, uri = table(post.get("author")), str(post["uri"])
    return Incoming(
        external_id=uri,
        address=str(author["did"]),
        sender_name=shown_name(author),
        text=post_text(table(post.get("record"))),
        sent_at_ms=ms,
        automatic=any(one.get("val") == "bot" for one in rows(author.get("labels"))),
        public=True,
        link=page_of(uri),
    )
