"""Where phones can be woken, and what is on its way to them."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index
from sqlmodel import Field, SQLModel


class PushSubscription(SQLModel, table=True):
    """A device's address at its browser's push service, with the keys to write to it.

    `state`: `new` (never shown anything yet), `proven` (it told us so itself), `silent` (was asked
    and did not answer), `gone` (the push service knows it no more, or our key changed: the phone
    must subscribe anew). `server_key` is the fingerprint of the key of ours it was made with.
    `tested_at_ms` is when it was last asked to show something that was then taken by the push
    service; `proven_at_ms` when it last said that it did.
    """

    __tablename__ = "push_subscription"
    __table_args__ = (Index("ix_push_subscription_next_test", "next_test_at_ms"),)

    id: str = Field(primary_key=True)
    device_id: str = Field(foreign_key="device.id", unique=True, ondelete="CASCADE")
    person_id: str = Field(foreign_key="person.id", index=True, ondelete="CASCADE")
    endpoint: str = Field(unique=True)
    p256dh: str
    auth: str
    server_key: str
    browser: str = "other"
    platform: str = "desktop"
    state: str = "new"
    created_at_ms: int = Field(sa_type=BigInteger)
    proven_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    tested_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    next_test_at_ms: int = Field(sa_type=BigInteger)
    error: str | None = None


class Push(SQLModel, table=True):
    """One message to one device; `state` is one of `app.push.states.STATES`.

    `kind` is urgent, news, test, closed or warning. `payload` holds the words until the push has
    left and is emptied then. A row is worked on by whoever holds its lease. `closed_at_ms` is when
    nobody needed to be woken by it any more and its phone was told.
    """

    __table_args__ = (
        Index("ix_push_due", "state", "urgency", "due_at_ms"),
        Index("ix_push_subscription_topic", "subscription_id", "topic"),
    )

    id: str = Field(primary_key=True)
    subscription_id: str = Field(foreign_key="push_subscription.id", ondelete="CASCADE")
    kind: str
    conversation_id: str | None = Field(
        default=None, foreign_key="conversation.id", index=True, ondelete="CASCADE"
    )
    topic: str | None = None
    urgency: str
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    state: str = "queued"
    attempts: int = 0
    due_at_ms: int = Field(sa_type=BigInteger)
    expires_at_ms: int = Field(index=True, sa_type=BigInteger)
    leased_until_ms: int | None = Field(default=None, sa_type=BigInteger)
    leased_by: str | None = None
    sent_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    shown_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    closed_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    error: str | None = None
