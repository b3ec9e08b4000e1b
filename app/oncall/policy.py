"""Who is woken next, and when: pure rules over the rota, one person at a time.

When the resident wrote again, whoever took it before comes first. Then whoever is on call now (for
this very area before the whole team), the assignee, the team's lead, e-mail, SMS and the contact
centre. The rules are asked again at every step, so a hand-over or an absence in the middle of an
alert counts from the next step on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

MINUTE_MS = 60_000
TEAM_WIDE = 99
"""How near a shift for all areas of a team is; 0 is a shift for this very area."""

OTHER_TEAM = 100
"""How much further away a shift of another team is that answers for the same area."""

PLAN_STEPS = 50
"""More than any ladder has: what is planned ahead never runs away."""


@dataclass(frozen=True, slots=True)
class Duty:
    """A shift that covers the area in question; `nearness` 0 is a shift for this very area."""

    shift_id: str
    person_id: str
    nearness: int
    starts_at_ms: int
    ends_at_ms: int

    def covers(self, at_ms: int) -> bool:
        """Say whether she is on call at this instant; the end belongs to the next one."""
        return self.starts_at_ms <= at_ms < self.ends_at_ms


@dataclass(frozen=True, slots=True)
class Quiet:
    """Quiet hours by the clock on the wall; `weekdays` (0 is Monday) are those it begins on.

    The same minute twice is a whole day.
    """

    weekdays: frozenset[int]
    from_minute: int
    to_minute: int

    def holds(self, at_ms: int, zone: tzinfo) -> bool:
        """Say whether it is quiet at this instant."""
        local = datetime.fromtimestamp(at_ms / 1000, zone)
        minute, today = local.hour * 60 + local.minute, local.weekday()
        yesterday = (today - 1) % 7
        if self.from_minute < self.to_minute:
            return today in self.weekdays and self.from_minute <= minute < self.to_minute
        return (today in self.weekdays and minute >= self.from_minute) or (
            yesterday in self.weekdays and minute < self.to_minute
        )


@dataclass(frozen=True, slots=True)
class Colleague:
    """What counts of a person: `hindrance` is inactive, no_access or None; `reach` of her phone."""

    person_id: str
    hindrance: str | None = None
    away: tuple[tuple[int, int], ...] = ()
    quiet: Quiet | None = None
    reach: str = "proven"


@dataclass(frozen=True, slots=True)
class Ladder:
    """What a team does when nobody reacts."""

    step_ms: int = 5 * MINUTE_MS
    lead_id: str | None = None
    email: str | None = None
    sms: str | None = None
    contact_centre_email: str | None = None


@dataclass(frozen=True, slots=True)
class Roster:
    """All that the rules look at, for one area.

    `knows` marked it urgent herself; `took_it` had it in hand before the resident wrote again.
    """

    duties: tuple[Duty, ...]
    people: Mapping[str, Colleague]
    ladder: Ladder
    zone: tzinfo
    assignee_id: str | None = None
    knows: str | None = None
    took_it: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do now; the next one comes `wait_ms` later.

    `kind` is woken, lead, skipped, email, sms, contact_centre or nobody. `why` is a code: took_it,
    on_call, assignee, lead; for skipped what stood in the way (away, quiet, inactive, no_access,
    unreachable, own); for nobody no_rota or exhausted; else no_reaction.
    """

    kind: str
    why: str
    person_id: str | None = None
    shift_id: str | None = None
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until this instant; None is for good."""

    until_ms: int | None


@dataclass(frozen=True, slots=True)
class Planned:
    """A step that will be taken when nobody reacts."""

    at_ms: int
    step: Step


def on_call(at_ms: int, duties: Iterable[Duty]) -> list[Duty]:
    """Return who is on call, the first to be woken first: the nearest, then who came last."""
    now = [duty for duty in duties if duty.covers(at_ms)]
    return sorted(now, key=lambda duty: (duty.nearness, -duty.starts_at_ms, duty.shift_id))


def next_step(now_ms: int, roster: Roster, done: Sequence[Step]) -> Step | Wait:
    """Return what is to be done now, after all that was done; the same question, the same answer.

    Nobody is ever woken twice and each rung is used once, so the answers end in a Wait: until
    somebody's shift begins who was not woken yet.
    """
    told = {step.why for step in done if step.kind == "nobody"}
    if not on_call(now_ms, roster.duties) and "no_rota" not in told:
        return Step("nobody", "no_rota")
    woken = {step.person_id for step in done if step.kind in {"woken", "lead"}}
    skipped = {(step.person_id, step.shift_id) for step in done if step.kind == "skipped"}
    for kind, why, person_id, shift_id in _people(now_ms, roster):
        if person_id in woken or (person_id, shift_id) in skipped:
            continue
        in_the_way = hindrance(now_ms, roster, person_id)
        if in_the_way:
            return Step("skipped", in_the_way, person_id, shift_id)
        return Step(kind, why, person_id, shift_id, roster.ladder.step_ms)
    used = {step.kind for step in done}
    for rung in _rungs(roster.ladder):
        if rung not in used:
            return Step(rung, "no_reaction", wait_ms=roster.ladder.step_ms)
    if "exhausted" not in told:
        return Step("nobody", "exhausted")
    starts = [
        duty.starts_at_ms
        for duty in roster.duties
        if duty.starts_at_ms > now_ms and duty.person_id not in woken
    ]
    return Wait(min(starts, default=None))


def plan(from_ms: int, roster: Roster, done: Sequence[Step] = ()) -> list[Planned]:
    """Return the steps that follow when nobody reacts, as far as can be told now."""
    planned: list[Planned] = []
    taken, at_ms = list(done), from_ms
    while len(planned) < PLAN_STEPS:
        step = next_step(at_ms, roster, taken)
        if isinstance(step, Wait):
            break
        planned.append(Planned(at_ms, step))
        taken.append(step)
        at_ms += step.wait_ms
    return planned


def expected(from_ms: int, roster: Roster, done: Sequence[Step]) -> Step | None:
    """Return the next step that reaches somebody, or that tells that there is nobody left."""
    for planned in plan(from_ms, roster, done):
        if planned.step.kind != "skipped" and planned.step.why != "no_rota":
            return planned.step
    return None


def _people(now_ms: int, roster: Roster) -> Iterator[tuple[str, str, str, str | None]]:
    if roster.took_it:
        yield "woken", "took_it", roster.took_it, None
    for duty in on_call(now_ms, roster.duties):
        yield "woken", "on_call", duty.person_id, duty.shift_id
    if roster.assignee_id:
        yield "woken", "assignee", roster.assignee_id, None
    if roster.ladder.lead_id:
        yield "lead", "lead", roster.ladder.lead_id, None


def _rungs(ladder: Ladder) -> Iterator[str]:
    if ladder.email:
        yield "email"
    if ladder.sms:
        yield "sms"
    if ladder.contact_centre_email:
        yield "contact_centre"


def hindrance(now_ms: int, roster: Roster, person_id: str) -> str | None:
    """Return why this person is not woken now, or None. Her own shift goes through her quiet."""
    person = roster.people.get(person_id)
    if person is None:
        return "no_access"
    if person.hindrance:
        return person.hindrance
    if person_id == roster.knows:
        return "own"
    if any(start <= now_ms < end for start, end in person.away):
        return "away"
    if person.quiet and person.quiet.holds(now_ms, roster.zone):
        duties = on_call(now_ms, roster.duties)
        if not any(duty.person_id == person_id for duty in duties):
            return "quiet"
    if person.reach == "none":
        return "unreachable"
    return None
