"""A test from outside: a code that somebody sends to the account, looked for in what comes in.

`check()` proves that we are let in; only a message that arrives proves that messages do.
"""

import re
import secrets
from typing import Any

from sqlmodel import Session

from app.channels.contract import Incoming
from app.channels.models import Account, ChannelTest
from app.inbox.models import Conversation

LIFE_MS = 24 * 3600 * 1000
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without those that look like one another."""
_CODE = re.compile(rf"stoep[\s-]?([{_LETTERS}]{{6}})(?![a-z0-9])", re.IGNORECASE)
LOOKED_THROUGH_CHARS = 2000


def begin(session: Session, account: Account, *, now_ms: int) -> ChannelTest:
    """Make a code for an account; the one before no longer counts."""
    test = session.get(ChannelTest, account.id) or ChannelTest(
        account_id=account.id, code="", made_at_ms=0
    )
    test.code = "STOEP-" + "".join(secrets.choice(_LETTERS) for _ in range(6))
    test.made_at_ms = now_ms
    test.seen_at_ms = test.conversation_id = None
    session.add(test)
    session.flush()
    return test


def look_for_code(
    session: Session, account: Account, conversation: Conversation, item: Incoming, *, now_ms: int
) -> None:
    """Take note when a message that came in carries the code of its account."""
    said = f"{item.subject}\n{item.text}"[:LOOKED_THROUGH_CHARS]
    found = _CODE.search(said)
    if found is None:
        return
    test = session.get(ChannelTest, account.id)
    if test is None or test.seen_at_ms is not None or now_ms > test.made_at_ms + LIFE_MS:
        return
    if test.code == f"STOEP-{found[1].upper()}":
        test.seen_at_ms = now_ms
        test.conversation_id = conversation.id
        session.flush()


def told(test: ChannelTest) -> dict[str, Any]:
    """Return a test as the API tells it."""
    return {
        "code": test.code,
        "made_ms": test.made_at_ms,
        "expires_ms": test.made_at_ms + LIFE_MS,
        "seen_ms": test.seen_at_ms,
        "conversation": test.conversation_id,
    }
