"""Who reaches what: the hall its board, an assistant her one meeting, colleagues their area."""

import json
from typing import Any

import httpx
import pytest

from app.ids import uuid7
from tests.meetings.evening import DAY_MS, HOUR_MS, Evening
from tests.support.neighbourhood import Neighbourhood
from tests.support.town import op
from tests.support.visitor import ORIGIN, Visitor, form_in
from tests.sync.phone import Answer, parse, sign_in

SYNC = {"v": 1, "ops": [], "after": 0, "scope": "", "limit": 2000}


@pytest.fixture
def hall(neighbourhood: Neighbourhood) -> Evening:
    """A meeting that is open, in a town whose application runs."""
    made = Evening(neighbourhood.town)
    made.plan()
    made.state("open")
    return made


async def invites(neighbourhood: Neighbourhood, hall: Evening, name: str = "Femke") -> str:
    """Let Anna invite somebody; return the path of the invitation."""
    async with sign_in(neighbourhood.app, neighbourhood.town.anna) as anna:
        answer = await anna.post(f"/api/v1/meetings/{hall.id}/helpers", json={"name": name})
    assert answer.status_code == 201, answer.text
    assert answer.json()["qr"].startswith("<svg")
    return str(answer.json()["url"]).removeprefix(ORIGIN)


async def helps(neighbourhood: Neighbourhood, hall: Evening) -> Visitor:
    """Return the tablet of an assistant who was let in."""
    link = await invites(neighbourhood, hall)
    femke = neighbourhood.visitor()
    page = await femke.get(link)
    assert "Femke, u helpt bij" in page.text
    answer = await femke.send(form_in(page.text, "/help/"))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/meetings/{hall.id}")
    return femke


async def pulls(tablet: httpx.AsyncClient) -> Answer:
    """Return all that the feed shows this tablet."""
    answer = await tablet.post("/api/v1/sync", json=SYNC)
    assert answer.status_code == 200, answer.text
    return parse(answer.content)


def bodies(answer: Answer) -> list[dict[str, Any]]:
    """Return the entities of an answer."""
    return [json.loads(line[3]) for line in answer.lines]


