"""What happens to a conversation: received, replied to, noted, handed on, closed.

Each function changes the given conversation inside the caller's transaction, appends what
happened to its timeline and marks it for the feed. None of them asks who may do it: that is the
caller's to know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from app.db import insert_later, leave, touch
from app.ids import uuid7
from app.inbox.models import (
    Attachment,
    Conversation,
    Message,
    RawOriginal,
    ReadMark,
    Resident,
    ResidentAddress,
)

STATUSES = ("new", "open", "waiting", "closed", "reopened")
MAX_TEXT_CHARS = 20_000
PREVIEW_CHARS = 140
MAX_TOPICS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """What is about to be added to a timeline."""

    id: str
    direction: str
    written_at_ms: int
    accepted_at_ms: int
    text: str = ""
    author_id: str | None = None
    sender_name: str | None = None
    quoted: str | None = None
    event: dict[str, Any] | None = None
    external_id: str | None = None
    account_id: str | None = None
    """The account it came by, when that may be another than the conversation's."""
    sender_address: str | None = None
    notices: tuple[str, ...] = ()
    public: bool | None = None
    link: str | None = None
    attachments: tuple[str, ...] = field(default=())
    alts: Mapping[str, str] = field(default_factory=dict)
    """Attachment → what it shows, in its sender's words; most have none."""


def resident_at(
    session: Session, channel: str, address: str, *, name: str, kind: str, now_ms: int
) -> Resident:
    """Return the resident known under an address in a channel, made when she is new."""
    query = (
        select(Resident)
        .join(ResidentAddress, col(ResidentAddress.resident_id) == col(Resident.id))
        .where(ResidentAddress.channel == channel, ResidentAddress.address == address)
    )
    known = session.exec(query).first()
    if known is not None:
        if name and not known.name:
            known.name = name
        return known
    resident = new_resident(session, name=name, kind=kind, now_ms=now_ms)
    session.flush()
    add_address(session, resident, channel, address)
    return resident


def new_resident(session: Session, *, name: str, kind: str, now_ms: int) -> Resident:
    """Make a resident who left no address, or whose address is added next."""
    resident = Resident(id=uuid7(now_ms), name=name, kind=kind, created_at_ms=now_ms)
    session.add(resident)
    return resident


def add_address(session: Session, resident: Resident, channel: str, address: str) -> None:
    """Write down that this resident is reached at this address."""
    session.add(
        ResidentAddress(id=uuid7(), resident_id=resident.id, channel=channel, address=address)
    )


def start(
    session: Session,
    resident: Resident,
    *,
    conversation_id: str,
    account_id: str,
    subject: str,
    area: str,
    address: str | None,
    why_not: str | None,
    place: str | None = None,
    token: str | None = None,
    secret_fingerprint: str | None = None,
    now_ms: int,
) -> Conversation:
    """Begin a conversation in an area, or in a team's own list (`team:<id>`).

    `why_not` says why it cannot be answered (no_address, robot), or None when it can.
    """
    conversation = Conversation(
        id=conversation_id,
        account_id=account_id,
        area=area,
        resident_id=resident.id,
        subject=subject,
        address=address,
        why_not=why_not,
        place=place,
        token=token,
        secret_fingerprint=secret_fingerprint,
        created_at_ms=now_ms,
        activity_at_ms=now_ms,
    )
    session.add(conversation)
    session.flush()
    return conversation


def append(session: Session, conversation: Conversation, entry: Entry) -> None:
    """Put an entry at the end of the timeline and keep the conversation's summary right."""
    conversation.position += 1
    insert_later(
        session,
        Message,
        {
            "id": entry.id,
            "conversation_id": conversation.id,
            "account_id": entry.account_id or conversation.account_id,
            "position": conversation.position,
            "direction": entry.direction,
            "author_id": entry.author_id,
            "sender_name": entry.sender_name,
            "text": entry.text,
            "quoted": entry.quoted,
            "event": entry.event,
            "external_id": entry.external_id,
            "sender_address": entry.sender_address,
            "notices": list(entry.notices) or None,
            "public": entry.public,
            "link": entry.link,
            "changed_at_ms": None,
            "deleted_at_ms": None,
            "written_at_ms": entry.written_at_ms,
            "accepted_at_ms": entry.accepted_at_ms,
            "erased_at_ms": None,
        },
    )
    for attachment_id in entry.attachments:
        told = (attachment_id, entry.id, entry.alts.get(attachment_id, ""))
        session.info.setdefault("attach", []).append(told)
    if entry.direction != "event":
        conversation.activity_at_ms = max(conversation.activity_at_ms, entry.accepted_at_ms)
        conversation.preview = preview_of(entry.text)
        conversation.preview_by = entry.direction
    touch(session, "message", entry.id)
    touch(session, "conversation", conversation.id)


def preview_of(text: str) -> str:
    """Return what a list shows of a message."""
    return " ".join(text.split())[:PREVIEW_CHARS]


