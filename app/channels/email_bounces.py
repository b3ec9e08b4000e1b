"""What mail servers say about a reply of ours: delivered, delayed, or it came back.

Sources: RFC 3464 (delivery status notifications), RFC 6522 (multipart/report), RFC 3461 (ENVID),
read November 2026; and, for servers that keep to none of them, the words that qmail, Exim and some
gateways use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Literal

from app.channels.contract import DeliveryReport
from app.channels.email_body import children, content_type, part_bytes, part_text
from app.channels.email_charsets import decode
from app.channels.email_headers import (
    comparable_address,
    date_ms,
    one_line,
    raw_header,
    subject_of,
)
from app.channels.email_ids import DELIVERY_HEADER, own_ids_in, own_message_id
from app.channels.email_robots import has_null_path

MAX_DETAIL_CHARS = 500
MAX_SEARCHED_BYTES = 500_000

State = Literal["delivered", "failed", "delayed"]

_STATES: dict[str, State] = {"failed": "failed", "delayed": "delayed", "delivered": "delivered"}
_WORST_FIRST: tuple[State, ...] = ("failed", "delayed", "delivered")
_FROM_MAILER = re.compile(
    r"(?:mailer-daemon|postmaster|mail\.?daemon|bounces?)(?:[-+.].*)?@.*", re.IGNORECASE
)
_SAYS_BOUNCED = re.compile(
    r"undeliver|delivery (?:status|has failed|failed|failure|incomplete|problem)|returned mail|"
    r"returning message to sender|failure notice|mail delivery (?:failed|system)|onbestelbaar|"
    r"niet (?:be|af)geleverd|kon niet worden (?:be|af)geleverd|unzustellbar",
    re.IGNORECASE,
)
_SAYS_DELAYED = re.compile(
    r"delay|vertrag|wird verz|warning: could not send|still trying", re.IGNORECASE
)
_REASON = re.compile(r"\b(?:5[0-9]{2}[ -]|[45]\.[0-9]{1,3}\.[0-9]{1,3}\b)[^\n]{0,300}")
CODES = (
    ("5.1.", "no_such_address"),
    ("5.4.4", "no_such_address"),
    ("5.2.2", "mailbox_full"),
    ("4.2.2", "mailbox_full"),
    ("5.2.3", "too_large"),
    ("5.3.4", "too_large"),
    ("5.7.", "refused_by_receiver"),
)


@dataclass(frozen=True, slots=True)
class _Status:
    state: State
    recipient: str
    status: str
    diagnostic: str


def report_of(
    message: Message, *, own_address: str, domain: str, token: str | None, sender: str, now_ms: int
) -> DeliveryReport | Literal["ours_alone"] | None:
    """Return what a mail reports about one of ours; None when it reports nothing.

    "ours_alone": it is a report, but only about the copy that we send to ourselves, or one that
    says nothing of use (relayed, expanded).
    """
    if content_type(message) == "multipart/report":
        found = _standard(message, own_address, domain, token, now_ms)
        if found is not None:
            return found
    return _by_words(message, domain, token, sender, now_ms)


def _standard(
    message: Message, own_address: str, domain: str, token: str | None, now_ms: int
) -> DeliveryReport | Literal["ours_alone"] | None:
    blocks = [block for part in children(message) for block in _status_blocks(part)]
    if not blocks:
        return None
    envelope_id = ""
    statuses: list[_Status] = []
    told = False
    for block in blocks:
        envelope_id = envelope_id or raw_header(block, "Original-Envelope-Id").strip()
        action = raw_header(block, "Action").strip().lower()
        told = told or bool(action)
        recipient = _recipient(block)
        if action in _STATES and recipient != own_address:
            status = raw_header(block, "Status").strip()[:20]
            diagnostic = one_line(raw_header(block, "Diagnostic-Code"))
            statuses.append(_Status(_STATES[action], recipient, status, diagnostic))
    external_id = _external_id(message, envelope_id, domain)
    if not told or (external_id is None and token is None):
        return None
    if not statuses:
        return "ours_alone"
    worst = min(statuses, key=lambda status: _WORST_FIRST.index(status.state))
    detail = f"{worst.status} {worst.diagnostic}".strip()
    return DeliveryReport(
        external_id,
        token,
        worst.state,
        detail[:MAX_DETAIL_CHARS],
        date_ms(message, now_ms),
        code=_code(worst.state, worst.status),
    )


def _status_blocks(part: Message) -> Iterator[Message]:
    """Yield the header blocks of a delivery-status part, also when a gateway made it plain text."""
    if content_type(part) not in {"message/delivery-status", "message/global-delivery-status"}:
        return
    parsed = children(part)
    if parsed:
        yield from parsed
        return
    text = decode(part_bytes(part), "utf-8").replace("\r\n", "\n")
    for paragraph in text.split("\n\n")[:100]:
        block = Message()
        for line in re.sub(r"\n[ \t]+", " ", paragraph).split("\n"):
            name, colon, value = line.partition(":")
            if colon and re.fullmatch(r"[A-Za-z-]{1,60}", name):
                block[name] = value.strip()
        yield block


def _recipient(block: Message) -> str:
    value = raw_header(block, "Original-Recipient") or raw_header(block, "Final-Recipient")
    return comparable_address(value.rpartition(";")[2].strip(" <>"))


def _external_id(message: Message, envelope_id: str, domain: str) -> str | None:
    """Find which mail of ours it is about: the returned headers, else the envelope id we gave."""
    for part in children(message):
        if content_type(part) not in {
            "message/rfc822",
            "message/global",
            "text/rfc822-headers",
            "message/global-headers",
            "message/rfc822-headers",
        }:
            continue
        original = (
            part.as_string()
            if not part.is_multipart()
            else "".join(
                f"{name}: {value}\n"
                for inner in children(part)
                for name, value in inner.raw_items()
            )
        )
        found = _named(original, domain)
        if found:
            return found
    text = envelope_id.partition(";")[2] or envelope_id
    if re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", text):
        return own_message_id(text, domain)
    return None


def _named(headers: str, domain: str) -> str | None:
    delivery = re.search(
        rf"^{DELIVERY_HEADER}:\s*([0-9a-zA-Z-]{{1,64}})\s*$", headers, re.IGNORECASE | re.MULTILINE
    )
    if delivery:
        return own_message_id(delivery[1], domain)
    own = own_ids_in(headers, domain)
    return own[0] if own else None


def _by_words(
    message: Message, domain: str, token: str | None, sender: str, now_ms: int
) -> DeliveryReport | None:
    """Read a report that keeps to no standard: a mailer wrote it, and it quotes our Message-ID."""
    subject = subject_of(message)
    from_mailer = bool(_FROM_MAILER.fullmatch(sender)) or (has_null_path(message) and not sender)
    if not from_mailer and not (has_null_path(message) and _SAYS_BOUNCED.search(subject)):
        return None
    text = _all_text(message)
    external_id = _named(text, domain)
    if external_id is None and token is None:
        return None
    if not _SAYS_BOUNCED.search(subject) and not _SAYS_BOUNCED.search(text[:5000]):
        return None
    reason = _REASON.search(text)
    detail = one_line(reason[0]) if reason else subject
    state: State = "delayed" if _SAYS_DELAYED.search(subject) else "failed"
    status = re.search(r"\b[45]\.[0-9]{1,3}\.[0-9]{1,3}\b", detail)
    return DeliveryReport(
        external_id,
        token,
        state,
        detail[:MAX_DETAIL_CHARS],
        date_ms(message, now_ms),
        code=_code(state, status[0] if status else ""),
    )


def _all_text(message: Message, depth: int = 0) -> str:
    """Return all that is readable in a small mail, returned originals included."""
    if depth > 5:
        return ""
    if message.is_multipart():
        inner = [_all_text(child, depth + 1) for child in children(message)[:20]]
        heads = "".join(
            f"{name}: {value}\n"
            for child in children(message)[:20]
            for name, value in child.raw_items()
        )
        return ("\n".join(inner) + "\n" + heads)[:MAX_SEARCHED_BYTES]
    if content_type(message).startswith(("text/", "message/")):
        return part_text(message)[:MAX_SEARCHED_BYTES]
    return ""


def _code(state: State, status: str) -> str:
    if state == "delivered":
        return ""
    if state == "delayed":
        return "delivery_delayed"
    return next((code for start, code in CODES if status.startswith(start)), "came_back")
