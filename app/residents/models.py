"""What may tell that two residents are one, and what was said about it."""

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel


class Clue(SQLModel, table=True):
    """An e-mail address, telephone number, handle or name that a conversation has.

    `own` says that it is hers: where she writes from. What stands in her words has the first
    message it was read in, and goes when she takes it back.
    """

    __tablename__ = "resident_clue"
    __table_args__ = (Index("ix_resident_clue_value", "value", "kind"),)

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversation.id", index=True, ondelete="CASCADE")
    message_id: str | None = Field(
        default=None, foreign_key="message.id", index=True, ondelete="CASCADE"
    )
    kind: str
    value: str
    own: bool


class Pair(SQLModel, table=True):
    """Two residents who may be one; `a_id` is the smaller id.

    `verdict` is open until a person says same or different. Joining moves nothing: each
    conversation and address stays whose it was, so that undoing has nothing to put back.
    """

    __tablename__ = "resident_pair"
    __table_args__ = (UniqueConstraint("a_id", "b_id"),)

    id: str = Field(primary_key=True)
    a_id: str = Field(foreign_key="resident.id", ondelete="CASCADE")
    b_id: str = Field(foreign_key="resident.id", index=True, ondelete="CASCADE")
    verdict: str = "open"
    said_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    said_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    found_at_ms: int = Field(sa_type=BigInteger)
