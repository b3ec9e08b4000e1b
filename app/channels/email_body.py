"""What a mail says: its text and its attachments, out of whatever tree of parts it came in.

Everything is bounded, and whatever a bound leaves out is named in the notices. Nothing here raises
on strange input; the raw mail is kept whole by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from app.channels.contract import IncomingAttachment
from app.channels.email_charsets import decode
from app.channels.email_headers import decoded, one_line
from app.text.flowed import unflow
from app.text.html import html_to_text

MAX_PARTS = 200
MAX_DEPTH = 30
MAX_ATTACHMENTS = 50
MAX_ATTACHMENT_BYTES = 40_000_000
MAX_TEXT_CHARS = 100_000
MAX_NAME_CHARS = 120

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_UNSAFE_NAME = re.compile(r"[/\\:*?\"<>|\x00-\x1f]+")


@dataclass(slots=True)
class Body:
    """`text` is not yet split into answer and quote."""

    text: str = ""
    attachments: list[IncomingAttachment] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    taken_bytes: int = 0
    parts: int = 0

    def notice(self, code: str) -> None:
        if code not in self.notices:
            self.notices.append(code)


def read_body(message: Message) -> Body:
    """Read text and attachments."""
    body = Body()
    texts = [text.strip("\n") for text in _walk(message, body, 0)]
    body.text = "\n\n".join(text for text in texts if text.strip())
    if len(body.text) > MAX_TEXT_CHARS:
        body.text = body.text[:MAX_TEXT_CHARS]
        body.notice("text_cut")
    return body


def content_type(part: Message) -> str:
    """Return the media type in lower case, application/octet-stream when it is nonsense."""
    try:
        kind = part.get_content_type().lower()
    except (ValueError, TypeError, AttributeError, IndexError):
        return "application/octet-stream"
    return kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream"


def part_text(part: Message) -> str:
    """Return one text part as text."""
    return decode(part_bytes(part), str(_parameter(part, "charset") or "utf-8"))


def part_bytes(part: Message) -> bytes:
    """Return a leaf's content, its transfer encoding undone as far as it can be."""
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, TypeError, AttributeError, LookupError, AssertionError):
        payload = None
    if isinstance(payload, bytes):
        return payload
    text = part.get_payload()
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else b""


def children(part: Message) -> list[Message]:
    payload = part.get_payload()
    if not isinstance(payload, list):
        return []
    return [child for child in payload if isinstance(child, Message)]


def _walk(part: Message, body: Body, depth: int) -> Iterator[str]:
    """Yield the texts of a tree in order, and put its attachments into `body`."""
    body.parts += 1
    if body.parts > MAX_PARTS or depth > MAX_DEPTH:
        body.notice("parts_dropped")
        return
    kind = content_type(part)
    if kind == "message/rfc822" or (kind.startswith("message/") and part.is_multipart()):
        _attach(part, kind, body)
    elif kind == "multipart/alternative":
        yield from _alternative(part, body, depth)
    elif part.is_multipart():
        for child in children(part):
            yield from _walk(child, body, depth + 1)
    elif kind in {"text/plain", "text/html"} and not _is_attachment(part):
        yield _shown_text(part, kind)
    elif not kind.startswith("multipart/"):
        _attach(part, kind, body)
    else:
        # Declared as multipart, without parts: a broken mail whose text still stands there.
        yield decode(part_bytes(part), "utf-8")


def _alternative(part: Message, body: Body, depth: int) -> Iterator[str]:
    """Yield the first alternative with words in it; the plain one before the others."""
    options = sorted(children(part), key=lambda option: content_type(option) != "text/plain")
    chosen = False
    for option in options:
        before = len(body.attachments)
        texts = list(_walk(option, body, depth + 1))
        if not chosen and any(text.strip() for text in texts):
            yield from texts
            chosen = True
        elif chosen and content_type(option) == "text/plain":
            del body.attachments[before:]


def _shown_text(part: Message, kind: str) -> str:
    text = part_text(part)
    if kind == "text/html":
        return html_to_text(text)
    if str(_parameter(part, "format") or "").lower() == "flowed":
        delete_space = str(_parameter(part, "delsp") or "").lower() == "yes"
        return unflow(text, delete_space=delete_space)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _attach(part: Message, kind: str, body: Body) -> None:
    content = _nested_bytes(part) if part.is_multipart() else part_bytes(part)
    if kind == "application/ms-tnef":
        # Outlook's own envelope: kept as a file, for who has a program that opens it.
        body.notice("winmail")
    too_many = len(body.attachments) >= MAX_ATTACHMENTS
    if too_many or body.taken_bytes + len(content) > MAX_ATTACHMENT_BYTES:
        body.notice("attachments_dropped")
        return
    if not content:
        return
    body.taken_bytes += len(content)
    inline = _disposition(part) != "attachment" and part.get("Content-ID") is not None
    name = _name(part, kind)
    body.attachments.append(IncomingAttachment(name, kind, content, inline))


def _nested_bytes(part: Message) -> bytes:
    """Return an attached mail as the bytes of a file."""
    inner = children(part)
    try:
        return inner[0].as_bytes() if inner else b""
    except (ValueError, TypeError, AttributeError, LookupError, KeyError, RecursionError):
        return b""


def _is_attachment(part: Message) -> bool:
    return _disposition(part) == "attachment" or (
        _disposition(part) == ""
        and _parameter(part, "name") is not None
        and content_type(part) == "text/html"
    )


def _disposition(part: Message) -> str:
    try:
        return (part.get_content_disposition() or "").lower()
    except (ValueError, TypeError, AttributeError, IndexError):
        return ""


def _name(part: Message, kind: str) -> str:
    try:
        name = part.get_filename() or ""
    except (ValueError, TypeError, AttributeError, LookupError):
        name = ""
    name = _UNSAFE_NAME.sub("_", one_line(decoded(str(name)))).strip(". ")
    if not name:
        fallback = {"message/rfc822": "bericht.eml", "text/plain": "tekst.txt"}
        name = fallback.get(kind, f"bijlage.{kind.rpartition('/')[2][:8]}")
    if len(name) > MAX_NAME_CHARS:
        stem, dot, suffix = name.rpartition(".")
        name = f"{stem[: MAX_NAME_CHARS - 12]}.{suffix[:10]}" if dot else name[:MAX_NAME_CHARS]
    return name


def _parameter(part: Message, name: str) -> Any:
    try:
        value = part.get_param(name)
    except (ValueError, TypeError, AttributeError, IndexError):
        return None
    # RFC 2231 gives (charset, language, value).
    return value[2] if isinstance(value, tuple) else value
