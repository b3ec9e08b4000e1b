"""Did a person write this mail, or a machine that must never be answered by one?

Sources: RFC 3834 (Auto-Submitted, null return path), RFC 2919 (List-Id), RFC 2076 (Precedence),
MS-OXCMAIL 2.2.3.2.14 (X-Auto-Response-Suppress), read November 2026.
"""

from __future__ import annotations

import re
from email.message import Message

from app.channels.email_headers import raw_header

_PRECEDENCE = frozenset({"bulk", "list", "junk", "auto_reply", "auto-reply"})
_NO_REPLY = re.compile(
    r"(?:no|do-?not|donot|not|niet|geen)[-_.]?(?:reply|antwoord(?:en)?|beantwoorden|respond).*"
    r"|.*[-_.+](?:noreply|no-reply)|noreply.*|mailer-daemon|postmaster|bounces?(?:[-_.+].*)?",
    re.IGNORECASE,
)
_ROBOT_HEADERS = (
    "List-Id",
    "List-Unsubscribe",
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponder",
    "X-Loop",
    "Feedback-ID",
)


def is_automatic(message: Message, sender: str) -> bool:
    """Say whether any sign of a machine is there. `sender` is the comparable From address."""
    submitted = raw_header(message, "Auto-Submitted").partition(";")[0].strip().lower()
    if submitted and submitted != "no":
        return True
    if raw_header(message, "Precedence").strip().lower() in _PRECEDENCE:
        return True
    if has_null_path(message):
        return True
    suppress = raw_header(message, "X-Auto-Response-Suppress").lower()
    if re.search(r"\b(?:all|oof|autoreply)\b", suppress):
        return True
    if any(message.get(name) is not None for name in _ROBOT_HEADERS):
        return True
    return is_no_reply(sender) or not sender


def is_no_reply(address: str) -> bool:
    """Say whether the address itself says that nobody reads there."""
    return _NO_REPLY.fullmatch(address.rpartition("@")[0]) is not None


def has_null_path(message: Message) -> bool:
    """Say whether it was sent so that no bounce may follow: `Return-Path: <>` (RFC 5321, 4.5.5)."""
    return message.get("Return-Path") is not None and raw_header(
        message, "Return-Path"
    ).strip() in {
        "<>",
        "",
    }
