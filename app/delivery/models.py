"""Replies on their way out."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index
from sqlmodel import Field, SQLModel


class Delivery(SQLModel, table=True):
    """One message to one address; `state` is one of `app.delivery.states.STATES`.

    `external_id` is frozen when the reply is accepted, so that every try names the same thing.
    A row is worked on by whoever holds its lease. `tried` is set before the first byte leaves.
    `form` is the approved text that it is (`app.text.approved.Form`), where it is one.
    `notice`: not the reply itself but word by mail that it can be read on the resident's page.
    """

    __table_args__ = (
        Index("ix_delivery_due", "state", "due_at_ms"),
        Index("ix_delivery_external_id", "external_id"),
    )

    id: str = Field(primary_key=True)
    message_id: str = Field(foreign_key="message.id", index=True, ondelete="CASCADE")
    account_id: str = Field(foreign_key="account.id")
    recipient: str
    notice: bool = False
    state: str = "queued"
    external_id: str
    attempts: int = 0
    tried: bool = False
    form: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    due_at_ms: int = Field(sa_type=BigInteger)
    expires_at_ms: int = Field(sa_type=BigInteger)
    leased_until_ms: int | None = Field(default=None, sa_type=BigInteger)
    leased_by: str | None = None
    sent_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    delivered_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    error: str | None = None
