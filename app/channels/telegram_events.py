"""Telegram's updates as messages: who wrote what, where, and with which file.

Source: Telegram, "Bot API" (Update, Message, Chat, User, PhotoSize, "Privacy mode" in "Bots: An
introduction for developers"), read 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.channels.contract import Incoming
from app.channels.platform_http import dig_dict, dig_int, dig_list, dig_text

Groups = Literal["addressed", "all", "none"]
FILES = ("document", "video", "audio", "voice", "animation", "video_note")


@dataclass(frozen=True, slots=True)
class Bot:
    """Who we are there."""

    id: int
    username: str


@dataclass(frozen=True, slots=True)
class File:
    """A file that came along and is yet to be fetched."""

    file_id: str
    name: str
    media_type: str
    size_bytes: int


def named(chat: int, message: int) -> str:
    """Return the external id of a message: numbers of messages are those of their chat."""
    return f"{chat}:{message}"


def place_of(external_id: str) -> tuple[int, int]:
    """Return (chat, message) of an external id; zeros when it is none."""
    chat, _, message = external_id.partition(":")
    digits = chat.removeprefix("-")
    if digits.isascii() and digits.isdecimal() and message.isascii() and message.isdecimal():
        return int(chat), int(message)
    return 0, 0


def address_of(user: int, chat: int) -> str:
    """Return where this person is answered: in her chat with us, or in the group where she wrote.

    The group belongs to it: what was asked in private is never answered in front of others.
    """
    return str(user) if user == chat else f"{user} {chat}"


def read(update: Any, bot: Bot, groups: Groups, now_ms: int) -> tuple[Incoming | None, File | None]:
    """Return the message in an update, and its file; None when it is not for us."""
    edited = "edited_message" in update if isinstance(update, dict) else False
    message = dig_dict(update, "edited_message" if edited else "message")
    chat, number = dig_int(message, "chat", "id"), dig_int(message, "message_id")
    writer = dig_int(message, "from", "id")
    if not chat or not number or not writer or writer == bot.id:
        return None, None
    private = dig_text(message, "chat", "type") == "private"
    if not private and not _for_us(message, bot, groups):
        return None, None
    text, known = _words(message)
    file = _file(message)
    if not known and file is None:
        if _is_service(message):
            return None, None
    elif private and text == "/start":
        return None, None  # what the app sends when somebody opens the chat for the first time
    answered = dig_int(message, "reply_to_message", "message_id")
    handle = "" if private else dig_text(message, "chat", "username")
    item = Incoming(
        external_id=named(chat, number),
        address=address_of(writer, chat),
        sender_name=_name(dig_dict(message, "from"))[:200],
        text=text,
        sent_at_ms=max(0, min(dig_int(message, "date") * 1000, now_ms)),
        kind="edit" if edited else "new",
        in_reply_to=(named(chat, answered),) if answered else (),
        automatic=dig_dict(message, "from").get("is_bot") is True,
        notices=() if known or file is not None else ("unsupported",),
        # In a closed group others read along, but not everybody: neither is said of it.
        public=True if handle else False if private else None,
        link=f"https://t.me/{handle}/{number}"
        if handle.isascii() and handle.isidentifier()
        else "",
        raw=json.dumps(update).encode(),
    )
    return item, None if edited else file


def _for_us(message: Mapping[str, Any], bot: Bot, groups: Groups) -> bool:
    """Say whether what was said in a group is meant for us.

    With privacy mode on Telegram passes on little else; without it, or as an administrator, the
    bot is sent everything that anybody says.
    """
    if dig_text(message, "chat", "type") not in {"group", "supergroup"} or groups == "none":
        return False
    if groups == "all" or dig_int(message, "reply_to_message", "from", "id") == bot.id:
        return True
    said = (dig_text(message, "text") or dig_text(message, "caption")).lower()
    return bool(bot.username) and f"@{bot.username.lower()}" in said


def _name(person: Mapping[str, Any]) -> str:
    whole = f"{dig_text(person, 'first_name')} {dig_text(person, 'last_name')}".strip()
    return whole or dig_text(person, "username") or dig_text(person, "id")


def _words(message: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the text of a message and whether there is anything in it that can be shown."""
    if text := dig_text(message, "text") or dig_text(message, "caption"):
        return text, True
    if place := dig_dict(message, "location"):
        venue = dig_dict(message, "venue")
        spot = f"{place.get('latitude', '')}, {place.get('longitude', '')}"
        lines = [dig_text(venue, "title"), dig_text(venue, "address"), spot]
        return "\n".join(line for line in lines if line), True
    if card := dig_dict(message, "contact"):
        return f"{_name(card)} {dig_text(card, 'phone_number')}".strip(), True
    if sticker := dig_dict(message, "sticker"):
        return dig_text(sticker, "emoji"), bool(dig_text(sticker, "emoji"))
    return "", False


def _file(message: Mapping[str, Any]) -> File | None:
    """Return the file of a message; of a photo the largest of its sizes."""
    sizes = [dig_dict(size) for size in dig_list(message, "photo")]
    if sizes:
        best = max(sizes, key=lambda size: dig_int(size, "width") * dig_int(size, "height"))
        return File(dig_text(best, "file_id"), "foto.jpg", "image/jpeg", dig_int(best, "file_size"))
    for kind in FILES:
        if found := dig_dict(message, kind):
            return File(
                dig_text(found, "file_id"),
                (dig_text(found, "file_name") or kind)[:200],
                dig_text(found, "mime_type")[:100] or "application/octet-stream",
                dig_int(found, "file_size"),
            )
    return None


def _is_service(message: Mapping[str, Any]) -> bool:
    """Say whether Telegram itself says something: who came, who left, what is pinned."""
    return not set(message) & {"poll", "dice", "game", "story", "sticker", "invoice", "checklist"}
