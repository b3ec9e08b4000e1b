"""Who is woken next: the rules by themselves, on rosters that nobody would think of."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.oncall.policy import (
    MINUTE_MS,
    PLAN_STEPS,
    TEAM_WIDE,
    Colleague,
    Duty,
    Ladder,
    Quiet,
    Roster,
    Step,
    Wait,
    expected,
    next_step,
    on_call,
    plan,
)

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOW_MS = 1_793_610_000_000
HOUR_MS = 60 * MINUTE_MS


def at(text: str) -> int:
    """Return an instant from the clock on the wall in Amsterdam."""
    return int(datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM).timestamp() * 1000)


def utc(text: str) -> int:
    """Return an instant from a clock in UTC, where no hour comes twice."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def duty(
    who: str, *, near: int = TEAM_WIDE, from_ms: int = NOW_MS - HOUR_MS, to_ms: int = NOW_MS * 2
) -> Duty:
    """Put somebody on call."""
    return Duty(f"shift-{who}-{near}-{from_ms}", who, near, from_ms, to_ms)


def roster(*duties: Duty, people: tuple[Colleague, ...] = (), **more: object) -> Roster:
    """Return a roster in which everybody can be woken unless `people` says otherwise."""
    known = {one.person_id: Colleague(one.person_id) for one in duties}
    ladder = more.get("ladder")
    for one in (more.get("assignee_id"), ladder.lead_id if isinstance(ladder, Ladder) else None):
        if isinstance(one, str):
            known[one] = Colleague(one)
    known |= {one.person_id: one for one in people}
    return Roster(
        duties=duties,
        people=known,
        ladder=ladder if isinstance(ladder, Ladder) else Ladder(),
        zone=AMSTERDAM,
        assignee_id=more.get("assignee_id"),  # type: ignore[arg-type]
        knows=more.get("knows"),  # type: ignore[arg-type]
    )


def planned(found: Roster) -> list[tuple[int, str, str | None]]:
    """Return what follows as (minutes, kind, who)."""
    return [
        ((one.at_ms - NOW_MS) // MINUTE_MS, one.step.kind, one.step.person_id)
        for one in plan(NOW_MS, found)
    ]


def test_the_preview_of_a_whole_ladder() -> None:
    ladder = Ladder(
        lead_id="lotte", email="a@b.nl", sms="+31612345678", contact_centre_email="c@b.nl"
    )
    assert planned(roster(duty("anna", near=0), duty("bram"), ladder=ladder)) == [
        (0, "woken", "anna"),
        (5, "woken", "bram"),
        (10, "lead", "lotte"),
        (15, "email", None),
        (20, "sms", None),
        (25, "contact_centre", None),
        (30, "nobody", None),
    ]


def test_of_two_who_overlap_the_one_who_came_last_goes_first() -> None:
    early, late = duty("anna"), duty("bram", from_ms=NOW_MS - MINUTE_MS)
    assert [one.person_id for one in on_call(NOW_MS, [early, late])] == ["bram", "anna"]


def test_the_end_of_a_shift_belongs_to_the_next_one() -> None:
    first = duty("anna", to_ms=NOW_MS)
    second = duty("bram", from_ms=NOW_MS)
    assert [one.person_id for one in on_call(NOW_MS, [first, second])] == ["bram"]
    assert [one.person_id for one in on_call(NOW_MS - 1, [first, second])] == ["anna"]


def test_a_lead_who_is_on_call_too_is_woken_once() -> None:
    found = roster(duty("anna"), ladder=Ladder(lead_id="anna"), assignee_id="anna")
    assert planned(found) == [(0, "woken", "anna"), (5, "nobody", None)]


def test_nobody_on_call_is_said_first() -> None:
    found = roster(assignee_id="bram")
    assert [(one.step.kind, one.step.why) for one in plan(NOW_MS, found)] == [
        ("nobody", "no_rota"),
        ("woken", "assignee"),
        ("nobody", "exhausted"),
    ]
    step = expected(NOW_MS, found, [])
    assert step is not None
    assert step.person_id == "bram"


def test_an_absence_ends_on_the_minute() -> None:
    away = Colleague("anna", away=((NOW_MS - HOUR_MS, NOW_MS),))
    step = next_step(NOW_MS, roster(duty("anna"), people=(away,)), [])
    assert isinstance(step, Step)
    assert step.kind == "woken"
    step = next_step(NOW_MS - 1, roster(duty("anna"), people=(away,)), [])
    assert isinstance(step, Step)
    assert (step.kind, step.why) == ("skipped", "away")


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        ("2026-11-02T21:59", False),  # Monday
        ("2026-11-02T22:00", True),
        ("2026-11-03T06:59", True),
        ("2026-11-03T07:00", False),
        ("2026-11-03T23:00", False),  # it does not begin on a Tuesday
        ("2026-11-02T06:00", False),  # nor on a Sunday
    ],
)
def test_quiet_hours_may_last_past_midnight(moment: str, quiet: bool) -> None:
    nights = Quiet(frozenset({0}), 22 * 60, 7 * 60)
    assert nights.holds(at(moment), AMSTERDAM) is quiet


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        # 25 October 2026: the clock goes back from 3 to 2; half past two comes twice.
        ("2026-10-25T00:29", True),
        ("2026-10-25T00:30", False),
        ("2026-10-25T01:29", True),
        ("2026-10-25T01:30", False),
        # 28 March 2027: it goes forward from 2 to 3; half past two never comes.
        ("2027-03-28T00:59", True),
        ("2027-03-28T01:00", False),
    ],
)
def test_quiet_hours_follow_the_clock_on_the_wall(moment: str, quiet: bool) -> None:
    until_half_past_two = Quiet(frozenset(range(7)), 0, 2 * 60 + 30)
    assert until_half_past_two.holds(utc(moment), AMSTERDAM) is quiet


