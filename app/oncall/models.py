"""The rota, and each urgent question with every step that was taken to have it seen."""

from sqlalchemy import JSON, BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel


class Shift(SQLModel, table=True):
    """Somebody is on call for a team, for one of its areas or (None) for all of them.

    A shift is never deleted: `removed_at_ms` says that it was taken off the rota. `warned_at_ms` is
    set once she and her lead were told that her phone cannot be woken, `filed_at_ms` once it is so
    long ago that no new phone needs it.
    """

    __table_args__ = (Index("ix_shift_team_ends", "team_id", "ends_at_ms"),)

    id: str = Field(primary_key=True)
    team_id: str = Field(foreign_key="team.id", ondelete="CASCADE")
    area: str | None = Field(default=None, foreign_key="area.code", ondelete="CASCADE")
    person_id: str = Field(foreign_key="person.id", index=True, ondelete="CASCADE")
    starts_at_ms: int = Field(sa_type=BigInteger)
    ends_at_ms: int = Field(sa_type=BigInteger)
    created_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    created_at_ms: int = Field(sa_type=BigInteger)
    changed_at_ms: int = Field(sa_type=BigInteger)
    removed_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    warned_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    filed_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class Absence(SQLModel, table=True):
    """Somebody is away: she is not woken, whatever the rota says."""

    id: str = Field(primary_key=True)
    person_id: str = Field(foreign_key="person.id", index=True, ondelete="CASCADE")
    starts_at_ms: int = Field(sa_type=BigInteger)
    ends_at_ms: int = Field(sa_type=BigInteger)
    created_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    created_at_ms: int = Field(sa_type=BigInteger)
    removed_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    filed_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class QuietHours(SQLModel, table=True):
    """When a person does not want to be woken outside her shifts, by the clock on the wall.

    `weekdays` (0 is Monday) are the days on which the quiet begins; it may last past midnight.
    """

    __tablename__ = "quiet_hours"

    person_id: str = Field(primary_key=True, foreign_key="person.id", ondelete="CASCADE")
    weekdays: list[int] = Field(sa_column=Column(JSON, nullable=False))
    from_minute: int
    to_minute: int


class EscalationPolicy(SQLModel, table=True):
    """What a team does when nobody reacts; a team without one has the defaults."""

    __tablename__ = "escalation_policy"

    team_id: str = Field(primary_key=True, foreign_key="team.id", ondelete="CASCADE")
    step_minutes: int = 5
    lead_id: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    email: str | None = None
    sms: str | None = None
    contact_centre_email: str | None = None
    changed_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    changed_at_ms: int = Field(default=0, sa_type=BigInteger)


class Alert(SQLModel, table=True):
    """One time that a conversation was urgent and somebody had to see it.

    `state` is open, acknowledged or closed; `reason` is a key of `words.REASONS`, `closed_reason`
    is answered, closed, calm or erased. `opened_position` and `closed_position` are positions of
    its timeline. `next_*` is what happens when nobody reacts; `next_step_at_ms` None: nothing more.

    Who took it stays `acknowledged_by` when later words of the resident open it again: she is the
    first to be woken. `heard_position` is how far she knew what the resident wrote when she took
    it, or was seen to since; `told_position` how far she was told of what came after.
    """

    __table_args__ = (
        Index("ix_alert_due", "state", "next_step_at_ms"),
        Index("ix_alert_conversation", "conversation_id", "opened_at_ms"),
        Index(
            "uq_alert_living",
            "conversation_id",
            unique=True,
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
    )

    id: str = Field(primary_key=True)
    conversation_id: str = Field(foreign_key="conversation.id", ondelete="CASCADE")
    opened_at_ms: int = Field(sa_type=BigInteger)
    opened_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    opened_position: int = 0
    reason: str = "words"
    state: str = "open"
    acknowledged_by: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    acknowledged_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    closed_reason: str | None = None
    closed_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    closed_position: int | None = None
    heard_position: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    told_position: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    step: int = 0
    next_step_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    next_kind: str | None = None
    next_person_id: str | None = None


class AlertStep(SQLModel, table=True):
    """One thing that was done about an alert, with its clock; never changed but for `outcome`.

    `kind` is woken, lead, skipped, email, sms, contact_centre, nobody, snoozed, acknowledged, told,
    reopened or closed. `detail` is a code: why this one, or why not.
    """

    __tablename__ = "alert_step"
    __table_args__ = (UniqueConstraint("alert_id", "number"),)

    id: str = Field(primary_key=True)
    alert_id: str = Field(foreign_key="alert.id", ondelete="CASCADE")
    number: int
    kind: str
    person_id: str | None = Field(default=None, foreign_key="person.id", ondelete="SET NULL")
    shift_id: str | None = None
    at_ms: int = Field(sa_type=BigInteger)
    outcome: str | None = None
    detail: str | None = None


class Snooze(SQLModel, table=True):
    """Somebody asked to be woken again, as long as nobody else has seen it."""

    alert_id: str = Field(primary_key=True, foreign_key="alert.id", ondelete="CASCADE")
    person_id: str = Field(primary_key=True, foreign_key="person.id", ondelete="CASCADE")
    due_at_ms: int = Field(index=True, sa_type=BigInteger)


class Dispatch(SQLModel, table=True):
    """A mail or SMS on its way out, queued in the transaction that records its step.

    `external_id` (Message-ID, idempotency key) is fixed here. `tried` is set before the first byte
    leaves; what was tried is looked for and never simply sent again. `state` is queued, sending,
    sent, failed, uncertain or cancelled.
    """

    __table_args__ = (Index("ix_dispatch_due", "state", "due_at_ms"),)

    id: str = Field(primary_key=True)
    step_id: str | None = Field(
        default=None, foreign_key="alert_step.id", index=True, ondelete="CASCADE"
    )
    shift_id: str | None = Field(
        default=None, foreign_key="shift.id", index=True, ondelete="CASCADE"
    )
    team_id: str = Field(foreign_key="team.id", ondelete="CASCADE")
    way: str
    recipient: str
    subject: str = ""
    text: str
    account_id: str | None = None
    external_id: str = Field(unique=True)
    state: str = "queued"
    tried: bool = False
    attempts: int = 0
    created_at_ms: int = Field(sa_type=BigInteger)
    due_at_ms: int = Field(sa_type=BigInteger)
    expires_at_ms: int = Field(sa_type=BigInteger)
    leased_until_ms: int | None = Field(default=None, sa_type=BigInteger)
    leased_by: str | None = None
    error: str | None = None


class CalendarAddress(SQLModel, table=True):
    """A person's secret address of the rota's calendar; a higher `version` replaces it."""

    __tablename__ = "calendar_address"

    person_id: str = Field(primary_key=True, foreign_key="person.id", ondelete="CASCADE")
    version: int
    fingerprint: str | None = Field(default=None, unique=True)
