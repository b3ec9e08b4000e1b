"""What one batch of operations works on, and how one of them is refused or held."""

from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from app.accounts.policy import Principal
from app.channels.models import Account
from app.inbox.models import Attachment, Conversation, Message
from app.sync import conflicts, payloads

AHEAD_MS = 60_000
"""How far a phone's clock may run ahead before its instants are taken to be the server's."""

OLDEST_MS = 1_577_836_800_000
"""1 January 2020: an operation cannot have been written before Stoep."""


class Rejected(Exception):
    """This operation will never be applied; nothing was changed."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class Held(Exception):
    """Something happened meanwhile that its writer must see first; nothing was changed."""

    def __init__(self, reason: str, changed: list[str]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.changed = changed


@dataclass(slots=True)
class Desk:
    """What one batch works on: who asks, when, and the conversations already looked up."""

    session: Session
    who: Principal
    now_ms: int
    conversations: dict[str, Conversation] = field(default_factory=dict)
    stored_position: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    ledger: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def conversation(self, conversation_id: str | None) -> Conversation:
        """Return a conversation she may see. Raises Rejected, which never tells the two apart."""
        found = self.conversations.get(conversation_id or "")
        if found is None or not self.who.sees(found.area):
            raise Rejected("unknown_conversation")
        return found

    def living(self, conversation_id: str | None) -> Conversation:
        """Return a conversation that can still be worked on."""
        found = self.conversation(conversation_id)
        if found.erased_at_ms is not None:
            raise Rejected("erased")
        return found

    def account(self, account_id: str) -> Account:
        """Return an account, looked up once a batch."""
        if account_id not in self.accounts:
            self.accounts[account_id] = self.session.get_one(Account, account_id)
        return self.accounts[account_id]

    def clamp(self, written_at_ms: int) -> int:
        """Return when it was written, as far as a phone's clock can be believed."""
        if OLDEST_MS <= written_at_ms <= self.now_ms + AHEAD_MS:
            return min(written_at_ms, self.now_ms)
        return self.now_ms


def check_conflict(desk: Desk, conversation: Conversation, op: payloads.Op, kind: str) -> None:
    """Raise Held when what happened since the writer looked stands in the way."""
    stored = desk.stored_position.get(conversation.id, 0)
    if op.based_on is None or not 0 <= op.based_on <= conversation.position:
        raise Rejected("bad_payload", "based_on must be a position of this conversation.")
    if op.based_on >= stored:
        return
    since = desk.session.exec(
        select(Message)
        .where(Message.conversation_id == conversation.id, Message.position > op.based_on)
        .order_by(col(Message.position))
    ).all()
    entries = [
        conflicts.Since(entry.id, entry.direction, entry.author_id, entry.event) for entry in since
    ]
    reason = conflicts.judge(kind, desk.who.person_id, entries)
    if reason is not None:
        raise Held(reason, [entry.id for entry in entries])


def check_attachments(desk: Desk, attachments: list[str]) -> None:
    """Raise Rejected unless all photos are hers, whole, and of no message yet."""
    for attachment_id in attachments:
        found = desk.session.get(Attachment, attachment_id)
        if (
            found is None
            or found.uploader_id != desk.who.person_id
            or found.message_id is not None
            or found.have_bytes != found.size_bytes
        ):
            raise Rejected("attachment_missing", attachment_id)
