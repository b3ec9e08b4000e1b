"""WhatsApp's webhooks as messages and reports; a call is believed only for its signature.

Every message has a `wamid` that stays the same when the call is repeated, which Meta does for up to
seven days. Source: Meta, WhatsApp Business Platform, "Webhooks", "messages webhook reference",
"status messages" and "Business-scoped user IDs" (read 2026-11).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from app.channels.contract import DeliveryReport, Incoming, IncomingKind, Permanent
from app.channels.platform_http import dig_dict, dig_int, dig_list, dig_text

FILES = ("image", "video", "audio", "document", "sticker")
OLD_MS = 8 * 24 * 3600 * 1000
"""Meta repeats a call for seven days; what is older was kept by somebody and sent once more."""

SILENT = {"system", "request_welcome"}
"""Kinds that nobody wrote."""

CODES: dict[int, str] = {
    131047: "window_closed",
    131026: "undeliverable_there",
    131021: "undeliverable_there",
    131030: "undeliverable_there",
    131062: "undeliverable_there",
    131049: "undeliverable_there",
    131050: "undeliverable_there",
    131052: "platform_refused",
    131053: "platform_refused",
    131031: "account_blocked",
    368: "account_blocked",
}
"""What some of Meta's error codes say to people ("Cloud API error codes", read 2026-11)."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that a call names and that is yet to be fetched."""

    media_id: str
    name: str
    media_type: str


@dataclass(slots=True)
class Call:
    """What one call said: items in order, and the files of messages by their external ids."""

    items: list[Incoming | DeliveryReport] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)


def check_signature(app_secret: str, header: str, body: bytes) -> None:
    """Raise Permanent("bad_signature") unless the header signs exactly these bytes."""
    made = "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(made.encode(), header.encode("utf-8", "replace")):
        raise Permanent("bad_signature")


def read(body: bytes, phone_number_id: str, now_ms: int) -> Call:
    """Return what a call says about this number. Raises Permanent("bad_request")."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Permanent("bad_request", "not JSON") from None
    call = Call()
    for value in _values(said, phone_number_id):
        people = [dig_dict(person) for person in dig_list(value, "contacts")]
        for message in dig_list(value, "messages"):
            _message(call, message, people, now_ms)
        for status in dig_list(value, "statuses"):
            call.items += _status(status, now_ms)
    return call


def _values(said: Any, phone_number_id: str) -> Iterator[Any]:
    """Yield what concerns this number: one address may be called for several."""
    for entry in dig_list(said, "entry"):
        for change in dig_list(entry, "changes"):
            meant = dig_text(change, "value", "metadata", "phone_number_id") == phone_number_id
            if dig_text(change, "field") == "messages" and meant:
                yield dig_dict(change, "value")


def _message(call: Call, message: Any, people: list[dict[str, Any]], now_ms: int) -> None:
    kind, wamid = dig_text(message, "type"), dig_text(message, "id")
    # A group has rules of its own for answering; nobody is answered there by mistake.
    if not wamid or kind in SILENT or dig_text(message, "group_id"):
        return
    if 0 < dig_int(message, "timestamp") * 1000 < now_ms - OLD_MS:
        return
    person = _writer(message, people)
    address = _address(message, person)
    content, change, names = message, "new", wamid
    if kind in {"edit", "revoke"}:
        names = dig_text(message, kind, "original_message_id")
        change = "edit" if kind == "edit" else "delete"
        content = dig_dict(message, "edit", "message")
        kind = dig_text(content, "type")
    if not names or not address:
        return
    text, known = _words(kind, content)
    if kind == "reaction" and not text:
        return  # a reaction that was taken away says nothing any more
    item_kind: IncomingKind = change  # type: ignore[assignment]
    answered = dig_text(message, "context", "id") or dig_text(message, "reaction", "message_id")
    call.items.append(
        Incoming(
            # A reaction is no message that could be answered as such.
            external_id=f"reaction:{names}" if kind == "reaction" else names,
            address=address,
            sender_name=(dig_text(person, "profile", "name") or address)[:200],
            text="" if change == "delete" else text,
            sent_at_ms=max(0, min(dig_int(message, "timestamp") * 1000, now_ms)),
            kind=item_kind,
            in_reply_to=(answered,) if answered else (),
            notices=() if known or change == "delete" else ("unsupported",),
            public=False,
            raw=json.dumps(message).encode(),
        )
    )
    if change == "new" and kind in FILES and dig_text(content, kind, "id"):
        call.files[names] = File(
            dig_text(content, kind, "id"),
            (dig_text(content, kind, "filename") or kind)[:200],
            dig_text(content, kind, "mime_type").split(";")[0][:100] or "application/octet-stream",
        )


def _writer(message: Any, people: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the contact that wrote a message: by number, by user id, or because there is one."""
    number, user = dig_text(message, "from"), dig_text(message, "from_user_id")
    for person in people:
        if number and dig_text(person, "wa_id") == number:
            return person
        if user and dig_text(person, "user_id") == user:
            return person
    return people[0] if len(people) == 1 else {}


