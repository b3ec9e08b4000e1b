"""What the hall sees of a meeting: questions that were let through, without a name."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, func, select

from app.accounts.models import Area
from app.meetings.models import Meeting, MeetingQuestion, MeetingSupport


@dataclass(frozen=True, slots=True)
class Hall:
    """A meeting as its public page shows it."""

    id: str
    code: str
    title: str
    area: str
    area_name: str
    place: str
    starts_at_ms: int
    agenda: tuple[str, ...]
    state: str
    seq: int
    minutes: bool
    team_id: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One question on the board; `gone` when it was taken off. Nothing tells who asked."""

    id: str
    seq: int
    gone: bool
    text: str
    topic: str
    agenda: str
    asked_at_ms: int
    support: int
    fate: str
    fate_text: str

    def state(self) -> dict[str, Any]:
        """Return it as it travels to a page that is open."""
        if self.gone:
            return {"id": self.id, "gone": True}
        return {
            "id": self.id,
            "text": self.text,
            "topic": self.topic,
            "agenda": self.agenda,
            "asked_ms": self.asked_at_ms,
            "support": self.support,
            "fate": self.fate,
            "fate_text": self.fate_text,
        }


@dataclass(frozen=True, slots=True)
class Own:
    """A question as its writer sees it, hidden or not."""

    id: str
    text: str
    moderation: str
    reason: str
    fate: str
    fate_text: str
    conversation_id: str | None


def hall(session: Session, code: str) -> Hall | None:
    """Return the meeting of a code, as long as its page exists."""
    query = select(Meeting, Area.name).join(Area, col(Area.code) == col(Meeting.area))
    found = session.exec(query.where(Meeting.code == code)).first()
    if found is None or found[0].filed_at_ms is not None:
        return None
    meeting, area_name = found
    return Hall(
        id=meeting.id,
        code=meeting.code,
        title=meeting.title,
        area=meeting.area,
        area_name=area_name,
        place=meeting.place,
        starts_at_ms=meeting.starts_at_ms,
        agenda=tuple(meeting.agenda),
        state=meeting.state,
        seq=meeting.public_seq,
        minutes=meeting.minutes_at_ms is not None,
        team_id=meeting.team_id,
    )


def board(session: Session, meeting: Hall) -> list[Shown]:
    """Return all questions on the board, in the order in which they were asked."""
    query = select(MeetingQuestion).where(
        MeetingQuestion.meeting_id == meeting.id, MeetingQuestion.moderation == "shown"
    )
    order = (col(MeetingQuestion.asked_at_ms), col(MeetingQuestion.id))
    return [_shown(one, meeting.agenda) for one in session.exec(query.order_by(*order))]


def changes(session: Session, meeting_id: str, after: int) -> tuple[int, list[Shown], str]:
    """Return how far the hall's count has come, what changed on the board since, and the state."""
    meeting = session.get(Meeting, meeting_id)
    if meeting is None or meeting.filed_at_ms is not None:
        return after, [], "closed"
    query = select(MeetingQuestion).where(
        MeetingQuestion.meeting_id == meeting_id, MeetingQuestion.public_seq > after
    )
    found = session.exec(query.order_by(col(MeetingQuestion.public_seq))).all()
    return meeting.public_seq, [_shown(one, tuple(meeting.agenda)) for one in found], meeting.state


def _shown(one: MeetingQuestion, agenda: tuple[str, ...]) -> Shown:
    item = one.agenda_item
    return Shown(
        id=one.id,
        seq=one.public_seq,
        gone=one.moderation != "shown",
        text=one.text,
        topic=one.topic,
        agenda=agenda[item] if item is not None and item < len(agenda) else "",
        asked_at_ms=one.asked_at_ms,
        support=one.support,
        fate=one.fate,
        fate_text=one.fate_text,
    )


def own(session: Session, meeting_id: str, phone: str) -> list[Own]:
    """Return what this phone asked, newest first."""
    query = select(MeetingQuestion).where(
        MeetingQuestion.meeting_id == meeting_id, MeetingQuestion.phone == phone
    )
    return [
        Own(
            one.id,
            one.text,
            one.moderation,
            one.moderation_reason,
            one.fate,
            one.fate_text,
            one.conversation_id,
        )
        for one in session.exec(query.order_by(col(MeetingQuestion.asked_at_ms).desc()))
    ]


def supported(session: Session, meeting_id: str, phone: str) -> set[str]:
    """Return which questions of a meeting this phone supports."""
    query = (
        select(MeetingSupport.question_id)
        .join(MeetingQuestion, col(MeetingQuestion.id) == col(MeetingSupport.question_id))
        .where(MeetingSupport.phone == phone, MeetingQuestion.meeting_id == meeting_id)
    )
    return set(session.exec(query))


def asked_since(session: Session, meeting_id: str, phone: str, since_ms: int) -> int:
    """Return how many questions this phone asked since an instant."""
    query = select(func.count()).where(
        MeetingQuestion.meeting_id == meeting_id,
        MeetingQuestion.phone == phone,
        MeetingQuestion.received_at_ms > since_ms,
    )
    return session.exec(query).one()


def waiting(session: Session, meeting_id: str) -> int:
    """Return how many questions of phones nobody has looked at."""
    query = select(func.count()).where(
        MeetingQuestion.meeting_id == meeting_id, MeetingQuestion.moderation == "waiting"
    )
    return session.exec(query).one()
