"""Matrix events as messages: who wrote what, to what it answers, what it changes or takes back.

Everything here may come from any server in the federation. Source: Matrix specification v1.15,
Client-Server API, "Instant messaging", "Event relationships", "Rich replies", "Event replacements"
and "Redactions" (read 2026-11).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from app.channels.contract import Incoming, IncomingKind
from app.channels.platform_http import dig_dict, dig_int, dig_text

OURS = "nl.stoep.delivery"
"""A field of our own in what we send: which delivery it is, whatever device or token sent it."""

TEXTS = {"m.text", "m.notice", "m.emote"}
FILES = {"m.image", "m.file", "m.audio", "m.video"}
MESSAGES = ("m.room.message", "m.sticker", "m.room.encrypted", "m.room.redaction")
ROOM_CHANGES = (
    *("m.room.member", "m.room.join_rules"),
    *("m.room.history_visibility", "m.room.encryption"),
)


@dataclass(frozen=True, slots=True)
class Room:
    """A room as far as a reply to somebody in it depends on it."""

    id: str
    members: Mapping[str, str]
    """Who is in it, with the name that each goes by; empty when there are too many to tell."""
    public: bool
    encrypted: bool

    @property
    def direct(self) -> bool:
        """Nobody is in it but one resident and we."""
        return not self.public and 0 < len(self.members) <= 2


@dataclass(frozen=True, slots=True)
class File:
    """A file that came along and is yet to be fetched."""

    server: str
    media_id: str
    name: str
    media_type: str
    size_bytes: int


def named(room_id: str, event_id: str) -> str:
    """Return the external id of an event: where it is and which it is."""
    return f"{room_id}/{event_id}"


def place_of(external_id: str) -> tuple[str, str]:
    """Return (room, event) of an external id; empty texts when it is none."""
    room_id, found, event_id = external_id.partition("/$")
    return (room_id, f"${event_id}") if found and room_id.startswith("!") else ("", "")


def address_of(user: str, room: Room) -> str:
    """Return where this person is answered.

    In a chat of two that is the person. Elsewhere the room belongs to it: an answer to what was
    asked in private must never appear in front of others, and the other way round.
    """
    return user if room.direct else f"{user} {room.id}"


def replaced_by(event: Any) -> str:
    """Return the id of the event that this one is a newer version of, or ""."""
    relation = dig_dict(event, "content", "m.relates_to")
    return dig_text(relation, "event_id") if relation.get("rel_type") == "m.replace" else ""


def redacted_by(event: Any) -> str:
    """Return the id of the event that this one takes back, or "" (rooms before v11: on top)."""
    if dig_text(event, "type") != "m.room.redaction":
        return ""
    return dig_text(event, "content", "redacts") or dig_text(event, "redacts")


def delivery_of(event: Any) -> str:
    """Return which delivery of ours this event is, or ""."""
    content = dig_dict(event, "content")
    new = dig_text(content, OURS)
    return new or dig_text(event, "unsigned", "transaction_id")


def file_of(event: Any) -> File | None:
    """Return the file that came along; one in an encrypted envelope cannot be read."""
    content = dig_dict(event, "content")
    if dig_text(content, "msgtype") not in FILES:
        return None
    server, _, media_id = dig_text(content, "url").removeprefix("mxc://").partition("/")
    if not dig_text(content, "url").startswith("mxc://") or not server or not media_id:
        return None
    return File(
        server,
        media_id,
        (dig_text(content, "filename") or dig_text(content, "body"))[:200],
        dig_text(content, "info", "mimetype")[:100] or "application/octet-stream",
        dig_int(content, "info", "size"),
    )


def read(event: Any, room: Room, now_ms: int) -> Incoming | None:
    """Return what somebody else's event says; None when it says nothing to us.

    An edit is only told by its shape: whoever calls makes sure that its author wrote the original.
    """
    kind = dig_text(event, "type")
    event_id, sender = dig_text(event, "event_id"), dig_text(event, "sender")
    if kind not in MESSAGES or not event_id.startswith("$") or not sender.startswith("@"):
        return None
    content = dig_dict(event, "content")
    taken_back, newer_of = redacted_by(event), replaced_by(event)
    change: IncomingKind = "new"
    if kind == "m.room.redaction":
        if not taken_back:
            return None
        event_id, change = taken_back, "delete"
    elif not content:
        return None  # its content was taken back before we came by
    elif newer_of:
        event_id, change = newer_of, "edit"
        content = dig_dict(content, "m.new_content")
    text, quoted = _words(kind, content)
    return Incoming(
        external_id=named(room.id, event_id),
        address=address_of(sender, room),
        sender_name=(room.members.get(sender) or sender)[:200],
        text="" if change == "delete" else text,
        sent_at_ms=max(0, min(dig_int(event, "origin_server_ts"), now_ms)),
        kind=change,
        quoted=quoted or None,
        in_reply_to=tuple(named(room.id, one) for one in _answered(event)),
        automatic=dig_text(content, "msgtype") == "m.notice",
        notices=("encrypted",) if kind == "m.room.encrypted" else (),
        # In a closed room others read along, but not everybody: neither is said of it.
        public=True if room.public else False if room.direct else None,
        link=_link(room, event_id),
        raw=json.dumps(event, ensure_ascii=True).encode(),
    )


def _words(kind: str, content: Mapping[str, Any]) -> tuple[str, str]:
    """Return what was written, and what older apps put before it of the message it answers."""
    if kind == "m.room.encrypted":
        return "", ""
    body, message_type = dig_text(content, "body"), dig_text(content, "msgtype")
    if message_type in FILES and "filename" not in content:
        return "", ""  # the body is the file's name
    if message_type in FILES and dig_text(content, "filename") == body:
        return "", ""
    if message_type == "m.location":
        return f"{body}\n{dig_text(content, 'geo_uri')}".strip(), ""
    if not dig_dict(content, "m.relates_to", "m.in_reply_to") or not body.startswith("> "):
        return body, ""
    lines = body.split("\n")
    count = next((at for at, line in enumerate(lines) if not line.startswith(">")), len(lines))
    quoted = "\n".join(line[1:].removeprefix(" ") for line in lines[:count])
    return "\n".join(lines[count:]).lstrip("\n"), quoted


def _answered(event: Any) -> list[str]:
    """Return what an event answers: the message that was quoted, then the one its thread is under.

    In a thread, what is "answered" may be only the thread's last message, for apps without threads.
    """
    relation = dig_dict(event, "content", "m.relates_to")
    found = [dig_text(relation, "m.in_reply_to", "event_id")]
    if relation.get("rel_type") == "m.thread":
        found.append(dig_text(relation, "event_id"))
    return [one for one in found if one.startswith("$")]


def _link(room: Room, event_id: str) -> str:
    """Return a page for what anybody may read; a private chat has none to show."""
    if not room.public:
        return ""
    return f"https://matrix.to/#/{quote(room.id, safe='!:')}/{quote(event_id, safe='$')}"
