"""What the rota takes over HTTP, in which nothing unknown may stand, and what it answers."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field

from app.ids import is_uuid
from app.openapi import Strict

MAX_MS = 1 << 53


def _uuid(text: str) -> str:
    if not is_uuid(text):
        raise ValueError("is not a lower-case UUID")
    return text


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Uuid = Annotated[str, AfterValidator(_uuid)]
AreaCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_-]{1,80}$")]
Millis = Annotated[int, Field(ge=0, le=MAX_MS)]
Address = Annotated[str, Field(min_length=1, max_length=254)]


class QuietHours(Strict):
    """When not to wake her outside her shifts; `weekdays` (0 is Monday) are those it begins on.

    The minutes are of the day by the clock on the wall; `to_minute` may lie on the next day.
    """

    weekdays: list[Annotated[int, Field(ge=0, le=6)]] = Field(max_length=7)
    from_minute: int = Field(ge=0, le=1439)
    to_minute: int = Field(ge=0, le=1439)


class Escalation(Strict):
    """What a team does when nobody reacts; each rung comes `step_minutes` after the one before."""

    step_minutes: int = Field(5, ge=1, le=120)
    lead: Id | None = None
    email: Address | None = None
    sms: Address | None = None
    contact_centre_email: Address | None = None


class Calendar(BaseModel):
    """A secret address that a calendar program can follow."""

    url: str


class Mine(BaseModel):
    """Her own settings."""

    quiet_hours: QuietHours | None
    calendar: Calendar | None


class TeamRota(BaseModel):
    """What is agreed in one of her teams, and what she may change."""

    id: str
    name: str
    may_plan: bool
    may_set: bool
    lead: bool
    escalation: Escalation


class OnCall(BaseModel):
    """All that the rota's screen needs beside the shifts themselves, which are in the feed."""

    me: Mine
    teams: list[TeamRota]


class NewShift(Strict):
    """Somebody to put on call; `area` None is all areas of the team. `id` makes it repeatable."""

    id: Uuid | None = None
    team: Id
    area: AreaCode | None = None
    person: Id
    from_ms: Millis
    to_ms: Millis
    repeat_weeks: int = Field(0, ge=0, le=52)


class ShiftChange(Strict):
    """What changes of a shift."""

    person: Id | None = None
    from_ms: Millis | None = None
    to_ms: Millis | None = None


class HandOver(Strict):
    """Who takes the rest of a shift, and from when. `id` is that of the shift it makes."""

    id: Uuid | None = None
    person: Id
    from_ms: Millis


class NewAbsence(Strict):
    """When somebody is away; without `person` whoever asks."""

    id: Uuid | None = None
    person: Id | None = None
    from_ms: Millis
    to_ms: Millis


class Made(BaseModel):
    """The id of what was made."""

    id: str


class MadeShifts(BaseModel):
    """The ids of the shifts, the first one first."""

    ids: list[str]


class Why(BaseModel):
    """A code that the phone has words for."""

    code: str


class Row(BaseModel):
    """One step that is taken when nobody reacts; `minutes` from now."""

    at_ms: int
    minutes: int
    kind: Literal["woken", "lead", "skipped", "email", "sms", "contact_centre", "nobody"]
    person: str | None
    reach: Literal["proven", "unproven", "none"] | None
    why: Why


class Preview(BaseModel):
    """Who would be woken, in order."""

    rows: list[Row]


class StepTaken(BaseModel):
    """One thing that was done about an alert, with its clock."""

    number: int
    kind: str
    person: str | None
    at_ms: int
    outcome: str | None
    detail: str | None


class AlertHistory(BaseModel):
    """A conversation's latest alert: its head, each step that was taken, what comes next."""

    alert: dict[str, Any] | None
    steps: list[StepTaken]
    next: list[Row]
