"""Urgent or not: the municipality's rules over what is known of a message. Pure.

The rules are looked at in their order; the first that holds decides, and says why. Each kind has
its own ground: words (or any message at all), the resident's own tick, messages that repeat, no
reaction in time. Any rule may be narrowed to channels, kinds of sender, and in or out of hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.triage.hours import Hours, hours_from
from app.triage.phrases import Phrases, denied_by, read

KINDS = ("words", "every", "ticked", "repeated", "no_reaction")
ALONE = ("ticked", "repeated", "no_reaction")
"""Kinds of which there is one each."""
WHENS = ("always", "open", "closed")

_EXCEPT = -1


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. No channels or senders named means all of them."""

    id: str
    kind: str
    on: bool = True
    name: str = ""
    words: tuple[str, ...] = ()
    channels: frozenset[str] = frozenset()
    senders: frozenset[str] = frozenset()
    when: str = "always"
    times: int = 0
    minutes: int = 0
    open_hours: bool = False

    def concerns(self, facts: "Facts") -> bool:
        """Say whether the rule is on, and about this channel, sender and time of day."""
        return (
            self.on
            and (not self.channels or facts.channel in self.channels)
            and (not self.senders or facts.sender in self.senders)
            and (self.when == "always" or (self.when == "open") == facts.open)
        )


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a message. `text` holds the resident's own words, nothing quoted.

    `open` says whether it came within opening hours; `recent` gives, for a number of minutes, how
    many messages she has sent in them that nobody answered, this one included.
    """

    text: str = ""
    channel: str = ""
    sender: str = "resident"
    name: str = ""
    open: bool = True
    ticked: bool = False
    recent: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Urgent or not, by which rule, and why: a code with what fills its sentence."""

    urgent: bool
    rule: str | None
    why: dict[str, Any]


NOTHING = Verdict(False, None, {"code": "nothing"})


@dataclass(frozen=True)
class Ruleset:
    """All rules of a municipality, with the phrases that never count and its opening hours."""

    rules: tuple[Rule, ...]
    never: tuple[str, ...] = ()
    hours: Hours = field(default_factory=Hours)

    @cached_property
    def phrases(self) -> Phrases:
        """All words of all rules in one tree, made once."""
        worded = [(at, word) for at, rule in enumerate(self.rules) for word in rule.words]
        return Phrases(worded + [(_EXCEPT, phrase) for phrase in self.never])

    def only(self, kind: str) -> Rule | None:
        """Return the rule of a kind of which there is one, when it is on."""
        return next((rule for rule in self.rules if rule.kind == kind and rule.on), None)


def ruleset(body: Mapping[str, Any]) -> Ruleset:
    """Return the rules of a stored body, which was checked when it was stored."""
    rules = tuple(
        Rule(
            id=one["id"],
            kind=one["kind"],
            on=one["on"],
            name=one.get("name", ""),
            words=tuple(one.get("words", ())),
            channels=frozenset(one.get("channels", ())),
            senders=frozenset(one.get("senders", ())),
            when=one.get("when", "always"),
            times=one.get("times", 0),
            minutes=one.get("minutes", 0),
            open_hours=one.get("open_hours", False),
        )
        for one in body["rules"]
    )
    hours = hours_from(body["hours"]["week"], body["hours"]["closed"])
    return Ruleset(rules, tuple(body.get("never", ())), hours)


def judge(rules: Ruleset, facts: Facts) -> Verdict:
    """Say whether a message that came in is urgent, and why.

    When it is not although a word of a rule stands in it, the reason is what denies that word.
    """
    said, denied = _said(rules, facts) if facts.text else ({}, {})
    for at, rule in enumerate(rules.rules):
        if rule.kind == "no_reaction" or not rule.concerns(facts):
            continue
        why = _ground(rule, facts, said.get(at))
        if why is not None:
            return Verdict(True, rule.id, _narrowed(why, rule))
    for at, (word, by) in sorted(denied.items()):
        if rules.rules[at].concerns(facts):
            return Verdict(False, rules.rules[at].id, {"code": "denied", "word": word, "by": by})
    return NOTHING


def unanswered(rule: Rule) -> Verdict:
    """Return the verdict on a conversation in which nobody reacted in time."""
    why = {"code": "no_reaction", "minutes": rule.minutes, "open_hours": rule.open_hours}
    return Verdict(True, rule.id, why)


def _ground(rule: Rule, facts: Facts, word: str | None) -> dict[str, Any] | None:
    if rule.kind == "words" and word is not None:
        return {"code": "word", "word": word}
    if rule.kind == "every":
        return {"code": "every", "channel": facts.channel, "sender": facts.sender}
    if rule.kind == "ticked" and facts.ticked:
        return {"code": "ticked"}
    if rule.kind == "repeated" and facts.recent.get(rule.minutes, 0) >= rule.times:
        return {"code": "repeated", "times": rule.times, "minutes": rule.minutes}
    return None


def _narrowed(why: dict[str, Any], rule: Rule) -> dict[str, Any]:
    return why if rule.when == "always" else why | {"when": rule.when}


def _said(rules: Ruleset, facts: Facts) -> tuple[dict[int, str], dict[int, tuple[str, str]]]:
    """Return for each rule the first word of it that counts, and the first that is denied."""
    text = read(facts.text)
    found = list(rules.phrases.find(text))
    excepted: set[int] = set()
    for match in found:
        if any(owner == _EXCEPT for owner, _ in match.labels):
            excepted.update(range(match.start, match.end))
    excepted |= _own_name(facts.name, text.words)
    said: dict[int, str] = {}
    denied: dict[int, tuple[str, str]] = {}
    denied_before = -1
    for match in found:
        if excepted and not excepted.isdisjoint(range(match.start, match.end)):
            continue
        by = denied_by(text, match.start, match.end, denied_before)
        if by is not None:
            denied_before = match.end
        for owner, word in match.labels:
            if by is None:
                said.setdefault(owner, word)
            else:
                denied.setdefault(owner, (word, by))
    return said, denied


def _own_name(name: str, words: list[str]) -> set[int]:
    """Return where she signs with her full name: Jan Brand has no fire."""
    own = read(name[:200]).words
    if len(own) < 2:
        return set()
    spots: set[int] = set()
    for start in range(len(words) - len(own) + 1):
        if words[start] == own[0] and words[start : start + len(own)] == own:
            spots.update(range(start, start + len(own)))
    return spots
