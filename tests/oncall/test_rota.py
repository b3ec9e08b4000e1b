"""The rota over HTTP: who may plan what, and what the phones and calendars are told."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlmodel import Session, select

from app.accounts.models import Membership, Person, TeamArea
from app.accounts.people import put_in_teams
from app.accounts.policy import Principal, areas_of
from app.accounts.service import scope_of
from app.ids import uuid7
from app.oncall.models import Shift
from tests.conftest import MONDAY_MORNING_MS
from tests.oncall.duty import HOUR_MS
from tests.oncall.test_calendar import unfold
from tests.support.neighbourhood import Neighbourhood
from tests.support.town import PADDEPOEL
from tests.sync.phone import parse, sign_in

WEEK_MS = 7 * 24 * HOUR_MS
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


class Rota:
    """The town's rota, as colleagues reach it from their phones."""

    def __init__(self, town: Neighbourhood) -> None:
        self.neighbourhood = town
        self.town = town.town
        self.phones: list[httpx.AsyncClient] = []

    @property
    def now_ms(self) -> int:
        return self.neighbourhood.clock.now_ms()

    def phone(self, who: Principal) -> httpx.AsyncClient:
        """Return somebody's signed-in phone."""
        self.phones.append(sign_in(self.neighbourhood.app, who))
        return self.phones[-1]

    def colleague(self, role: str, team: str = "noord") -> Principal:
        """Let somebody in with another role."""

        def add(session: Session) -> Principal:
            person = Person(id=uuid7(), name=role.title(), role=role, created_at_ms=0)
            session.add(person)
            session.flush()
            session.add(Membership(person_id=person.id, team_id=team))
            session.flush()
            areas = areas_of([], scope_of(session, person.id))
            return Principal(person.id, f"phone-{role}", person.name, role, "nl", areas)

        return self.town.db.write_now(add)

    def new_shift(self, who: Principal, **changes: Any) -> dict[str, Any]:
        """Return the body of a request that plans eight hours from now on."""
        return {
            "team": "noord",
            "person": who.person_id,
            "from_ms": self.now_ms,
            "to_ms": self.now_ms + 8 * HOUR_MS,
        } | changes

    def shifts(self) -> list[Shift]:
        """Return all shifts as stored, the earliest first."""
        query = select(Shift)
        rows = self.town.db.read_now(lambda session: session.exec(query).all())
        return sorted(rows, key=lambda shift: (shift.starts_at_ms, shift.id))


@pytest.fixture
async def rota(neighbourhood: Neighbourhood) -> AsyncIterator[Rota]:
    """A town in which nobody is on call."""
    found = Rota(neighbourhood)
    yield found
    for phone in found.phones:
        await phone.aclose()


async def references(phone: httpx.AsyncClient, kind: str) -> dict[str, Any]:
    """Return what a phone pulls of one kind of reference."""
    answer = parse((await phone.post("/api/v1/sync", json={"after": 0})).content)
    return {
        row[1].partition(":")[2]: json.loads(row[3])
        for row in answer.lines
        if row[1].startswith(f"{kind}:")
    }


async def test_a_shift_reaches_the_phones_that_it_concerns(rota: Rota) -> None:
    anna = rota.phone(rota.town.anna)
    answer = await anna.post("/api/v1/shifts", json=rota.new_shift(rota.town.bram))
    assert answer.status_code == 201, answer.text
    (shift_id,) = answer.json()["ids"]
    elsewhere = (
        rota.town.chaima,
        rota.colleague("archivist"),
        rota.colleague("coach", team="zuid"),
    )
    for who in elsewhere:
        assert await references(rota.phone(who), "shift") == {}
    everywhere = (rota.colleague("manager", team="zuid"), rota.colleague("admin", team="zuid"))
    for phone in (anna, *map(rota.phone, everywhere)):
        seen = (await references(phone, "shift"))[shift_id]
        seen.pop("s")
        assert seen == {
            "id": shift_id,
            "team": "noord",
            "area": None,
            "person": rota.town.bram.person_id,
            "from_ms": rota.now_ms,
            "to_ms": rota.now_ms + 8 * HOUR_MS,
        }


