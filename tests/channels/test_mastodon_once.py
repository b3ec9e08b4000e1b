"""One post or a question to a person, never two: Mastodon over a line that fails."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from app.channels.contract import Permanent, SignedOut, Temporary, Unconfirmed
from app.channels.mastodon import MastodonChannel
from app.db import Database
from tests.channels.desk import Desk
from tests.channels.mails import reply_to, until
from tests.channels.mastodons import TEAM, messages, open_account, running
from tests.peers.mastodon import Mastodon
from tests.support.proxy import FaultProxy, once

STATUSES = "/api/v1/statuses"


@pytest.fixture(params=[True, False], ids=["keys", "no-keys"])
def server(request: pytest.FixtureRequest) -> Iterator[Mastodon]:
    """A server that knows idempotency keys, and one that does not."""
    with running(idempotency=request.param) as server:
        server.post("fatma", "@stadsdeel Wanneer komt de lamp?")
        yield server


@pytest.fixture
async def line(server: Mastodon) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(server.port) as line:
        yield line


@pytest.fixture
async def channel(server: Mastodon, line: FaultProxy) -> AsyncIterator[MastodonChannel]:
    channel = open_account(server, port=line.port, timeout_s=1.0)
    yield channel
    await channel.close()


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """One kind of database is enough here: the worker has tests of its own on both."""
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.mark.parametrize("fault", ["lost", "error_after", "cut_response", "silent_after"])
async def test_an_answer_lost_after_the_effect_is_looked_up_and_found(
    server: Mastodon, line: FaultProxy, channel: MastodonChannel, fault: str
) -> None:
    (item,) = await messages(channel)
    reply = reply_to(item, channel.new_external_id, item.address)
    line.weather = once(fault, STATUSES, "POST")
    with pytest.raises(Unconfirmed) as lost:
        await channel.send(reply)
    assert lost.value.code == "answer_lost"
    assert line.did[fault] == 1
    (post,) = await _posts(server)
    receipt = await channel.find(reply)
    assert receipt is not None
    assert (receipt.external_id, receipt.state) == (post.id, "sent")


@pytest.mark.parametrize("fault", ["refuse", "cut_request", "silent", "portal", "error"])
async def test_what_was_cut_before_the_effect_is_not_found(
    server: Mastodon, line: FaultProxy, channel: MastodonChannel, fault: str
) -> None:
    (item,) = await messages(channel)
    reply = reply_to(item, channel.new_external_id, item.address)
    line.weather = once(fault, STATUSES, "POST")
    with pytest.raises(Unconfirmed):
        await channel.send(reply)
    assert line.did[fault] == 1
    assert await channel.find(reply) is None
    assert server.by(TEAM) == []


async def test_a_person_who_sends_again_what_was_there_all_along_sends_nothing(
    server: Mastodon, line: FaultProxy, channel: MastodonChannel
) -> None:
    (item,) = await messages(channel)
    reply = reply_to(item, channel.new_external_id, item.address)
    line.weather = once("lost", STATUSES, "POST")
    with pytest.raises(Unconfirmed):
        await channel.send(reply)
    await _posts(server)
    server.forget_keys()
    receipt = await channel.send(reply)
    assert [post.id for post in server.by(TEAM)] == [receipt.external_id]


async def test_the_same_words_in_a_second_reply_are_a_second_reply(
    server: Mastodon, channel: MastodonChannel
) -> None:
    (item,) = await messages(channel)
    first = await channel.send(reply_to(item, channel.new_external_id, item.address))
    again = reply_to(
        item,
        channel.new_external_id,
        item.address,
        references=(item.external_id, first.external_id),
    )
    second = await channel.send(again)
    assert [post.id for post in server.by(TEAM)] == [first.external_id, second.external_id]


async def test_other_posts_of_ours_prove_nothing(
    server: Mastodon, channel: MastodonChannel
) -> None:
    (item,) = await messages(channel)
    reply = reply_to(item, channel.new_external_id, item.address)
    other = server.post("fatma", "@stadsdeel En de bank?")
    server.post(TEAM, f"@fatma {reply.text}", answers=other.id)
    server.post(TEAM, f"@fatma {reply.text} Toch niet", answers=item.external_id)
    server.post(TEAM, f"@fatma {reply.text}", answers=item.external_id, ago_s=7200)
    server.post("fatma", reply.text, answers=item.external_id)
    assert await channel.find(reply) is None


async def test_a_reply_whose_words_the_server_changed_is_found_by_its_source() -> None:
    with running(rewrites_text=True) as server:
        server.post("fatma", "@stadsdeel Vraag")
        channel = open_account(server)
        (item,) = await messages(channel)
        reply = reply_to(item, channel.new_external_id, item.address)
        receipt = await channel.send(reply)
        assert (await channel.find(reply)).external_id == receipt.external_id
        await channel.close()


async def test_a_direct_answer_that_a_server_lists_nowhere_is_found_under_its_question() -> None:
    with running(hides_direct=True) as server:
        server.post("fatma", "@stadsdeel Vraag", "direct")
        channel = open_account(server)
        (item,) = await messages(channel)
        reply = reply_to(item, channel.new_external_id, item.address)
        receipt = await channel.send(reply)
        server.forget_keys()
        assert (await channel.find(reply)).external_id == receipt.external_id
        assert (await channel.send(reply)).external_id == receipt.external_id
        assert len(server.by(TEAM)) == 1
        await channel.close()


@pytest.mark.parametrize("fault", ["delay", "slow"])
async def test_an_answer_that_is_late_is_an_answer(
    server: Mastodon, line: FaultProxy, channel: MastodonChannel, fault: str
) -> None:
    (item,) = await messages(channel)
    line.weather = once(fault, STATUSES, "POST")
    await channel.send(reply_to(item, channel.new_external_id, item.address))
    assert line.did[fault] == 1
    assert len(server.by(TEAM)) == 1


@pytest.mark.parametrize("header", [True, False], ids=["retry-after", "ratelimit-reset"])
async def test_a_server_that_asks_to_wait_says_how_long(
    server: Mastodon, channel: MastodonChannel, header: bool
) -> None:
    (item,) = await messages(channel)
    server.retry_after_header = header
    reply = reply_to(item, channel.new_external_id, item.address)
    server.next_answers["POST", STATUSES] = 429
    with pytest.raises(Temporary) as limited:
        await channel.send(reply)
    assert limited.value.code == "rate_limited"
    assert limited.value.account_wide
    assert limited.value.retry_after_s == pytest.approx(server.limit_s, abs=3)
    await channel.send(reply)
    assert len(server.by(TEAM)) == 1


async def test_a_gateway_that_says_503_of_what_the_server_did_is_not_believed(
    server: Mastodon, line: FaultProxy, channel: MastodonChannel
) -> None:
    (item,) = await messages(channel)
    line.weather = once("503_after", STATUSES, "POST")
    receipt = await channel.send(reply_to(item, channel.new_external_id, item.address))
    (post,) = await _posts(server)
    assert receipt.external_id == post.id


async def test_while_a_server_is_being_maintained_the_reply_waits(
    server: Mastodon, channel: MastodonChannel
) -> None:
    (item,) = await messages(channel)
    reply = reply_to(item, channel.new_external_id, item.address)
    server.next_answers["POST", STATUSES] = 503
    with pytest.raises(Temporary) as busy:
        await channel.send(reply)
    assert busy.value.code == "platform_busy"
    await channel.send(reply)
    assert len(server.by(TEAM)) == 1


async def test_a_token_that_ends_in_the_middle_sends_nothing(
    server: Mastodon, channel: MastodonChannel
) -> None:
    (item,) = await messages(channel)
    reply = reply_to(item, channel.new_external_id, item.address)
    server.next_answers["POST", STATUSES] = 401
    with pytest.raises(SignedOut):
        await channel.send(reply)
    assert server.by(TEAM) == []


async def test_a_question_deleted_meanwhile_gets_no_answer_and_a_reason(
    server: Mastodon, channel: MastodonChannel
) -> None:
    (item,) = await messages(channel)
    reply = reply_to(item, channel.new_external_id, item.address)
    server.delete(server.find(item.external_id))
    with pytest.raises(Permanent) as gone:
        await channel.send(reply)
    assert gone.value.code == "question_gone"
    assert server.by(TEAM) == []


async def test_a_question_deleted_between_looking_and_posting_gets_no_answer_either(
    server: Mastodon, channel: MastodonChannel
) -> None:
    (item,) = await messages(channel)
    server.next_answers["POST", STATUSES] = 404
    with pytest.raises(Permanent) as gone:
        await channel.send(reply_to(item, channel.new_external_id, item.address))
    assert gone.value.code == "question_gone"


async def test_the_same_words_to_somebody_whose_question_is_gone_are_no_proof(
    server: Mastodon, channel: MastodonChannel
) -> None:
    (first,) = await messages(channel)
    server.post("henk", "@stadsdeel En die van mij?")
    (_, second) = await messages(channel)
    await channel.send(reply_to(first, channel.new_external_id, first.address))
    server.delete(server.find(first.external_id))
    other = reply_to(second, channel.new_external_id, second.address)
    assert await channel.find(other) is None
    receipt = await channel.send(other)
    assert len(await _posts(server)) == 2
    assert receipt.external_id == (await _posts(server))[-1].id


async def test_an_answer_stays_found_when_its_question_is_deleted(
    server: Mastodon, channel: MastodonChannel
) -> None:
    (item,) = await messages(channel)
    reply = reply_to(item, channel.new_external_id, item.address)
    receipt = await channel.send(reply)
    server.delete(server.find(item.external_id))
    assert (await channel.find(reply)).external_id == receipt.external_id
    # Sent again, it is not said to be unsent because its question is gone.
    assert (await channel.send(reply)).external_id == receipt.external_id


async def test_an_edited_question_is_answered_once(
    server: Mastodon, channel: MastodonChannel
) -> None:
    (item,) = await messages(channel)
    server.edit(server.find(item.external_id), "@stadsdeel Wanneer komt de bank?")
    await channel.send(reply_to(item, channel.new_external_id, item.address))
    (post,) = server.by(TEAM)
    assert post.in_reply_to is server.find(item.external_id)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("lost", "sent"),
        ("error_after", "sent"),
        ("cut_response", "sent"),
        ("silent_after", "sent"),
        ("cut_request", "uncertain"),
        ("error", "uncertain"),
        ("portal", "uncertain"),
    ],
)
async def test_the_worker_leaves_one_post_or_a_question(
    server: Mastodon, line: FaultProxy, database: Database, fault: str, state: str
) -> None:
    desk = Desk(database, "mastodon", lambda: open_account(server, port=line.port, timeout_s=1.0))
    reading = open_account(server)
    conversation = desk.takes(*await messages(reading))
    await reading.close()
    desk.answers(conversation)
    line.weather = once(fault, STATUSES, "POST")
    await desk.delivers()
    assert line.did[fault] == 1
    await desk.waits()
    assert [found for found, _ in desk.states] == [state]
    posts = server.by(TEAM)
    assert len(posts) == (state == "sent")
    if posts:
        assert desk.names == [posts[0].id]


async def test_the_worker_waits_as_long_as_it_was_asked_to(
    server: Mastodon, database: Database
) -> None:
    desk = Desk(database, "mastodon", lambda: open_account(server))
    reading = open_account(server)
    desk.answers(desk.takes(*await messages(reading)))
    await reading.close()
    server.next_answers["POST", STATUSES] = 429
    await desk.delivers()
    assert (desk.states, desk.health()) == ([("queued", "rate_limited")], "limited")
    desk.clock.forward(s=server.limit_s - 5)
    await desk.delivers()
    assert server.by(TEAM) == []
    await desk.waits(5_000 + server.limit_s * 250)
    assert (desk.states, len(server.by(TEAM))) == ([("sent", None)], 1)


async def test_the_worker_says_why_a_deleted_question_got_no_answer(
    server: Mastodon, database: Database
) -> None:
    desk = Desk(database, "mastodon", lambda: open_account(server))
    reading = open_account(server)
    desk.answers(desk.takes(*await messages(reading)))
    await reading.close()
    server.delete(server.by("fatma")[0])
    await desk.delivers()
    assert (desk.states, server.by(TEAM)) == ([("failed", "question_gone")], [])


async def test_her_next_message_finds_the_conversation_through_our_reply(
    server: Mastodon, database: Database
) -> None:
    desk = Desk(database, "mastodon", lambda: open_account(server))
    reading = open_account(server)
    first = await messages(reading)
    conversation = desk.takes(*first)
    desk.answers(conversation)
    await desk.delivers()
    (ours,) = server.by(TEAM)
    server.post("fatma", "@stadsdeel Dank!", answers=ours.id)
    _, thanks = await messages(reading)
    await reading.close()
    assert desk.takes(thanks) == conversation


async def _posts(server: Mastodon) -> list:
    """Return our posts as soon as there is one: the line may be cut before the server is done."""

    async def posts() -> list:
        await asyncio.sleep(0)
        return server.by(TEAM)

    return await until(posts)