def link_attachments(session: Session) -> None:
    """Give the attachments of new messages to those messages; runs before the commit."""
    for attachment_id, message_id, alt in session.info.pop("attach", []):
        attachment = session.get(Attachment, attachment_id)
        if attachment is not None:
            attachment.message_id = message_id
            attachment.alt = alt
            touch(session, "message", message_id)
    session.flush()


def receive(session: Session, conversation: Conversation, entry: Entry, raw: bytes = b"") -> None:
    """Take in what a resident wrote: the conversation waits for us again."""
    append(session, conversation, entry)
    conversation.in_position = conversation.position
    conversation.public = entry.public
    if conversation.waiting_since_ms is None:
        conversation.waiting_since_ms = entry.accepted_at_ms
    if raw:
        insert_later(session, RawOriginal, {"message_id": entry.id, "content": raw})
    if conversation.status == "closed":
        change(session, conversation, "status", "reopened", by=None, now_ms=entry.accepted_at_ms)
    elif conversation.status == "waiting":
        change(session, conversation, "status", "open", by=None, now_ms=entry.accepted_at_ms)


def reply(session: Session, conversation: Conversation, entry: Entry) -> None:
    """Add a reply of ours; the delivery is the caller's to queue."""
    append(session, conversation, entry)
    conversation.waiting_since_ms = None
    if conversation.status in {"new", "reopened"}:
        # Visible in the status itself; an event of its own would only repeat the reply.
        conversation.status = "open"


def note(session: Session, conversation: Conversation, entry: Entry) -> None:
    """Add an internal note, which no resident ever sees."""
    append(session, conversation, entry)


_FIELDS = {"status": "status", "assign": "assignee_id", "area": "area"}


def change(
    session: Session,
    conversation: Conversation,
    what: str,
    value: str | None,
    *,
    by: str | None,
    now_ms: int,
    written_at_ms: int | None = None,
    event_id: str | None = None,
) -> bool:
    """Change status, assignee or area, and say so on the timeline; False when it was so already."""
    attribute = _FIELDS[what]
    before = getattr(conversation, attribute)
    if before == value:
        return False
    setattr(conversation, attribute, value)
    if what == "status" and value == "closed":
        conversation.waiting_since_ms = None
    if what == "area":
        # All of it moves to another scope of the feed, so all of it is published again.
        for message_id in session.exec(
            select(Message.id).where(Message.conversation_id == conversation.id)
        ):
            touch(session, "message", message_id)
        leave(session, conversation.id, before)
    _tell(session, conversation, what, before, value, by, now_ms, written_at_ms, event_id)
    return True


def set_urgent(
    session: Session,
    conversation: Conversation,
    urgent: bool,
    reason: str,
    *,
    by: str | None,
    now_ms: int,
    written_at_ms: int | None = None,
    event_id: str | None = None,
) -> bool:
    """Mark as urgent, with the reason, or no longer; False when nothing changed."""
    new_reason = reason if urgent else None
    if (conversation.urgent, conversation.urgent_reason) == (urgent, new_reason):
        return False
    before = conversation.urgent
    conversation.urgent, conversation.urgent_reason = urgent, new_reason
    _tell(session, conversation, "urgent", before, urgent, by, now_ms, written_at_ms, event_id)
    return True


def set_topics(
    session: Session,
    conversation: Conversation,
    *,
    add: list[str],
    remove: list[str],
    by: str | None,
    now_ms: int,
    written_at_ms: int | None = None,
    event_id: str | None = None,
) -> bool:
    """Add and remove topics; False when nothing changed."""
    before = list(conversation.topics)
    after = [topic for topic in before if topic not in remove]
    after += [topic for topic in dict.fromkeys(add) if topic not in after]
    after = after[:MAX_TOPICS]
    if before == after:
        return False
    conversation.topics = after
    _tell(session, conversation, "topics", before, after, by, now_ms, written_at_ms, event_id)
    return True


def _tell(
    session: Session,
    conversation: Conversation,
    what: str,
    before: Any,
    after: Any,
    by: str | None,
    now_ms: int,
    written_at_ms: int | None,
    event_id: str | None,
) -> None:
    append(
        session,
        conversation,
        Entry(
            id=event_id or uuid7(now_ms),
            direction="event",
            author_id=by,
            event={"what": what, "from": before, "to": after},
            written_at_ms=now_ms if written_at_ms is None else written_at_ms,
            accepted_at_ms=now_ms,
        ),
    )


def mark_read(session: Session, conversation: Conversation, person_id: str, position: int) -> bool:
    """Move a person's read mark on; it never moves back. False when it was there already."""
    position = min(position, conversation.position)
    mark = session.get(ReadMark, (person_id, conversation.id))
    if position <= (mark.position if mark is not None else 0):
        return False
    if mark is None:
        mark = ReadMark(person_id=person_id, conversation_id=conversation.id, position=0)
        session.add(mark)
    mark.position = position
    session.flush()
    touch(session, "read", f"{person_id}/{conversation.id}")
    return True
