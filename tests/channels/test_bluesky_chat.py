"""Private messages on Bluesky: they come in once, and what goes out is out once or uncertain."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.channels import bluesky_session
from app.channels.bluesky import BlueskyChannel, build
from app.channels.bluesky_chat import GOES_ON_MS
from app.channels.contract import (
    Incoming,
    OutgoingAttachment,
    Permanent,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.clock import SystemClock
from app.db import Database
from app.inbox.models import Conversation
from tests.channels.desk import Desk
from tests.channels.mails import reply_to
from tests.peers.bluesky_chat import PASSWORD, US, BlueskyChat
from tests.support.proxy import FaultProxy, always, calm, once

SEND = "chat.bsky.convo.sendMessage"
LOG = "chat.bsky.convo.getLog"


@pytest.fixture
async def server() -> AsyncIterator[BlueskyChat]:
    async with BlueskyChat() as server:
        yield server


@pytest.fixture
async def line(server: BlueskyChat) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(server.port) as line:
        yield line


@pytest.fixture
async def channel(line: FaultProxy) -> AsyncIterator[BlueskyChannel]:
    channel = opened(line.port)
    yield channel
    await channel.close()


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    yield database
    database.close()


def opened(port: int, **config: Any) -> BlueskyChannel:
    given = {
        "identifier": "stadsdeel.example",
        "service": f"http://127.0.0.1:{port}",
        "timeout_s": 4.0,
        "messages": "yes",
        **config,
    }
    bluesky_session._SESSIONS.clear()  # a port may be given out again
    return build(given, json.dumps({"app_password": PASSWORD}), SystemClock().now_ms)


async def heard(
    channel: BlueskyChannel, cursor: str | None = None
) -> tuple[list[Incoming], str | None]:
    batch = await channel.fetch(cursor)
    return [item for item in batch.items if isinstance(item, Incoming)], batch.cursor


async def test_what_was_there_and_what_comes_is_heard_once_and_in_order(
    server: BlueskyChat, channel: BlueskyChannel
) -> None:
    server.says("fatma", "Hallo, mag ik iets vragen?", ago_s=60)
    found, cursor = await heard(channel)
    assert [item.text for item in found] == ["Hallo, mag ik iets vragen?"]
    (item,) = found
    assert (item.address, item.public) == ("did:plc:fatma dm", False)
    assert item.sender_name == "@fatma.example"
    assert item.external_id.startswith("dm:")
    assert await heard(channel, cursor) == ([], cursor)
    server.says("jan", "Dag!", ago_s=2)
    server.says("fatma", "Het gaat over de lamp", ago_s=1)
    found, cursor = await heard(channel, cursor)
    assert [item.text for item in found] == ["Dag!", "Het gaat over de lamp"]
    assert found[1].in_reply_to == (item.external_id,)
    assert (await heard(channel, cursor))[0] == []


async def test_more_than_a_page_of_the_log_is_read_to_its_end(
    server: BlueskyChat, channel: BlueskyChannel
) -> None:
    _, cursor = await heard(channel)
    for number in range(70):
        server.says(f"iemand{number}", f"nummer {number}", ago_s=70 - number)
    found, cursor = await heard(channel, cursor)
    assert [item.text for item in found] == [f"nummer {number}" for number in range(70)]
    assert (await heard(channel, cursor))[0] == []


async def test_groups_our_own_words_and_what_is_older_than_the_account_are_left_alone(
    server: BlueskyChat, line: FaultProxy
) -> None:
    server.says("fatma", "Lang geleden", ago_s=3600)
    channel = opened(line.port, since_ms=SystemClock().now_ms() - 600_000)
    found, cursor = await heard(channel)
    assert found == []
    server.says("fatma", "In een groep", "jan")
    server._add(server.convos["cfatma-stadsdeel"], US, {"text": "Van ons"})
    assert (await heard(channel, cursor))[0] == []
    await channel.close()


async def test_a_log_that_forgot_us_loses_nothing(
    server: BlueskyChat, channel: BlueskyChannel
) -> None:
    server.says("fatma", "Eerst", ago_s=10)
    _, cursor = await heard(channel)
    server.says("fatma", "Daarna")
    server.forgets_log = True
    found, cursor = await heard(channel, cursor)
    # The first comes again, under the name that intake knows.
    assert [item.text for item in found] == ["Eerst", "Daarna"]
    assert (await heard(channel, cursor))[0] == []


async def test_links_stand_in_full_and_a_shared_post_as_its_page(
    server: BlueskyChat, channel: BlueskyChannel
) -> None:
    text = "zie stad.example/een/la…"
    link = {
        "index": {"byteStart": 4, "byteEnd": len(text.encode())},
        "features": [
            {"$type": "app.bsky.richtext.facet#link", "uri": "https://stad.example/een/lang"}
        ],
    }
    embed = {"record": {"uri": "at://did:plc:jan/app.bsky.feed.post/3abc"}}
    server.says("fatma", text, facets=[link], embed=embed)
    (item,), _ = await heard(channel)
    assert item.text == (
        "zie https://stad.example/een/lang\n\nhttps://bsky.app/profile/did:plc:jan/post/3abc"
    )


async def test_without_the_setting_nobody_asks_for_messages(
    server: BlueskyChat, line: FaultProxy
) -> None:
    server.may_chat = False
    server.says("fatma", "Hallo")
    channel = opened(line.port, messages="no")
    await channel.check()
    assert (await heard(channel))[0] == []
    assert not [name for name in server.heard if name.startswith("chat.")]
    await channel.close()


async def test_an_app_password_without_access_is_told_apart_from_a_wrong_one(
    server: BlueskyChat, channel: BlueskyChannel
) -> None:
    await channel.check()
    server.may_chat = False
    for act in (channel.check(), channel.fetch(None)):
        with pytest.raises(SignedOut) as refused:
            await act
        assert refused.value.code == "dm_not_allowed"
    assert "com.atproto.server.refreshSession" not in server.heard


async def test_a_reply_goes_into_the_chat_and_a_request_is_accepted_first(
    server: BlueskyChat, channel: BlueskyChannel
) -> None:
    server.says("fatma", "Hallo", status="request")
    (item,), cursor = await heard(channel)
    reply = reply_to(item, channel.new_external_id, item.address, text="Zie https://stad.example.")
    receipt = await channel.send(reply)
    assert server.sent() == ["Zie https://stad.example."]
    assert server.convos["cfatma-stadsdeel"].status == "accepted"
    told = server.convos["cfatma-stadsdeel"].messages[-1]
    assert receipt.external_id == f"dm:{told['id']}"
    assert told["facets"][0]["features"][0]["uri"] == "https://stad.example"
    # Our own words come by in the log, and are no question.
    assert (await heard(channel, cursor))[0] == []


@pytest.mark.parametrize(
    "refusal", ["BlockedActor", "MessagesDisabled", "NotFollowedBySender", "AccountSuspended"]
)
async def test_who_takes_no_messages_gets_none_and_that_is_said(
    server: BlueskyChat, channel: BlueskyChannel, refusal: str
) -> None:
    server.says("fatma", "Hallo")
    (item,), _ = await heard(channel)
    server.refuses = refusal
    with pytest.raises(Permanent, match="dm_refused"):
        await channel.send(reply_to(item, channel.new_external_id, item.address))
    assert server.sent() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": "x" * 1001}, "too_long"),
        ({"text": "👩‍👩‍👧‍👦" * 401}, "too_long"),
        ({"attachments": (OutgoingAttachment("f", "image/png", b"x"),)}, "no_pictures_there"),
    ],
)
async def test_what_no_chat_takes_is_refused_before_anybody_is_asked(
    server: BlueskyChat, channel: BlueskyChannel, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(Permanent, match=code):
        await channel.send(reply_to(None, channel.new_external_id, "did:plc:fatma dm", **changes))
    assert server.heard == []


async def test_a_message_may_be_longer_than_a_post(
    server: BlueskyChat, channel: BlueskyChannel
) -> None:
    server.says("fatma", "Hallo")
    (item,), _ = await heard(channel)
    await channel.send(reply_to(item, channel.new_external_id, item.address, text="x" * 1000))
    assert len(server.sent()) == 1


@pytest.mark.parametrize("fault", ["lost", "error_after", "cut_response", "silent_after"])
async def test_a_lost_answer_is_uncertain_and_then_found(
    server: BlueskyChat, line: FaultProxy, channel: BlueskyChannel, fault: str
) -> None:
    server.says("fatma", "Hallo")
    (item,), _ = await heard(channel)
    reply = reply_to(item, channel.new_external_id, item.address)
    line.weather = always(fault, f"/xrpc/{SEND}")
    with pytest.raises(Unconfirmed):
        await channel.send(reply)
    assert line.did[fault] == 1
    receipt = await channel.find(reply)
    assert receipt is not None
    assert receipt.external_id == f"dm:{server.convos['cfatma-stadsdeel'].messages[-1]['id']}"
    # Sent once more all the same: what is there is seen before anything goes.
    line.weather = calm
    assert (await channel.send(reply)).external_id == receipt.external_id
    assert server.sent() == [reply.text]


async def test_a_gateway_that_says_503_of_what_was_sent_is_not_believed(
    server: BlueskyChat, line: FaultProxy, channel: BlueskyChannel
) -> None:
    server.says("fatma", "Hallo")
    (item,), _ = await heard(channel)
    line.weather = once("503_after", f"/xrpc/{SEND}")
    receipt = await channel.send(reply_to(item, channel.new_external_id, item.address))
    assert receipt.external_id == f"dm:{server.convos['cfatma-stadsdeel'].messages[-1]['id']}"
    assert len(server.sent()) == 1


@pytest.mark.parametrize("fault", ["refuse", "cut_request", "silent", "portal", "error"])
async def test_where_nothing_arrived_nothing_is_found_and_nothing_repeated(
    server: BlueskyChat, line: FaultProxy, channel: BlueskyChannel, fault: str
) -> None:
    server.says("fatma", "Hallo")
    (item,), _ = await heard(channel)
    reply = reply_to(item, channel.new_external_id, item.address)
    line.weather = once(fault, f"/xrpc/{SEND}")
    with pytest.raises((Unconfirmed, Temporary)):
        await channel.send(reply)
    assert line.did[fault] == 1
    assert await channel.find(reply) is None
    assert server.sent() == []


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (503, "platform_busy")])
async def test_a_server_that_asks_to_wait_took_nothing(
    server: BlueskyChat, channel: BlueskyChannel, status: int, code: str
) -> None:
    server.says("fatma", "Hallo")
    (item,), _ = await heard(channel)
    reply = reply_to(item, channel.new_external_id, item.address)
    server.next_answers[SEND] = (status, {"retry-after": "240"}, {})
    with pytest.raises(Temporary) as busy:
        await channel.send(reply)
    assert (busy.value.code, busy.value.retry_after_s) == (code, 240)
    assert server.sent() == []
    await channel.send(reply)
    assert server.sent() == [reply.text]


async def test_a_token_that_ends_in_the_middle_is_renewed_and_one_message_goes(
    server: BlueskyChat, channel: BlueskyChannel
) -> None:
    server.says("fatma", "Hallo")
    (item,), _ = await heard(channel)
    server.ended = True
    await channel.send(reply_to(item, channel.new_external_id, item.address))
    assert server.heard.count("com.atproto.server.refreshSession") == 1
    assert len(server.sent()) == 1


async def test_the_same_words_for_another_question_are_another_message(
    server: BlueskyChat, channel: BlueskyChannel
) -> None:
    server.says("fatma", "Is hij gemaakt?")
    (item,), _ = await heard(channel)
    first = await channel.send(reply_to(item, channel.new_external_id, item.address, text="Ja."))
    again = reply_to(
        item,
        channel.new_external_id,
        item.address,
        text="Ja.",
        references=(item.external_id, first.external_id),
    )
    second = await channel.send(again)
    assert second.external_id != first.external_id
    assert server.sent() == ["Ja.", "Ja."]


async def test_a_chat_service_that_is_away_is_said_and_nothing_is_missed(
    server: BlueskyChat, channel: BlueskyChannel
) -> None:
    _, cursor = await heard(channel)
    server.says("fatma", "Hallo")
    server.next_answers[LOG] = (503, {}, {})
    with pytest.raises(Temporary, match="platform_busy"):
        await channel.fetch(cursor)
    assert [item.text for item in (await heard(channel, cursor))[0]] == ["Hallo"]


@pytest.mark.parametrize("away", [True, False])
async def test_a_chat_service_that_is_away_keeps_no_mention_from_coming_in(
    server: BlueskyChat, channel: BlueskyChannel, away: bool
) -> None:
    now = datetime.now(UTC).isoformat()
    server.mentions = [
        {
            "uri": "at://did:plc:jan/app.bsky.feed.post/3abc",
            "cid": "c",
            "reason": "mention",
            "author": {"did": "did:plc:jan", "handle": "jan.example"},
            "record": {"text": "Hoi", "createdAt": now},
            "indexedAt": now,
        }
    ]
    server.says("fatma", "Hallo")
    if away:
        server.next_answers[LOG] = (503, {}, {})
    else:
        server.may_chat = False
    found, cursor = await heard(channel)
    assert [item.text for item in found] == ["Hoi"]
    server.may_chat = True
    found, _ = await heard(channel, cursor)
    assert [item.text for item in found if item.kind == "new"] == ["Hallo"]


async def test_a_chat_is_one_conversation_until_it_rests_for_a_week(
    server: BlueskyChat, line: FaultProxy, database: Database
) -> None:
    desk = Desk(database, "bluesky", lambda: opened(line.port))
    channel = opened(line.port)
    server.says("fatma", "Vorige maand", ago_s=3 * GOES_ON_MS / 1000)
    server.says("fatma", "Hallo", ago_s=60)
    (first,), cursor = await heard(channel)
    assert first.in_reply_to == ()
    conversation = desk.takes(first)
    assert database.read_now(lambda s: s.get_one(Conversation, conversation)).public is False
    desk.answers(conversation)
    await desk.delivers()
    assert [state for state, _ in desk.states] == ["sent"]
    server.says("fatma", "Dank!")
    (thanks,), _ = await heard(channel, cursor)
    assert thanks.in_reply_to[0] == f"dm:{server.convos['cfatma-stadsdeel'].messages[-2]['id']}"
    assert desk.takes(thanks) == conversation
    await channel.close()


@pytest.mark.parametrize(
    ("fault", "state"), [("lost", "sent"), ("cut_request", "uncertain"), ("portal", "uncertain")]
)
async def test_the_worker_leaves_one_message_or_a_question(
    server: BlueskyChat, line: FaultProxy, database: Database, fault: str, state: str
) -> None:
    server.says("fatma", "Hallo")
    channel = opened(line.port)
    (item,), _ = await heard(channel)
    await channel.close()
    desk = Desk(database, "bluesky", lambda: opened(line.port))
    desk.answers(desk.takes(item))
    line.weather = always(fault, f"/xrpc/{SEND}")
    await desk.delivers()
    assert line.did[fault] == 1
    line.weather = calm
    await desk.waits()
    assert [found for found, _ in desk.states] == [state]
    assert len(server.sent()) == (1 if state == "sent" else 0)