async def test_repeated_by_the_week_it_keeps_the_clock_on_the_wall(rota: Rota) -> None:
    from_ms = int(datetime(2027, 3, 15, 18, tzinfo=AMSTERDAM).timestamp()) * 1000
    new = rota.new_shift(
        rota.town.anna, from_ms=from_ms, to_ms=from_ms + 14 * HOUR_MS, repeat_weeks=3
    )
    await rota.phone(rota.town.anna).post("/api/v1/shifts", json=new)
    starts = [
        datetime.fromtimestamp(shift.starts_at_ms / 1000, UTC).astimezone(AMSTERDAM)
        for shift in rota.shifts()
    ]
    assert [(start.day, start.hour) for start in starts] == [(15, 18), (22, 18), (29, 18), (5, 18)]
    # Summer time began on 28 March: in UTC the later ones begin an hour earlier.
    assert len({start.utcoffset() for start in starts}) == 2


async def test_a_request_that_is_repeated_plans_once(rota: Rota) -> None:
    anna = rota.phone(rota.town.anna)
    new = rota.new_shift(rota.town.anna, id=uuid7(), repeat_weeks=2)
    first = await anna.post("/api/v1/shifts", json=new)
    again = await anna.post("/api/v1/shifts", json=new)
    assert first.json() == again.json()
    assert len(rota.shifts()) == 3


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"to_ms": 0}, "past"),
        ({"from_ms": MONDAY_MORNING_MS - 25 * HOUR_MS}, "began_1"),
        ({"from_ms": MONDAY_MORNING_MS - 30 * 24 * HOUR_MS}, "began_1"),
        ({"from_ms": 1 << 50, "to_ms": (1 << 50) + 1}, "too_far"),
        ({"area": "WK001406"}, "not_its_area"),
        ({"person": "nobody"}, "not_in_team"),
    ],
)
async def test_what_cannot_be_planned_says_why(
    rota: Rota, changes: dict[str, Any], reason: str
) -> None:
    new = rota.new_shift(rota.town.anna, **changes)
    answer = await rota.phone(rota.town.anna).post("/api/v1/shifts", json=new)
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)
    assert rota.shifts() == []


async def test_the_shift_of_today_that_nobody_wrote_down_can_still_be_planned(rota: Rota) -> None:
    began_ms = rota.now_ms - 3 * HOUR_MS
    new = rota.new_shift(rota.town.anna, from_ms=began_ms)
    answer = await rota.phone(rota.town.anna).post("/api/v1/shifts", json=new)
    assert answer.status_code == 201
    assert [shift.starts_at_ms for shift in rota.shifts()] == [began_ms]


async def test_an_absence_may_be_written_down_days_later_but_not_months(rota: Rota) -> None:
    anna = rota.phone(rota.town.anna)
    ill = {"from_ms": rota.now_ms - 5 * 24 * HOUR_MS, "to_ms": rota.now_ms + HOUR_MS}
    assert (await anna.post("/api/v1/absences", json=ill)).status_code == 201
    ill["from_ms"] -= 30 * 24 * HOUR_MS
    refused = await anna.post("/api/v1/absences", json=ill)
    assert (refused.status_code, refused.json()["reason"]) == (400, "began_31")


async def test_nobody_of_another_team_is_put_on_call(rota: Rota) -> None:
    new = rota.new_shift(rota.town.chaima)
    answer = await rota.phone(rota.town.anna).post("/api/v1/shifts", json=new)
    assert (answer.status_code, answer.json()["reason"]) == (400, "not_in_team")


