"""What was said to others is listened to, and becomes a question only when somebody says so."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlmodel import Session, select

from app.channels.contract import Batch, Capabilities, Incoming, Temporary
from app.channels.fetching import Fetching
from app.channels.models import Account
from app.channels.searching import EVERY_MS, Searches
from app.clock import SetClock
from app.db import Database
from app.ids import uuid7
from app.inbox.models import Conversation
from app.listening import queries, service
from app.listening.models import Hit, SavedSearch
from tests.support.neighbourhood import Neighbourhood
from tests.support.town import HELPMAN, NOON_MS, PADDEPOEL, Town, build, op

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def town(database: Database) -> Town:
    town = build(database)
    follow_a_feed(town)
    return town


def as_(cookies: dict[str, str]) -> dict[str, str]:
    """Return the header that a signed-in phone sends."""
    said = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return {"Cookie": said, "Sec-Fetch-Site": "same-origin"}


def follow_a_feed(town: Town, area: str = PADDEPOEL) -> None:
    def work(session: Session) -> None:
        session.add(Account(id="krant", kind="feed", name="Buurtkrant", team_id="noord", area=area))

    town.db.write_now(work)


def heard(name: str = "1", **given: object) -> Incoming:
    said: dict[str, object] = {
        "address": "",
        "sender_name": "Buurtkrant",
        "subject": "Feest",
        "text": "Zaterdag is er feest op het plein.",
        "sent_at_ms": NOON_MS - 1000,
        "link": "https://krant.example/1",
    }
    return Incoming(external_id=name, **(said | given))  # type: ignore[arg-type]


async def brings(town: Town, *items: Incoming, account: str = "krant") -> None:
    """Let the channel bring these, as fetching does."""
    fetching = Fetching(town.db, SetClock(NOON_MS), lambda _account: None, max_bytes=1_000_000)
    await fetching.take(account, Batch(items, "cursor"))


def listed(town: Town, who: str = "anna") -> list[dict[str, object]]:
    areas = getattr(town, who).areas
    found: list[dict[str, object]] = town.db.read_now(
        lambda session: queries.overview(session, areas)
    )["hits"]
    return found


def conversations(town: Town) -> list[Conversation]:
    return list(town.db.read_now(lambda session: session.exec(select(Conversation)).all()))


async def test_what_a_feed_says_is_heard_once_and_is_no_question(town: Town) -> None:
    await brings(town, heard(), heard("2", subject="Markt"))
    await brings(town, heard())
    assert {hit["title"] for hit in listed(town)} == {"Feest", "Markt"}
    assert conversations(town) == []


async def test_it_is_heard_only_by_who_sees_the_area(town: Town) -> None:
    await brings(town, heard())
    assert listed(town, "chaima") == []
    (hit,) = listed(town, "anna")
    (result,) = town.does(town.chaima, op("adopt", uuid7(), hit=hit["id"]))
    assert (result["outcome"], result["reason"]) == ("rejected", "gone")
    (result,) = town.does(town.chaima, op("mute", None, hit=hit["id"]))
    assert (result["outcome"], result["reason"]) == ("rejected", "gone")


async def test_one_tap_makes_it_a_conversation_and_keeps_no_second_copy(town: Town) -> None:
    await brings(town, heard())
    (hit,) = listed(town)
    conversation_id = uuid7()
    (result,) = town.does(town.anna, op("adopt", conversation_id, hit=hit["id"]))
    assert (result["outcome"], result["detail"]) == ("applied", conversation_id)
    begun = town.conversation(conversation_id)
    assert (begun.area, begun.subject, begun.why_not) == (PADDEPOEL, "Feest", "by_hand")
    (message,) = town.timeline(conversation_id)
    assert message.text == "Zaterdag is er feest op het plein."
    assert (message.link, message.public) == ("https://krant.example/1", True)
    assert message.notices == ["overheard"]
    (hit,) = listed(town)
    assert (hit["conversation"], hit["text"], hit["author"]) == (conversation_id, "", "")
    await brings(town, heard(kind="edit", text="Het feest gaat niet door."))
    assert listed(town)[0]["text"] == ""


async def test_two_colleagues_who_tap_make_one_conversation(town: Town) -> None:
    await brings(town, heard())
    (hit,) = listed(town)
    first = uuid7()
    town.does(town.anna, op("adopt", first, hit=hit["id"]))
    (result,) = town.does(town.bram, op("adopt", uuid7(), hit=hit["id"]))
    assert (result["outcome"], result["detail"]) == ("applied", first)
    assert [one.id for one in conversations(town)] == [first]


async def test_what_was_said_where_we_can_answer_is_answered_there(town: Town) -> None:
    town.db.write_now(
        lambda session: session.add(
            Account(id="post", kind="email", name="post", team_id="noord", area=PADDEPOEL)
        )
    )
    found = town.db.write_now(
        lambda session: service.take(
            session,
            service.Heard("post", PADDEPOEL, "search:1"),
            heard(address="jan@x.example", sender_name="Jan"),
            now_ms=NOON_MS,
        )
    )
    conversation_id = uuid7()
    town.does(town.anna, op("adopt", conversation_id, hit=found))
    begun = town.conversation(conversation_id)
    assert (begun.address, begun.why_not) == ("jan@x.example", None)
    (result,) = town.does(town.anna, op("reply", conversation_id, 1, text="Leuk!"))
    assert result["outcome"] == "applied"


async def test_a_muted_source_is_silent_in_that_area_and_can_be_heard_again(town: Town) -> None:
    await brings(town, heard())
    (hit,) = listed(town)
    (result,) = town.does(town.anna, op("mute", None, hit=hit["id"]))
    assert result["outcome"] == "applied"
    assert listed(town) == []
    await brings(town, heard("2"))
    assert listed(town) == []
    known = town.db.read_now(lambda session: len(session.exec(select(Hit)).all()))
    assert known == 1


async def test_what_was_removed_at_its_source_is_removed_here(town: Town) -> None:
    await brings(town, heard(), heard("2"))
    await brings(town, heard(kind="delete"))
    assert len(listed(town)) == 1


async def test_what_is_old_is_not_taken_and_what_became_old_is_forgotten(town: Town) -> None:
    await brings(town, heard(), heard("oud", sent_at_ms=NOON_MS - 31 * DAY_MS))
    assert len(listed(town)) == 1
    town.db.write_now(lambda session: service.forget(session, now_ms=NOON_MS + 31 * DAY_MS))
    assert listed(town) == []


async def test_a_long_list_comes_in_pages_without_a_hole(town: Town) -> None:
    count = queries.PAGE + 30
    await brings(
        town,
        *(heard(str(n), subject=str(n), sent_at_ms=NOON_MS - 60_000 + n) for n in range(count)),
    )
    seen: list[str] = []
    before: str | None = None
    while True:
        page = town.db.read_now(
            lambda session, before=before: queries.overview(session, town.anna.areas, before=before)
        )
        seen += [hit["title"] for hit in page["hits"]]
        before = page["next"]
        if before is None:
            break
    assert seen == [str(n) for n in reversed(range(count))]


class Ears:
    """A platform on which can be searched; `answers` is asked for each search."""

    capabilities = Capabilities(max_chars=500)

    def __init__(self, answers: Callable[[str, str | None], Awaitable[Batch]]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, str | None]] = []

    def new_external_id(self, delivery_id: str) -> str:
        return delivery_id

    async def check(self) -> None:
        """Nothing to check."""

    async def close(self) -> None:
        """Nothing to close."""

    async def search(self, query: str, cursor: str | None) -> Batch:
        self.asked.append((query, cursor))
        return await self._answers(query, cursor)


def listens_for(town: Town, query: str, account: str = "krant") -> None:
    town.db.write_now(
        lambda session: session.add(
            SavedSearch(
                id=uuid7(), scope=PADDEPOEL, account_id=account, query=query, made_at_ms=NOON_MS
            )
        )
    )


async def test_a_saved_search_is_looked_at_when_due_and_goes_on_where_it_was(town: Town) -> None:
    async def answers(_query: str, cursor: str | None) -> Batch:
        return Batch((heard(f"na-{cursor}"),), "verder")

    listens_for(town, "#paddepoel")
    clock, ears = SetClock(NOON_MS), Ears(answers)
    searches = Searches(town.db, clock, lambda _account: ears)
    assert await searches.once() == 1
    assert await searches.once() == 0
    clock.forward(s=EVERY_MS // 1000 + 1)
    assert await searches.once() == 1
    assert ears.asked == [("#paddepoel", None), ("#paddepoel", "verder")]
    assert len(listed(town)) == 2


async def test_a_search_that_fails_says_why_and_holds_up_only_its_own_account(town: Town) -> None:
    async def answers(query: str, _cursor: str | None) -> Batch:
        if query == "stuk":
            raise Temporary("rate_limited", retry_after_s=3600)
        return Batch((heard(query),), "x")

    town.db.write_now(
        lambda session: session.add(Account(id="a", kind="feed", name="a", team_id="noord"))
    )
    listens_for(town, "stuk", "a")
    listens_for(town, "goed")
    clock, ears = SetClock(NOON_MS), Ears(answers)
    await Searches(town.db, clock, lambda _account: ears).once()
    assert len(listed(town)) == 1

    def stored(session: Session) -> dict[str, tuple[str, int]]:
        return {
            one.query: (one.trouble, one.due_at_ms) for one in session.exec(select(SavedSearch))
        }

    assert town.db.read_now(stored) == {
        "stuk": ("rate_limited", NOON_MS + 3_600_000),
        "goed": ("", NOON_MS + EVERY_MS),
    }


async def test_an_account_that_is_told_to_wait_asks_nothing_more_and_keeps_no_other_out(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answers(query: str, _cursor: str | None) -> Batch:
        if query.startswith("stuk"):
            raise Temporary("rate_limited", retry_after_s=3600)
        return Batch((heard(query),), "x")

    monkeypatch.setattr("app.channels.searching.BATCH", 3)
    town.db.write_now(
        lambda session: session.add(Account(id="a", kind="feed", name="a", team_id="noord"))
    )
    for number in range(4):
        listens_for(town, f"stuk {number}", "a")
    listens_for(town, "goed")
    clock, ears = SetClock(NOON_MS), Ears(answers)
    searches = Searches(town.db, clock, lambda _account: ears)
    await searches.once()
    await searches.once()
    assert sorted(query for query, _ in ears.asked) == ["goed", "stuk 0"]


async def test_a_search_that_never_ends_is_given_up(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answers(_query: str, _cursor: str | None) -> Batch:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr("app.channels.searching.SEARCH_S", 0.01)
    listens_for(town, "feest")
    async with asyncio.timeout(10):
        await Searches(town.db, SetClock(NOON_MS), lambda _account: Ears(answers)).once()
    found = town.db.read_now(lambda session: queries.overview(session, town.anna.areas))
    assert [one["trouble"] for one in found["searches"]] == ["no_answer"]


async def test_what_a_search_cannot_promise_is_said_until_it_can(town: Town) -> None:
    async def answers(_query: str, cursor: str | None) -> Batch:
        return Batch((), "verder", remark="" if cursor else "words_maybe_own")

    listens_for(town, "feest")
    clock = SetClock(NOON_MS)
    searches = Searches(town.db, clock, lambda _account: Ears(answers))
    said = []
    for _ in range(2):
        await searches.once()
        found = town.db.read_now(lambda session: queries.overview(session, town.anna.areas))
        said.append(found["searches"][0]["trouble"])
        clock.forward(s=EVERY_MS // 1000 + 1)
    assert said == ["words_maybe_own", ""]


async def test_the_list_and_its_searches_are_kept_to_her_areas(
    neighbourhood: Neighbourhood,
) -> None:
    town, http = neighbourhood.town, neighbourhood.resident.http
    follow_a_feed(town)
    neighbourhood.app.state.can_search = lambda kind: kind == "feed"
    anna, chaima = neighbourhood.signs_in(town.anna), neighbourhood.signs_in(town.chaima)
    at = "/api/v1/listening"
    wanted = {"area": PADDEPOEL, "account": "krant", "query": "#paddepoel"}
    made = await http.post(f"{at}/searches", json=wanted, headers=as_(anna))
    assert made.status_code == 201, made.text
    assert (await http.post(f"{at}/searches", json=wanted, headers=as_(anna))).status_code == 409
    elsewhere = wanted | {"area": HELPMAN}
    assert (await http.post(f"{at}/searches", json=elsewhere, headers=as_(anna))).status_code == 404
    other = wanted | {"account": "web-noord"}
    assert (await http.post(f"{at}/searches", json=other, headers=as_(anna))).status_code == 400
    mine = (await http.get(at, headers=as_(anna))).json()
    assert [one["query"] for one in mine["searches"]] == ["#paddepoel"]
    assert (await http.get(at, headers=as_(chaima))).json()["searches"] == []
    path = f"{at}/searches/{made.json()['id']}"
    assert (await http.delete(path, headers=as_(chaima))).status_code == 404
    assert (await http.delete(path, headers=as_(anna))).status_code == 204
    assert (await http.get(at)).status_code == 401


async def test_unmuting_shows_again_what_was_there(neighbourhood: Neighbourhood) -> None:
    town, http = neighbourhood.town, neighbourhood.resident.http
    follow_a_feed(town)
    anna, chaima = neighbourhood.signs_in(town.anna), neighbourhood.signs_in(town.chaima)
    await brings(town, heard())
    (hit,) = listed(town)
    town.does(town.anna, op("mute", None, hit=hit["id"]))
    (muted,) = (await http.get("/api/v1/listening", headers=as_(anna))).json()["muted"]
    assert muted["label"] == "Buurtkrant"
    path = f"/api/v1/listening/muted/{muted['id']}"
    assert (await http.delete(path, headers=as_(chaima))).status_code == 404
    assert (await http.delete(path, headers=as_(anna))).status_code == 204
    assert len(listed(town)) == 1
