"""The mailbox, read over IMAP. Blocking: the adapter runs it on a thread of its own.

Sources: RFC 9051 and RFC 3501 (UID, UIDVALIDITY), RFC 2177 (IDLE), read November 2026.
"""

from __future__ import annotations

import imaplib
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from imap_tools import (
    BaseMailBox,
    MailBox,
    MailboxFolderSelectError,
    MailboxLoginError,
    MailBoxStartTls,
    MailBoxUnencrypted,
)
from imap_tools.errors import ImapToolsError

from app.channels.contract import ChannelError, Permanent, SignedOut, Temporary
from app.channels.email_idle import idling
from app.channels.email_ids import DELIVERY_HEADER
from app.channels.email_oauth import AccessToken
from app.channels.email_settings import MailSettings

log = logging.getLogger(__name__)

MAX_BATCH = 50
MAX_BATCH_BYTES = 30_000_000
BEGINNING_BYTES = 256_000
"""How much is fetched of a mail that is too large to take whole."""
MAX_IDLE_S = 25 * 60.0  # RFC 2177: leave IDLE at least every 29 minutes
FAILURES = (OSError, imaplib.IMAP4.error, ImapToolsError, EOFError, ValueError)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_UID = re.compile(rb"UID (\d+)")
_NOT_THERE = re.compile(r"NONEXISTENT|exist|not found|unknown|no such", re.IGNORECASE)
_REFUSED = re.compile(
    r"AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|EXPIRED|invalid credential|"
    r"(?:login|authenticat\w*|logon) (?:fail|denied|reject)|LOGIN failed|AUTHENTICATE failed",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fetched:
    uid: int
    raw: bytes
    whole: bool


@dataclass(frozen=True, slots=True)
class Page:
    uid_validity: int
    mails: list[Fetched]
    more: bool


class ImapMailbox:
    """One connection, opened when needed and thrown away after any failure."""

    def __init__(self, settings: MailSettings, token: AccessToken) -> None:
        self._settings = settings
        self._token = token
        self._box: BaseMailBox | None = None
        self._exists_at_fetch: bytes | None = None

    def fetch(self, uid_validity: int | None, after_uid: int) -> Page:
        """Return mails with a UID above `after_uid`, oldest first.

        With another UIDVALIDITY than the one named, every UID means another mail: then all of them,
        from the beginning. Raises Temporary, SignedOut or Permanent("no_such_folder").
        """
        with self._connected() as box:
            current = self._select(box)
            if current != uid_validity:
                after_uid = 0
            self._exists_at_fetch = _untagged(box, "EXISTS")
            uids = [uid for uid in self._search(box, after_uid) if uid > after_uid]
            mails: list[Fetched] = []
            size = 0
            for uid, size_bytes in self._sizes(box, uids[:MAX_BATCH]):
                if mails and size + size_bytes > MAX_BATCH_BYTES:
                    break
                mail = self._mail(box, uid, size_bytes)
                size += len(mail.raw)
                mails.append(mail)
            last = mails[-1].uid if mails else after_uid
            return Page(current, mails, more=bool(mails) and any(uid > last for uid in uids))

    def file_away(self, uid_validity: int, uids: list[int]) -> None:
        """Move our own copies and reports out of people's way, when a folder was named for them."""
        folder = self._settings.sent_folder
        if not folder or not uids:
            return
        with self._connected() as box:
            if self._select(box, writable=True) != uid_validity:
                return
            names = [str(uid) for uid in uids]
            if not box.folder.exists(folder):
                box.folder.create(folder)
            box.move(names, folder)

    def find(self, message_id: str, delivery_id: str) -> bool:
        """Say whether a mail with our name for it lies in the mailbox or the folder of copies."""
        with self._connected() as box:
            for folder in dict.fromkeys([self._settings.folder, self._settings.sent_folder]):
                if not folder:
                    continue
                try:
                    box.folder.set(folder, readonly=True)
                except MailboxFolderSelectError:
                    continue
                named = (
                    f'OR HEADER Message-ID "{message_id}" HEADER {DELIVERY_HEADER} "{delivery_id}"'
                )
                for uid in box.uids(named, charset=None):
                    # SEARCH matches substrings, and bounces that quote it are other mails.
                    head = self._head(box, uid)
                    if _has(head, "message-id", message_id) or _has(
                        head, DELIVERY_HEADER.lower(), delivery_id
                    ):
                        return True
            return False

    def check(self) -> None:
        """Sign in and open the folder."""
        with self._connected() as box:
            self._select(box)

    def wait(self, timeout_s: float, stopped: Callable[[], bool]) -> bool:
        """Return True as soon as the server tells of new mail, False after `timeout_s`.

        A server without IDLE makes this a plain wait of at most half a minute, then True.
        """
        with self._connected() as box:
            if self._exists_at_fetch is None or _untagged(box, "EXISTS") != self._exists_at_fetch:
                return True
            if "IDLE" not in box.client.capabilities:
                return self._wait_plainly(min(timeout_s, 30.0), stopped)
            until = time.monotonic() + min(timeout_s, MAX_IDLE_S)
            with idling(box) as told_at_once:
                if told_at_once or _untagged(box, "EXISTS") != self._exists_at_fetch:
                    return True
                while not stopped() and (left_s := until - time.monotonic()) > 0:
                    lines = box.idle.poll(timeout=min(left_s, 5.0))
                    if any(b" EXISTS" in line or b" RECENT" in line for line in lines):
                        return True
                    if any(line.startswith(b"* BYE") for line in lines):
                        raise imaplib.IMAP4.abort("the server said goodbye")
            return False

    def close(self) -> None:
        box, self._box = self._box, None
        self._exists_at_fetch = None
        if box is not None:
            with suppress(*FAILURES):
                box.logout()
            with suppress(*FAILURES):
                box.client.shutdown()

    def abort(self) -> None:
        """End a wait that another thread is in; the connection is lost with it."""
        box = self._box
        if box is not None:
            with suppress(OSError):
                box.client.sock.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _connected(self) -> Iterator[BaseMailBox]:
        reused = self._box is not None
        try:
            if self._box is not None and not self._alive(self._box):
                self.close()
            if self._box is None:
                self._box = self._open()
            yield self._box
        except ChannelError:
            self.close()
            raise
        except FAILURES as error:
            self.close()
            kind = type(error).__name__
            raise Temporary(
                "certificate_wrong" if isinstance(error, ssl.SSLError) else "mailbox_unreachable",
                f"imap {self._settings.imap_host}: {kind}",
                retry_after_s=5.0 if reused else 30.0,
                account_wide=True,
            ) from None

    def _alive(self, box: BaseMailBox) -> bool:
        try:
            return bool(box.client.noop()[0] == "OK")
        except FAILURES:
            return False

    def _open(self) -> BaseMailBox:
        settings = self._settings
        host, port, timeout = settings.imap_host, settings.imap_port, settings.timeout_s
        if settings.imap_tls == "tls":
            box: BaseMailBox = MailBox(host, port, timeout=timeout, ssl_context=tls(settings))
        elif settings.imap_tls == "starttls":
            box = MailBoxStartTls(host, port, timeout=timeout, ssl_context=tls(settings))
        else:
            box = MailBoxUnencrypted(host, port, timeout=timeout)
        try:
            self._sign_in(box)
        except BaseException:
            with suppress(*FAILURES):
                box.client.shutdown()
            raise
        return box

    def _sign_in(self, box: BaseMailBox) -> None:
        settings = self._settings
        try:
            if settings.auth == "xoauth2":
                box.xoauth2(settings.login, self._token.get(), initial_folder=None)
            elif settings.secret.get("password", "").isascii() and settings.login.isascii():
                box.login(settings.login, settings.secret.get("password", ""), initial_folder=None)
            else:
                box.login_utf8(
                    settings.login, settings.secret.get("password", ""), initial_folder=None
                )
        except (MailboxLoginError, imaplib.IMAP4.error) as error:
            if isinstance(error, imaplib.IMAP4.abort) or "UNAVAILABLE" in str(error):
                raise
            self._token.drop()
            # The server's own words may hold the name that was tried; only its verdict is kept.
            verdict = "refused" if _REFUSED.search(str(error)) else "not accepted"
            raise SignedOut("password_refused", f"imap {settings.imap_host}: {verdict}") from None

    def _select(self, box: BaseMailBox, *, writable: bool = False) -> int:
        try:
            box.folder.set(self._settings.folder, readonly=not writable)
        except MailboxFolderSelectError as error:
            # Other refusals (a folder that is being restored, a server in trouble) pass.
            if _NOT_THERE.search(str(error)):
                raise Permanent("no_such_folder", self._settings.folder) from None
            raise
        answer = _untagged(box, "UIDVALIDITY")
        return int(answer) if answer else 0

    def _search(self, box: BaseMailBox, after_uid: int) -> list[int]:
        criteria = f"UID {after_uid + 1}:*"
        if self._settings.since_ms:
            day = datetime.fromtimestamp(self._settings.since_ms / 1000, UTC)
            criteria += f" SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}"
        return sorted(int(uid) for uid in box.uids(criteria, charset=None))

    def _sizes(self, box: BaseMailBox, uids: list[int]) -> list[tuple[int, int]]:
        if not uids:
            return []
        status, answer = box.client.uid("FETCH", ",".join(map(str, uids)), "(UID RFC822.SIZE)")
        if status != "OK":
            raise imaplib.IMAP4.error("FETCH was refused")
        sizes: dict[int, int] = {}
        for line in answer:
            if isinstance(line, bytes):
                uid, size = _UID.search(line), _SIZE.search(line)
                if uid and size:
                    sizes[int(uid[1])] = int(size[1])
        return [(uid, sizes[uid]) for uid in uids if uid in sizes]

    def _mail(self, box: BaseMailBox, uid: int, size_bytes: int) -> Fetched:
        whole = size_bytes <= self._settings.max_message_bytes
        part = "BODY.PEEK[]" if whole else f"BODY.PEEK[]<0.{BEGINNING_BYTES}>"
        return Fetched(uid, self._section(box, str(uid), part), whole)

    def _head(self, box: BaseMailBox, uid: str) -> bytes:
        return self._section(
            box, uid, f"BODY.PEEK[HEADER.FIELDS (MESSAGE-ID {DELIVERY_HEADER.upper()})]"
        )

    def _section(self, box: BaseMailBox, uid: str, section: str) -> bytes:
        status, answer = box.client.uid("FETCH", uid, f"({section})")
        if status != "OK":
            raise imaplib.IMAP4.error("FETCH was refused")
        for item in answer:
            if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], bytes):
                return item[1]
        # Somebody deleted it in between: an empty mail is told apart by the caller.
        return b""

    def _wait_plainly(self, timeout_s: float, stopped: Callable[[], bool]) -> bool:
        until = time.monotonic() + timeout_s
        while not stopped() and time.monotonic() < until:
            time.sleep(min(0.5, timeout_s))
        return True


def tls(settings: MailSettings) -> ssl.SSLContext:
    """Return the context for both servers: certificates and names are always checked."""
    try:
        return ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError:
        raise Permanent("bad_config", "ca_file cannot be read") from None


def _untagged(box: BaseMailBox, name: str) -> bytes | None:
    found = box.client.untagged_responses.get(name)
    return found[-1] if found and isinstance(found[-1], bytes) else None


def _has(head: bytes, name: str, value: str) -> bool:
    unfolded = re.sub(r"\r?\n[ \t]+", " ", head.decode("ascii", "replace"))
    return any(
        field.partition(":")[0].strip().lower() == name and field.partition(":")[2].strip() == value
        for field in unfolded.splitlines()
    )
