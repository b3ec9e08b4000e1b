"""The rules over the API: who may, what is refused, what happens when two people edit at once."""

import copy
from typing import Any

import httpx
import pytest
from sqlmodel import Session

from app.accounts.models import Person
from app.accounts.policy import Principal
from app.triage import drafts
from app.triage.shapes import MAX_ALL_CHARS
from tests.support.neighbourhood import Neighbourhood
from tests.support.town import HELPMAN, op

API = "/api/v1/triage"


class Editor:
    """Somebody at the rules: her own sign-in, and what she had before her."""

    def __init__(self, neighbourhood: Neighbourhood, who: Principal, role: str) -> None:
        def promote(session: Session) -> None:
            session.get_one(Person, who.person_id).role = role

        neighbourhood.town.db.write_now(promote)
        self.cookies = neighbourhood.signs_in(who)
        self.http = neighbourhood.resident.http

    async def asks(self, method: str, path: str, body: Any = None, **query: int) -> httpx.Response:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        return await self.http.request(
            method, f"{API}/{path}", json=body, params=query, headers=headers
        )

    async def sees(self) -> dict[str, Any]:
        answer = await self.asks("GET", "rules")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def stores(self, body: dict[str, Any], version: int = 0, revision: int = 0) -> Any:
        said = {"version": version, "revision": revision, "body": body}
        return await self.asks("PUT", "rules/draft", said)


@pytest.fixture
def dirk(neighbourhood: Neighbourhood) -> Editor:
    return Editor(neighbourhood, neighbourhood.town.anna, "webcare")


@pytest.fixture
def esther(neighbourhood: Neighbourhood) -> Editor:
    return Editor(neighbourhood, neighbourhood.town.bram, "manager")


def with_words(*words: str, never: tuple[str, ...] = ()) -> dict[str, Any]:
    body = copy.deepcopy(drafts.DEFAULT_BODY)
    body["rules"][0]["words"] = list(words)
    body["never"] = list(never)
    return body


def changed(rule: int, **fields: Any) -> dict[str, Any]:
    body = copy.deepcopy(drafts.DEFAULT_BODY)
    body["rules"][rule].update(fields)
    return body


async def test_who_is_not_signed_in_sees_nothing(neighbourhood: Neighbourhood) -> None:
    answer = await neighbourhood.resident.get(f"{API}/rules")
    assert answer.status_code == 401


async def test_a_coordinator_reads_the_rules_and_changes_nothing(
    neighbourhood: Neighbourhood, dirk: Editor
) -> None:
    await dirk.stores(with_words("ratten"))
    chaima = Editor(neighbourhood, neighbourhood.town.chaima, "coordinator")
    seen = await chaima.sees()
    assert (seen["may_edit"], seen["draft"], seen["live"]["version"]) == (False, None, 0)
    body = with_words("x")
    seen_before = {"version": 0, "revision": 1}
    for method, path, said in (
        ("PUT", "rules/draft", seen_before | {"body": body}),
        ("POST", "rules", seen_before),
        ("POST", "trials", {"body": body}),
    ):
        assert (await chaima.asks(method, path, said)).status_code == 403
    gone = await chaima.asks("DELETE", "rules/draft", version=0, revision=1)
    assert gone.status_code == 403
    assert (await dirk.sees())["draft"]["revision"] == 1


async def test_a_draft_goes_live_as_a_version_and_the_ones_before_are_kept(
    neighbourhood: Neighbourhood, dirk: Editor, esther: Editor
) -> None:
    assert (await dirk.stores(with_words("ratten"))).json()["revision"] == 1
    draft = (await esther.sees())["draft"]
    assert (draft["made_by"], draft["body"]["rules"][0]["words"]) == ("Anna", ["ratten"])
    made = await esther.asks("POST", "rules", {"version": 0, "revision": 1})
    assert (made.status_code, made.json()) == (201, {"version": 1})
    seen = await dirk.sees()
    assert seen["draft"] is None
    assert (seen["live"]["version"], seen["live"]["live_by"]) == (1, "Bram")
    assert seen["live"]["live_at_ms"] == neighbourhood.clock.now_ms()

    await dirk.stores(with_words("muizen"), version=1)
    await dirk.asks("POST", "rules", {"version": 1, "revision": 1})
    seen = await dirk.sees()
    assert [one["version"] for one in seen["versions"]] == [1]
    kept = await dirk.asks("GET", "rules/versions/1")
    assert kept.json()["body"]["rules"][0]["words"] == ["ratten"]
    assert (await dirk.asks("GET", "rules/versions/0")).json()["body"] == drafts.DEFAULT_BODY
    assert (await dirk.asks("GET", "rules/versions/9")).status_code == 404


