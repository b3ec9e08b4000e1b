"""The shapes of what a tablet at a meeting sends."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.sync.payloads import STORABLE, Attachments, Millis, Shape, Short, Text, Uuid

Email = Annotated[
    str,
    StringConstraints(max_length=254, pattern=r"^$|^[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+$"),
    STORABLE,
]
Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True),
    STORABLE,
]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
Words = Annotated[str, StringConstraints(max_length=2000), STORABLE]


class Plan(Shape):
    """A meeting as it is planned, made on the tablet under its own id."""

    meeting: Uuid
    title: Line
    area: Short
    place: Short = ""
    starts_at_ms: Millis
    agenda: Annotated[list[Line], Field(max_length=30)] = Field(default_factory=list)
    hosts: Annotated[list[Uuid], Field(max_length=20)] = Field(default_factory=list)
    languages: Annotated[list[Language], Field(max_length=10)] = Field(default_factory=list)


class State(Shape):
    """The meeting begins, or is over."""

    meeting: Uuid
    state: Literal["open", "closed"]


class Question(Shape):
    """A question as it was asked in the hall.

    Who asked is kept only with `keep`. `answer_by` is how she wants to be answered.
    """

    meeting: Uuid
    text: Text
    asked_at_ms: Millis
    name: Short = ""
    phone: Short = ""
    email: Email = ""
    keep: bool = False
    answer_by: Literal["none", "email", "phone"] = "none"
    topic: Annotated[str, StringConstraints(max_length=60), STORABLE] = ""
    agenda: Annotated[int, Field(ge=0, le=29)] | None = None
    place: Short = ""
    urgent: bool = False
    minutes: bool = False
    on_board: bool = True
    attachments: Attachments = Field(default_factory=list)


class Moderation(Shape):
    """Shown to the hall, or hidden with the reason that its writer is told."""

    question: Uuid
    state: Literal["shown", "hidden"]
    reason: Short = ""


class Fate(Shape):
    """What becomes of a question; `mail` sends an answer to who asked for it by e-mail as well."""

    question: Uuid
    fate: Literal["answered", "later", "handed", "dropped"]
    text: Words = ""
    mail: bool = False


class Reworded(Shape):
    """A caught question put right: a typo, or the wrong item of the agenda."""

    question: Uuid
    text: Text
    agenda: Annotated[int, Field(ge=0, le=29)] | None = None


class Promise(Shape):
    """Somebody will do something before a date."""

    meeting: Uuid
    question: Uuid | None = None
    text: Annotated[Words, StringConstraints(min_length=1)]
    owner: Uuid
    due_at_ms: Millis


class Kept(Shape):
    """A promise was kept, or was not after all."""

    promise: Uuid
    kept: bool


class Attend(Shape):
    """Somebody is there, and says so."""

    meeting: Uuid
    name: Short = ""
    organisation: Short = ""
    email: Email = ""
    minutes: bool = False


class Headcount(Shape):
    """How many are there."""

    meeting: Uuid
    heads: Annotated[int, Field(ge=0, le=100_000)] | None
