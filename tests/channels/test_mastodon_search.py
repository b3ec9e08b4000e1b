"""What is said under a hashtag is heard once, from servers of every habit, and is no question."""

from collections.abc import Iterator

import pytest

from app.channels.contract import Incoming, Permanent, Searching
from app.channels.mastodon import MastodonChannel
from app.channels.social_search import MAX_ITEMS
from tests.channels import mastodons
from tests.peers.mastodon import Mastodon


@pytest.fixture(params=[{}, {"opaque_ids": True, "since_id": False, "default_limit": 1}])
def server(request: pytest.FixtureRequest) -> Iterator[Mastodon]:
    with mastodons.running(**request.param) as server:
        yield server


async def heard(
    account: MastodonChannel, query: str = "#paddepoel", cursor: str | None = None
) -> tuple[list[Incoming], str | None]:
    assert isinstance(account, Searching)
    found: list[Incoming] = []
    while True:
        batch = await account.search(query, cursor)
        found += [item for item in batch.items if isinstance(item, Incoming)]
        cursor = batch.cursor
        if not batch.more:
            return found, cursor


async def test_a_hashtag_is_heard_oldest_first_and_each_post_once(server: Mastodon) -> None:
    server.post("fatma", "Feest in #Paddepoel!")
    server.post("jan@elders.example", "Ik kom ook naar #paddepoel")
    server.post("fatma", "Mooi weer in #helpman")
    account = mastodons.open_account(server)
    found, cursor = await heard(account)
    assert [item.text for item in found] == ["Feest in #Paddepoel!", "Ik kom ook naar #paddepoel"]
    assert found[1].address == "jan@elders.example"
    assert found[0].public
    assert await heard(account, cursor=cursor) == ([], cursor)
    server.post("fatma", "Tot zo in #paddepoel")
    found, _ = await heard(account, cursor=cursor)
    assert [item.text for item in found] == ["Tot zo in #paddepoel"]
    await account.close()


async def test_our_own_posts_and_old_ones_are_not_heard(server: Mastodon) -> None:
    server.post("fatma", "Lang geleden in #paddepoel", ago_s=8 * 24 * 3600)
    server.post(mastodons.TEAM, "Wij zijn in #paddepoel")
    account = mastodons.open_account(server)
    assert (await heard(account))[0] == []
    await account.close()


async def test_many_posts_come_a_bounded_number_at_a_time(server: Mastodon) -> None:
    for number in range(MAX_ITEMS + 10):
        server.post("fatma", f"{number} in #paddepoel")
    account = mastodons.open_account(server)
    found, _ = await heard(account)
    assert [item.text for item in found] == [f"{n} in #paddepoel" for n in range(MAX_ITEMS + 10)]
    await account.close()


@pytest.mark.parametrize("query", ["#", '" "', "!?", ""])
async def test_where_there_is_no_word_nobody_is_asked(server: Mastodon, query: str) -> None:
    account = mastodons.open_account(server)
    asked = len(server.asked)
    with pytest.raises(Permanent, match="query_refused"):
        await account.search(query, None)
    assert "/api/v2/search" not in {path for _, path in server.asked[asked:]}
    await account.close()


async def test_what_only_begins_like_a_hashtag_leads_to_no_other_page(server: Mastodon) -> None:
    account = mastodons.open_account(server)
    await account.search("#../../admin", None)
    assert server.asked[-1] == ("GET", "/api/v2/search")
    await account.close()


@pytest.mark.parametrize("cursor", ["", "x", "[]", "{}", "[1]", '["a","b"]'])
async def test_a_cursor_that_nobody_knows_starts_over(server: Mastodon, cursor: str) -> None:
    server.post("fatma", "Feest in #paddepoel")
    account = mastodons.open_account(server)
    assert len((await heard(account, cursor=cursor))[0]) == 1
    await account.close()
