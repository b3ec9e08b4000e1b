"""A reply as the bytes of a mail: the same bytes every time it is tried.

Sources: RFC 5322 (3.6.4 threading, 2.2.3 folding), RFC 3834 (a person's reply carries no
Auto-Submitted), read November 2026.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import PurePosixPath

from app.channels.contract import Outgoing, OutgoingAttachment, Permanent
from app.channels.email_headers import comparable_address, one_line
from app.channels.email_ids import DELIVERY_HEADER, is_message_id
from app.channels.email_settings import MailSettings

MAX_TEXT_CHARS = 50_000
MAX_ATTACHMENTS = 10
MAX_ATTACHMENT_BYTES = 15_000_000
MAX_REFERENCES = 20
MAX_NAME_CHARS = 80
MAX_SUBJECT_CHARS = 300

_MEDIA_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,100}")
_UNSAFE = re.compile(r'[/\\<>:"|?*]')
"""What no system, or not every one, takes in the name of a file."""

# 7 bit: what any server on the way may carry unchanged.
_POLICY = SMTP.clone(cte_type="7bit")


def compose(reply: Outgoing, settings: MailSettings) -> bytes:
    """Return the mail, lines ending in CRLF.

    Raises Permanent when it cannot be addressed, or says or carries more than a reply may.
    """
    if len(reply.text) > MAX_TEXT_CHARS:
        raise Permanent("too_long", f"{len(reply.text)} of {MAX_TEXT_CHARS}")
    if len(reply.attachments) > MAX_ATTACHMENTS:
        raise Permanent("too_many_attachments", str(len(reply.attachments)))
    if sum(len(one.content) for one in reply.attachments) > MAX_ATTACHMENT_BYTES:
        raise Permanent("too_large", "attachments")
    message = EmailMessage(policy=_POLICY)
    message["Date"] = format_datetime(datetime.fromtimestamp(reply.created_at_ms / 1000, UTC))
    message["From"] = Address(
        one_line(reply.from_name)[:MAX_NAME_CHARS], addr_spec=settings.address
    )
    message["To"] = Address(addr_spec=ascii_address(reply.recipient))
    if settings.plus(reply.token) != settings.address:
        message["Reply-To"] = Address(
            one_line(reply.from_name)[:MAX_NAME_CHARS], addr_spec=settings.plus(reply.token)
        )
    message["Subject"] = _subject(reply)
    message[DELIVERY_HEADER] = one_line(reply.delivery_id)
    message.set_content(reply.text.replace("\r\n", "\n").replace("\r", "\n") + "\n")
    for attachment in reply.attachments:
        _attach(message, attachment)
    _set_boundaries(message, reply.delivery_id)
    return _thread_headers(reply) + message.as_bytes()


def ascii_address(address: str) -> str:
    """Return an address that any server takes: its domain in ASCII (IDNA).

    Raises Permanent("bad_address"), or ("address_unsupported") for a local part outside ASCII.
    """
    comparable = comparable_address(address)
    if not comparable:
        raise Permanent("bad_address")
    local, _, domain = comparable.rpartition("@")
    try:
        return f"{local.encode('ascii').decode()}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        raise Permanent("address_unsupported") from None


def _address(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def _subject(reply: Outgoing) -> str:
    subject = one_line(reply.subject)[:MAX_SUBJECT_CHARS]
    if reply.in_reply_to and not subject.lower().startswith(("re:", "antw:", "aw:")):
        subject = f"Re: {subject}".rstrip()
    return subject


def _thread_headers(reply: Outgoing) -> bytes:
    """Write the headers of Message-IDs by hand: the library encodes an id longer than a line."""
    if not is_message_id(reply.external_id):
        raise Permanent("bad_config", "external_id is no Message-ID")
    lines = [f"Message-ID: {reply.external_id}"]
    if reply.in_reply_to and is_message_id(reply.in_reply_to):
        lines.append(f"In-Reply-To: {reply.in_reply_to}")
    thread = [name for name in reply.references if is_message_id(name)]
    if len(thread) > MAX_REFERENCES:
        # The first names the thread, the last ones its end (RFC 5322 allows to leave out others).
        thread = [thread[0], *thread[-(MAX_REFERENCES - 1) :]]
    if reply.in_reply_to and is_message_id(reply.in_reply_to) and reply.in_reply_to not in thread:
        thread.append(reply.in_reply_to)
    if thread:
        lines.append("References: " + "\r\n ".join(thread))
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _attach(message: EmailMessage, attachment: OutgoingAttachment) -> None:
    main, _, sub = attachment.media_type.partition("/")
    if not (
        main.isalnum() and sub and sub.replace("-", "").replace(".", "").replace("+", "").isalnum()
    ):
        main, sub = "application", "octet-stream"
    if main in {"text", "message", "multipart"}:
        # Its bytes are sent as they are; the library would re-encode them.
        main, sub = "application", "octet-stream"
    alt = one_line(attachment.alt)
    name = _file_name(alt, attachment.name) or "bijlage"
    message.add_attachment(attachment.content, maintype=main, subtype=sub, filename=name)
    if alt:
        # RFC 2045, section 8.
        list(message.iter_attachments())[-1]["Content-Description"] = alt


def _file_name(alt: str, name: str) -> str:
    """Return the name under which a mail program shows a file: what it shows, where that is known.

    Programs read a name aloud, and `IMG_2041.jpg` says nothing.
    """
    own = one_line(name)
    if alt:
        words = alt[:MAX_NAME_CHARS].strip(" .")
        own = f"{words}{PurePosixPath(own).suffix[:6]}" if words else own
    return _UNSAFE.sub("_", own)


def _set_boundaries(message: EmailMessage, delivery_id: str) -> None:
    """Fix the boundaries, which the library draws at random: a retry must be the same mail."""
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            # "=_" cannot stand in quoted-printable or base64 content.
            part.set_boundary(f"=_stoep-{one_line(delivery_id)}-{number}")
