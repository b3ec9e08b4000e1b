"""When somebody has her conversation erased, her question goes from the board with it."""

from sqlmodel import Session, col, select

from app.meetings import service
from app.meetings.models import Meeting, MeetingQuestion


def forget(session: Session, conversation_id: str) -> None:
    """Blank what was asked in this conversation; the conversation has been locked."""
    query = select(MeetingQuestion).where(MeetingQuestion.conversation_id == conversation_id)
    for asked in session.exec(query.order_by(col(MeetingQuestion.id))).all():
        meeting = session.get_one(Meeting, asked.meeting_id, with_for_update=True)
        seen = asked.moderation == "shown"
        asked.text = asked.name = asked.contact = asked.place = asked.fate_text = ""
        asked.topic, asked.photos, asked.phone, asked.minutes = "", [], None, False
        asked.moderation, asked.moderation_reason = "hidden", ""
        session.add(asked)
        if seen:
            service.tell_hall(session, meeting, asked)
        service.tell_question(session, asked)
