"""Listening on Bluesky: against its makers' own app view, and one that is written from the lexicon.

The real one searches as its makers' tests need it: it looks for the exact letters and knows no
`since`. What it leaves out (`since`, many pages, refusals) `View` does as app.bsky.feed.searchPosts
says (lexicon read November 2026); `View` knows nothing of signing in, connections or ranking.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import select

from app.channels import bluesky_search
from app.channels.bluesky import BlueskyChannel
from app.channels.contract import Batch, Incoming, Permanent, Searching, SignedOut, Temporary
from app.channels.models import Account
from app.channels.searching import Searches
from app.channels.social_http import Answer
from app.channels.social_search import FIRST_MS, LATE_MS, MAX_ITEMS, MAX_ROWS, MAX_SEEN
from app.clock import SystemClock
from app.db import Database
from app.inbox.models import Conversation
from app.listening import queries
from app.listening.models import SavedSearch
from tests.channels.blueskies import Team
from tests.peers.bluesky import Bluesky, Line
from tests.support.proxy import once
from tests.support.town import NOON_MS, PADDEPOEL, build

SEARCH = "app.bsky.feed.searchPosts"
US = "did:plc:wij"


@pytest.fixture
async def team(bluesky: Bluesky) -> AsyncIterator[Team]:
    channels: list[BlueskyChannel] = []
    yield Team(bluesky, channels)
    for channel in channels:
        await channel.close()


def messages(batch: Batch) -> list[Incoming]:
    return [item for item in batch.items if isinstance(item, Incoming)]


async def test_words_and_hashtags_are_heard_once_and_ours_are_not(team: Team) -> None:
    channel = team.opens()
    assert isinstance(channel, Searching)
    # A word that no other test's people use.
    word = f"paddepoel{team.fatma.handle.partition('.')[0]}"
    first = team.server.post(team.fatma, f"Feest in #{word}", ago_s=20)
    team.server.post(team.us, f"Wij komen ook naar #{word}", ago_s=10)
    second = team.server.post(team.fatma, f"De brug bij {word} is open")
    team.server.post(team.fatma, "Mooi weer")
    batch = await channel.search(word, None)
    assert [item.external_id for item in batch.items] == [first.uri, second.uri]
    item = messages(batch)[0]
    assert (item.text, item.address, item.public) == (f"Feest in #{word}", team.fatma.did, True)
    assert item.sender_name == f"@{team.fatma.handle}"
    assert item.link == f"https://bsky.app/profile/{team.fatma.did}/post/{first.uri[-13:]}"
    assert not batch.more
    assert (await channel.search(word, batch.cursor)).items == ()
    tagged = await channel.search(f"#{word}", None)
    assert [item.external_id for item in tagged.items] == [first.uri]
    # From a phone that was off: its place is behind what was heard already.
    slow = team.server.post(team.fatma, f"Laat, maar uit {word}", ago_s=3600)
    again = await channel.search(word, batch.cursor)
    assert [item.external_id for item in again.items] == [slow.uri]


async def test_what_is_heard_comes_into_the_listening_list_and_no_inbox(
    team: Team, sqlite_url: str
) -> None:
    database = Database(sqlite_url)
    town = build(database)
    word = f"straatfeest{team.fatma.handle.partition('.')[0]}"
    post = team.server.post(team.fatma, f"Wanneer is het {word}?")
    town.db.write_now(
        lambda session: session.add_all(
            [
                Account(id="blauw", kind="bluesky", name="blauw", team_id="noord"),
                SavedSearch(
                    id="s", scope=PADDEPOEL, account_id="blauw", query=word, made_at_ms=NOON_MS
                ),
            ]
        )
    )
    searches = Searches(town.db, SystemClock(), lambda _account: team.opens())
    assert await searches.once() == 1
    (hit,) = town.db.read_now(lambda session: queries.overview(session, [PADDEPOEL]))["hits"]
    assert (hit["text"], hit["channel"]) == (f"Wanneer is het {word}?", "bluesky")
    assert hit["link"].endswith(post.uri[-13:])
    assert town.db.read_now(lambda session: session.exec(select(Conversation)).all()) == []
    database.close()


@pytest.fixture
async def line(bluesky: Bluesky) -> AsyncIterator[Line]:
    async with Line(bluesky) as line:
        yield line


async def test_whatever_the_line_does_a_later_look_hears_it_all(team: Team, line: Line) -> None:
    channel = team.opens(port=line.port)
    word = f"kermis{team.fatma.handle.partition('.')[0]}"
    post = team.server.post(team.fatma, f"Er is {word}")
    for status, code in ((429, "rate_limited"), (503, "platform_busy"), (500, "platform_busy")):
        line.answers[SEARCH] = (status, {"retry-after": "240"})
        with pytest.raises(Temporary) as busy:
            await channel.search(word, None)
        assert busy.value.code == code
        assert status == 500 or busy.value.retry_after_s == 240
    for fault in ("lost", "cut_response", "portal"):
        line.weather = once(fault, f"/xrpc/{SEARCH}")
        with pytest.raises(Temporary):
            await channel.search(word, None)
        assert line.did[fault] == 1
    line.ended[SEARCH] = team.server.ended_token(team.us)
    batch = await channel.search(word, None)
    assert [item.external_id for item in batch.items] == [post.uri]
    assert line.heard.count("com.atproto.server.refreshSession") == 1


async def test_an_app_password_taken_away_is_a_sign_out(team: Team, line: Line) -> None:
    channel = team.opens(port=line.port)
    await channel.search("paddepoel", None)
    team.server.revoke(team.us)
    line.ended[SEARCH] = team.server.ended_token(team.us)
    with pytest.raises(SignedOut, match="token_refused"):
        await channel.search("paddepoel", None)


class View:
    """An app view with posts of others, as the lexicon says that it answers."""

    def __init__(self, posts: int = 0, *, now_ms: int = NOON_MS) -> None:
        self.now_ms = now_ms
        self.posts = [
            self.made(number, now_ms - (posts - number) * 1000) for number in range(posts)
        ]
        self.refuses: tuple[int, str] | None = None
        self.asked: list[dict[str, str]] = []

    @staticmethod
    def made(number: object, at_ms: int, **more: Any) -> dict[str, Any]:
        did = f"did:plc:{number}"
        said = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
        return {
            "uri": f"at://{did}/app.bsky.feed.post/{number}",
            "cid": f"c{number}",
            "author": {"did": did, "handle": f"iemand{number}.example"},
            "record": {"text": f"nummer {number}", "createdAt": said},
            "indexedAt": said,
        } | more

    async def did(self) -> str:
        return US

    async def ask(self, method: str, name: str, *, params: dict[str, str]) -> Answer:
        assert (method, name) == ("GET", SEARCH)
        assert params["sort"] == "latest"
        assert 1 <= int(params["limit"]) <= 100
        self.asked.append(params)
        if self.refuses:
            status, error = self.refuses
            return Answer(status, {}, json.dumps({"error": error, "message": "x"}).encode())
        since = datetime.fromisoformat(params["since"]).timestamp()
        found = sorted(
            (post for post in self.posts if _sorted_at(post) >= since),
            key=_sorted_at,
            reverse=True,
        )
        at, limit = int(params.get("cursor", 0)), int(params["limit"])
        said: dict[str, Any] = {"posts": found[at : at + limit], "hitsTotal": len(found)}
        if at + limit < len(found):
            said["cursor"] = str(at + limit)
        return Answer(200, {}, json.dumps(said).encode())

    async def hears(self, cursor: str | None = None) -> tuple[list[str], str | None]:
        """Search until nothing is left; return what was said, and the cursor."""
        found: list[str] = []
        for _ in range(3 + len(self.posts) // MAX_ITEMS):
            batch = await self.search("nummer", cursor)
            assert len(batch.items) <= MAX_ITEMS
            found += [item.text for item in messages(batch)]
            cursor = batch.cursor
            if not batch.more:
                return found, cursor
        raise AssertionError("it never ends")

    async def search(self, query: str, cursor: str | None) -> Batch:
        return await bluesky_search.search(self, query, cursor, lambda: self.now_ms)  # type: ignore[arg-type]


def _sorted_at(post: dict[str, Any]) -> float:
    """Return by what the app view sorts: the earlier of said and seen."""
    told = (post["record"]["createdAt"], post["indexedAt"])
    return min(datetime.fromisoformat(one).timestamp() for one in told)


async def test_many_posts_come_once_in_order_and_then_it_is_quiet() -> None:
    view = View(MAX_ROWS)
    found, cursor = await view.hears()
    assert found == [f"nummer {number}" for number in range(MAX_ROWS)]
    view.now_ms += 300_000
    assert await view.hears(cursor) == ([], cursor)
    assert len(json.loads(cursor or "")["seen"]) <= MAX_SEEN


async def test_of_a_storm_the_newest_are_heard_and_it_ends() -> None:
    view = View(4 * MAX_ROWS)
    found, cursor = await view.hears()
    assert found[-1] == f"nummer {4 * MAX_ROWS - 1}"
    assert len(found) == len(set(found)) >= MAX_ROWS
    view.posts.append(View.made("nieuw", view.now_ms))
    assert (await view.hears(cursor))[0] == ["nummer nieuw"]


async def test_only_so_far_back_is_looked_as_is_needed() -> None:
    view = View()
    view.posts = [
        View.made("oud", NOON_MS - FIRST_MS - 1000),
        View.made("vorige-week", NOON_MS - FIRST_MS + 1000),
        View.made("nu", NOON_MS),
    ]
    found, cursor = await view.hears()
    assert found == ["nummer vorige-week", "nummer nu"]
    view.posts += [
        View.made("te-laat", NOON_MS - LATE_MS - 1000),
        View.made("laat", NOON_MS - LATE_MS + 1000),
    ]
    assert (await view.hears(cursor))[0] == ["nummer laat"]


async def test_a_post_from_the_future_does_not_deafen_the_search() -> None:
    view = View()
    ahead = {"text": "nummer straks", "createdAt": "2099-01-01T00:00:00Z"}
    view.posts = [View.made("straks", NOON_MS, record=ahead)]
    found, cursor = await view.hears()
    assert found == ["nummer straks"]
    view.now_ms += 60_000
    view.posts.append(View.made("daarna", view.now_ms))
    assert (await view.hears(cursor))[0] == ["nummer daarna"]


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, "BadQueryString", "query_refused"),
        (403, "Forbidden", "search_not_allowed"),
        (404, "MethodNotImplemented", "cannot_search"),
    ],
)
async def test_a_refusal_is_told_apart(status: int, error: str, code: str) -> None:
    view = View()
    view.refuses = (status, error)
    with pytest.raises(Permanent, match=code):
        await view.search("paddepoel", None)


@pytest.mark.parametrize("query", ["", "#", '""', " !? "])
async def test_where_there_is_no_word_nobody_is_asked(query: str) -> None:
    view = View()
    with pytest.raises(Permanent, match="query_refused"):
        await view.search(query, None)
    assert view.asked == []


async def test_words_go_as_they_were_typed_on_one_line() -> None:
    view = View()
    await view.search('"Van  Starkenborghkanaal"\t#brug', None)
    assert view.asked[0]["q"] == '"Van Starkenborghkanaal" #brug'


@pytest.mark.parametrize(
    "post",
    [
        {},
        {"uri": 3, "author": {"did": "did:plc:x"}},
        {"uri": "at://x", "author": None},
        {"uri": "at://x", "author": {"did": "did:plc:x"}, "record": []},
        {"uri": "https://x.example", "author": {"did": "did:plc:x"}},
    ],
)
async def test_half_an_answer_breaks_nothing(post: dict[str, Any]) -> None:
    class Odd(View):
        async def ask(self, method: str, name: str, *, params: dict[str, str]) -> Answer:
            return Answer(200, {}, json.dumps({"posts": [post, self.posts[0]]}).encode())

    batch = await Odd(1).search("nummer", None)
    assert "nummer 0" in [item.text for item in messages(batch)]


async def test_an_answer_that_is_none_is_asked_for_again_later() -> None:
    class Portal(View):
        async def ask(self, method: str, name: str, *, params: dict[str, str]) -> Answer:
            return Answer(200, {}, b"<h1>Wi-Fi</h1>")

    with pytest.raises(Temporary):
        await Portal().search("nummer", None)


@pytest.mark.parametrize("cursor", ["", "x", "[]", "{}", '{"newest_ms":"a","seen":{}}'])
async def test_a_cursor_that_nobody_knows_starts_over(cursor: str) -> None:
    assert (await View(2).hears(cursor))[0] == ["nummer 0", "nummer 1"]
