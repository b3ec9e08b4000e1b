"""Listening on Mastodon: what is said in public under a hashtag, to nobody in particular.

Words are not looked for: a server finds only what its own people said, and many find nothing at all
(docs.joinmastodon.org, methods/search, `type=statuses`; read November 2026).
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

MAX_ITEMS = 50
FIRST_MS = 7 * 24 * 3600 * 1000
_HASHTAG = re.compile(r"#(\w{1,100})")


async def search(
    caller: Caller,
    settings: MastodonSettings,
    who: tuple[Me, Instance],
    query: str,
    cursor: str | None,
    now_ms: Callable[[], int],
) -> Batch:
    """See Searching. Raises Permanent("hashtags_only") for anything else than one hashtag."""
    tag = _HASHTAG.fullmatch(query.strip())
    if tag is None:
        raise Permanent("hashtags_only")
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
