"""What tablets do at a meeting, as operations: each question also becomes a conversation.

The ledger, the locks and the verdicts are those of `operations.py`, which hands in an Evening.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session, col, select

from app import i18n
from app.accounts.models import Person
from app.accounts.policy import RIGHTS, Principal
from app.db import flush_rows
from app.inbox import service as inbox
from app.inbox.models import Conversation, Message
from app.meetings import policy, service, words  # noqa: F401 - importing it adds its words
from app.meetings.models import (
    Meeting,
    MeetingAttendee,
    MeetingPost,
    MeetingPromise,
    MeetingQuestion,
)
from app.meetings.service import Refused
from app.sync import meeting_payloads, payloads


class Overruled(Exception):
    """A colleague decided otherwise meanwhile, in these messages; nothing was changed."""

    def __init__(self, reason: str, changed: list[str]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.changed = changed


@dataclass(frozen=True, slots=True)
class Evening:
    """What one operation works on. `clamp` says when something was written, as far as a tablet's
    clock can be believed; `take` begins a conversation from a contact note, for a team and area;
    `reply` answers a conversation as from the inbox, and says False when nothing can leave it.
    """

    session: Session
    who: Principal
    now_ms: int
    clamp: Callable[[int], int]
    conversation: Callable[[str | None], Conversation | None]
    take: Callable[[payloads.Contact, str, str], Conversation]
    reply: Callable[[Conversation, str], bool]


def plan(evening: Evening, _op: payloads.Op, said: meeting_payloads.Plan) -> None:
    """Make a meeting, or change what is known of it."""
    known = service.Plan(
        said.title,
        said.area,
        said.place,
        said.starts_at_ms,
        said.agenda,
        said.hosts,
        said.languages,
    )
    service.plan(evening.session, evening.who, said.meeting, known, now_ms=evening.now_ms)


def state(evening: Evening, _op: payloads.Op, said: meeting_payloads.State) -> None:
    """Open a meeting to the hall, or close it."""
    meeting = service.find(evening.session, evening.who, said.meeting)
    service.set_state(evening.session, meeting, said.state, now_ms=evening.now_ms)


def ask(evening: Evening, op: payloads.Op, said: meeting_payloads.Question) -> None:
    """Take in a question, and follow it as a conversation in the meeting's area."""
    meeting = service.find(evening.session, evening.who, said.meeting, lock=False)
    known = said.keep
    contact = payloads.Contact(
        via="meeting",
        name=said.name if known else "",
        phone=said.phone if known else "",
        email=said.email if known else "",
        text=said.text,
        place=said.place,
        urgent=said.urgent,
        attachments=said.attachments,
        happened_at_ms=said.asked_at_ms,
        consent=known,
    )
    conversation = evening.take(contact, meeting.team_id, meeting.area)
    conversation.subject = meeting.title
    if said.topic.strip():
        conversation.topics = [said.topic.strip()]
    # After the conversation, as everybody locks them.
    meeting = service.find(evening.session, evening.who, said.meeting)
    service.hear(
        evening.session,
        meeting,
        MeetingQuestion(
            id=op.op_id,
            meeting_id=meeting.id,
            conversation_id=conversation.id,
            text=said.text,
            asked_at_ms=said.asked_at_ms,
            source="tablet",
            author_id=evening.who.person_id,
            name=contact.name,
            answer_by=said.answer_by if known else "none",
            contact=contact.email or contact.phone,
            topic=said.topic.strip(),
            agenda_item=said.agenda,
            place=said.place,
            urgent=said.urgent,
            photos=said.attachments,
            minutes=said.minutes and bool(contact.email),
            moderation="shown" if said.on_board else "waiting",
            received_at_ms=evening.now_ms,
        ),
    )


def moderate(evening: Evening, op: payloads.Op, said: meeting_payloads.Moderation) -> None:
    """Show a question to the hall, or hide it and tell its writer why."""
    asked, meeting = _question(evening, op, said.question)
    by = evening.who.person_id
    service.moderate(evening.session, meeting, asked, said.state, said.reason, by=by)


