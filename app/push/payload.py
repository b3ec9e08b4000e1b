"""What travels inside a push: a notification that a phone can show unseen, and our own fields.

The notification is in the form of Declarative Web Push, so that Safari shows it also when our
worker does not run. A worker that does run looks up the conversation and says it better.

Source: W3C Push API, editor's draft of 2025-09-10, "declarative push message", read 2026-11.
"""

import json
from functools import lru_cache
from typing import Any

from app import i18n
from app.config import Settings
from app.push import texts  # noqa: F401 - importing it adds its words
from app.push.service import Reports

MAX_BYTES = 3992
"""One record of 4,096 bytes less header (86), authentication tag (16) and delimiter (RFC 8291, 4);
every push service must take that much (RFC 8030, section 7.2), and what is one byte under it."""

MAX_BODY_CHARS = 300
QUIET = frozenset({"test", "closed"})


class TooLong(Exception):
    """The notice does not fit in one push, also without a body."""


PUSH_ID, REPORT = "00000000-0000-7000-8000-00000000p05h", "0000000000000000r3p0rt"
"""Stand for what differs from phone to phone, in as many bytes; no id and no token looks so."""


class Composer:
    """Writes the plaintext of pushes. A notice for many phones is put into words once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reports = Reports(settings)
        self._cut = lru_cache(maxsize=256)(self._cut_afresh)

    def compose(
        self, *, push_id: str, kind: str, conversation_id: str | None, words: str, language: str
    ) -> bytes:
        """Return the plaintext of a push, in a person's language; `words` are those of a Notice.

        A resident's name and words are in it only when the setting `push_words` is on. A body that
        would make it too long is cut. Raises TooLong when even that does not help.
        """
        pieces = self._cut(kind, conversation_id, words, language)
        written = push_id.encode().join(pieces)
        return written.replace(REPORT.encode(), self._reports.token(push_id).encode())

    def _cut_afresh(
        self, kind: str, conversation_id: str | None, words: str, language: str
    ) -> tuple[bytes, ...]:
        message = _message(self._settings, kind, conversation_id, json.loads(words), language)
        return tuple(_fitting(message).split(PUSH_ID.encode()))


def _message(
    settings: Settings,
    kind: str,
    conversation_id: str | None,
    words: dict[str, Any],
    language: str,
) -> dict[str, Any]:
    title, body = _say(settings, kind, words, language)
    ours = {"v": 1, "push": PUSH_ID, "kind": kind, "c": conversation_id, "report": REPORT}
    place = f"/c/{conversation_id}" if conversation_id else "/phone"
    notification: dict[str, Any] = {
        "title": title,
        "lang": language,
        "navigate": settings.origin + place,
        "tag": conversation_id or kind,
        "data": ours,
    }
    if body:
        notification["body"] = body
    if kind in QUIET:
        notification["silent"] = True
    message = {"web_push": 8030, "notification": notification, "mutable": True, **ours}
    if isinstance(words.get("badge"), int):
        message["app_badge"] = words["badge"]
        notification["app_badge"] = str(words["badge"])
    return message


def _fitting(message: dict[str, Any]) -> bytes:
    notification = message["notification"]
    content = _serialised(message)
    while len(content) > MAX_BYTES:
        body = notification.pop("body", "")
        # A character is at most six bytes here ("\u00e9" never occurs, but controls do).
        kept = body[: len(body) - max(1, (len(content) - MAX_BYTES) // 6) - 1]
        if not body:
            raise TooLong
        if kept:
            notification["body"] = f"{kept}…"
        content = _serialised(message)
    return content


def _serialised(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def _say(
    settings: Settings, kind: str, words: dict[str, Any], language: str
) -> tuple[str, str | None]:
    """Return title and body; words that cannot be filled in never keep a push from leaving."""
    title = _first(language, words, words.get("title"), f"push.{kind}_in", f"push.{kind}")
    if settings.push_words and words.get("text"):
        said = " ".join(str(words["text"]).split())
        named = f"{words['name']}: {said}" if words.get("name") else said
        return title or "Stoep", named[:MAX_BODY_CHARS]
    because = "push.because" if kind == "urgent" else f"push.{kind}_body"
    return title or "Stoep", _first(language, words, words.get("body"), because)


def _first(language: str, words: dict[str, Any], *keys: Any) -> str | None:
    known = i18n.texts()
    given = {name: value for name, value in words.items() if name not in {"name", "text"}}
    for key in keys:
        if key in known and i18n.names_in(known[key][0]) <= given.keys():
            return i18n.say(language, key, **given)
    return None