async def test_an_assistant_sees_this_meeting_and_nothing_else(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    town = neighbourhood.town
    secret = town.resident_writes("Een geheim van een inwoner.")
    before = hall.ask("Voor zij kwam")
    other = Evening(town)
    other.plan(title="Een andere avond")
    other.ask("Op een andere avond")
    femke = await helps(neighbourhood, hall)
    after = hall.ask("Nadat zij kwam")

    pulled = await pulls(femke.http)
    assert {line[1].split(":")[0] for line in pulled.lines} == {"meeting", "meetingq"}
    assert {one["id"] for one in bodies(pulled)} == {
        hall.id,
        before["question"],
        after["question"],
    }
    for part in ("first", "personal"):
        filled = await femke.http.get("/api/v1/replica", params={"part": part})
        assert filled.status_code == 200
        assert "geheim" not in filled.text
        assert "Een andere avond" not in filled.text
    walk = {"part": "walk", "before": "1000000"}
    assert "geheim" not in (await femke.http.get("/api/v1/replica", params=walk)).text
    me = (await femke.http.get("/api/v1/me")).json()
    assert me["role"] == "assistant"
    for path in (
        f"/api/v1/conversations/{secret}",
        f"/api/v1/conversations/{before['conversation']}",
        f"/minutes/{hall.id}",
    ):
        assert (await femke.http.get(path)).status_code in {403, 404}


async def test_every_other_door_is_shut_to_an_assistant(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    femke = await helps(neighbourhood, hall)
    described = neighbourhood.app.openapi()["paths"]
    open_doors = ("/sync", "/replica", "/stream", "/me", "/session", "/uploads/")
    # What asks nobody who they are: passkeys, the description, push reports of a device.
    anybody = {"/api/v1/openapi.json"}
    tried = 0
    for path, methods in described.items():
        if path.removeprefix("/api/v1").startswith(open_doors) or path in anybody:
            continue
        for method in methods:
            url = path.replace("{", "").replace("}", "")
            answer = await femke.http.request(method.upper(), url, json={})
            assert answer.status_code >= 400, (method, path, answer.text)
            tried += 1
    assert tried > 20


async def test_an_assistant_catches_questions_and_nothing_of_the_office(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    town = neighbourhood.town
    lamp = town.resident_writes()
    femke = await helps(neighbourhood, hall)
    other = Evening(town)
    other.plan()
    asked = op("question", uuid7(), meeting=hall.id, text="Wie ruimt op?", asked_at_ms=town.now_ms)
    wrong = [
        op("question", uuid7(), meeting=other.id, text="Elders", asked_at_ms=town.now_ms),
        op("note", lamp, based_on=1, text="Hoi"),
        op("reply", lamp, based_on=1, text="Hoi"),
        op("status", lamp, based_on=1, status="closed"),
        op("contact", uuid7(), via="street", text="Hoi", area="WK001410"),
        op("meeting_state", hall.id, meeting=hall.id, state="closed"),
        op("acknowledge", lamp),
    ]
    ops = [one.model_dump() for one in (asked, *wrong)]
    answer = await femke.http.post("/api/v1/sync", json=SYNC | {"ops": ops})
    results = parse(answer.content).header["results"]
    assert [one["outcome"] for one in results] == ["applied"] + ["rejected"] * len(wrong)
    assert hall.question(asked.op_id).text == "Wie ruimt op?"


async def test_an_assistant_mails_nobody_and_what_is_owed_stays_in_the_inbox(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    neighbourhood.opens_mailbox()
    asked = hall.ask(email="mevrouw@voorbeeld.example", keep=True, answer_by="email")
    femke = await helps(neighbourhood, hall)
    about = asked["conversation"]
    said = {"question": asked["question"], "fate": "answered", "text": "In maart."}
    ops = [
        op("fate", about, based_on=0, **said, mail=True).model_dump(),
        op("fate", about, based_on=0, **said).model_dump(),
    ]
    answer = await femke.http.post("/api/v1/sync", json=SYNC | {"ops": ops})
    results = parse(answer.content).header["results"]
    assert [one["outcome"] for one in results] == ["rejected", "applied"]
    assert results[0]["reason"] == "not_allowed"
    timeline = hall.town.timeline(about)
    assert [e for e in timeline if e.direction == "out"] == []
    assert hall.question(asked["question"]).fate == "answered"
    assert hall.conversation(asked["question"]).status == "open"


async def test_an_invitation_works_on_one_device_and_for_one_evening(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    link = await invites(neighbourhood, hall)
    femke, thief = neighbourhood.visitor(), neighbourhood.visitor()
    assert (await femke.http.post(link)).status_code == 303
    assert (await thief.get(link)).status_code == 410
    assert (await thief.http.post(link)).status_code == 410
    assert (await thief.http.get("/api/v1/me")).status_code == 401
    assert (await femke.http.get("/api/v1/me")).status_code == 200
    asked = op("question", uuid7(), meeting=hall.id, text="Nog op mijn tablet", asked_at_ms=1)
    late = asked.model_dump()
    neighbourhood.clock.forward(ms=16 * HOUR_MS)
    # Her tablet was out of reach: what it caught comes in, and nothing goes out to it any more.
    answer = await femke.http.post("/api/v1/sync", json=SYNC | {"ops": [late]})
    handed_over = parse(answer.content)
    assert handed_over.header["results"][0]["outcome"] == "applied"
    assert handed_over.lines == []
    assert handed_over.header["scope"]["areas"] == [f"late:meeting:{hall.id}"]
    filled = await femke.http.get("/api/v1/replica", params={"part": "first"})
    assert parse(filled.content).lines == []
    neighbourhood.clock.forward(ms=7 * DAY_MS)
    over = await femke.http.get("/api/v1/me")
    assert (over.status_code, over.json()["type"]) == (401, "/problems/revoked")
    assert "storage" in over.headers["clear-site-data"]


async def test_an_evening_can_be_ended_early(neighbourhood: Neighbourhood, hall: Evening) -> None:
    femke = await helps(neighbourhood, hall)
    town = neighbourhood.town
    async with sign_in(neighbourhood.app, town.anna) as anna:
        helper = next(
            one["helpers"][0]["id"] for one in bodies(await pulls(anna)) if "helpers" in one
        )
        url = f"/api/v1/meetings/{hall.id}/helpers/{helper}"
        assert (await anna.delete(url)).status_code == 204
    assert (await femke.http.get("/api/v1/me")).status_code == 401


async def test_only_who_holds_the_meeting_invites(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    url = f"/api/v1/meetings/{hall.id}/helpers"
    async with sign_in(neighbourhood.app, neighbourhood.town.chaima) as chaima:
        assert (await chaima.post(url, json={"name": "Femke"})).status_code == 404
        assert (await chaima.post(f"/api/v1/meetings/{hall.id}/minutes")).status_code == 404
        assert (await chaima.get(f"/minutes/{hall.id}")).status_code == 404
    femke = await helps(neighbourhood, hall)
    assert (await femke.http.post(url, json={"name": "Nog een"})).status_code == 403


async def test_a_phone_in_the_hall_reaches_only_the_board(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    asked = hall.ask(name="Mevrouw De Boer", keep=True)
    phone = neighbourhood.resident
    page = await phone.get(f"/m/{hall.meeting().code}")
    assert page.cookies  # it is known as a phone in the hall from here on
    for path in (
        "/api/v1/me",
        "/api/v1/replica?part=first",
        "/api/v1/stream",
        f"/api/v1/conversations/{asked['conversation']}",
        "/api/v1/search?q=Boer",
    ):
        assert (await phone.get(path)).status_code == 401, path
    posted = await phone.http.post("/api/v1/sync", json=SYNC)
    assert posted.status_code == 401
    for path in (
        f"/minutes/{hall.id}",
        f"/minutes/{hall.id}/pdf",
        f"/m/{hall.meeting().code}/minutes",
        f"/m/{hall.meeting().code}/minutes.pdf",
        f"/m/{hall.id}",
        f"/v/{asked['conversation']}",
    ):
        assert (await phone.get(path)).status_code >= 400, path


async def test_an_area_given_later_brings_its_meetings(
    neighbourhood: Neighbourhood, hall: Evening
) -> None:
    async with sign_in(neighbourhood.app, neighbourhood.town.bram) as bram:
        filled = await bram.get("/api/v1/replica", params={"part": "personal"})
    assert hall.id in filled.text
    async with sign_in(neighbourhood.app, neighbourhood.town.chaima) as chaima:
        filled = await chaima.get("/api/v1/replica", params={"part": "personal"})
    assert hall.id not in filled.text
