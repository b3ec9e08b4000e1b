"""One mail handed to the submission server. Blocking: the adapter runs it on a thread.

What may be said after a failure depends on how far it came. Until the dot that ends DATA was
written, the server has nothing it may deliver (RFC 5321, 4.1.1.4): trying again is safe. From the
moment that dot is written until the answer is read, nobody but the server knows: Unconfirmed.

The transaction has two recipients, the resident and our own mailbox, so the server takes both or
none: the copy in the mailbox proves afterwards that the resident's went out too.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.channels.contract import Outgoing, Permanent, SignedOut, Temporary, Unconfirmed
from app.channels.email_compose import ascii_address, compose
from app.channels.email_imap import tls
from app.channels.email_oauth import AccessToken
from app.channels.email_settings import MailSettings

log = logging.getLogger(__name__)


def submit(reply: Outgoing, settings: MailSettings, token: AccessToken) -> None:
    """Send one reply. Returns only when the server took it.

    Raises Temporary, Permanent or SignedOut (nothing was sent) or Unconfirmed (it may have been).
    """
    recipient = ascii_address(reply.recipient)
    content = compose(reply, settings)
    deadline = time.monotonic() + settings.envelope_timeout_s
    with _connected(settings, token) as smtp:
        try:
            _envelope(smtp, reply, settings, recipient, len(content))
            _data(smtp, content, settings, deadline)
        except (OSError, smtplib.SMTPException) as error:
            raise _unreachable(settings, error) from None


def check(settings: MailSettings, token: AccessToken) -> None:
    """Reach the server and sign in."""
    with _connected(settings, token):
        pass


@contextmanager
def _connected(settings: MailSettings, token: AccessToken) -> Iterator[smtplib.SMTP]:
    smtp: smtplib.SMTP | None = None
    try:
        try:
            smtp = _open(settings)
            _sign_in(smtp, settings, token)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise _unreachable(settings, error) from None
        yield smtp
    finally:
        if smtp is not None:
            _leave(smtp)


def _open(settings: MailSettings) -> smtplib.SMTP:
    host, port, timeout = settings.smtp_host, settings.smtp_port, settings.timeout_s
    if settings.smtp_tls == "tls":
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(
            host, port, timeout=timeout, context=tls(settings), local_hostname=settings.domain
        )
    else:
        smtp = smtplib.SMTP(host, port, timeout=timeout, local_hostname=settings.domain)
    try:
        smtp.ehlo_or_helo_if_needed()
        if settings.smtp_tls == "starttls":
            smtp.starttls(context=tls(settings))
            smtp.ehlo()
    except BaseException:
        smtp.close()
        raise
    return smtp


def _sign_in(smtp: smtplib.SMTP, settings: MailSettings, token: AccessToken) -> None:
    if not settings.smtp_auth or settings.auth == "none":
        return
    try:
        if settings.auth == "xoauth2":
            words = f"user={settings.login}\x01auth=Bearer {token.get()}\x01\x01"
            # The second answer is empty: it asks the server for its refusal in plain words.
            smtp.auth("XOAUTH2", lambda challenge=None: words if not challenge else "")
        else:
            smtp.login(settings.login, settings.secret.get("password", ""))
    except smtplib.SMTPAuthenticationError as error:
        if error.smtp_code < 500:
            raise Temporary(
                "mail_server_busy", f"smtp auth {error.smtp_code}", account_wide=True
            ) from None
        token.drop()
        raise SignedOut(
            "password_refused", f"smtp {settings.smtp_host}: {error.smtp_code}"
        ) from None
    except UnicodeEncodeError:
        # smtplib takes ASCII only; a server that wants more says so in no standard way (RFC 4954).
        raise SignedOut("password_refused", "smtp: a password outside ASCII") from None
    except smtplib.SMTPNotSupportedError:
        raise Permanent("bad_config", f"smtp {settings.smtp_host} offers no sign-in") from None


def _envelope(
    smtp: smtplib.SMTP, reply: Outgoing, settings: MailSettings, recipient: str, size_bytes: int
) -> None:
    """Name sender and recipients: the resident must be accepted, our own copy should be."""
    limit = smtp.esmtp_features.get("size", "")
    if limit.isdigit() and 0 < int(limit) < size_bytes:
        raise Permanent("too_large", f"the server takes {limit} bytes")
    reports = smtp.has_extn("dsn")
    options = [f"size={size_bytes}"] if smtp.has_extn("size") else []
    if reports:
        # The envelope id comes back in every report: the surest link to this delivery (RFC 3461).
        options += ["RET=HDRS", f"ENVID={reply.delivery_id}"]
    _refused(*smtp.mail(settings.plus(reply.token), options), "sender_refused", account_wide=True)
    wanted = "NOTIFY=SUCCESS,FAILURE,DELAY" if settings.delivery_reports else "NOTIFY=FAILURE,DELAY"
    _refused(
        *smtp.rcpt(recipient, [wanted] if reports else []), "recipient_refused", account_wide=False
    )
    if recipient != settings.address.lower():
        code, _ = smtp.rcpt(settings.address, ["NOTIFY=NEVER"] if reports else [])
        if code >= 400:
            log.warning("the mail server refuses our own copy (%s): lost answers stay open", code)


def _data(smtp: smtplib.SMTP, content: bytes, settings: MailSettings, deadline: float) -> None:
    code, words = smtp.docmd("DATA")
    if code != 354:
        _refused(code, words, "message_refused", account_wide=False)
        raise Temporary("mail_server_busy", f"smtp DATA {code}", account_wide=True)
    if time.monotonic() > deadline:
        raise Temporary("mail_server_busy", "smtp too slow", account_wide=True)
    _give(smtp, settings.body_timeout_s)
    smtp.send(_stuffed(content))
    _give(smtp, settings.answer_timeout_s)
    try:
        smtp.send(b".\r\n")
        code, words = smtp.getreply()
    except (OSError, smtplib.SMTPException) as error:
        raise Unconfirmed("answer_lost", f"smtp after DATA: {type(error).__name__}") from None
    if not 200 <= code < 600:
        raise Unconfirmed("answer_lost", "smtp after DATA: an answer without a code")
    _refused(code, words, "message_refused", account_wide=False)


def _stuffed(content: bytes) -> bytes:
    """Return the lines of DATA without its last dot (RFC 5321, 4.5.2). `content` ends in CRLF."""
    body = content.replace(b"\r\n.", b"\r\n..")
    body = b"." + body if body.startswith(b".") else body
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def _refused(code: int, words: bytes, sentence: str, *, account_wide: bool) -> None:
    """Raise what a code of 4xx or 5xx means; anything below is yes."""
    if 200 <= code < 400:
        return
    status = words.decode("ascii", "replace").split(" ", 1)[0][:12]
    detail = f"smtp {code} {status if status[:2] in {'4.', '5.'} else ''}".strip()
    if code in {530, 535}:
        raise SignedOut("password_refused", detail)
    if code < 500:
        raise Temporary("mail_server_busy", detail, account_wide=account_wide)
    if code == 552 or status.startswith(("5.3.4", "5.2.3")):
        raise Permanent("too_large", detail)
    raise Permanent(sentence, detail)


def _unreachable(settings: MailSettings, error: Exception) -> Temporary:
    return Temporary(
        "certificate_wrong" if isinstance(error, ssl.SSLError) else "mail_server_unreachable",
        f"smtp {settings.smtp_host}: {type(error).__name__}",
        account_wide=True,
    )


def _give(smtp: smtplib.SMTP, timeout_s: float) -> None:
    if smtp.sock is not None:
        smtp.sock.settimeout(timeout_s)


def _leave(smtp: smtplib.SMTP) -> None:
    """Say goodbye without waiting long for the answer: the work is done or has failed."""
    with suppress(OSError, smtplib.SMTPException):
        if smtp.sock is not None:
            _give(smtp, 2.0)
            smtp.docmd("QUIT")
    with suppress(OSError):
        smtp.close()
