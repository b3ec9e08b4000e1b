"""The municipality's rules with all their versions, and what they said of messages."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel


class TriageRules(SQLModel, table=True):
    """One version of the rules: `state` is draft, live or old.

    There is at most one draft and one live version. `body` is what `shapes.Body` describes.
    `version` numbers what went live; a draft has that of the live rules it began from. `revision`
    counts how often the draft was stored. A live or old version never changes again.
    """

    __tablename__ = "triage_rules"
    __table_args__ = (
        Index(
            "ux_triage_rules_state",
            "state",
            unique=True,
            sqlite_where=text("state <> 'old'"),
            postgresql_where=text("state <> 'old'"),
        ),
    )

    id: str = Field(primary_key=True)
    version: int
    revision: int = 0
    state: str
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    made_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    made_at_ms: int = Field(sa_type=BigInteger)
    live_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    live_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class TriageVerdict(SQLModel, table=True):
    """What the rules made of a message, or of a silence, and whether a person said otherwise.

    Kept when it made a conversation urgent, when a denial kept it from being so, and when a person
    found urgent what no rule did (`rule` is None). `why` is a code with what fills its sentence.
    """

    __tablename__ = "triage_verdict"
    __table_args__ = (Index("ix_triage_verdict_at", "at_ms"),)

    id: str = Field(primary_key=True)
    message_id: str | None = Field(default=None, foreign_key="message.id", ondelete="CASCADE")
    conversation_id: str = Field(foreign_key="conversation.id", index=True, ondelete="CASCADE")
    version: int
    urgent: bool
    rule: str | None = None
    why: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at_ms: int = Field(sa_type=BigInteger)
    corrected_to: bool | None = None
    corrected_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    corrected_at_ms: int | None = Field(default=None, sa_type=BigInteger)
