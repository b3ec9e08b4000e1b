"""Words are listened for where a server looks for them; where it does not, that is said."""

from collections.abc import Iterator

import pytest

from app.channels.contract import Incoming, Permanent, Searching, SignedOut, Temporary
from app.channels.mastodon import MastodonChannel
from app.channels.social_search import LATE_MS, MAX_ITEMS, MAX_SEEN, Memory, read_memory
from tests.channels import mastodons
from tests.peers.mastodon import Mastodon
from tests.support.proxy import FaultProxy, once
from tests.support.town import NOON_MS

SEARCH = "/api/v2/search"


@pytest.fixture(params=[{}, {"opaque_ids": True}, {"search_by_fit": True}])
def server(request: pytest.FixtureRequest) -> Iterator[Mastodon]:
    with mastodons.running(**request.param) as server:
        yield server


async def heard(
    account: MastodonChannel, query: str = "paddepoel", cursor: str | None = None
) -> tuple[list[Incoming], str | None, str]:
    """Return what is new, the cursor, and what the search remarks of itself."""
    assert isinstance(account, Searching)
    found: list[Incoming] = []
    while True:
        batch = await account.search(query, cursor)
        found += [item for item in batch.items if isinstance(item, Incoming)]
        cursor = batch.cursor
        if not batch.more:
            return found, cursor, batch.remark


async def test_words_are_heard_oldest_first_and_each_post_once(server: Mastodon) -> None:
    server.post("fatma", "Wat een feest in Paddepoel!", ago_s=5)
    server.post("jan@elders.example", "Ik kom ook naar Paddepoel, hoor")
    server.post("fatma", "Mooi weer in Helpman")
    account = mastodons.open_account(server)
    found, cursor, remark = await heard(account)
    assert [item.text for item in found] == [
        "Wat een feest in Paddepoel!",
        "Ik kom ook naar Paddepoel, hoor",
    ]
    assert found[1].address == "jan@elders.example"
    assert found[0].public
    assert remark == ""
    assert await heard(account, cursor=cursor) == ([], cursor, "")
    server.post("fatma", "Nog eens Paddepoel")
    found, _, _ = await heard(account, cursor=cursor)
    assert [item.text for item in found] == ["Nog eens Paddepoel"]
    await account.close()


async def test_a_post_that_reached_the_server_late_is_not_missed() -> None:
    with mastodons.running() as server:
        server.post("fatma", "Paddepoel nu")
        account = mastodons.open_account(server)
        _, cursor, _ = await heard(account)
        server.post("jan@elders.example", "Paddepoel eerder", ago_s=3 * 3600)
        found, _, _ = await heard(account, cursor=cursor)
        assert [item.text for item in found] == ["Paddepoel eerder"]
        await account.close()


async def test_a_phrase_is_passed_on_as_it_was_typed(server: Mastodon) -> None:
    server.post("fatma", "De brug over het Reitdiep is open")
    server.post("fatma", "Het Reitdiep stroomt onder de brug")
    account = mastodons.open_account(server)
    found, _, _ = await heard(account, '"het  Reitdiep is"')
    assert [item.text for item in found] == ["De brug over het Reitdiep is open"]
    await account.close()


async def test_private_posts_old_ones_and_our_own_are_not_heard(server: Mastodon) -> None:
    server.post("fatma", f"@{mastodons.TEAM} stil: Paddepoel", "direct")
    server.post("fatma", "Lang geleden in Paddepoel", ago_s=8 * 24 * 3600)
    server.post(mastodons.TEAM, "Wij zijn in Paddepoel")
    account = mastodons.open_account(server)
    found, _, remark = await heard(account)
    assert found == []
    assert remark == "words_maybe_own"
    await account.close()


async def test_many_posts_come_a_bounded_number_at_a_time(server: Mastodon) -> None:
    for number in range(MAX_ITEMS + 10):
        server.post("fatma", f"{number} in Paddepoel", ago_s=600 - number)
    account = mastodons.open_account(server)
    found, _, _ = await heard(account)
    assert [item.text for item in found] == [f"{n} in Paddepoel" for n in range(MAX_ITEMS + 10)]
    await account.close()


