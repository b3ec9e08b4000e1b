"""The shapes of what a phone sends, checked before anything is believed."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.ids import is_uuid
from app.inbox.service import MAX_TEXT_CHARS

MAX_OPS = 200
MAX_MS = 1 << 53
"""The largest whole number that a phone can hold exactly."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def _storable(text: str) -> str:
    # NUL cannot be stored by PostgreSQL, a lone surrogate by neither database.
    if _UNSTORABLE.search(text):
        raise ValueError("holds a character that cannot be stored")
    return text


def _uuid(text: str) -> str:
    if not is_uuid(text):
        raise ValueError("is not a lower-case UUID")
    return text


STORABLE = AfterValidator(_storable)
Uuid = Annotated[str, AfterValidator(_uuid)]
Short = Annotated[str, StringConstraints(max_length=200), AfterValidator(_storable)]
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS), AfterValidator(_storable)
]
Topic = Annotated[
    str,
    StringConstraints(min_length=1, max_length=60, strip_whitespace=True),
    AfterValidator(_storable),
]
Attachments = Annotated[list[Uuid], Field(max_length=10)]
Alt = Annotated[
    str, StringConstraints(max_length=1000, strip_whitespace=True), AfterValidator(_storable)
]
Alts = Annotated[dict[Uuid, Alt], Field(max_length=10)]
"""Attachment → what it shows, for who cannot see it; of what is not attached nothing is kept."""
Earlier = Annotated[list[Uuid], Field(max_length=20)]
"""Versions of the same text, each of which may be on its way."""
Millis = Annotated[int, Field(ge=-MAX_MS, le=MAX_MS, strict=True)]


class Shape(BaseModel):
    """Strict about what it knows, silent about the rest: a server may meet newer phones."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Op(Shape):
    """The envelope of an operation; its payload is judged by kind, each on its own."""

    op_id: Uuid
    kind: Annotated[str, StringConstraints(max_length=40), AfterValidator(_storable)]
    conversation_id: Uuid | None = None
    based_on: Annotated[int, Field(ge=0, le=1 << 31)] | None = None
    payload: dict[str, Any] = Field(default_factory=dict)
    written_at_ms: Millis = 0
    v: int = 1


class Request(Shape):
    """The body of `POST /api/v1/sync`: what to do, and from where to read on."""

    v: Literal[1] = 1
    ops: Annotated[list[Op], Field(max_length=MAX_OPS)] = Field(default_factory=list)
    after: Annotated[int, Field(ge=0, le=MAX_MS)]
    scope: Short = ""
    limit: Annotated[int, Field(ge=1, le=2000)] = 500


class Filling(BaseModel):
    """The query of `GET /api/v1/replica`: which part of a new phone's filling."""

    part: Annotated[str, Field(pattern="^(first|walk|personal)$")]
    before: Annotated[int | None, Field(ge=1, le=MAX_MS)] = None
    scopes: Annotated[str | None, Field(max_length=2000)] = None
    scope: Annotated[str | None, Field(max_length=40)] = None


class ApprovedText(Shape):
    """Which approved text of the account a reply is, and what fills its blanks."""

    name: Annotated[str, StringConstraints(max_length=512), AfterValidator(_storable)]
    language: Short
    values: Annotated[
        dict[Short, Annotated[str, StringConstraints(max_length=1024), AfterValidator(_storable)]],
        Field(max_length=99),
    ] = Field(default_factory=dict)


class Reply(Shape):
    """A reply to the resident. `text` is what she reads, also when it is an approved text."""

    text: Text
    attachments: Attachments = Field(default_factory=list)
    alts: Alts = Field(default_factory=dict)
    template: Short | None = None
    approved: ApprovedText | None = None
    supersedes: Earlier = Field(default_factory=list)


class Note(Shape):
    """An internal note."""

    text: Text
    attachments: Attachments = Field(default_factory=list)
    alts: Alts = Field(default_factory=dict)
    supersedes: Earlier = Field(default_factory=list)
    by_hand_at_ms: Millis | None = None
    """When she herself posted this as an answer where Stoep cannot; None is a note."""


class Withdraw(Shape):
    """Operations of hers that may or may not have arrived, and must not take effect any more."""

    op_ids: Earlier


class Status(Shape):
    """Where the conversation stands."""

    status: Literal["open", "waiting", "closed"]


class Assign(Shape):
    """Who takes it; None is nobody."""

    person: Uuid | None


class Move(Shape):
    """The area it belongs to, or `team:<id>`."""

    area: Short


class Topics(Shape):
    """What it is about."""

    add: Annotated[list[Topic], Field(max_length=20)] = Field(default_factory=list)
    remove: Annotated[list[Topic], Field(max_length=20)] = Field(default_factory=list)


class Urgent(Shape):
    """Urgent, and why; or not."""

    urgent: bool
    reason: Short = ""


class Acknowledge(Shape):
    """She has seen it and takes it."""


class Snooze(Shape):
    """Wake her again, in so many minutes."""

    minutes: Annotated[int, Field(ge=1, le=240)] = 15


class Read(Shape):
    """How far she has read."""

    position: Annotated[int, Field(ge=0, le=1 << 31)]


class Contact(Shape):
    """A question heard by phone, at the desk, in the street, at a meeting, or read in a group.

    `source` and `group` say which closed group; what is copied there is answered by hand.
    """

    via: Literal["phone", "desk", "street", "meeting", "group"]
    source: Literal["whatsapp", "nextdoor", "facebook", "other"] | None = None
    group: Short = ""
    name: Short = ""
    kind: Literal["resident", "professional", "organisation"] = "resident"
    phone: Short = ""
    email: Annotated[
        Short, StringConstraints(pattern=r"^$|^[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+$")
    ] = ""
    text: Text
    area: Short | None = None
    place: Short | None = None
    urgent: bool = False
    attachments: Attachments = Field(default_factory=list)
    alts: Alts = Field(default_factory=dict)
    happened_at_ms: Millis | None = None
    consent: bool = False
    answered: bool = False


class Overheard(Shape):
    """Something of the listening list."""

    hit: Uuid


class Same(Shape):
    """What she says of two residents who may be one; "open" takes back what was said.

    `was` is how she saw it, `among` whom her phone showed as one with either of the two.
    """

    pair: Uuid
    verdict: Literal["open", "same", "different"]
    was: Literal["open", "same", "different"]
    among: Annotated[list[Uuid], Field(max_length=200)] = Field(default_factory=list)


class Resolve(Shape):
    """A person's verdict on a delivery of which the channel does not say."""

    message: Uuid
    outcome: Literal["sent", "retry", "failed", "by_hand"]
    """`by_hand`: she posted it at the channel herself, where Stoep could not."""
    by_hand_at_ms: Millis | None = None
