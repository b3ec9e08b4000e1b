"""What a meeting looks like on a tablet: rows of the feed, built from the newest state.

Coordinators of the area see them by its scope. When somebody helps at the meeting, each row is
there once more, under the meeting's own scope, which is all that she sees.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from sqlmodel import Session, col, select

from app.accounts.models import Area, Person
from app.meetings.models import (
    Meeting,
    MeetingAttendee,
    MeetingHelper,
    MeetingPromise,
    MeetingQuestion,
)
from app.meetings.service import scope_of

Row = dict[str, Any]

FILED = "past"
"""The scope of what is so long ago that no phone is sent it."""


def _newest(session: Session, query: Any) -> Any:
    return session.exec(query, execution_options={"populate_existing": True})


def _rows(kind: str, entity_id: str, meeting: Meeting, helped: set[str], state: Row) -> list[Row]:
    scopes = [(FILED if meeting.filed_at_ms else meeting.area, "")]
    if meeting.id in helped:
        scopes.append((FILED if meeting.filed_at_ms else scope_of(meeting.id), ":helper"))
    return [
        {
            "key": f"{kind}:{entity_id}{end}",
            "scope": scope,
            "kind": kind,
            "conversation_id": "",
            "state": dict(state),
        }
        for scope, end in scopes
    ]


def _helped(session: Session, ids: Sequence[str]) -> set[str]:
    query = select(MeetingHelper.meeting_id).where(col(MeetingHelper.meeting_id).in_(ids))
    return set(session.exec(query))


def meetings(session: Session, ids: Sequence[str]) -> list[Row]:
    """Return meetings with who is there; names are given, for an assistant's tablet has none."""
    found = _newest(session, select(Meeting).where(col(Meeting.id).in_(ids))).all()
    helped = _helped(session, ids)
    attendees: dict[str, list[Row]] = defaultdict(list)
    query = select(MeetingAttendee).where(col(MeetingAttendee.meeting_id).in_(ids))
    for one in _newest(session, query.order_by(col(MeetingAttendee.id))):
        attendees[one.meeting_id].append(_attendee(one))
    helpers: dict[str, list[Row]] = defaultdict(list)
    invited = select(MeetingHelper).where(col(MeetingHelper.meeting_id).in_(ids))
    for helper in _newest(session, invited.order_by(col(MeetingHelper.id))):
        helpers[helper.meeting_id].append(_helper(helper))
    people = {host for meeting in found for host in meeting.hosts}
    named = select(Person.id, Person.name).where(col(Person.id).in_(people))
    names = dict(session.exec(named).all())
    rows = []
    for meeting in found:
        area = session.get(Area, meeting.area)
        state = {
            "id": meeting.id,
            "area": meeting.area,
            "area_name": area.name if area else meeting.area,
            "title": meeting.title,
            "place": meeting.place,
            "starts_ms": meeting.starts_at_ms,
            "agenda": meeting.agenda,
            "hosts": [{"id": one, "name": names.get(one, "")} for one in meeting.hosts],
            "languages": meeting.languages,
            "state": meeting.state,
            "code": meeting.code,
            "headcount": meeting.headcount,
            "attendees": attendees[meeting.id],
            "helpers": helpers[meeting.id],
            "minutes_ms": meeting.minutes_at_ms,
            "filed": meeting.filed_at_ms is not None,
        }
        rows += _rows("meeting", meeting.id, meeting, helped, state)
    return rows


def _attendee(one: MeetingAttendee) -> Row:
    return {
        "id": one.id,
        "name": one.name,
        "organisation": one.organisation,
        "email": one.email,
        "minutes": one.minutes,
    }


def _helper(one: MeetingHelper) -> Row:
    return {
        "id": one.id,
        "name": one.name,
        "person": one.person_id,
        "until_ms": one.expires_at_ms,
        "used": one.used_at_ms is not None,
    }


def questions(session: Session, ids: Sequence[str]) -> list[Row]:
    """Return questions with everything that a tablet shows of them."""
    found = _with_meeting(session, MeetingQuestion, ids)
    helped = _helped(session, [meeting.id for _, meeting in found])
    rows = []
    for asked, meeting in found:
        state = {
            "id": asked.id,
            "meeting": asked.meeting_id,
            "area": meeting.area,
            "c": asked.conversation_id,
            "text": asked.text,
            "asked_ms": asked.asked_at_ms,
            "source": asked.source,
            "by": asked.author_id,
            "name": asked.name,
            "answer_by": asked.answer_by,
            "contact": asked.contact,
            "topic": asked.topic,
            "agenda": asked.agenda_item,
            "place": asked.place,
            "urgent": asked.urgent,
            "photos": asked.photos,
            "minutes": asked.minutes,
            "moderation": asked.moderation,
            "reason": asked.moderation_reason,
            "fate": asked.fate,
            "fate_text": asked.fate_text,
            "fate_by": asked.fate_by,
            "fate_ms": asked.fate_at_ms,
            "fate_position": asked.fate_position,
            "support": asked.support,
        }
        rows += _rows("meetingq", asked.id, meeting, helped, state)
    return rows


def promises(session: Session, ids: Sequence[str]) -> list[Row]:
    """Return promises with their owners."""
    found = _with_meeting(session, MeetingPromise, ids)
    helped = _helped(session, [meeting.id for _, meeting in found])
    rows = []
    for made, meeting in found:
        owner = session.get(Person, made.owner_id) if made.owner_id else None
        state = {
            "id": made.id,
            "meeting": made.meeting_id,
            "area": meeting.area,
            "question": made.question_id,
            "c": made.conversation_id,
            "text": made.text,
            "owner": made.owner_id,
            "owner_name": owner.name if owner else "",
            "due_ms": made.due_at_ms,
            "kept_ms": made.kept_at_ms,
        }
        rows += _rows("meetingp", made.id, meeting, helped, state)
    return rows


def _with_meeting(session: Session, table: Any, ids: Sequence[str]) -> list[tuple[Any, Meeting]]:
    query = select(table, Meeting).join(Meeting, col(Meeting.id) == col(table.meeting_id))
    return list(_newest(session, query.where(col(table.id).in_(ids))))


BUILDERS: dict[str, Callable[[Session, Sequence[str]], list[Row]]] = {
    "meeting": meetings,
    "meetingq": questions,
    "meetingp": promises,
}
"""Builders of the feed's rows, by kind."""
