"""What happens at a meeting: planned, opened, asked, decided, promised.

Each function works inside the caller's transaction, which has locked the conversations first and
the meeting after them, and marks for the feed what it changed. What the hall may see gets the
next number of the meeting's own count.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from app import i18n
from app.accounts.models import TeamArea
from app.accounts.policy import Principal
from app.db import touch
from app.meetings import policy
from app.meetings.models import (
    Meeting,
    MeetingAttendee,
    MeetingPromise,
    MeetingQuestion,
)


class Refused(Exception):
    """This cannot be; nothing was changed. `reason` is a code that the phone has a sentence for."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of a meeting before it begins."""

    title: str
    area: str
    place: str
    starts_at_ms: int
    agenda: Sequence[str]
    hosts: Sequence[str]
    languages: Sequence[str]


def scope_of(meeting_id: str) -> str:
    """Return the scope of the feed that only this meeting's assistants see."""
    return f"meeting:{meeting_id}"


def sees(who: Principal, meeting: Meeting) -> bool:
    """Say whether a meeting is hers: of her area, or the one she helps at, or helped at lately."""
    scope = scope_of(meeting.id)
    return who.sees(meeting.area) or scope in who.areas or f"late:{scope}" in who.areas


def find(session: Session, who: Principal, meeting_id: str, *, lock: bool = True) -> Meeting:
    """Return a meeting she may see. Raises Refused, which never tells the two apart."""
    query = select(Meeting).where(Meeting.id == meeting_id)
    found = session.exec(query.with_for_update() if lock else query).first()
    if found is None or not sees(who, found):
        raise Refused("unknown_meeting")
    return found


def question(session: Session, who: Principal, question_id: str) -> tuple[MeetingQuestion, Meeting]:
    """Return a question at a meeting she may see, both locked; raises Refused."""
    asked = session.get(MeetingQuestion, question_id)
    if asked is None:
        raise Refused("unknown_question")
    meeting = find(session, who, asked.meeting_id)
    session.refresh(asked)
    return asked, meeting


def plan(session: Session, who: Principal, meeting_id: str, said: Plan, *, now_ms: int) -> Meeting:
    """Make a meeting, or change what is known of it; its area stays what it was."""
    known = session.get(Meeting, meeting_id)
    if known is None:
        if not who.sees(said.area):
            raise Refused("not_allowed", "This area is not yours.")
        meeting = Meeting(
            id=meeting_id,
            area=said.area,
            team_id=_team(session, who, said.area),
            title=said.title,
            starts_at_ms=said.starts_at_ms,
            agenda=[],
            hosts=[],
            languages=[],
            code=new_code(),
            created_by=who.person_id,
            created_at_ms=now_ms,
        )
        session.add(meeting)
    else:
        meeting = find(session, who, meeting_id)
        if meeting.area != said.area:
            raise Refused("bad_payload", "A meeting stays in its area.")
    meeting.title, meeting.place = said.title, said.place
    meeting.starts_at_ms = said.starts_at_ms
    meeting.agenda, meeting.hosts = list(said.agenda), list(said.hosts)
    meeting.languages = list(said.languages)
    session.flush()
    tell_meeting(session, meeting)
    return meeting


def _team(session: Session, who: Principal, area: str) -> str:
    """Return the team that holds a meeting: hers, and of those the one of this area."""
    hers = sorted(one[5:] for one in who.areas if one.startswith("team:"))
    of_area = select(TeamArea.team_id).where(TeamArea.area == area)
    teams = session.exec(of_area.where(col(TeamArea.team_id).in_(hers))).all()
    if not hers:
        raise Refused("not_allowed", "You are in no team.")
    return min(teams) if teams else hers[0]


def new_code() -> str:
    """Return a code that nobody guesses in an evening: one of 480 million."""
    return "".join(secrets.choice(policy.CODE_LETTERS) for _ in range(policy.CODE_LENGTH))


def spoken(meeting: Meeting, house: str) -> list[str]:
    """Return the languages to write to residents in: the house's, and what else was spoken."""
    others = [one for one in i18n.LANGUAGES if one in meeting.languages and one != house]
    return [house, *others]


def set_state(session: Session, meeting: Meeting, state: str, *, now_ms: int) -> None:
    """Open a meeting to the hall, or close it."""
    if meeting.state == state:
        return
    meeting.state = state
    meeting.closed_at_ms = now_ms if state == "closed" else None
    session.add(meeting)
    tell_hall(session, meeting)
    tell_meeting(session, meeting)


