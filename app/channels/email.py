"""E-mail: one real mailbox, IMAP in and SMTP out.

A reply's identity is its Message-ID, fixed when it was accepted. SMTP itself cannot say whether it
took a mail whose answer was lost, so every reply also goes to our own mailbox in the same
transaction, and `find` looks for that copy.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from app.channels import email_smtp
from app.channels.contract import Batch, Capabilities, DeliveryReport, Incoming, Outgoing, Receipt
from app.channels.email_compose import MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS, MAX_TEXT_CHARS
from app.channels.email_ids import own_message_id
from app.channels.email_imap import ImapMailbox, Page
from app.channels.email_oauth import AccessToken
from app.channels.email_parse import Echo, Mailbox, Nothing, parse
from app.channels.email_settings import MailSettings, settings_of

T = TypeVar("T")

log = logging.getLogger(__name__)

CAPABILITIES = Capabilities(
    max_chars=MAX_TEXT_CHARS,
    attachments=MAX_ATTACHMENTS,
    max_attachment_bytes=MAX_ATTACHMENT_BYTES,
)


class EmailChannel:
    """Adapter, Source, Waiting and Sender of one mailbox."""

    capabilities = CAPABILITIES

    def __init__(self, settings: MailSettings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._mailbox = Mailbox(settings.address.lower())
        token = AccessToken(settings, now_ms)
        self._reader = ImapMailbox(settings, token)
        # A wait holds its thread for minutes, so looking up and sending have threads of their own.
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="mail-in")
        self._sending = ThreadPoolExecutor(4, thread_name_prefix="mail-out")
        self._closed = threading.Event()

    def new_external_id(self, delivery_id: str) -> str:
        return own_message_id(delivery_id, self._settings.domain)

    async def fetch(self, cursor: str | None) -> Batch:
        """See Source. The cursor is `uidvalidity:uid`."""
        return await self._in(self._reading, lambda: self._fetch(cursor))

    async def wait(self, timeout_s: float) -> bool:
        """See Waiting. Uses IDLE where the server has it."""
        return await self._in(
            self._reading, lambda: self._reader.wait(timeout_s, self._closed.is_set)
        )

    async def send(self, reply: Outgoing) -> Receipt:
        """See Sender. `sent` means that the submission server took it for the resident."""
        settings = self._settings
        await self._in(
            self._sending,
            lambda: email_smtp.submit(reply, settings, AccessToken(settings, self._now_ms)),
        )
        return Receipt(reply.external_id, "sent", self._now_ms())

    async def find(self, reply: Outgoing) -> Receipt | None:
        """See Sender. Looks for our own copy, which may take minutes to reach the mailbox."""
        if await self._in(self._sending, lambda: self._find(reply)):
            return Receipt(reply.external_id, "sent", self._now_ms())
        return None

    async def check(self) -> None:
        """Sign in at both servers."""
        settings = self._settings
        token = AccessToken(settings, self._now_ms)
        await self._in(
            self._sending, lambda: _with(ImapMailbox(settings, token), ImapMailbox.check)
        )
        await self._in(self._sending, lambda: email_smtp.check(settings, token))

    async def close(self) -> None:
        self._closed.set()
        self._reader.abort()
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._reading.shutdown(wait=True, cancel_futures=True)
        self._sending.shutdown(wait=True, cancel_futures=True)
        self._reader.close()

    def _fetch(self, cursor: str | None) -> Batch:
        known_validity, after_uid = _read_cursor(cursor)
        page = self._reader.fetch(known_validity, after_uid)
        now_ms = self._now_ms()
        items: list[Incoming | DeliveryReport] = []
        echoes: list[str] = []
        ours: list[int] = []
        for mail in page.mails:
            if not mail.raw:
                continue
            parsed = parse(mail.raw, self._mailbox, now_ms, whole=mail.whole)
            if isinstance(parsed, Echo):
                echoes.append(parsed.external_id)
            elif isinstance(parsed, Incoming | DeliveryReport):
                items.append(parsed)
            if not isinstance(parsed, Incoming):
                ours.append(mail.uid)
            if isinstance(parsed, Nothing):
                log.debug("a report that concerns nobody was passed over")
        self._reader.file_away(page.uid_validity, ours)
        return Batch(
            tuple(items), _cursor(page, known_validity, after_uid), page.more, tuple(echoes)
        )

    def _find(self, reply: Outgoing) -> bool:
        token = AccessToken(self._settings, self._now_ms)
        box = ImapMailbox(self._settings, token)
        return _with(box, lambda opened: opened.find(reply.external_id, reply.delivery_id))

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)


def build(config: Mapping[str, Any], secret: str, now_ms: Callable[[], int]) -> EmailChannel:
    """Make the adapter of an account. Raises Permanent("bad_config")."""
    return EmailChannel(settings_of(config, secret), now_ms)


def external_id(config: Mapping[str, Any], delivery_id: str) -> str:
    """Return the Message-ID that a delivery from this account will have."""
    domain = str(config.get("address", "")).rpartition("@")[2].lower() or "stoep.invalid"
    return own_message_id(delivery_id, domain)


def _with(box: ImapMailbox, work: Callable[[ImapMailbox], T]) -> T:
    try:
        return work(box)
    finally:
        box.close()


def _read_cursor(cursor: str | None) -> tuple[int | None, int]:
    validity, _, uid = (cursor or "").partition(":")
    if validity.isdecimal() and uid.isdecimal():
        return int(validity), int(uid)
    return None, 0


def _cursor(page: Page, known_validity: int | None, after_uid: int) -> str:
    if page.mails:
        return f"{page.uid_validity}:{page.mails[-1].uid}"
    return f"{page.uid_validity}:{after_uid if page.uid_validity == known_validity else 0}"