async def test_another_teams_rota_does_not_exist_for_her(rota: Rota) -> None:
    anna, chaima = rota.phone(rota.town.anna), rota.phone(rota.town.chaima)
    (shift,) = (await anna.post("/api/v1/shifts", json=rota.new_shift(rota.town.anna))).json()[
        "ids"
    ]
    escalation = {"step_minutes": 5}
    answers = [
        await chaima.post("/api/v1/shifts", json=rota.new_shift(rota.town.anna)),
        await chaima.patch(f"/api/v1/shifts/{shift}", json={"to_ms": rota.now_ms + HOUR_MS}),
        await chaima.delete(f"/api/v1/shifts/{shift}"),
        await chaima.post(
            f"/api/v1/shifts/{shift}/handover",
            json={"person": rota.town.bram.person_id, "from_ms": rota.now_ms},
        ),
        await chaima.post(
            "/api/v1/absences",
            json={
                "person": rota.town.anna.person_id,
                "from_ms": rota.now_ms,
                "to_ms": rota.now_ms + HOUR_MS,
            },
        ),
        await chaima.put(
            f"/api/v1/people/{rota.town.anna.person_id}/quiet-hours",
            json={"weekdays": [0], "from_minute": 0, "to_minute": 60},
        ),
        await chaima.put("/api/v1/teams/noord/escalation", json=escalation),
        await chaima.get("/api/v1/oncall/preview", params={"area": PADDEPOEL}),
    ]
    assert [answer.status_code for answer in answers] == [404] * 8
    (kept,) = rota.shifts()
    assert (kept.removed_at_ms, kept.ends_at_ms) == (None, rota.now_ms + 8 * HOUR_MS)


async def test_what_was_done_about_a_conversation_is_told_to_who_sees_it(rota: Rota) -> None:
    conversation = rota.town.resident_writes()
    seen = await rota.phone(rota.town.anna).get(f"/api/v1/conversations/{conversation}/alert")
    assert seen.json() == {"alert": None, "steps": [], "next": []}
    hidden = await rota.phone(rota.town.chaima).get(f"/api/v1/conversations/{conversation}/alert")
    assert hidden.status_code == 404
    of_nothing = await rota.phone(rota.town.chaima).get(
        "/api/v1/oncall/preview", params={"conversation": conversation}
    )
    assert of_nothing.status_code == 404


@pytest.mark.parametrize(
    ("role", "plans", "agrees"),
    [("webcare", 201, 403), ("coach", 403, 403), ("archivist", 403, 403), ("manager", 201, 200)],
)
async def test_a_role_plans_and_agrees_what_the_table_says(
    rota: Rota, role: str, plans: int, agrees: int
) -> None:
    phone = rota.phone(rota.colleague(role))
    planned = await phone.post("/api/v1/shifts", json=rota.new_shift(rota.town.anna))
    agreed = await phone.put("/api/v1/teams/noord/escalation", json={"step_minutes": 7})
    assert (planned.status_code, agreed.status_code) == (plans, agrees)


async def test_an_archivist_cannot_be_on_call(rota: Rota) -> None:
    archivist = rota.colleague("archivist")
    answer = await rota.phone(rota.town.anna).post("/api/v1/shifts", json=rota.new_shift(archivist))
    assert (answer.status_code, answer.json()["reason"]) == (400, "role")


async def test_of_a_shift_that_has_begun_only_the_end_changes(rota: Rota) -> None:
    anna = rota.phone(rota.town.anna)
    made = await anna.post("/api/v1/shifts", json=rota.new_shift(rota.town.anna))
    (shift,) = made.json()["ids"]
    rota.neighbourhood.clock.forward(s=3600)
    other = await anna.patch(f"/api/v1/shifts/{shift}", json={"person": rota.town.bram.person_id})
    assert (other.status_code, other.json()["reason"]) == (409, "begun")
    later = rota.now_ms + HOUR_MS
    assert (await anna.patch(f"/api/v1/shifts/{shift}", json={"to_ms": later})).status_code == 204
    assert (await anna.delete(f"/api/v1/shifts/{shift}")).status_code == 204
    (kept,) = rota.shifts()
    # Taken off the rota it ends now: that she was on call until now is not rewritten.
    assert (kept.removed_at_ms, kept.ends_at_ms) == (None, rota.now_ms)
    over = await anna.delete(f"/api/v1/shifts/{shift}")
    assert (over.status_code, over.json()["reason"]) == (409, "over")


