"""The municipality's accounts in the channels."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field, SQLModel


class Account(SQLModel, table=True):
    """One mailbox, form or profile of the municipality, answered by one team.

    `config` is what the adapter needs and anybody may see; `secret` is sealed with the key that
    lies outside the database. `area` is where its conversations land, or None for the team's own
    list. `health` is one of working, slow, limited, signed_out, down, cannot_send (it is read, and
    may not post), cannot_read (the other way round); `limited_until_ms` is when the platform takes
    us again. `gaps` are [from, to] of times in which messages may have been
    missed, the newest last. An account that has ended keeps its history and takes nothing any more.
    """

    id: str = Field(primary_key=True)
    kind: str
    name: str
    team_id: str = Field(foreign_key="team.id")
    area: str | None = Field(default=None, foreign_key="area.code")
    config: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    secret: str = ""
    enabled: bool = True
    cursor: str | None = None
    health: str = "working"
    health_since_ms: int = Field(default=0, sa_type=BigInteger)
    health_detail: str = ""
    limited_until_ms: int | None = Field(default=None, sa_type=BigInteger)
    gaps: list[list[int]] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    ended_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class ChannelTest(SQLModel, table=True):
    """The last test of an account from outside: a code that somebody sends to it.

    `conversation_id` is where the code came in, which a reply can be tested in.
    """

    __tablename__ = "channel_test"

    account_id: str = Field(primary_key=True, foreign_key="account.id", ondelete="CASCADE")
    code: str
    made_at_ms: int = Field(sa_type=BigInteger)
    seen_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    conversation_id: str | None = Field(
        default=None, foreign_key="conversation.id", ondelete="SET NULL"
    )


class ChannelSignIn(SQLModel, table=True):
    """A sign-in on a platform's own page that has begun: used once, by who began it, and soon.

    `sealed` holds what is needed to finish it, in the form in which secrets are stored.
    `taken_at_ms` is when somebody began to finish it, and `outcome` what came of it: a phone that
    lost the answer asks again.
    """

    __tablename__ = "channel_sign_in"

    state: str = Field(primary_key=True)
    """The fingerprint of what the platform hands back."""
    person_id: str = Field(foreign_key="person.id", ondelete="CASCADE")
    device_id: str
    sealed: str
    expires_at_ms: int = Field(index=True, sa_type=BigInteger)
    taken_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    outcome: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
