"""Conversations with residents, and all that is kept of them."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel


class Resident(SQLModel, table=True):
    """Who writes to us; `kind` is resident, professional or organisation."""

    id: str = Field(primary_key=True)
    name: str = ""
    kind: str = "resident"
    created_at_ms: int = Field(sa_type=BigInteger)


class ResidentAddress(SQLModel, table=True):
    """A resident's address in one channel: an e-mail address, a telephone number."""

    __tablename__ = "resident_address"
    __table_args__ = (UniqueConstraint("channel", "address"),)

    id: str = Field(primary_key=True)
    resident_id: str = Field(foreign_key="resident.id", index=True, ondelete="CASCADE")
    channel: str
    address: str


class Conversation(SQLModel, table=True):
    """One thread with one resident on one channel.

    `number` is allotted once, without gaps, in commit order. `area` is a feed scope: an area code
    or `team:<id>`. `position` is that of the last message; `in_position` of the last from the
    resident. `token` threads mail (plus-address); `secret_fingerprint` opens the resident's own
    page. `verdict` is what the rules of urgency said last; `overdue_position` the `in_position` for
    which it was last found to have waited too long, `urgent_position` that of the message or edit
    in which words of the resident were last judged urgent. `public` says whether everybody can read
    what the resident wrote last, and so our answer; None is what the channel is like. Until
    `answer_by_ms` the channel takes an answer; None is for ever.
    """

    __table_args__ = (
        Index("ix_conversation_area_number", "area", "number"),
        Index("ix_conversation_activity", "activity_at_ms"),
        Index("ix_conversation_waiting", "waiting_since_ms"),
    )

    id: str = Field(primary_key=True)
    number: int | None = Field(default=None, unique=True, sa_type=BigInteger)
    account_id: str = Field(foreign_key="account.id", index=True)
    area: str
    resident_id: str = Field(foreign_key="resident.id", index=True)
    subject: str = ""
    status: str = "new"
    assignee_id: str | None = Field(default=None, foreign_key="person.id")
    topics: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    urgent: bool = False
    urgent_reason: str | None = None
    verdict: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    overdue_position: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    urgent_position: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    place: str | None = None
    created_at_ms: int = Field(sa_type=BigInteger)
    activity_at_ms: int = Field(sa_type=BigInteger)
    waiting_since_ms: int | None = Field(default=None, sa_type=BigInteger)
    preview: str = ""
    preview_by: str = "in"
    position: int = 0
    in_position: int = 0
    last_seq: int = Field(default=0, index=True, sa_type=BigInteger)
    address: str | None = None
    why_not: str | None = None
    token: str | None = Field(default=None, unique=True)
    secret_fingerprint: str | None = Field(default=None, unique=True)
    rating: int | None = None
    public: bool | None = None
    answer_by_ms: int | None = Field(default=None, sa_type=BigInteger)
    erased_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class Message(SQLModel, table=True):
    """One entry of a conversation: `direction` is in, out, note or event.

    For what a phone made, `id` is the operation's id. `external_id` is the channel's own name for
    it. `sender_address` is set when somebody wrote from elsewhere than the conversation's address;
    `notices` are codes of what could not be kept whole. `event` tells {"what", "from", "to"} of a
    change of status, assignee, area, urgency or topics. `link` is its page on the platform.
    `changed_at_ms` is when the resident last edited it there, `deleted_at_ms` when she took it
    away; what it said before is in `MessageVersion`.
    """

    __table_args__ = (
        UniqueConstraint("conversation_id", "position"),
        UniqueConstraint("account_id", "external_id"),
    )

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversation.id", ondelete="CASCADE")
    account_id: str = Field(foreign_key="account.id")
    position: int
    direction: str
    author_id: str | None = Field(default=None, foreign_key="person.id")
    sender_name: str | None = None
    text: str = ""
    quoted: str | None = None
    event: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    external_id: str | None = None
    sender_address: str | None = None
    notices: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    public: bool | None = None
    link: str | None = None
    changed_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    deleted_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    written_at_ms: int = Field(sa_type=BigInteger)
    accepted_at_ms: int = Field(sa_type=BigInteger)
    erased_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class Attachment(SQLModel, table=True):
    """A photo or file; complete when `have_bytes` equals `size_bytes`.

    It belongs to nobody's eyes but its uploader's until a message takes it. Until then
    `created_at_ms` is when its phone offered it last: see `leftovers.py`.
    """

    id: str = Field(primary_key=True)
    message_id: str | None = Field(
        default=None, foreign_key="message.id", index=True, ondelete="CASCADE"
    )
    uploader_id: str | None = Field(default=None, foreign_key="person.id")
    media_type: str
    name: str = ""
    alt: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """What it shows, in the words of who sent it; empty where nobody typed any."""
    size_bytes: int
    have_bytes: int = 0
    width: int | None = None
    height: int | None = None
    created_at_ms: int = Field(sa_type=BigInteger)


class AttachmentData(SQLModel, table=True):
    """The bytes of an attachment, apart so that no list reads them; `part` is full or thumb."""

    __tablename__ = "attachment_data"

    attachment_id: str = Field(primary_key=True, foreign_key="attachment.id", ondelete="CASCADE")
    part: str = Field(primary_key=True)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RawOriginal(SQLModel, table=True):
    """What arrived, byte for byte, kept for the archive."""

    __tablename__ = "raw_original"

    message_id: str = Field(primary_key=True, foreign_key="message.id", ondelete="CASCADE")
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class MessageVersion(SQLModel, table=True):
    """What a message said before it was edited or taken away at the channel; for the archive."""

    __tablename__ = "message_version"

    id: str = Field(primary_key=True)
    message_id: str = Field(foreign_key="message.id", index=True, ondelete="CASCADE")
    text: str
    quoted: str | None = None
    until_ms: int = Field(sa_type=BigInteger)
    raw: bytes = Field(default=b"", sa_column=Column(LargeBinary, nullable=False))


class ReadMark(SQLModel, table=True):
    """How far a person has read a conversation."""

    __tablename__ = "read_mark"

    person_id: str = Field(primary_key=True, foreign_key="person.id", ondelete="CASCADE")
    conversation_id: str = Field(
        primary_key=True, foreign_key="conversation.id", ondelete="CASCADE"
    )
    position: int


class ReplyTemplate(SQLModel, table=True):
    """A standard text to start a reply from."""

    __tablename__ = "reply_template"

    id: str = Field(primary_key=True)
    title: str
    text: str
    language: str = "nl"