async def test_a_shift_to_come_is_taken_off_the_phones(rota: Rota) -> None:
    anna = rota.phone(rota.town.anna)
    new = rota.new_shift(rota.town.anna, from_ms=rota.now_ms + HOUR_MS)
    (shift,) = (await anna.post("/api/v1/shifts", json=new)).json()["ids"]
    await anna.delete(f"/api/v1/shifts/{shift}")
    seen = (await references(anna, "shift"))[shift]
    assert (seen["id"], seen["gone"]) == (shift, True)


async def test_a_hand_over_splits_the_shift_at_the_minute(rota: Rota) -> None:
    anna, bram = rota.town.anna, rota.town.bram
    phone = rota.phone(anna)
    (shift,) = (await phone.post("/api/v1/shifts", json=rota.new_shift(anna))).json()["ids"]
    rota.neighbourhood.clock.forward(s=3600)
    said = {"id": uuid7(), "person": bram.person_id, "from_ms": rota.now_ms}
    given = await phone.post(f"/api/v1/shifts/{shift}/handover", json=said)
    again = await phone.post(f"/api/v1/shifts/{shift}/handover", json=said)
    assert given.json() == again.json() == {"id": said["id"]}
    first, second = rota.shifts()
    assert (first.person_id, first.ends_at_ms) == (anna.person_id, rota.now_ms)
    assert (second.person_id, second.starts_at_ms) == (bram.person_id, rota.now_ms)


async def test_a_hand_over_that_says_something_else_under_the_same_id_changes_nothing(
    rota: Rota,
) -> None:
    anna, bram = rota.town.anna, rota.town.bram
    phone = rota.phone(anna)
    new = rota.new_shift(anna)
    (shift,) = (await phone.post("/api/v1/shifts", json=new)).json()["ids"]
    said = {"id": uuid7(), "person": bram.person_id, "from_ms": rota.now_ms + 3_600_000}
    assert (await phone.post(f"/api/v1/shifts/{shift}/handover", json=said)).status_code == 201
    before = [(one.person_id, one.starts_at_ms, one.ends_at_ms) for one in rota.shifts()]
    other = said | {"from_ms": rota.now_ms + 1_800_000}
    refused = await phone.post(f"/api/v1/shifts/{shift}/handover", json=other)
    assert (refused.status_code, refused.json()["reason"]) == (409, "id_reused")
    longer = new | {"id": shift, "to_ms": new["to_ms"] + 60_000}
    refused = await phone.post("/api/v1/shifts", json=longer)
    assert (refused.status_code, refused.json()["reason"]) == (409, "id_reused")
    assert [(one.person_id, one.starts_at_ms, one.ends_at_ms) for one in rota.shifts()] == before


async def test_a_coach_hands_over_her_own_shift_and_nobody_elses(rota: Rota) -> None:
    coach = rota.colleague("coach")
    planner = rota.phone(rota.town.anna)
    bram = rota.town.bram.person_id
    own, other = [
        (await planner.post("/api/v1/shifts", json=rota.new_shift(who))).json()["ids"][0]
        for who in (coach, rota.town.anna)
    ]
    phone = rota.phone(coach)
    said = {"person": bram, "from_ms": rota.now_ms}
    assert (await phone.post(f"/api/v1/shifts/{own}/handover", json=said)).status_code == 201
    assert (await phone.post(f"/api/v1/shifts/{other}/handover", json=said)).status_code == 403


async def test_an_absence_is_hers_to_write_down_and_to_take_back(rota: Rota) -> None:
    coach = rota.phone(rota.colleague("coach"))
    new = {"from_ms": rota.now_ms, "to_ms": rota.now_ms + HOUR_MS}
    made = await coach.post("/api/v1/absences", json=new)
    absence = made.json()["id"]
    seen = f"{absence}@noord"
    assert (await references(coach, "absence"))[seen]["to_ms"] == rota.now_ms + HOUR_MS
    assert await references(rota.phone(rota.town.chaima), "absence") == {}
    rota.neighbourhood.clock.forward(s=60)
    assert (await coach.delete(f"/api/v1/absences/{absence}")).status_code == 204
    assert (await references(coach, "absence"))[seen]["to_ms"] == rota.now_ms
    for_anna = new | {"person": rota.town.anna.person_id}
    assert (await coach.post("/api/v1/absences", json=for_anna)).status_code == 403


