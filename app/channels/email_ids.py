"""The names that tie mails together: Message-IDs and conversation tokens.

Our own Message-ID is `<stoep.DELIVERY@DOMAIN>`, the same for every try of a delivery. Some
submission services replace it (Amazon SES, some Exchange set-ups), so the delivery also travels in
a header of our own, which they leave alone.
"""

from __future__ import annotations

import hashlib
import re

DELIVERY_HEADER = "X-Stoep-Delivery"
MAX_IDS = 50

_ID = re.compile(r"<[^<>\s\x00-\x1f\x7f-\U0010ffff]{3,300}>")
_OWN = re.compile(r"<stoep\.(?P<delivery>[0-9a-zA-Z-]{1,64})@(?P<domain>[a-zA-Z0-9.-]{1,253})>")
_DELIVERY = re.compile(r"[0-9a-zA-Z-]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def own_message_id(delivery_id: str, domain: str) -> str:
    """Return the Message-ID of one delivery; pure, so a retry has the same."""
    if not _DELIVERY.fullmatch(delivery_id):
        raise ValueError("a delivery id is letters, digits and dashes")
    return f"<stoep.{delivery_id}@{domain}>"


def is_own(message_id: str, domain: str) -> bool:
    """Say whether a Message-ID has the form of ours."""
    match = _OWN.fullmatch(message_id)
    return match is not None and match["domain"].lower() == domain


def own_ids_in(text: str, domain: str) -> list[str]:
    """Return Message-IDs of our form in running text, first one first, each once."""
    found = (m[0] for m in _OWN.finditer(text) if m["domain"].lower() == domain)
    return list(dict.fromkeys(found))


def message_ids(header: str) -> list[str]:
    """Return the Message-IDs of a References, In-Reply-To or Message-ID header, in order."""
    return list(dict.fromkeys(_ID.findall(header)))[-MAX_IDS:]


def is_message_id(text: str) -> bool:
    """Say whether this may stand in a header as it is."""
    return _ID.fullmatch(text) is not None


def stable_id(raw: bytes, domain: str) -> str:
    """Return a name for a mail without a usable Message-ID: the same bytes, the same name.

    Only the part before the first delivery trace differs between two deliveries of one mail, so
    trace headers are left out.
    """
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    traced = re.compile(
        rb"^(?:received|return-path|delivered-to|x-original-to)\s*:[^\n]*(?:\n[ \t][^\n]*)*\n?",
        re.IGNORECASE | re.MULTILINE,
    )
    digest = hashlib.sha256(traced.sub(b"", head) + b"\n\n" + body).hexdigest()[:40]
    return f"<none.{digest}@{domain}>"


def token_of(address: str, local_part: str, domain: str) -> str | None:
    """Return the token in `local+token@domain`, when it is our mailbox."""
    local, _, host = address.rpartition("@")
    own, plus, token = local.partition("+")
    if not plus or host.lower() != domain or own.lower() != local_part.lower():
        return None
    return token if _TOKEN.fullmatch(token) else None
