"""What a resident changes afterwards at the channel: an edit, or a message taken away.

Both are shown as what they are. What it said before is kept for the archive, and an answer that was
written to it and has not left yet is a person's to look at again.
"""

from sqlmodel import Session, select

from app.channels.contract import Incoming
from app.channels.models import Account
from app.db import flush_rows, touch
from app.delivery import service as delivery
from app.ids import uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation, Message, MessageVersion, RawOriginal
from app.residents import service as residents
from app.triage import service as triage

KEPT_VERSIONS = 50
"""Of one message: somebody who edits without end fills no disk."""


def follow(
    session: Session, account: Account, known: Message | None, item: Incoming, *, now_ms: int
) -> str | None:
    """Follow an edit or a deletion; return the conversation's id, None when nothing changed."""
    if known is None or known.erased_at_ms is not None or known.deleted_at_ms is not None:
        return None
    text = item.text[: inbox.MAX_TEXT_CHARS]
    if item.kind == "edit" and (text, item.quoted) == (known.text, known.quoted):
        return None
    query = select(Conversation).where(Conversation.id == known.conversation_id)
    conversation = session.exec(query.with_for_update()).one()
    _keep_version(session, known, item.raw, now_ms)
    at_ms = max(min(item.sent_at_ms, now_ms), known.written_at_ms)
    said = known.text
    was = inbox.preview_of(said)
    if item.kind == "delete":
        known.text, known.quoted, known.deleted_at_ms = "", None, at_ms
    else:
        known.text, known.quoted, known.changed_at_ms = text, item.quoted, at_ms
        known.public = known.public if item.public is None else item.public
    if (conversation.preview_by, conversation.preview) == ("in", was):
        conversation.preview = inbox.preview_of(known.text)
    session.flush()
    touch(session, "message", known.id)
    inbox.append(
        session,
        conversation,
        inbox.Entry(
            id=uuid7(now_ms),
            direction="event",
            event={
                "what": "deleted" if item.kind == "delete" else "edited",
                "from": None,
                "to": known.id,
            },
            written_at_ms=at_ms,
            accepted_at_ms=now_ms,
        ),
    )
    flush_rows(session)
    delivery.hold_back(session, conversation.id, after=known.position, now_ms=now_ms)
    if item.kind == "edit" and not item.automatic:
        # Who adds "there is a fire" to her question is heard as if she had written it at once.
        heard = triage.Heard(
            known.id, account.kind, text, subject=item.subject, name=item.sender_name
        )
        triage.reconsider(session, conversation, heard, said, now_ms=now_ms)
        flush_rows(session)
    if known.direction == "in":
        residents.reword(session, conversation, account.kind, now_ms=now_ms)
    session.flush()
    return conversation.id


def _keep_version(session: Session, known: Message, raw: bytes, now_ms: int) -> None:
    kept = session.exec(
        select(MessageVersion.id).where(MessageVersion.message_id == known.id).limit(KEPT_VERSIONS)
    ).all()
    if len(kept) >= KEPT_VERSIONS:
        return
    original = session.get(RawOriginal, known.id)
    session.add(
        MessageVersion(
            id=uuid7(now_ms),
            message_id=known.id,
            text=known.text,
            quoted=known.quoted,
            until_ms=now_ms,
            raw=original.content if original else b"",
        )
    )
    if original and raw:
        original.content = raw
    session.flush()