async def test_who_joins_a_team_gets_its_rota_and_who_leaves_it_sees_it_no_more(
    rota: Rota,
) -> None:
    chaima = rota.phone(rota.town.chaima)
    await rota.phone(rota.town.anna).post("/api/v1/shifts", json=rota.new_shift(rota.town.anna))

    async def asks() -> tuple[list[str], list[str]]:
        header = parse((await chaima.post("/api/v1/sync", json={"after": 0})).content).header
        own = parse((await chaima.get("/api/v1/replica?part=personal")).content)
        return header["scope"]["rota"], [line[1].split(":")[0] for line in own.lines]

    def moves(*teams: str) -> None:
        def work(session: Session) -> None:
            person = session.get_one(Person, rota.town.chaima.person_id)
            put_in_teams(session, person, teams)

        rota.town.db.write_now(work)

    assert await asks() == (["zuid"], [])
    moves("noord", "zuid")
    assert await asks() == (["noord", "zuid"], ["shift"])
    moves("zuid")
    assert await asks() == (["zuid"], [])


async def test_a_team_that_answers_for_the_same_area_is_a_neighbour(rota: Rota) -> None:
    await rota.phone(rota.town.anna).post("/api/v1/shifts", json=rota.new_shift(rota.town.anna))
    chaima = rota.phone(rota.town.chaima)
    assert await references(chaima, "shift") == {}
    shared = TeamArea(team_id="zuid", area=PADDEPOEL)
    rota.town.db.write_now(lambda session: session.add(shared))
    assert len(await references(chaima, "shift")) == 1


async def test_a_new_phone_has_the_rota_with_its_first_answer(rota: Rota) -> None:
    await rota.phone(rota.town.anna).post("/api/v1/shifts", json=rota.new_shift(rota.town.anna))
    for who, expected in ((rota.town.bram, 1), (rota.town.chaima, 0)):
        answer = await rota.phone(who).get("/api/v1/replica?part=first")
        lines = parse(answer.content).lines
        assert sum(line[1].startswith("shift:") for line in lines) == expected


async def test_an_absence_follows_whoever_is_away_to_her_new_team(rota: Rota) -> None:
    away = {"from_ms": rota.now_ms, "to_ms": rota.now_ms + HOUR_MS}
    await rota.phone(rota.town.bram).post("/api/v1/absences", json=away)

    def moves(session: Session) -> None:
        put_in_teams(session, session.get_one(Person, rota.town.bram.person_id), ["zuid"])

    rota.town.db.write_now(moves)
    (left,) = (await references(rota.phone(rota.town.anna), "absence")).values()
    (joined,) = (await references(rota.phone(rota.town.chaima), "absence")).values()
    assert (left.get("gone"), joined["to_ms"]) == (True, away["to_ms"])
    # Whoever sees both teams keeps what holds: it came last.
    both = await references(rota.phone(rota.colleague("admin", team="zuid")), "absence")
    newest = max(both.values(), key=lambda one: int(one["s"]))
    assert (len(both), newest.get("gone")) == (2, None)


