"""Who works here: areas, teams, people, and how they are let in."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field, SQLModel


class Area(SQLModel, table=True):
    """A stadsdeel, wijk or buurt by its CBS code; `kind` is GM, WK or BU."""

    code: str = Field(primary_key=True)
    name: str
    kind: str
    parent: str | None = None


class Team(SQLModel, table=True):
    """A group that answers together for a set of areas."""

    id: str = Field(primary_key=True)
    name: str


class TeamArea(SQLModel, table=True):
    """Which areas a team answers for."""

    __tablename__ = "team_area"

    team_id: str = Field(primary_key=True, foreign_key="team.id", ondelete="CASCADE")
    area: str = Field(primary_key=True, foreign_key="area.code", index=True, ondelete="CASCADE")


class Person(SQLModel, table=True):
    """Somebody who signs in; `role` is one of `app.accounts.policy.ROLES`."""

    id: str = Field(primary_key=True)
    name: str
    email: str = Field(default="", index=True)
    role: str
    language: str = "nl"
    active: bool = True
    created_at_ms: int = Field(sa_type=BigInteger)


class Membership(SQLModel, table=True):
    """A person's place in a team."""

    person_id: str = Field(primary_key=True, foreign_key="person.id", ondelete="CASCADE")
    team_id: str = Field(primary_key=True, foreign_key="team.id", ondelete="CASCADE")


class Guest(SQLModel, table=True):
    """Somebody of role `assistant` sees one scope (`meeting:<id>`), until an instant."""

    person_id: str = Field(primary_key=True, foreign_key="person.id", ondelete="CASCADE")
    scope: str
    expires_at_ms: int = Field(sa_type=BigInteger)


class Device(SQLModel, table=True):
    """A phone, tablet or browser on which a person signed in."""

    id: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True, ondelete="CASCADE")
    name: str
    created_at_ms: int = Field(sa_type=BigInteger)
    seen_at_ms: int = Field(sa_type=BigInteger)
    revoked_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class UserSession(SQLModel, table=True):
    """One sign-in of one device; the cookie's secret is kept as its fingerprint only.

    `ended_at_ms` is set by signing out; a revoked device ends all its sessions through
    `Device.revoked_at_ms`.
    """

    __tablename__ = "user_session"

    fingerprint: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True, ondelete="CASCADE")
    device_id: str = Field(foreign_key="device.id", index=True, ondelete="CASCADE")
    created_at_ms: int = Field(sa_type=BigInteger)
    expires_at_ms: int = Field(sa_type=BigInteger)
    ended_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class Invitation(SQLModel, table=True):
    """A link that lets one person register one passkey, once."""

    fingerprint: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True, ondelete="CASCADE")
    created_at_ms: int = Field(sa_type=BigInteger)
    expires_at_ms: int = Field(sa_type=BigInteger)
    used_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class Passkey(SQLModel, table=True):
    """A WebAuthn credential; `credential_id` and `public_key` are base64url."""

    credential_id: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True, ondelete="CASCADE")
    public_key: str
    sign_count: int = Field(default=0, sa_type=BigInteger)
    transports: list[Any] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    name: str = ""
    created_at_ms: int = Field(sa_type=BigInteger)
    used_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class Challenge(SQLModel, table=True):
    """A WebAuthn challenge that was handed out and may be answered once."""

    value: str = Field(primary_key=True)
    purpose: str
    person_id: str | None = None
    expires_at_ms: int = Field(sa_type=BigInteger)


class RateCount(SQLModel, table=True):
    """How often something was done from one place in one period; `key` hides the address."""

    __tablename__ = "rate_count"

    key: str = Field(primary_key=True)
    period: int = Field(primary_key=True, sa_type=BigInteger)
    count: int = 0