def test_the_same_minute_twice_is_a_whole_day() -> None:
    sundays = Quiet(frozenset({6}), 0, 0)
    assert sundays.holds(at("2026-11-01T00:00"), AMSTERDAM)
    assert sundays.holds(at("2026-11-01T23:59"), AMSTERDAM)
    assert not sundays.holds(at("2026-11-02T00:00"), AMSTERDAM)


def test_when_all_is_done_it_waits_for_a_shift_of_somebody_else() -> None:
    found = roster(
        duty("anna"),
        duty("anna", from_ms=NOW_MS + HOUR_MS),
        duty("bram", from_ms=NOW_MS + 2 * HOUR_MS),
    )
    done = [one.step for one in plan(NOW_MS, found)]
    assert next_step(NOW_MS + 10 * MINUTE_MS, found, done) == Wait(NOW_MS + 2 * HOUR_MS)


NAMES = st.sampled_from(["anna", "bram", "chaima", "dirk", "esther"])
INSTANTS = st.integers(NOW_MS - 3 * HOUR_MS, NOW_MS + 3 * HOUR_MS)


@st.composite
def duties(draw: st.DrawFn) -> Duty:
    start = draw(INSTANTS)
    length = draw(st.integers(1, 4 * HOUR_MS))
    near = draw(st.sampled_from([0, 1, TEAM_WIDE]))
    number = draw(st.integers(0, 10**9))
    return Duty(f"shift-{number}", draw(NAMES), near, start, start + length)


@st.composite
def colleagues(draw: st.DrawFn, name: str) -> Colleague:
    start = draw(INSTANTS)
    return Colleague(
        name,
        hindrance=draw(st.sampled_from([None, None, "inactive", "no_access"])),
        away=((start, start + draw(st.integers(0, 2 * HOUR_MS))),) if draw(st.booleans()) else (),
        quiet=draw(
            st.none()
            | st.builds(
                Quiet,
                st.frozensets(st.integers(0, 6)),
                st.integers(0, 1439),
                st.integers(0, 1439),
            )
        ),
        reach=draw(st.sampled_from(["proven", "unproven", "none"])),
    )


