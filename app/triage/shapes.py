"""The shape of rules as they are written in the app: what may stand in them, and how much.

Raises pydantic's ValidationError, with a sentence, for whatever could not be judged by.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import (
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from app.openapi import Strict
from app.triage.phrases import words_of
from app.triage.rules import ALONE

MAX_RULES = 50
MAX_PHRASES = 10_000
MAX_PHRASE_CHARS = 80
MAX_PHRASE_WORDS = 8
MAX_ALL_CHARS = 100_000
"""Of all phrases together."""
MAX_MINUTES = 60 * 24 * 60
"""Two months: a longer silence is no matter of urgency."""
MAX_CLOSED_DAYS = 400

Phrase = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PHRASE_CHARS)
]
Minute = Annotated[int, Field(ge=0, le=24 * 60)]


def _plain(phrases: list[str]) -> list[str]:
    """Return phrases once each; what differs in accents or capitals only is the same."""
    known: dict[tuple[str, ...], str] = {}
    for phrase in phrases:
        words = words_of(phrase)
        if not words:
            raise ValueError("a phrase needs at least one letter or digit")
        if len(words) > MAX_PHRASE_WORDS:
            raise ValueError(f"a phrase has at most {MAX_PHRASE_WORDS} words")
        known.setdefault(words, " ".join(phrase.split()))
    return list(known.values())


class RuleBody(Strict):
    """One rule; see `app.triage.rules.Rule`."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]
    kind: Literal["words", "every", "ticked", "repeated", "no_reaction"]
    on: bool = True
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)] = ""
    words: Annotated[list[Phrase], Field(max_length=MAX_PHRASES)] = Field(default_factory=list)
    channels: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,20}$")]], Field(max_length=20)
    ] = Field(default_factory=list)
    senders: list[Literal["resident", "professional", "organisation"]] = Field(
        default_factory=list, max_length=3
    )
    when: Literal["always", "open", "closed"] = "always"
    times: Annotated[int, Field(ge=0, le=100)] = 0
    minutes: Annotated[int, Field(ge=0, le=MAX_MINUTES)] = 0
    open_hours: bool = False

    @field_validator("words")
    @classmethod
    def _words_plain(cls, value: list[str]) -> list[str]:
        return _plain(value)

    @model_validator(mode="after")
    def _sensible(self) -> "RuleBody":
        if self.kind in ALONE and self.id != self.kind:
            raise ValueError(f"the rule of kind {self.kind} is named by its kind")
        if self.kind == "every" and not (self.channels or self.senders or self.when != "always"):
            raise ValueError("without a channel, a sender or hours, everything would be urgent")
        if self.kind == "repeated" and not (self.times >= 2 and self.minutes >= 1):
            raise ValueError("times must be 2 or more, and minutes 1 or more")
        if self.kind == "no_reaction" and self.minutes < 5:
            raise ValueError("minutes must be 5 or more")
        return self


class HoursBody(Strict):
    """Opening hours, Monday first, in minutes after midnight; `closed` are ISO dates."""

    week: Annotated[list[tuple[Minute, Minute] | None], Field(min_length=7, max_length=7)]
    closed: Annotated[list[str], Field(max_length=MAX_CLOSED_DAYS)] = Field(default_factory=list)

    @field_validator("week")
    @classmethod
    def _forwards(cls, value: list[tuple[int, int] | None]) -> list[tuple[int, int] | None]:
        if any(span is not None and span[0] >= span[1] for span in value):
            raise ValueError("closing time comes after opening time")
        return value

    @field_validator("closed")
    @classmethod
    def _dates(cls, value: list[str]) -> list[str]:
        return sorted({date.fromisoformat(day).isoformat() for day in value})


class Body(Strict):
    """All rules of a municipality."""

    rules: Annotated[list[RuleBody], Field(min_length=len(ALONE), max_length=MAX_RULES)]
    never: Annotated[list[Phrase], Field(max_length=MAX_PHRASES)] = Field(default_factory=list)
    hours: HoursBody

    @field_validator("never")
    @classmethod
    def _never_plain(cls, value: list[str]) -> list[str]:
        return _plain(value)

    @model_validator(mode="after")
    def _whole(self) -> "Body":
        if len({rule.id for rule in self.rules}) < len(self.rules):
            raise ValueError("two rules have the same id")
        kinds: list[str] = [rule.kind for rule in self.rules]
        if any(kinds.count(kind) != 1 for kind in ALONE):
            raise ValueError(f"there is exactly one rule each of {', '.join(ALONE)}")
        phrases = [word for rule in self.rules for word in rule.words] + self.never
        if len(phrases) > MAX_PHRASES or sum(map(len, phrases)) > MAX_ALL_CHARS:
            raise ValueError("more words than can be kept")
        return self
