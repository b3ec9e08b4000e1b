"""One mail, as bytes, becomes one thing that happened. Never raises, whatever the bytes are."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser

from app.channels.contract import DeliveryReport, Incoming
from app.channels.email_body import Body, read_body
from app.channels.email_bounces import report_of
from app.channels.email_charsets import decode
from app.channels.email_headers import addresses, date_ms, raw_header, subject_of
from app.channels.email_ids import (
    DELIVERY_HEADER,
    is_message_id,
    is_own,
    message_ids,
    own_message_id,
    stable_id,
    token_of,
)
from app.channels.email_robots import is_automatic
from app.text.quotes import split_quote

log = logging.getLogger(__name__)

MAX_DECLARED_PARTS = 60
"""More multiparts than this is an attack: the standard library's parser takes depth × lines."""
FALLBACK_CHARS = 20_000

_DECLARES_PARTS = re.compile(
    rb"^content-type:\s*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE
)
_TOKEN_HEADERS = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "Cc", "X-Delivered-To")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Whose mail it is: our own plain address, in lower case."""

    address: str

    @property
    def local_part(self) -> str:
        return self.address.rpartition("@")[0]

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Echo:
    """The copy of a reply of ours that we sent to ourselves: the proof that it went out."""

    external_id: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """A report that concerns nobody: about our own copy, or one that says only "relayed"."""


Parsed = Incoming | DeliveryReport | Echo | Nothing


def parse(raw: bytes, mailbox: Mailbox, now_ms: int, *, whole: bool = True) -> Parsed:
    """Read one mail. `whole` is False when only its beginning was fetched because of its size."""
    try:
        if len(_DECLARES_PARTS.findall(raw)) > MAX_DECLARED_PARTS:
            return _fallback(raw, mailbox, now_ms, "too_complex")
        message = BytesParser(policy=policy.compat32).parsebytes(raw)
        parsed = _read(message, raw, mailbox, now_ms)
    except Exception as error:  # noqa: BLE001 - one unreadable mail must not stop the mailbox
        log.warning("a mail could not be taken apart: %s", type(error).__name__)
        return _fallback(raw, mailbox, now_ms, "unreadable")
    if isinstance(parsed, Incoming) and not whole:
        # Attachments of a mail that was cut off are cut off themselves.
        return replace(parsed, attachments=(), notices=(*parsed.notices, "too_large"))
    return parsed


def echo_of(message: Message, mailbox: Mailbox) -> str | None:
    """Return the external id when this is our own copy: our address, and our name for the mail.

    Both are asked for, because another team of the same municipality has ids of the same form.
    """
    senders = addresses(message, "From")
    if not senders or senders[0][1] != mailbox.address:
        return None
    delivery = raw_header(message, DELIVERY_HEADER).strip()
    if re.fullmatch(r"[0-9a-zA-Z-]{1,64}", delivery):
        return own_message_id(delivery, mailbox.domain)
    own = message_ids(raw_header(message, "Message-ID"))
    return own[0] if own and is_own(own[0], mailbox.domain) else None


def _read(message: Message, raw: bytes, mailbox: Mailbox, now_ms: int) -> Parsed:
    echo = echo_of(message, mailbox)
    if echo is not None:
        return Echo(echo)
    name, sender = next(iter(addresses(message, "From", "Sender")), ("", ""))
    token = _token(message, mailbox)
    report = report_of(
        message,
        own_address=mailbox.address,
        domain=mailbox.domain,
        token=token,
        sender=sender,
        now_ms=now_ms,
    )
    if report == "ours_alone":
        return Nothing()
    if report is not None:
        return replace(report, raw=raw)
    return _incoming(message, read_body(message), raw, mailbox, now_ms, name, sender, token)


def _incoming(
    message: Message,
    body: Body,
    raw: bytes,
    mailbox: Mailbox,
    now_ms: int,
    name: str,
    sender: str,
    token: str | None,
) -> Incoming:
    text, quoted = split_quote(body.text)
    automatic = is_automatic(message, sender)
    return Incoming(
        external_id=_external_id(message, raw, mailbox),
        address=_answer_address(message, sender, mailbox, automatic),
        sender_name=name,
        subject=subject_of(message),
        text=text,
        quoted=quoted,
        attachments=tuple(body.attachments),
        sent_at_ms=date_ms(message, now_ms),
        in_reply_to=_answers(message),
        token=token,
        automatic=automatic,
        notices=tuple(body.notices),
        raw=raw,
    )


def _external_id(message: Message, raw: bytes, mailbox: Mailbox) -> str:
    own = message_ids(raw_header(message, "Message-ID"))
    # A stranger's mail under a name of ours would take the place of a reply: it gets another.
    if own and is_message_id(own[0]) and not is_own(own[0], mailbox.domain):
        return own[0]
    return stable_id(raw, mailbox.domain)


def _answers(message: Message) -> tuple[str, ...]:
    """Return what the mail answers, nearest first: In-Reply-To, then References from its end."""
    nearest = message_ids(raw_header(message, "In-Reply-To"))
    thread = message_ids(raw_header(message, "References"))
    return tuple(dict.fromkeys([*nearest, *reversed(thread)]))


def _token(message: Message, mailbox: Mailbox) -> str | None:
    for _, address in addresses(message, *_TOKEN_HEADERS):
        token = token_of(address, mailbox.local_part, mailbox.domain)
        if token:
            return token
    return None


def _answer_address(message: Message, sender: str, mailbox: Mailbox, automatic: bool) -> str:
    """Return where an answer goes: Reply-To when a person set it, else From.

    A Reply-To that leads back to ourselves would make us answer our own mailbox.
    """
    if automatic:
        return sender
    for _, address in addresses(message, "Reply-To"):
        own = token_of(address, mailbox.local_part, mailbox.domain) is not None
        if address != mailbox.address and not own:
            return address
    return sender


def _fallback(raw: bytes, mailbox: Mailbox, now_ms: int, notice: str) -> Parsed:
    """Make the most of a mail that cannot be read: its headers, and its body as it stands."""
    head, _, rest = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    message = BytesHeaderParser(policy=policy.compat32).parsebytes(head[:200_000] + b"\n\n")
    echo = echo_of(message, mailbox)
    if echo is not None:
        return Echo(echo)
    name, sender = next(iter(addresses(message, "From", "Sender")), ("", ""))
    body = Body(text=decode(rest[:FALLBACK_CHARS], "utf-8"), notices=[notice])
    token = _token(message, mailbox)
    return _incoming(message, body, raw, mailbox, now_ms, name, sender, token)
