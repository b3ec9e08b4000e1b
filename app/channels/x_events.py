"""Posts and direct messages of X as messages.

Source: X, "X API v2 data dictionary" (Post, User), "Edit Posts" and "Direct Messages lookup" (read
2026-11).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.channels.contract import Incoming
from app.channels.platform_http import dig, dig_list, dig_text


def read_post(found: dict[str, Any], us: str, now_ms: int) -> list[Incoming]:
    """Return a post as a message; a newer version as that and as an edit of the first."""
    post, by = found["post"], found["by"]
    author, number = dig_text(post, "author_id"), dig_text(post, "id")
    if author in {"", us} or not number.isdecimal():
        return []
    about = {
        dig_text(one, "type"): dig_text(one, "id") for one in dig_list(post, "referenced_tweets")
    }
    if "retweeted" in about:
        return []
    versions = dig_list(post, "edit_history_tweet_ids")
    handle = dig_text(by, "username")
    item = Incoming(
        external_id=dig_text(versions, 0) or number,
        address=author,
        sender_name=(dig_text(by, "name") or handle or author)[:200],
        text=dig_text(post, "text"),
        sent_at_ms=at_ms_of(dig_text(post, "created_at"), now_ms),
        in_reply_to=tuple(about[kind] for kind in ("replied_to", "quoted") if about.get(kind)),
        notices=("attachments_dropped",) if dig(post, "attachments", "media_keys") else (),
        public=True,
        link=f"https://x.com/{handle if handle.isidentifier() else 'i'}/status/{number}",
        raw=json.dumps(post).encode(),
    )
    if len(versions) < 2:
        return [item]
    return [item, replace(item, kind="edit")]


def read_message(found: dict[str, Any], us: str, now_ms: int) -> Incoming | None:
    """Return a direct message between two; in a group nobody is answered by mistake."""
    message, by = found["message"], found["by"]
    sender, number = dig_text(message, "sender_id"), dig_text(message, "id")
    between = set(dig_text(message, "dm_conversation_id").split("-"))
    if sender in {"", us} or not number.isdecimal() or between != {sender, us}:
        return None
    return Incoming(
        external_id=f"dm:{number}",
        address=f"{sender} dm",
        sender_name=(dig_text(by, "name") or dig_text(by, "username") or sender)[:200],
        text=dig_text(message, "text"),
        sent_at_ms=at_ms_of(dig_text(message, "created_at"), now_ms),
        notices=("attachments_dropped",) if message.get("attachments") else (),
        public=False,
        raw=json.dumps(message).encode(),
    )


def number_of(thing: Mapping[str, Any]) -> int:
    number = dig_text(thing, "id")
    return int(number) if number.isascii() and number.isdecimal() and len(number) < 21 else 0


def at_ms_of(stamp: str, now_ms: int) -> int:
    try:
        at_ms = int(datetime.fromisoformat(stamp).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return now_ms
    return max(0, min(at_ms, now_ms))
