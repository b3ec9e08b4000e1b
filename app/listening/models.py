"""What is listened for, what was heard, and what nobody wants to hear any more."""

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlmodel import Field, SQLModel


class SavedSearch(SQLModel, table=True):
    """Words that are looked for by one account, for one area (or `team:<id>`).

    `cursor` is the platform's; `trouble` the code of what went wrong last, or of what the
    platform cannot promise, or empty.
    """

    __tablename__ = "saved_search"
    __table_args__ = (UniqueConstraint("scope", "account_id", "query"),)

    id: str = Field(primary_key=True)
    scope: str
    account_id: str = Field(foreign_key="account.id", ondelete="CASCADE")
    query: str
    made_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    made_at_ms: int = Field(sa_type=BigInteger)
    cursor: str | None = None
    due_at_ms: int = Field(default=0, sa_type=BigInteger, index=True)
    trouble: str = ""


class Hit(SQLModel, table=True):
    """One thing that was said somewhere; `conversation_id` once somebody made it one.

    `source` is what a mute silences: a whole feed, or one writer on a platform.
    """

    __tablename__ = "listening_hit"
    __table_args__ = (
        UniqueConstraint("scope", "account_id", "external_id"),
        Index("ix_listening_hit_scope", "scope", "id"),
    )

    id: str = Field(primary_key=True)
    scope: str
    account_id: str = Field(foreign_key="account.id", ondelete="CASCADE")
    external_id: str
    source: str
    title: str = ""
    text: str = ""
    author: str = ""
    address: str = ""
    link: str = ""
    said_at_ms: int = Field(sa_type=BigInteger)
    heard_at_ms: int = Field(sa_type=BigInteger, index=True)
    conversation_id: str | None = Field(
        default=None, foreign_key="conversation.id", ondelete="SET NULL"
    )


class Muted(SQLModel, table=True):
    """A source that an area no longer listens to."""

    __tablename__ = "listening_muted"
    __table_args__ = (UniqueConstraint("scope", "source"),)

    id: str = Field(primary_key=True)
    scope: str
    source: str
    label: str = ""
    muted_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    muted_at_ms: int = Field(sa_type=BigInteger)