@st.composite
def rosters(draw: st.DrawFn) -> Roster:
    people = [draw(colleagues(name)) for name in ("anna", "bram", "chaima", "dirk")]
    return Roster(
        duties=tuple(draw(st.lists(duties(), max_size=6, unique_by=lambda one: one.shift_id))),
        people={one.person_id: one for one in people},
        ladder=Ladder(
            step_ms=draw(st.integers(1, 120)) * MINUTE_MS,
            lead_id=draw(st.none() | NAMES),
            email=draw(st.sampled_from([None, "a@b.nl"])),
            sms=draw(st.sampled_from([None, "+31612345678"])),
            contact_centre_email=draw(st.sampled_from([None, "c@b.nl"])),
        ),
        zone=AMSTERDAM,
        assignee_id=draw(st.none() | NAMES),
        knows=draw(st.none() | NAMES),
    )


@settings(deadline=None, max_examples=200)
@given(rosters())
def test_it_ends_and_nobody_is_woken_twice(found: Roster) -> None:
    steps = plan(NOW_MS, found)
    assert len(steps) < PLAN_STEPS
    woken = [one.step.person_id for one in steps if one.step.kind in {"woken", "lead"}]
    assert len(woken) == len(set(woken))
    rungs = [one.step.kind for one in steps if one.step.kind in {"email", "sms", "contact_centre"}]
    assert len(rungs) == len(set(rungs))
    assert steps[-1].step.why == "exhausted"
    assert isinstance(next_step(steps[-1].at_ms, found, [one.step for one in steps]), Wait), (
        "after the last one there is nothing to do"
    )


@settings(deadline=None, max_examples=200)
@given(rosters())
def test_two_are_never_woken_within_a_step(found: Roster) -> None:
    reached = [one for one in plan(NOW_MS, found) if one.step.kind not in {"skipped", "nobody"}]
    for earlier, later in pairwise(reached):
        assert later.at_ms - earlier.at_ms >= found.ladder.step_ms


@settings(deadline=None, max_examples=200)
@given(rosters())
def test_nobody_is_woken_who_is_away_hindered_out_of_reach_or_knows(found: Roster) -> None:
    for one in plan(NOW_MS, found):
        if one.step.kind not in {"woken", "lead"}:
            continue
        person = found.people[one.step.person_id or ""]
        assert person.hindrance is None
        assert person.reach != "none"
        assert person.person_id != found.knows
        assert not any(start <= one.at_ms < end for start, end in person.away)


@settings(deadline=None, max_examples=200)
@given(rosters())
def test_quiet_hours_are_broken_only_by_a_shift_of_her_own(found: Roster) -> None:
    for one in plan(NOW_MS, found):
        if one.step.kind not in {"woken", "lead"}:
            continue
        person = found.people[one.step.person_id or ""]
        if person.quiet and person.quiet.holds(one.at_ms, AMSTERDAM):
            (shift,) = [duty for duty in found.duties if duty.shift_id == one.step.shift_id]
            assert shift.person_id == person.person_id
            assert shift.covers(one.at_ms)


@settings(deadline=None, max_examples=200)
@given(rosters())
def test_who_is_on_call_goes_before_assignee_and_lead(found: Roster) -> None:
    """As long as somebody on call can still be woken, nobody else is."""
    taken: list[Step] = []
    for one in plan(NOW_MS, found):
        if one.step.kind == "lead" or one.step.why == "assignee":
            reached = {step.person_id for step in taken if step.kind in {"woken", "lead"}}
            passed = {(step.person_id, step.shift_id) for step in taken if step.kind == "skipped"}
            for shift in on_call(one.at_ms, found.duties):
                assert shift.person_id in reached or (shift.person_id, shift.shift_id) in passed, (
                    "somebody on call was passed over without a word"
                )
        taken.append(one.step)


@settings(deadline=None, max_examples=200)
@given(rosters(), st.integers(0, 12))
def test_asked_again_in_the_middle_it_answers_the_same(found: Roster, cut: int) -> None:
    steps = plan(NOW_MS, found)
    cut = min(cut, len(steps) - 1)
    done = [one.step for one in steps[:cut]]
    assert plan(steps[cut].at_ms, found, done) == steps[cut:]