def hear(session: Session, meeting: Meeting, asked: MeetingQuestion) -> None:
    """Take in a question, in whatever order it came; who is shown it depends on `moderation`."""
    item = asked.agenda_item
    if item is not None and not 0 <= item < len(meeting.agenda):
        asked.agenda_item = None
    session.add(asked)
    session.flush()
    if asked.moderation == "shown":
        tell_hall(session, meeting, asked)
    tell_question(session, asked)


def moderate(
    session: Session,
    meeting: Meeting,
    asked: MeetingQuestion,
    state: str,
    reason: str,
    *,
    by: str | None,
) -> None:
    """Show a question to the hall, or hide it and tell its writer why. Raises Refused."""
    if state == "hidden" and not reason.strip():
        raise Refused("reason_needed", "Its writer is told why.")
    if (asked.moderation, asked.moderation_reason) == (state, reason):
        return
    seen = asked.moderation == "shown" or state == "shown"
    asked.moderation, asked.moderation_reason = state, reason.strip()
    asked.moderated_by = by
    session.add(asked)
    if seen:
        tell_hall(session, meeting, asked)
    tell_question(session, asked)


def reword(
    session: Session, meeting: Meeting, asked: MeetingQuestion, text: str, agenda: int | None
) -> None:
    """Put right what a tablet caught; the conversation keeps the first wording."""
    asked.text = text
    asked.agenda_item = agenda if agenda is not None and agenda < len(meeting.agenda) else None
    session.add(asked)
    if asked.moderation == "shown":
        tell_hall(session, meeting, asked)
    tell_question(session, asked)


@dataclass(frozen=True, slots=True)
class Decision:
    """A fate as somebody decided it; `message` tells of it in the conversation, at `position`."""

    fate: str
    text: str
    by: str | None
    at_ms: int
    message: str | None
    position: int


def decide(session: Session, meeting: Meeting, asked: MeetingQuestion, decision: Decision) -> None:
    """Write down what becomes of a question, for everyone to see."""
    asked.fate, asked.fate_text = decision.fate, decision.text.strip()
    asked.fate_by, asked.fate_at_ms = decision.by, decision.at_ms
    asked.fate_message, asked.fate_position = decision.message, decision.position
    session.add(asked)
    if asked.moderation == "shown":
        tell_hall(session, meeting, asked)
    tell_question(session, asked)


def promise(session: Session, made: MeetingPromise) -> None:
    """Write down a promise; it comes back to its owner before its date."""
    made.remind_at_ms = policy.remind_at_ms(made.made_at_ms, made.due_at_ms)
    session.add(made)
    session.flush()
    touch(session, "meetingp", made.id)


def keep_promise(session: Session, made: MeetingPromise, kept: bool, *, now_ms: int) -> None:
    """Write down that it was done, or that it was not after all."""
    if kept == (made.kept_at_ms is not None):
        return
    made.kept_at_ms = now_ms if kept else None
    made.remind_at_ms = None if kept else policy.remind_at_ms(now_ms, made.due_at_ms)
    session.add(made)
    touch(session, "meetingp", made.id)


def attend(session: Session, meeting: Meeting, attendee: MeetingAttendee) -> None:
    """Write down somebody who is there."""
    session.add(attendee)
    session.flush()
    tell_meeting(session, meeting)


def count_heads(session: Session, meeting: Meeting, heads: int | None) -> None:
    """Write down how many there were."""
    meeting.headcount = heads
    session.add(meeting)
    tell_meeting(session, meeting)


def tell_meeting(session: Session, meeting: Meeting) -> None:
    """Publish the meeting to the phones that see it."""
    touch(session, "meeting", meeting.id)


def tell_question(session: Session, asked: MeetingQuestion) -> None:
    """Publish a question to the phones that see its meeting."""
    session.flush()
    touch(session, "meetingq", asked.id)


def tell_hall(session: Session, meeting: Meeting, asked: MeetingQuestion | None = None) -> None:
    """Give what the hall sees change its number; the streams hear of it after the commit."""
    meeting.public_seq += 1
    session.add(meeting)
    if asked is not None:
        asked.public_seq = meeting.public_seq
        session.add(asked)
    halls: dict[str, Any] = session.info.setdefault("halls", {})
    halls[meeting.id] = meeting.public_seq