def _address(message: Any, person: dict[str, Any]) -> str:
    """Return where somebody is answered: her number, or the id that she has with this business.

    Whoever goes by a username may show no number at all.
    """
    number = dig_text(message, "from") or dig_text(person, "wa_id")
    if number.isascii() and number.isdecimal():
        return f"+{number}"
    return dig_text(message, "from_user_id") or dig_text(person, "user_id") or number


def _words(kind: str, content: Any) -> tuple[str, bool]:
    """Return the text of a message and whether that is all that can be shown of it."""
    if kind == "text":
        return dig_text(content, "text", "body"), True
    if kind in FILES:
        return dig_text(content, kind, "caption"), bool(dig_text(content, kind, "id"))
    if kind == "location":
        place = dig_dict(content, "location")
        spot = ", ".join(str(place.get(name, "")) for name in ("latitude", "longitude"))
        lines = [dig_text(place, "name"), dig_text(place, "address"), spot]
        return "\n".join(line for line in lines if line), True
    if kind == "button":
        return dig_text(content, "button", "text"), True
    if kind == "interactive":
        chosen = dig_dict(content, "interactive")
        reply = dig_dict(chosen, "button_reply") or dig_dict(chosen, "list_reply")
        return dig_text(reply, "title"), bool(reply)
    if kind == "reaction":
        return dig_text(content, "reaction", "emoji"), True
    if kind == "contacts":
        return "\n".join(_card(card) for card in dig_list(content, "contacts")), True
    return "", False


def _card(card: Any) -> str:
    numbers = [dig_text(phone, "phone") for phone in dig_list(card, "phones")]
    return " ".join([dig_text(card, "name", "formatted_name"), *numbers]).strip()


def _status(status: Any, now_ms: int) -> list[DeliveryReport]:
    """Return what a status says of a message of ours.

    Said twice: of the name that Meta gave it, and of the delivery that we sent along with it. Only
    the second is known when Meta's answer to the message was lost, and so it proves that it went.
    """
    states = {"sent": "sent", "delivered": "delivered", "read": "delivered", "failed": "failed"}
    state = states.get(dig_text(status, "status"))
    if state is None:
        return []
    error = dig_dict(status, "errors", 0)
    code = dig_int(error, "code")
    detail = f"{dig_text(status, 'status')} {code or ''} {dig_text(error, 'title')}".strip()
    names = (dig_text(status, "id"), dig_text(status, "biz_opaque_callback_data"))
    return [
        DeliveryReport(
            external_id=name,
            token=None,
            state=state,  # type: ignore[arg-type]
            detail=detail[:500],
            at_ms=max(0, min(dig_int(status, "timestamp") * 1000, now_ms)),
            code=CODES.get(code, "platform_refused") if state == "failed" else "",
            raw=json.dumps(status).encode(),
        )
        for name in names
        if name
    ]
