"""Brings promises back to their owners before their date, and files what is long over.

When to remind is a row, not a sleeping task: a restart forgets none, and of two processes one
finds the row done.
"""

from functools import partial

from sqlmodel import Session, col, select

from app import i18n
from app.accounts.models import Person
from app.db import touch
from app.ids import uuid7
from app.inbox import service as inbox
from app.inbox.models import Conversation
from app.meetings import policy, service, words  # noqa: F401 - importing it adds its words
from app.meetings.models import Meeting, MeetingPromise, MeetingQuestion
from app.rounds import Rounds

BATCH = 50


class Reminders(Rounds):
    """Looks now and then for promises that are due, and for meetings to be filed."""

    every_s = 60.0
    looks_for = "looking for promises"

    async def once(self) -> int:
        """Remind of all that is due now; how many. Writes only when there is something."""
        now_ms = self._clock.now_ms()
        due, past = await self._db.read(partial(_due, now_ms=now_ms))
        reminded = 0
        for promise_id, conversation_id in due:
            reminded += await self._db.write(
                partial(
                    remind, promise_id=promise_id, conversation_id=conversation_id, now_ms=now_ms
                )
            )
        for meeting_id in past:
            await self._db.write(partial(file_away, meeting_id=meeting_id, now_ms=now_ms))
        return reminded


def _due(session: Session, *, now_ms: int) -> tuple[list[tuple[str, str | None]], list[str]]:
    promises = select(MeetingPromise.id, MeetingPromise.conversation_id).where(
        col(MeetingPromise.remind_at_ms) <= now_ms
    )
    past = select(Meeting.id).where(
        col(Meeting.filed_at_ms).is_(None),
        Meeting.starts_at_ms <= now_ms - policy.FILED_AFTER_MS,
    )
    due = session.exec(promises.order_by(col(MeetingPromise.remind_at_ms)).limit(BATCH)).all()
    return list(due), list(session.exec(past.limit(BATCH)).all())


def remind(session: Session, *, promise_id: str, conversation_id: str | None, now_ms: int) -> int:
    """Put a promise on top of its owner's inbox again; 1 when it was done, 0 when it was already.

    Its conversation is hers again even when somebody closed it or gave it away: the promise stands
    until it is said to be kept.
    """
    query = select(Conversation).where(Conversation.id == conversation_id).with_for_update()
    conversation = session.exec(query).first()
    made = session.get(MeetingPromise, promise_id, with_for_update=True)
    if made is None or made.remind_at_ms is None or made.remind_at_ms > now_ms:
        return 0
    made.remind_at_ms = None
    session.add(made)
    if conversation is None or conversation.erased_at_ms is not None:
        return 0
    meeting = session.get_one(Meeting, made.meeting_id)
    owner = session.get(Person, made.owner_id) if made.owner_id else None
    language = owner.language if owner else "nl"
    said = i18n.say(
        language,
        "meeting.remind",
        title=meeting.title,
        due=i18n.day(language, made.due_at_ms),
        text=made.text,
    )
    entry = inbox.Entry(
        id=uuid7(now_ms), direction="note", text=said, written_at_ms=now_ms, accepted_at_ms=now_ms
    )
    inbox.note(session, conversation, entry)
    if owner is not None and owner.active:
        inbox.change(session, conversation, "assign", owner.id, by=None, now_ms=now_ms)
    if conversation.status == "closed":
        inbox.change(session, conversation, "status", "reopened", by=None, now_ms=now_ms)
    return 1


def file_away(session: Session, *, meeting_id: str, now_ms: int) -> None:
    """Take a meeting of long ago out of the feed, and its page from the web."""
    meeting = session.get(Meeting, meeting_id, with_for_update=True)
    if meeting is None or meeting.filed_at_ms is not None:
        return
    meeting.filed_at_ms = now_ms
    session.add(meeting)
    service.tell_hall(session, meeting)
    service.tell_meeting(session, meeting)
    for kind, table in (("meetingq", MeetingQuestion), ("meetingp", MeetingPromise)):
        for entity_id in session.exec(select(table.id).where(table.meeting_id == meeting_id)):
            touch(session, kind, entity_id)
