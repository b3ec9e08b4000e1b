"""One post and never two: Bluesky's own servers over a line that fails at every moment."""

from collections.abc import AsyncIterator, Iterator

import pytest

from app.channels.bluesky import BlueskyChannel
from app.channels.bluesky_text import facets, tid_of
from app.channels.contract import Permanent, SignedOut, Temporary, Unconfirmed
from app.clock import SystemClock
from app.db import Database
from app.ids import uuid7
from tests.channels.blueskies import Team
from tests.channels.desk import Desk
from tests.peers.bluesky import Bluesky, Line
from tests.support.proxy import Asked, always, calm, once

PUT = "com.atproto.repo.putRecord"
PUT_PATH = f"/xrpc/{PUT}"
EFFECT = ["lost", "error_after", "cut_response", "silent_after"]
NO_EFFECT = ["refuse", "cut_request", "silent", "portal", "error"]


@pytest.fixture
async def team(bluesky: Bluesky) -> AsyncIterator[Team]:
    channels: list = []
    yield Team(bluesky, channels)
    for channel in channels:
        await channel.close()


@pytest.fixture
async def line(bluesky: Bluesky) -> AsyncIterator[Line]:
    async with Line(bluesky) as line:
        yield line


@pytest.fixture
def channel(team: Team, line: Line) -> BlueskyChannel:
    return team.opens(port=line.port, timeout_s=2.0)


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """One kind of database is enough here: the worker has tests of its own on both."""
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.mark.parametrize("fault", [*EFFECT, *NO_EFFECT, "twice", "delay", "slow"])
async def test_a_line_that_fails_once_leaves_one_post(
    team: Team, line: Line, channel: BlueskyChannel, fault: str
) -> None:
    item = await team.asks(channel)
    reply = team.reply(item)
    line.weather = once(fault, PUT_PATH)
    receipt = await channel.send(reply)
    assert line.did[fault] == 1
    assert (receipt.external_id, receipt.state) == (reply.external_id, "sent")
    assert [post["uri"].rpartition("/")[2] for post in team.posts] == [reply.external_id]


@pytest.mark.parametrize("fault", EFFECT)
async def test_where_no_answer_ever_comes_the_effect_is_found(
    team: Team, line: Line, channel: BlueskyChannel, fault: str
) -> None:
    item = await team.asks(channel)
    reply = team.reply(item)
    line.weather = always(fault, PUT_PATH)
    with pytest.raises(Unconfirmed) as lost:
        await channel.send(reply)
    assert lost.value.code == "answer_lost"
    assert line.did[fault] == 2
    receipt = await channel.find(reply)
    assert receipt is not None
    assert receipt.external_id == reply.external_id
    assert len(team.posts) == 1


@pytest.mark.parametrize("fault", NO_EFFECT)
async def test_where_nothing_ever_arrives_nothing_is_found(
    team: Team, line: Line, channel: BlueskyChannel, fault: str
) -> None:
    item = await team.asks(channel)
    reply = team.reply(item)
    line.weather = always(fault, PUT_PATH)
    with pytest.raises(Unconfirmed):
        await channel.send(reply)
    assert line.did[fault] == 2
    assert await channel.find(reply) is None
    assert team.posts == []


@pytest.mark.parametrize("status", [400, 401, 403, 429, 503])
async def test_a_refusal_after_a_lost_answer_says_nothing_of_the_first(
    team: Team, line: Line, channel: BlueskyChannel, status: int
) -> None:
    item = await team.asks(channel)
    reply = team.reply(item)

    def lost_then_refused(asked: Asked) -> str:
        if not asked.path.startswith(PUT_PATH):
            return "none"
        line.answers[PUT] = (status, {})
        return "lost"

    line.weather = lost_then_refused
    with pytest.raises(Unconfirmed):
        await channel.send(reply)
    # An ended token is renewed and the call made once more, which this line loses as well.
    assert line.did["lost"] == (2 if status == 401 else 1)
    line.weather = calm
    assert (await channel.find(reply)).external_id == reply.external_id
    assert len(team.posts) == 1


async def test_the_same_reply_sent_again_is_no_second_commit(
    team: Team, channel: BlueskyChannel
) -> None:
    item = await team.asks(channel)
    reply = team.reply(item, text="Zie https://gemeente.example #lamp")
    await channel.send(reply)
    before = team.posts
    team.server.delete(team.fatma, team.server_post(item))
    receipt = await channel.send(reply)
    assert receipt.external_id == reply.external_id
    assert team.posts == before


@pytest.mark.parametrize(("header", "wait_s"), [("retry-after", 240), ("ratelimit-reset", 600)])
async def test_a_server_that_asks_to_wait_says_how_long(
    team: Team, line: Line, channel: BlueskyChannel, header: str, wait_s: int
) -> None:
    item = await team.asks(channel)
    reply = team.reply(item)
    now_s = SystemClock().now_ms() // 1000
    said = wait_s if header == "retry-after" else now_s + wait_s
    line.answers[PUT] = (429, {header: str(said)})
    with pytest.raises(Temporary) as limited:
        await channel.send(reply)
    assert limited.value.code == "rate_limited"
    assert limited.value.account_wide
    assert wait_s - 60 < limited.value.retry_after_s <= wait_s
    assert team.posts == []
    await channel.send(reply)
    assert len(team.posts) == 1


