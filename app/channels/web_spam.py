"""Machines kept out without asking people to prove anything: a trap, a clock and a count.

Every form carries a signed stamp: when it was handed out, for what, and an id of its own. A form
sent back within a breath was not typed by a person; one from yesterday is renewed. The id makes a
form sent twice one message.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal

from app import keys
from app.config import Settings
from app.ids import is_uuid, uuid7

MIN_MS = 3_000
"""No person reads the form and writes a question faster."""

MAX_MS = 12 * 3600 * 1000
"""A form left open overnight is renewed; what was typed stays."""

TRAP = "website"
"""A field that no person sees; programs fill in whatever they find."""

Verdict = Literal["fine", "too_fast", "expired", "trapped"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a form was handed out with; `form_id` is the same however often it is sent."""

    form_id: str
    issued_ms: int


def new_stamp(settings: Settings, purpose: str, now_ms: int, form_id: str | None = None) -> str:
    """Return the text of a fresh stamp; a form that is shown again keeps its id."""
    form_id = form_id or uuid7(now_ms)
    return f"{now_ms}.{form_id}.{_sign(settings, purpose, now_ms, form_id)}"


def read_stamp(settings: Settings, purpose: str, text: str) -> Stamp | None:
    """Return what a stamp says, or None when we did not sign it for this purpose."""
    issued, _, rest = text.partition(".")
    form_id, _, signature = rest.partition(".")
    if not (issued.isascii() and issued.isdigit() and len(issued) <= 15 and is_uuid(form_id)):
        return None
    good = _sign(settings, purpose, int(issued), form_id)
    if not hmac.compare_digest(good.encode(), signature.encode()):
        return None
    return Stamp(form_id, int(issued))


def judge(stamp: Stamp | None, trap: str, now_ms: int) -> Verdict:
    """Say whether a person may have sent this; pure."""
    if trap:
        return "trapped"
    if stamp is None or now_ms - stamp.issued_ms > MAX_MS or stamp.issued_ms > now_ms + MAX_MS:
        return "expired"
    return "too_fast" if now_ms - stamp.issued_ms < MIN_MS else "fine"


def page_secret(settings: Settings, conversation_id: str) -> str:
    """Return the secret (160 bits) of a conversation's page.

    It follows from the conversation and the key that lies outside the database, so that a form sent
    twice leads to one page and a mail can name it, while a copy of the database opens none.
    """
    key = keys.derive(settings, "resident page")
    return hmac.new(key, conversation_id.encode(), hashlib.sha256).hexdigest()[:40]


def _sign(settings: Settings, purpose: str, issued_ms: int, form_id: str) -> str:
    key = keys.derive(settings, "web form")
    said = f"{purpose} {issued_ms} {form_id}".encode()
    return hmac.new(key, said, hashlib.sha256).hexdigest()[:40]