async def test_what_is_agreed_is_checked_and_shown(rota: Rota) -> None:
    manager = rota.colleague("manager")
    phone = rota.phone(manager)
    for wrong, reason in (
        ({"sms": "0612345678"}, "bad_phone"),
        ({"email": "a@b"}, "bad_email"),
        ({"email": "a@b.nl\r\nBcc: c@d.nl"}, "bad_email"),
        ({"contact_centre_email": "a@b.nl,c@d.nl"}, "bad_email"),
        ({"lead": rota.town.chaima.person_id}, "not_in_team"),
    ):
        answer = await phone.put("/api/v1/teams/noord/escalation", json=wrong)
        assert (answer.status_code, answer.json().get("reason")) == (400, reason), wrong
    agreed = {
        "step_minutes": 10,
        "lead": manager.person_id,
        "email": "piket@voorbeeld.example",
        "sms": "+31612345678",
        "contact_centre_email": None,
    }
    assert (await phone.put("/api/v1/teams/noord/escalation", json=agreed)).json() == agreed
    quiet = {"weekdays": [0, 6], "from_minute": 1320, "to_minute": 420}
    await phone.put(f"/api/v1/people/{manager.person_id}/quiet-hours", json=quiet)
    shown = (await phone.get("/api/v1/oncall")).json()
    assert shown["me"] == {"quiet_hours": quiet, "calendar": None}
    (team,) = shown["teams"]
    assert team["escalation"] == agreed
    assert (team["may_plan"], team["may_set"], team["lead"]) == (True, True, True)
    await phone.put(
        f"/api/v1/people/{manager.person_id}/quiet-hours", json=quiet | {"weekdays": []}
    )
    assert (await phone.get("/api/v1/oncall")).json()["me"]["quiet_hours"] is None


async def test_the_preview_says_who_when_and_why(rota: Rota) -> None:
    manager = rota.colleague("manager")
    phone = rota.phone(manager)
    await phone.post("/api/v1/shifts", json=rota.new_shift(rota.town.anna))
    await phone.put(
        "/api/v1/teams/noord/escalation",
        json={"lead": manager.person_id, "email": "piket@voorbeeld.example"},
    )
    answer = await phone.get("/api/v1/oncall/preview", params={"area": PADDEPOEL})
    assert [
        (row["minutes"], row["kind"], row["person"], row["reach"], row["why"]["code"])
        for row in answer.json()["rows"]
    ] == [
        (0, "skipped", rota.town.anna.person_id, "none", "unreachable"),
        (0, "skipped", manager.person_id, "none", "unreachable"),
        (0, "email", None, None, "no_reaction"),
        (5, "nobody", None, None, "exhausted"),
    ]


async def test_a_calendar_program_follows_the_rota_without_a_session(rota: Rota) -> None:
    anna = rota.phone(rota.town.anna)
    await anna.post("/api/v1/shifts", json=rota.new_shift(rota.town.bram))
    await anna.post("/api/v1/shifts", json=rota.new_shift(rota.town.anna, area=PADDEPOEL))
    url = (await anna.post("/api/v1/oncall/calendar")).json()["url"]
    assert (await anna.get("/api/v1/oncall")).json()["me"]["calendar"] == {"url": url}
    reader = rota.neighbourhood.visitor().http
    answer = await reader.get(url)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    lines = unfold(answer.content)
    summaries = [line.partition(":")[2] for line in lines if line.startswith("SUMMARY")]
    assert sorted(summaries) == ["Ik heb piket: Paddepoel", "Piket Noord: Bram"]
    same = await reader.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    await anna.post("/api/v1/shifts", json=rota.new_shift(rota.town.anna))
    changed = await reader.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert changed.status_code == 200
    kept = {line for line in lines if line.startswith("UID")}
    assert kept < {line for line in unfold(changed.content) if line.startswith("UID")}


async def test_a_calendar_address_can_be_replaced_and_revoked(rota: Rota) -> None:
    anna = rota.phone(rota.town.anna)
    reader = rota.neighbourhood.visitor().http
    first = (await anna.post("/api/v1/oncall/calendar")).json()["url"]
    second = (await anna.post("/api/v1/oncall/calendar")).json()["url"]
    assert first != second
    assert (await reader.get(first)).status_code == 404
    assert (await reader.get(second)).status_code == 200
    await anna.delete("/api/v1/oncall/calendar")
    assert (await reader.get(second)).status_code == 404
    assert (await reader.get("/api/v1/oncall/" + "0" * 40 + ".ics")).status_code == 404


async def test_whoever_leaves_takes_her_calendar_along(rota: Rota) -> None:
    url = (await rota.phone(rota.town.anna).post("/api/v1/oncall/calendar")).json()["url"]

    def close(session: Session) -> None:
        session.get_one(Person, rota.town.anna.person_id).active = False

    rota.town.db.write_now(close)
    assert (await rota.neighbourhood.visitor().http.get(url)).status_code == 404
