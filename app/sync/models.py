"""What the phones are sent, and what they sent."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel

_TWO = text("also IS NOT NULL")
"""Few rows have a second scope; the others cost this index nothing."""


class Change(SQLModel, table=True):
    """The newest state of one entity, serialised; an update replaces it under a higher `seq`.

    It reaches who sees `scope`, and `also` when that is given. `conversation_id` is the pair's id
    in rows of a pair of residents.
    """

    __table_args__ = (
        Index("ix_change_scope_seq", "scope", "seq"),
        Index("ix_change_conversation", "conversation_id", "kind"),
        Index("ix_change_also", "also", sqlite_where=_TWO, postgresql_where=_TWO),
    )

    key: str = Field(primary_key=True)
    seq: int = Field(unique=True, sa_type=BigInteger)
    scope: str
    also: str | None = None
    kind: str
    conversation_id: str = ""
    body: str


class FeedHead(SQLModel, table=True):
    """The one row from which sequence and conversation numbers are allotted.

    Whoever updates it holds its lock until commit, so the numbers follow the order of commits.
    """

    __tablename__ = "feed_head"

    id: int = Field(primary_key=True)
    seq: int = Field(default=0, sa_type=BigInteger)
    number: int = Field(default=0, sa_type=BigInteger)


class Operation(SQLModel, table=True):
    """The ledger: each operation that was judged, with its outcome, for ever."""

    op_id: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id")
    device_id: str
    conversation_id: str | None = Field(default=None, index=True)
    kind: str
    digest: str
    result: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    written_at_ms: int = Field(sa_type=BigInteger)
    applied_at_ms: int = Field(sa_type=BigInteger)
