"""Gives the minutes out: to the hall's page, and by mail to who asked for them, once each.

Each mail is a reply in a conversation, so it leaves by the team's mailbox like every other, with
the same four clocks.
"""

from sqlmodel import Session, col, select

from app import i18n
from app.accounts.policy import Principal
from app.channels.models import Account
from app.channels.registry import external_id_of
from app.config import Settings
from app.db import flush_rows
from app.delivery import service as delivery
from app.errors import NotFound
from app.ids import uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation
from app.meetings import service, words  # noqa: F401 - importing it adds its words
from app.meetings.models import Meeting, MeetingAttendee, MeetingPost, MeetingQuestion


def give_out(
    session: Session, settings: Settings, who: Principal, meeting_id: str, *, now_ms: int
) -> dict[str, int | bool]:
    """Publish the minutes, and mail those who asked and have not had them yet.

    Returns how many were mailed now, and `mailbox`: False when the team has none to mail from.
    Raises NotFound.
    """
    wishes = _wishes(session, meeting_id)
    held = [one for one in wishes.values() if one is not None]
    # Conversations before the meeting, as everybody locks them.
    query = select(Conversation).where(col(Conversation.id).in_(held)).order_by(Conversation.id)
    conversations = {one.id: one for one in session.exec(query.with_for_update())}
    meeting = session.get(Meeting, meeting_id, with_for_update=True, populate_existing=True)
    if meeting is None or not service.sees(who, meeting):
        raise NotFound("There is no such meeting.")
    if meeting.minutes_at_ms is None:
        meeting.minutes_at_ms = now_ms
        service.tell_hall(session, meeting)
    session.add(meeting)
    service.tell_meeting(session, meeting)
    mailbox = _account(session, meeting, "email")
    notes = _account(session, meeting, "contact")
    if mailbox is None or notes is None:
        return {"mailed": 0, "wanted": len(wishes), "mailbox": False}
    posted = select(MeetingPost.email).where(MeetingPost.meeting_id == meeting_id)
    had = set(session.exec(posted))
    mailed = 0
    for email, conversation_id in sorted(wishes.items()):
        if email in had:
            continue
        conversation = conversations.get(conversation_id or "")
        if conversation is None or conversation.erased_at_ms is not None:
            conversation = _begin(session, meeting, notes, email, who, now_ms)
        message_id = _mail(session, settings, meeting, conversation, mailbox, email, who, now_ms)
        session.add(
            MeetingPost(meeting_id=meeting_id, email=email, message_id=message_id, at_ms=now_ms)
        )
        mailed += 1
    return {"mailed": mailed, "wanted": len(wishes), "mailbox": True}


def _wishes(session: Session, meeting_id: str) -> dict[str, str | None]:
    """Return who wants the minutes: address → the conversation of her question, if she asked."""
    attending = select(MeetingAttendee.email).where(
        MeetingAttendee.meeting_id == meeting_id, col(MeetingAttendee.minutes)
    )
    wishes: dict[str, str | None] = dict.fromkeys(session.exec(attending))
    asking = (
        select(MeetingQuestion.contact, MeetingQuestion.conversation_id)
        .where(MeetingQuestion.meeting_id == meeting_id, col(MeetingQuestion.minutes))
        .order_by(col(MeetingQuestion.asked_at_ms))
    )
    asked = session.exec(asking)
    return wishes | {email: conversation for email, conversation in asked if "@" in email}


def _begin(
    session: Session, meeting: Meeting, notes: Account, email: str, who: Principal, now_ms: int
) -> Conversation:
    resident = inbox.resident_at(session, "email", email, name="", kind="resident", now_ms=now_ms)
    session.flush()
    conversation = inbox.start(
        session,
        resident,
        conversation_id=uuid7(now_ms),
        account_id=notes.id,
        subject=meeting.title,
        area=meeting.area,
        address=email,
        why_not=None,
        now_ms=now_ms,
    )
    wish = i18n.say(who.language, "minutes.wish", title=meeting.title)
    entry = inbox.Entry(
        id=uuid7(now_ms),
        direction="note",
        author_id=who.person_id,
        text=wish,
        written_at_ms=now_ms,
        accepted_at_ms=now_ms,
    )
    inbox.note(session, conversation, entry)
    conversation.status = "closed"
    return conversation


def _mail(
    session: Session,
    settings: Settings,
    meeting: Meeting,
    conversation: Conversation,
    mailbox: Account,
    email: str,
    who: Principal,
    now_ms: int,
) -> str:
    url = f"{settings.origin}/m/{meeting.code}/minutes"
    known = {"title": meeting.title, "url": url, "municipality": settings.municipality}
    # Which language is hers nobody asked: the mail speaks those that the evening was held in.
    said = "\n\n---\n\n".join(
        i18n.say(language, "minutes.mail", **known)
        for language in service.spoken(meeting, settings.language)
    )
    status, waiting = conversation.status, conversation.waiting_since_ms
    entry = inbox.Entry(
        id=uuid7(now_ms),
        direction="out",
        author_id=who.person_id,
        text=said,
        written_at_ms=now_ms,
        accepted_at_ms=now_ms,
    )
    inbox.reply(session, conversation, entry)
    # The minutes are no answer to her question: what waited waits on.
    conversation.status, conversation.waiting_since_ms = status, waiting
    session.add(conversation)
    flush_rows(session)
    delivery_id = delivery.new_delivery_id(now_ms)
    delivery.enqueue(
        session,
        message_id=entry.id,
        account_id=mailbox.id,
        recipient=email,
        external_id=external_id_of(mailbox, delivery_id),
        delivery_id=delivery_id,
        due_at_ms=now_ms,
    )
    return entry.id


def _account(session: Session, meeting: Meeting, kind: str) -> Account | None:
    query = select(Account).where(
        Account.kind == kind, Account.team_id == meeting.team_id, col(Account.enabled)
    )
    return session.exec(query.order_by(col(Account.id))).first()