async def test_while_a_server_is_being_maintained_the_reply_waits(
    team: Team, line: Line, channel: BlueskyChannel
) -> None:
    item = await team.asks(channel)
    line.answers[PUT] = (503, {})
    with pytest.raises(Temporary) as busy:
        await channel.send(team.reply(item))
    assert busy.value.code == "platform_busy"
    assert team.posts == []


@pytest.mark.parametrize("call", [PUT, "app.bsky.feed.getPosts"])
async def test_a_token_that_ends_in_the_middle_is_renewed_and_one_post_goes(
    team: Team, line: Line, channel: BlueskyChannel, call: str
) -> None:
    item = await team.asks(channel)
    line.ended[call] = team.server.ended_token(team.us)
    await channel.send(team.reply(item))
    assert line.ended == {}
    assert line.heard.count("com.atproto.server.refreshSession") == 1
    assert len(team.posts) == 1


async def test_an_app_password_taken_away_is_a_sign_out_and_nothing_goes(
    team: Team, line: Line, channel: BlueskyChannel
) -> None:
    item = await team.asks(channel)
    team.server.revoke(team.us)
    line.ended[PUT] = team.server.ended_token(team.us)
    with pytest.raises(SignedOut) as refused:
        await channel.send(team.reply(item))
    assert refused.value.code == "token_refused"
    assert team.posts == []


async def test_senders_of_one_account_share_its_session(team: Team, line: Line) -> None:
    for _ in range(3):
        channel = team.opens(port=line.port)
        await channel.check()
        await channel.close()
    assert line.heard.count("com.atproto.server.createSession") == 1


async def test_a_question_deleted_meanwhile_gets_no_answer_and_a_reason(
    team: Team, channel: BlueskyChannel
) -> None:
    item = await team.asks(channel)
    team.server.delete(team.fatma, team.server_post(item))
    with pytest.raises(Permanent) as gone:
        await channel.send(team.reply(item))
    assert gone.value.code == "question_gone"
    assert team.posts == []


async def test_a_question_changed_meanwhile_is_answered_as_it_now_is(
    team: Team, channel: BlueskyChannel
) -> None:
    item = await team.asks(channel)
    question = team.server_post(item)
    team.server.rewrite(team.fatma, question, f"@{team.us.handle} Wanneer komt de bank?")
    await channel.send(team.reply(item))
    (post,) = team.posts
    parent = post["value"]["reply"]["parent"]
    assert parent["uri"] == item.external_id
    assert parent["cid"] == team.server.view(question)["cid"] != question.cid


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("lost", "sent"),
        ("error_after", "sent"),
        ("cut_request", "uncertain"),
        ("portal", "uncertain"),
    ],
)
async def test_the_worker_leaves_one_post_or_a_question(
    team: Team, line: Line, database: Database, fault: str, state: str
) -> None:
    item = await team.asks(team.opens())
    desk = Desk(database, "bluesky", lambda: team.opens(port=line.port, timeout_s=2.0))
    desk.answers(desk.takes(item))
    line.weather = always(fault, PUT_PATH)
    await desk.delivers()
    assert line.did[fault] == 2
    await desk.waits()
    assert [found for found, _ in desk.states] == [state]
    assert [post["uri"].rpartition("/")[2] for post in team.posts] == (
        desk.names if state == "sent" else []
    )


async def test_her_next_message_finds_the_conversation_through_our_reply(
    team: Team, database: Database
) -> None:
    item = await team.asks(team.opens())
    desk = Desk(database, "bluesky", team.opens)
    conversation = desk.takes(item)
    desk.answers(conversation)
    await desk.delivers()
    assert desk.states == [("sent", None)]
    thanks = await team.thanks(team.opens())
    assert desk.takes(thanks) == conversation


def test_a_record_key_is_a_valid_tid_and_the_deliverys_own() -> None:
    keys = {tid_of(uuid7()) for _ in range(1000)}
    assert len(keys) == 1000
    assert all(len(key) == 13 and key[0] in "234567abcdefghij" for key in keys)
    assert tid_of("x") == tid_of("x")


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("zie https://a.example/b?c=d.", ["https://a.example/b?c=d"]),
        ("(https://nl.wikipedia.example/wiki/Stoep_(bouw))", [
            "https://nl.wikipedia.example/wiki/Stoep_(bouw)"
        ]),
        ("é👍🏽 @fatma.test, mail f@fatma.test", ["@fatma.test"]),
        ("@fatma.test.", ["@fatma.test"]),
        ("#één, #2026 en#niet #ja!", ["#één", "#ja"]),
        ("https://a.example/@fatma.test", ["https://a.example/@fatma.test"]),
        ("niets", []),
    ],
)  # fmt: skip
def test_marks_lie_on_the_bytes_of_what_they_mark(text: str, marked: list[str]) -> None:
    found = facets(text, {"fatma.test": "did:plc:fatma"})
    raw = text.encode()
    spans = [raw[one["index"]["byteStart"] : one["index"]["byteEnd"]].decode() for one in found]
    assert spans == marked