async def test_of_two_who_edit_at_once_the_second_is_told_who_was_first(
    dirk: Editor, esther: Editor
) -> None:
    assert (await dirk.stores(with_words("ratten"))).status_code == 200
    refused = await esther.stores(with_words("muizen"))
    assert refused.status_code == 409
    assert refused.json()["reason"] == "draft_changed"
    assert refused.json()["by"] == "Anna"
    assert (await dirk.sees())["draft"]["body"]["rules"][0]["words"] == ["ratten"]
    assert (await esther.stores(with_words("muizen"), revision=1)).json()["revision"] == 2
    stale = await dirk.asks("POST", "rules", {"version": 0, "revision": 1})
    assert (stale.status_code, stale.json()["by"]) == (409, "Bram")
    assert (await esther.asks("POST", "rules", {"version": 0, "revision": 2})).status_code == 201
    late = await dirk.stores(with_words("mollen"))
    assert (late.status_code, late.json()["reason"]) == (409, "live_changed")


async def test_a_draft_is_thrown_away_only_as_it_was_seen(dirk: Editor, esther: Editor) -> None:
    await dirk.stores(with_words("ratten"))
    await dirk.stores(with_words("ratten", "muizen"), revision=1)
    stale = await esther.asks("DELETE", "rules/draft", version=0, revision=1)
    assert stale.status_code == 409
    assert (await esther.asks("DELETE", "rules/draft", version=0, revision=2)).status_code == 204
    assert (await dirk.sees())["draft"] is None
    assert (await dirk.asks("POST", "rules", {"version": 0, "revision": 0})).status_code == 409


async def test_phrases_that_are_the_same_are_kept_once(dirk: Editor) -> None:
    stored = await dirk.stores(with_words("Gaslek", "  gas   lek ", "GASLEK", "gáslek", "gas lek"))
    assert stored.json()["body"]["rules"][0]["words"] == ["Gaslek", "gas lek"]


HOURS = drafts.DEFAULT_BODY["hours"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        with_words("!!!"),
        with_words("a" * 81),
        with_words("een twee drie vier vijf zes zeven acht negen"),
        with_words(*(f"woord{number}" for number in range(10_001))),
        with_words(*("a" * 70 + str(number) for number in range(MAX_ALL_CHARS // 70))),
        changed(0, kind="every", words=[]),
        changed(0, id="Bad Id"),
        changed(0, id="hurry"),
        changed(0, senders=["mayor"]),
        changed(0, surprise=1),
        changed(2, kind="words"),
        changed(3, times=1),
        changed(3, minutes=0),
        changed(4, minutes=4),
        changed(4, minutes=10**9),
        drafts.DEFAULT_BODY | {"hours": HOURS | {"week": [[600, 540], *[None] * 6]}},
        drafts.DEFAULT_BODY | {"hours": HOURS | {"week": [None] * 6}},
        drafts.DEFAULT_BODY | {"hours": HOURS | {"closed": ["2026-02-30"]}},
        drafts.DEFAULT_BODY | {"rules": drafts.DEFAULT_BODY["rules"][:4]},
    ],
)
async def test_rules_that_could_not_be_judged_by_are_refused(
    dirk: Editor, body: dict[str, Any]
) -> None:
    answer = await dirk.stores(body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await dirk.sees())["draft"] is None


async def test_a_trial_says_what_would_change_of_what_she_may_see_and_keeps_nothing(
    neighbourhood: Neighbourhood, dirk: Editor
) -> None:
    town = neighbourhood.town
    rats = town.resident_writes("Er zijn ratten bij de vijver.")
    fire = town.resident_writes("Er is brand.")
    town.resident_writes("Ook hier ratten!", area=HELPMAN, account="web-zuid")
    town.does(town.anna, op("note", rats, text="ratten, zegt de buurman ook"))
    neighbourhood.clock.forward(ms=max(0, town.now_ms - neighbourhood.clock.now_ms()))
    before = town.sees(town.anna)
    answer = await dirk.asks("POST", "trials", {"body": with_words("ratten")})
    found = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert (found["messages"], found["before"], found["after"]) == (2, 1, 1)
    assert (found["more"], found["fewer"]) == (1, 1)
    (more,), (fewer,) = found["examples"]["more"], found["examples"]["fewer"]
    assert (more["conversation"], more["after"]) == (rats, {"code": "word", "word": "ratten"})
    assert more["text"] == "Er zijn ratten bij de vijver."
    assert (fewer["conversation"], fewer["before"]["word"]) == (fire, "brand")
    assert town.sees(town.anna) == before
    assert (await dirk.sees())["draft"] is None


async def test_a_trial_counts_who_would_wait_too_long_at_once(
    neighbourhood: Neighbourhood, dirk: Editor
) -> None:
    town = neighbourhood.town
    town.resident_writes("De heg")
    town.resident_writes("De heg", area=HELPMAN, account="web-zuid")
    late_ms = town.now_ms + 2 * 3_600_000
    neighbourhood.clock.forward(ms=late_ms - neighbourhood.clock.now_ms())
    body = changed(4, on=True, minutes=60, open_hours=False)
    found = (await dirk.asks("POST", "trials", {"body": body})).json()
    assert found["silent"] == {"before": 0, "after": 1}


async def test_trials_are_limited(dirk: Editor) -> None:
    body = {"body": with_words("x")}
    answers = [await dirk.asks("POST", "trials", body) for _ in range(61)]
    assert answers[-1].status_code == 429
    assert {one.status_code for one in answers[:-1]} == {200}