@pytest.mark.parametrize("search", ["own", "nothing"])
async def test_a_server_that_finds_only_our_own_says_so_until_it_finds_more(search: str) -> None:
    with mastodons.running(search=search) as server:
        server.post("fatma", "Feest in Paddepoel")
        server.post("fatma", f"@{mastodons.TEAM} komen jullie naar Paddepoel?")
        account = mastodons.open_account(server)
        found, cursor, remark = await heard(account)
        # What was said to us proves nothing: a server finds that without looking through all posts.
        assert [item.text for item in found] == (
            [f"@{mastodons.TEAM} komen jullie naar Paddepoel?"] if search == "own" else []
        )
        assert remark == "words_maybe_own"
        server.habits.search = "all"
        found, _, remark = await heard(account, cursor=cursor)
        assert "Feest in Paddepoel" in [item.text for item in found]
        assert remark == ""
        await account.close()


async def test_a_server_without_the_call_takes_hashtags_only() -> None:
    with mastodons.running(search="missing") as server:
        server.post("fatma", "Feest in #paddepoel")
        account = mastodons.open_account(server)
        with pytest.raises(Permanent, match="hashtags_only"):
            await account.search("paddepoel", None)
        assert len((await heard(account, "#paddepoel"))[0]) == 1
        await account.close()


async def test_a_token_that_may_not_search_is_told_apart_from_one_that_ended() -> None:
    with mastodons.running() as server:
        account = mastodons.open_account(server)
        server.forbids_searching = True
        with pytest.raises(Permanent, match="search_not_allowed"):
            await account.search("paddepoel", None)
        server.tokens.clear()
        with pytest.raises(SignedOut, match="token_refused"):
            await account.search("paddepoel", None)
        await account.close()


@pytest.mark.parametrize(
    ("status", "code"), [(429, "rate_limited"), (503, "platform_busy"), (500, "platform_busy")]
)
async def test_a_busy_server_is_asked_again_later_and_nothing_is_missed(
    status: int, code: str
) -> None:
    with mastodons.running() as server:
        server.post("fatma", "Feest in Paddepoel")
        account = mastodons.open_account(server)
        server.next_answers["GET", SEARCH] = status
        with pytest.raises(Temporary) as busy:
            await account.search("paddepoel", None)
        assert busy.value.code == code
        assert len((await heard(account))[0]) == 1
        await account.close()


@pytest.mark.parametrize("fault", ["lost", "cut_response", "portal"])
async def test_an_answer_that_got_lost_on_the_way_costs_nothing(fault: str) -> None:
    with mastodons.running() as server:
        server.post("fatma", "Feest in Paddepoel")
        async with FaultProxy(server.port) as line:
            account = mastodons.open_account(server, port=line.port)
            line.weather = once(fault, SEARCH)
            with pytest.raises(Temporary):
                await account.search("paddepoel", None)
            assert line.did[fault] == 1
            assert len((await heard(account))[0]) == 1
            await account.close()


@pytest.mark.parametrize("cursor", ["", "x", "[]", "{}", '["1",2]', '{"newest_ms":1,"seen":[]}'])
async def test_a_cursor_that_nobody_knows_starts_over(cursor: str) -> None:
    with mastodons.running() as server:
        server.post("fatma", "Feest in Paddepoel")
        account = mastodons.open_account(server)
        assert len((await heard(account, cursor=cursor))[0]) == 1
        await account.close()


def test_what_is_remembered_stays_small_and_no_look_meets_what_was_forgotten() -> None:
    memory = Memory()
    memory.keep((str(number), NOON_MS + number) for number in range(3 * MAX_SEEN))
    assert len(memory.seen) == MAX_SEEN
    assert memory.knows(str(3 * MAX_SEEN - 1))
    memory.keep([("later", NOON_MS + 2 * LATE_MS)])
    assert len(memory.seen) == 1
    assert read_memory(memory.write()) == memory