def reword(evening: Evening, op: payloads.Op, said: meeting_payloads.Reworded) -> None:
    """Put right what a tablet caught; what somebody typed on her own phone stays as she did."""
    asked, meeting = _question(evening, op, said.question)
    text = said.text.strip()
    if not text or (asked.source == "phone" and text != asked.text):
        raise Refused("bad_payload", "These words are not to be changed.")
    conversation = evening.conversation(asked.conversation_id)
    if conversation is None or conversation.erased_at_ms is not None:
        raise Refused("unknown_question")
    if text != asked.text:
        _note(evening, op, conversation, "meeting.note_reworded", text=text)
    service.reword(evening.session, meeting, asked, text, said.agenda)


def decide(evening: Evening, op: payloads.Op, said: meeting_payloads.Fate) -> None:
    """Say what becomes of a question; the conversation that follows it tells so too."""
    asked, meeting = _question(evening, op, said.question)
    if policy.lacks_words(said.fate, said.text):
        raise Refused("words_needed")
    by = evening.who.person_id
    if said.mail and not evening.who.may("reply"):
        raise Refused("not_allowed", "Who helps for an evening mails nobody.")
    if asked.fate_by not in {None, by} and asked.fate_position > (op.based_on or 0):
        raise Overruled("colleague_decided", [asked.fate_message] if asked.fate_message else [])
    conversation = evening.conversation(asked.conversation_id)
    message = None
    if conversation is not None and conversation.erased_at_ms is None:
        message = op.op_id
        wanted = said.mail and said.fate == "answered"
        sent = wanted and _mail(evening, meeting, asked, conversation, said.text.strip())
        if not sent:
            key = "meeting.note_unsent" if wanted else f"meeting.note_{said.fate}"
            _note(evening, op, conversation, key, text=said.text.strip())
        # What she still has to hear stays in somebody's inbox.
        owed = asked.answer_by == "email" and not sent and (wanted or not evening.who.may("reply"))
        if said.fate == "answered" and not owed:
            inbox.change(
                evening.session, conversation, "status", "closed", by=by, now_ms=evening.now_ms
            )
        elif conversation.status == "new":
            conversation.status = "open"
    decision = service.Decision(
        fate=said.fate,
        text=said.text,
        by=by,
        at_ms=evening.clamp(op.written_at_ms),
        message=message,
        position=conversation.position if conversation else asked.fate_position + 1,
    )
    service.decide(evening.session, meeting, asked, decision)


def _mail(
    evening: Evening,
    meeting: Meeting,
    asked: MeetingQuestion,
    conversation: Conversation,
    text: str,
) -> bool:
    """Mail an answer to who asked for it so; False when it must not or cannot leave.

    Never a second one: once anybody wrote to her in this conversation, a person decides there.
    """
    if asked.answer_by != "email" or "@" not in asked.contact:
        return False
    if (conversation.address or "").lower() != asked.contact.lower():
        return False
    minutes = select(MeetingPost.message_id).where(MeetingPost.meeting_id == meeting.id)
    written = select(Message.id).where(
        Message.conversation_id == conversation.id,
        Message.direction == "out",
        col(Message.id).not_in(minutes),
    )
    if evening.session.exec(written.limit(1)).first() is not None:
        return False
    language = next((one for one in meeting.languages if one in i18n.LANGUAGES), i18n.LANGUAGES[0])
    known = {"title": meeting.title, "question": asked.text, "text": text}
    said = i18n.say(language, "meeting.answer", **known, name=evening.who.name)
    if not evening.reply(conversation, said):
        return False
    flush_rows(evening.session)
    return True


def promise(evening: Evening, op: payloads.Op, said: meeting_payloads.Promise) -> None:
    """Write a promise down: the conversation that it is about goes to its owner."""
    owner = _colleague(evening.session, said.owner)
    asked = None
    if said.question is not None:
        asked, meeting = _question(evening, op, said.question)
    else:
        meeting = service.find(evening.session, evening.who, said.meeting, lock=False)
    if meeting.id != said.meeting:
        raise Refused("bad_payload", "The question was asked at another meeting.")
    conversation = evening.conversation(op.conversation_id)
    if asked is None:
        if conversation is not None:
            raise Refused("id_reused")
        contact = payloads.Contact(via="meeting", text=said.text, happened_at_ms=op.written_at_ms)
        conversation = evening.take(contact, meeting.team_id, meeting.area)
        conversation.subject = meeting.title
    elif conversation is not None and conversation.erased_at_ms is None:
        due = i18n.day(evening.who.language, said.due_at_ms)
        _note(evening, op, conversation, "meeting.note_promise", text=said.text, due=due)
    if conversation is not None:
        by, now_ms = evening.who.person_id, evening.now_ms
        inbox.change(evening.session, conversation, "assign", owner.id, by=by, now_ms=now_ms)
        if conversation.status == "closed":
            inbox.change(evening.session, conversation, "status", "open", by=by, now_ms=now_ms)
    service.promise(
        evening.session,
        MeetingPromise(
            id=op.op_id,
            meeting_id=meeting.id,
            question_id=asked.id if asked else None,
            conversation_id=conversation.id if conversation else None,
            text=said.text.strip(),
            owner_id=owner.id,
            due_at_ms=said.due_at_ms,
            made_by=evening.who.person_id,
            made_at_ms=evening.now_ms,
        ),
    )


