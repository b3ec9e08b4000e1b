"""A residents' meeting, what was asked there, and what was promised."""

from sqlalchemy import JSON, BigInteger, Column, Index
from sqlmodel import Field, SQLModel


class Meeting(SQLModel, table=True):
    """An evening in one area, held by one team; `state` is planned, open or closed.

    `code` opens the hall's page. `public_seq` counts what the hall could see change: each question
    carries the count of its own last change. `filed_at_ms` is set once it is so long ago that no
    new phone needs it and the hall's page is gone.
    """

    id: str = Field(primary_key=True)
    area: str = Field(foreign_key="area.code", index=True)
    team_id: str = Field(foreign_key="team.id")
    title: str
    place: str = ""
    starts_at_ms: int = Field(sa_type=BigInteger)
    agenda: list[str] = Field(sa_column=Column(JSON, nullable=False))
    hosts: list[str] = Field(sa_column=Column(JSON, nullable=False))
    languages: list[str] = Field(sa_column=Column(JSON, nullable=False))
    state: str = "planned"
    code: str = Field(unique=True)
    headcount: int | None = None
    public_seq: int = Field(default=0, sa_type=BigInteger)
    created_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    created_at_ms: int = Field(sa_type=BigInteger)
    closed_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    minutes_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    filed_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class MeetingQuestion(SQLModel, table=True):
    """One question, heard by a tablet or typed on a phone in the hall (`source`).

    `id` is that of its message in the conversation that follows it. `asked_at_ms` is what the
    tablet's clock said, never corrected: it is the order of the evening. `moderation` is waiting,
    shown or hidden; `fate` is open, answered, later, handed or dropped, each with its words.
    `fate_position` is where the conversation stood when that was decided. `phone` is the
    fingerprint of the browser that asked.
    """

    __tablename__ = "meeting_question"
    __table_args__ = (
        Index("ix_meeting_question_order", "meeting_id", "asked_at_ms", "id"),
        Index("ix_meeting_question_public", "meeting_id", "public_seq"),
    )

    id: str = Field(primary_key=True)
    meeting_id: str = Field(foreign_key="meeting.id", ondelete="CASCADE")
    conversation_id: str | None = Field(
        default=None, foreign_key="conversation.id", index=True, ondelete="SET NULL"
    )
    text: str
    asked_at_ms: int = Field(sa_type=BigInteger)
    source: str
    author_id: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    phone: str | None = Field(default=None, index=True)
    name: str = ""
    answer_by: str = "none"
    contact: str = ""
    topic: str = ""
    agenda_item: int | None = None
    place: str = ""
    urgent: bool = False
    photos: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    minutes: bool = False
    moderation: str = "waiting"
    moderation_reason: str = ""
    moderated_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    fate: str = "open"
    fate_text: str = ""
    fate_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    fate_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    fate_message: str | None = None
    fate_position: int = 0
    support: int = 0
    public_seq: int = Field(default=0, sa_type=BigInteger)
    received_at_ms: int = Field(sa_type=BigInteger)


class MeetingSupport(SQLModel, table=True):
    """A phone supports somebody's question, once."""

    __tablename__ = "meeting_support"

    question_id: str = Field(
        primary_key=True, foreign_key="meeting_question.id", ondelete="CASCADE"
    )
    phone: str = Field(primary_key=True)
    at_ms: int = Field(sa_type=BigInteger)


class MeetingPromise(SQLModel, table=True):
    """Somebody will do something before a date; its conversation is in her inbox.

    `remind_at_ms` is when it is brought back to her, None once that was done or is not needed.
    """

    __tablename__ = "meeting_promise"
    __table_args__ = (Index("ix_meeting_promise_due", "remind_at_ms"),)

    id: str = Field(primary_key=True)
    meeting_id: str = Field(foreign_key="meeting.id", index=True, ondelete="CASCADE")
    question_id: str | None = Field(
        default=None, foreign_key="meeting_question.id", ondelete="SET NULL"
    )
    conversation_id: str | None = Field(
        default=None, foreign_key="conversation.id", ondelete="SET NULL"
    )
    text: str
    owner_id: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    due_at_ms: int = Field(sa_type=BigInteger)
    made_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    made_at_ms: int = Field(sa_type=BigInteger)
    remind_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    kept_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class MeetingAttendee(SQLModel, table=True):
    """Somebody who was there and said so; with `minutes` she wants them by mail."""

    __tablename__ = "meeting_attendee"

    id: str = Field(primary_key=True)
    meeting_id: str = Field(foreign_key="meeting.id", index=True, ondelete="CASCADE")
    name: str = ""
    organisation: str = ""
    email: str = ""
    minutes: bool = False
    at_ms: int = Field(sa_type=BigInteger)


class MeetingHelper(SQLModel, table=True):
    """An invitation for one evening: whoever opens its link first helps at this meeting only."""

    __tablename__ = "meeting_helper"

    id: str = Field(primary_key=True)
    meeting_id: str = Field(foreign_key="meeting.id", index=True, ondelete="CASCADE")
    name: str
    fingerprint: str = Field(unique=True)
    person_id: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    invited_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    created_at_ms: int = Field(sa_type=BigInteger)
    expires_at_ms: int = Field(sa_type=BigInteger)
    used_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class MeetingPost(SQLModel, table=True):
    """The minutes went to this address, once, as this message."""

    __tablename__ = "meeting_post"

    meeting_id: str = Field(primary_key=True, foreign_key="meeting.id", ondelete="CASCADE")
    email: str = Field(primary_key=True)
    message_id: str
    at_ms: int = Field(sa_type=BigInteger)
