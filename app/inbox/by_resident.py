"""What a resident herself does to her conversation: say whether it helped, have it erased."""

from sqlmodel import Session, col, delete, select

from app.db import flush_rows, touch
from app.ids import uuid7
from app.inbox import search
from app.inbox.models import (
    Attachment,
    AttachmentData,
    Conversation,
    Message,
    MessageVersion,
    RawOriginal,
    Resident,
    ResidentAddress,
)
from app.inbox.service import change


def rate(session: Session, conversation: Conversation, rating: int) -> bool:
    """Keep whether the answer helped: 1 or -1. The last word counts; False when it was so already.

    Raises ValueError for any other number.
    """
    if rating not in {1, -1}:
        raise ValueError("a rating is 1 or -1")
    if conversation.rating == rating:
        return False
    conversation.rating = rating
    touch(session, "conversation", conversation.id)
    return True


def erase(session: Session, conversation: Conversation, *, now_ms: int) -> bool:
    """Erase who wrote and all that was said, at once and for good; False when it was done already.

    What stays is a neutral trace: that there was a conversation, in which area, when, and with
    what status. The phones hear of it through the feed and erase what they hold.
    """
    if conversation.erased_at_ms is not None:
        return False
    conversation.erased_at_ms = now_ms
    if conversation.status != "closed":
        change(session, conversation, "status", "closed", by=None, now_ms=now_ms)
    flush_rows(session)
    messages = session.exec(select(Message).where(Message.conversation_id == conversation.id)).all()
    ids = [message.id for message in messages]
    for message in messages:
        if message.direction == "event":
            continue
        message.text, message.quoted, message.sender_name = "", None, None
        message.sender_address = message.notices = message.link = None
        # Of a contact note the event tells a telephone number.
        message.event = None
        message.erased_at_ms = now_ms
    taken = session.exec(select(Attachment.id).where(col(Attachment.message_id).in_(ids))).all()
    session.exec(delete(AttachmentData).where(col(AttachmentData.attachment_id).in_(taken)))
    session.exec(delete(Attachment).where(col(Attachment.id).in_(taken)))
    session.exec(delete(RawOriginal).where(col(RawOriginal.message_id).in_(ids)))
    session.exec(delete(MessageVersion).where(col(MessageVersion.message_id).in_(ids)))
    _forget_resident(session, conversation, now_ms)
    conversation.subject = conversation.preview = ""
    conversation.place = conversation.address = conversation.token = None
    conversation.urgent_reason = conversation.verdict = None
    conversation.why_not = "erased"
    conversation.waiting_since_ms = None
    session.flush()
    search.forget(session)
    for message_id in ids:
        touch(session, "message", message_id)
    touch(session, "conversation", conversation.id)
    return True


def _forget_resident(session: Session, conversation: Conversation, now_ms: int) -> None:
    """Put nobody in her place; she herself is forgotten unless she has other conversations."""
    former = conversation.resident_id
    nobody = Resident(id=uuid7(now_ms), name="", kind="resident", created_at_ms=now_ms)
    session.add(nobody)
    session.flush()
    conversation.resident_id = nobody.id
    session.flush()
    others = select(Conversation.id).where(Conversation.resident_id == former).limit(1)
    if session.exec(others).first() is None:
        session.exec(delete(ResidentAddress).where(col(ResidentAddress.resident_id) == former))
        session.exec(delete(Resident).where(col(Resident.id) == former))