def keep(evening: Evening, op: payloads.Op, said: meeting_payloads.Kept) -> None:
    """Say that a promise was kept."""
    made = evening.session.get(MeetingPromise, said.promise)
    if made is None or made.conversation_id != op.conversation_id:
        raise Refused("unknown_promise")
    service.find(evening.session, evening.who, made.meeting_id)
    evening.session.refresh(made)
    service.keep_promise(evening.session, made, said.kept, now_ms=evening.now_ms)


def attend(evening: Evening, op: payloads.Op, said: meeting_payloads.Attend) -> None:
    """Write down who is there."""
    if not (said.name.strip() or said.organisation.strip() or said.email):
        raise Refused("bad_payload", "Nobody is named.")
    meeting = service.find(evening.session, evening.who, said.meeting)
    service.attend(
        evening.session,
        meeting,
        MeetingAttendee(
            id=op.op_id,
            meeting_id=meeting.id,
            name=said.name.strip(),
            organisation=said.organisation.strip(),
            email=said.email.lower(),
            minutes=said.minutes and bool(said.email),
            at_ms=evening.now_ms,
        ),
    )


def count(evening: Evening, _op: payloads.Op, said: meeting_payloads.Headcount) -> None:
    """Write down how many are there."""
    meeting = service.find(evening.session, evening.who, said.meeting)
    service.count_heads(evening.session, meeting, said.heads)


def _question(
    evening: Evening, op: payloads.Op, question_id: str
) -> tuple[MeetingQuestion, Meeting]:
    """Return a question whose conversation this operation names, and so has locked."""
    asked, meeting = service.question(evening.session, evening.who, question_id)
    if asked.conversation_id is not None and asked.conversation_id != op.conversation_id:
        raise Refused("bad_payload", "conversation_id is not the question's.")
    return asked, meeting


def _colleague(session: Session, person_id: str) -> Person:
    found = session.get(Person, person_id)
    if found is None or not found.active or "note" not in RIGHTS.get(found.role, frozenset()):
        raise Refused("bad_payload", "No such colleague.")
    return found


def _note(
    evening: Evening, op: payloads.Op, conversation: Conversation, key: str, **values: object
) -> None:
    said = i18n.say(evening.who.language, key, **values).strip().rstrip(":")
    entry = inbox.Entry(
        id=op.op_id,
        direction="note",
        author_id=evening.who.person_id,
        text=said,
        written_at_ms=evening.clamp(op.written_at_ms),
        accepted_at_ms=evening.now_ms,
    )
    inbox.note(evening.session, conversation, entry)
    flush_rows(evening.session)


Work = Callable[[Evening, payloads.Op, Any], str | None]

KINDS: dict[str, tuple[str, type[BaseModel], Work]] = {
    "meeting": ("host", meeting_payloads.Plan, plan),
    "meeting_state": ("host", meeting_payloads.State, state),
    "question": ("meet", meeting_payloads.Question, ask),
    "moderate": ("meet", meeting_payloads.Moderation, moderate),
    "reword": ("meet", meeting_payloads.Reworded, reword),
    "fate": ("meet", meeting_payloads.Fate, decide),
    "promise": ("meet", meeting_payloads.Promise, promise),
    "promise_kept": ("meet", meeting_payloads.Kept, keep),
    "attend": ("meet", meeting_payloads.Attend, attend),
    "headcount": ("meet", meeting_payloads.Headcount, count),
}
"""Each kind of operation: the right it takes, the shape of its payload, what it does."""
