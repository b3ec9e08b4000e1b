"""X against a platform written from X's documentation."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.channels import x_meter
from app.channels.contract import (
    ChannelError,
    Incoming,
    Outgoing,
    OutgoingAttachment,
    Permanent,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.models import Account
from app.channels.purse import AccountPurse
from app.channels.x import XChannel, build
from app.channels.x_api import settings_of, sign
from app.channels.x_events import read_message, read_post
from app.channels.x_text import has_link, intent_link, same, weight
from app.clock import SetClock
from app.config import Settings
from app.db import Database
from app.main import open_adapter
from app.secrets import seal
from tests.channels.mails import fetch_all, reply_to
from tests.peers.api_server import Response
from tests.peers.x import DAY_S, FATMA, HENK, KEYS, US, X
from tests.support.proxy import Asked, FaultProxy, Weather, calm


@pytest.fixture(autouse=True)
def nothing_spent() -> None:
    """A port that an earlier test's platform had belongs to another account now."""
    x_meter.forget()


@pytest.fixture
async def platform(clock: SetClock) -> AsyncIterator[X]:
    async with X(lambda: clock.now_ms() // 1000) as platform:
        yield platform


@pytest.fixture
async def line(platform: X) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(platform.server.port) as line:
        yield line


@pytest.fixture
async def channel(line: FaultProxy, clock: SetClock) -> AsyncIterator[XChannel]:
    channel = opened(line.port, clock)
    yield channel
    await channel.close()


def opened(port: int, clock: SetClock, **changes: Any) -> XChannel:
    config = {"api_url": f"http://127.0.0.1:{port}", "monthly_cap": 5} | changes
    return build(config, json.dumps(KEYS), clock.now_ms)


async def messages(channel: XChannel, cursor: str | None = None) -> list[Incoming]:
    batch = await fetch_all(channel, cursor)
    return [item for item in batch.items if isinstance(item, Incoming)]


async def asked(platform: X, channel: XChannel, private: bool, clock: SetClock) -> Outgoing:
    """Let a resident ask; return a reply to that."""
    if private:
        platform.tell("Mag ik iets vragen?")
    else:
        platform.post("@GemNoord wanneer wordt de lantaarn gemaakt?")
    (item,) = await messages(channel)
    return answer(item, channel, clock)


def answer(item: Incoming, channel: XChannel, clock: SetClock, **changes: Any) -> Outgoing:
    changes = {"created_at_ms": clock.now_ms()} | changes
    return reply_to(item, channel.new_external_id, item.address, **changes)


# -- what comes in -------------------------------------------------------------------


async def test_a_mention_comes_in_and_is_answered_there(
    platform: X, channel: XChannel, clock: SetClock
) -> None:
    await channel.check()
    number = platform.post("@GemNoord de lantaarn is stuk")
    platform.post("Lekker weer", HENK)
    (item,) = await messages(channel)
    assert (item.text, item.sender_name, item.address) == (
        "@GemNoord de lantaarn is stuk",
        "Fatma",
        FATMA,
    )
    assert (item.external_id, item.public) == (number, True)
    assert item.link == f"https://x.com/fatma/status/{number}"
    assert item.sent_at_ms == clock.now_ms()
    reply = answer(item, channel, clock)
    receipt = await channel.send(reply)
    assert platform.ours == [reply.text]
    assert platform.posts[-1]["referenced_tweets"] == [{"type": "replied_to", "id": number}]
    assert receipt.external_id == platform.posts[-1]["id"]
    platform.post("En wanneer dan?", FATMA, answers=receipt.external_id)
    newest = (await messages(channel))[-1]
    assert newest.in_reply_to == (receipt.external_id,)


async def test_a_direct_message_is_answered_in_private(
    platform: X, channel: XChannel, clock: SetClock
) -> None:
    number = platform.tell("Mag ik iets vragen?")
    platform.tell("In een groep", HENK, group="99887766")
    (item,) = await messages(channel)
    assert (item.external_id, item.address, item.public) == (f"dm:{number}", f"{FATMA} dm", False)
    receipt = await channel.send(answer(item, channel, clock))
    assert (len(platform.told), platform.ours) == (1, [])
    assert receipt.external_id == f"dm:{platform.messages[-1]['id']}"


async def test_what_was_read_is_not_read_again(
    platform: X, channel: XChannel, clock: SetClock
) -> None:
    platform.post("@GemNoord één")
    platform.tell("Eén")
    batch = await fetch_all(channel)
    assert len(batch.items) == 2
    assert (await channel.fetch(batch.cursor)).items == ()
    platform.page = 2
    for number in range(5):
        platform.post(f"@GemNoord {number}", HENK)
        platform.tell(f"Bericht {number}")
    texts = [item.text for item in await messages(channel, batch.cursor)]
    assert texts == [
        *(f"@GemNoord {number}" for number in range(5)),
        *(f"Bericht {number}" for number in range(5)),
    ]


@pytest.mark.parametrize("private", [False, True], ids=["posts", "messages"])
async def test_more_than_is_read_at_once_is_a_gap(
    platform: X, channel: XChannel, clock: SetClock, private: bool
) -> None:
    say = platform.tell if private else platform.post
    say("@GemNoord één")
    batch = await channel.fetch(None)
    stopped_ms = clock.now_ms()
    platform.page = 1
    for number in range(7):
        clock.forward(s=60)
        say(f"@GemNoord {number}")
    after = await channel.fetch(batch.cursor)
    assert len(after.items) == 5
    assert after.gap is not None
    assert (after.gap.from_ms, after.gap.to_ms) == (stopped_ms, stopped_ms + 3 * 60_000)


async def test_an_edit_changes_what_was_known_and_is_new_where_it_was_not(
    platform: X, channel: XChannel
) -> None:
    number = platform.post("@GemNoord lantaarn 12")
    cursor = (await fetch_all(channel)).cursor
    platform.edit(number, "@GemNoord lantaarn 21")
    new, edit = await messages(channel, cursor)
    assert (new.kind, edit.kind) == ("new", "edit")
    assert {new.external_id, edit.external_id} == {number}
    assert edit.text == "@GemNoord lantaarn 21"


async def test_messages_are_left_alone_where_that_is_chosen(
    platform: X, line: FaultProxy, clock: SetClock
) -> None:
    platform.tell("Mag ik iets vragen?")
    channel = opened(line.port, clock, messages="no", since_ms=clock.now_ms() + 1)
    platform.post("@GemNoord vroeger")
    assert await messages(channel) == []
    assert all("dm" not in request.path for request in platform.server.asked)
    await channel.close()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=20,
    )
)
def test_whatever_comes_is_read_or_left_but_never_breaks(said: Any) -> None:
    post = {"id": "1", "author_id": "5", "text": said, "created_at": said}
    more = {"referenced_tweets": said, "edit_history_tweet_ids": said, "attachments": said}
    assert all(item.sent_at_ms <= 9 for item in read_post({"post": post | more, "by": {}}, US, 9))
    message = {"id": said, "sender_id": "5", "text": said, "dm_conversation_id": said}
    read_message({"message": message, "by": {"name": said}}, US, 9)


# -- where X allows an answer ----------------------------------------------------------


async def test_an_answer_goes_only_to_who_mentioned_us(
    platform: X, channel: XChannel, clock: SetClock
) -> None:
    reply = await asked(platform, channel, False, clock)
    platform.posts[-1]["text"] = "Laat maar"  # she edited us out of it meanwhile
    with pytest.raises(Permanent) as refused:
        await channel.send(reply)
    assert refused.value.code == "not_invited"
    for lost in (None, "dm:1", "onzin"):
        item = Incoming("1", FATMA, "Fatma", "", 0)
        with pytest.raises(Permanent) as refused:
            await channel.send(answer(item, channel, clock, in_reply_to=lost))
        assert refused.value.code == "not_invited"
    assert platform.ours == []


async def test_a_link_is_refused_unless_it_is_paid_for(
    platform: X, channel: XChannel, line: FaultProxy, clock: SetClock
) -> None:
    reply = await asked(platform, channel, False, clock)
    linked = replace(reply, text="Zie https://gemeente.nl/lantaarns & bel ons")
    with pytest.raises(Permanent) as refused:
        await channel.send(linked)
    assert refused.value.code == "link_costs"
    paying = opened(line.port, clock, links="yes")
    await paying.send(linked)
    receipt = await paying.find(linked)
    assert receipt is not None
    assert receipt.external_id == platform.posts[-1]["id"]
    await paying.close()


async def test_a_message_has_room_and_a_link_in_it_costs_no_more(
    platform: X, channel: XChannel, clock: SetClock
) -> None:
    reply = await asked(platform, channel, True, clock)
    said = "Zie https://gemeente.nl/lantaarns. " + "a" * 2_000
    await channel.send(replace(reply, text=said))
    assert platform.told == [said]


async def test_what_does_not_fit_is_refused(
    platform: X, channel: XChannel, clock: SetClock
) -> None:
    reply = await asked(platform, channel, False, clock)
    file = OutgoingAttachment("a.jpg", "image/jpeg", b"")
    for wrong, code in (
        (replace(reply, text="字" * 141), "too_long"),
        (replace(reply, attachments=(file,)), "too_many_attachments"),
        (replace(reply, recipient="fatma"), "undeliverable_there"),
        (replace(reply, recipient=f"{FATMA} dm", text="a" * 10_001), "too_long"),
    ):
        with pytest.raises(Permanent) as refused:
            await channel.send(wrong)
        assert refused.value.code == code
    assert platform.ours == []


# -- money -----------------------------------------------------------------------------


async def test_the_meter_counts_what_x_charges(
    platform: X, channel: XChannel, clock: SetClock
) -> None:
    await channel.check()
    reply = await asked(platform, channel, True, clock)
    await channel.send(reply)
    await channel.find(reply)
    batch = await fetch_all(channel)
    clock.forward(s=DAY_S)
    batch = await fetch_all(channel, batch.cursor)
    spent = int(str(batch.cursor).rpartition(", ")[2].rstrip("]"))
    assert platform.spent > 0.04
    assert abs(spent - platform.spent * 1_000_000) <= 1


async def test_over_the_cap_nothing_is_read_or_written_until_next_month(
    platform: X, line: FaultProxy, clock: SetClock
) -> None:
    channel = opened(line.port, clock, monthly_cap=0.05)
    reply = await asked(platform, channel, False, clock)
    cursor = (await channel.fetch(None)).cursor
    # What another run had spent is in the cursor that this one starts from.
    spent = str(cursor).rpartition(", ")
    full = f"{spent[0]}, 50000]"
    asked_before = len(platform.server.asked)
    with pytest.raises(Permanent) as refused:
        await channel.fetch(full)
    assert refused.value.code == "cost_cap"
    for work in (channel.send(reply), channel.find(reply), channel.check()):
        with pytest.raises(Permanent) as refused:
            await work
        assert refused.value.code == "cost_cap"
    assert len(platform.server.asked) == asked_before
    clock.forward(s=31 * DAY_S)
    await channel.fetch(full)
    await channel.send(reply)
    assert len(platform.ours) == 1
    await channel.close()


def in_two_processes(
    line: FaultProxy, clock: SetClock, database: Database
) -> tuple[XChannel, XChannel]:
    """Open the account twice, as two processes do that share nothing but the database."""
    one, other = (opened(line.port, clock, monthly_cap=0.05) for _ in range(2))
    other._meter = x_meter.Meter()
    for channel in (one, other):
        channel.pay_from(AccountPurse(database, "gemeente"))
    return one, other


async def test_what_one_process_spends_the_other_does_not_spend_again(
    platform: X, line: FaultProxy, clock: SetClock, database: Database
) -> None:
    one, other = in_two_processes(line, clock, database)
    first = await asked(platform, one, False, clock)
    await one.send(first)
    assert platform.spent == pytest.approx(0.03)
    await other.send(replace(first, delivery_id="2", text="Nog iets."))
    before = len(platform.server.asked)
    for channel in (one, other):
        # A post costs 0.015, of which there is no room left; reading 0.005 there still is.
        with pytest.raises(Permanent, match="cost_cap"):
            await channel.send(replace(first, delivery_id="3", text="En nog iets."))
    assert len(platform.server.asked) == before
    assert platform.spent <= 0.05
    clock.forward(s=31 * DAY_S)
    await one.send(replace(first, delivery_id="4", text="Een nieuwe maand."))
    for channel in (one, other):
        await channel.close()


def test_who_fetches_and_who_sends_pay_from_the_database(
    tmp_path: Path, clock: SetClock, database: Database
) -> None:
    own = Settings(data_dir=tmp_path)
    account = Account(
        id="gemeente", kind="x", name="G", team_id="noord", secret=seal(own, json.dumps(KEYS))
    )
    adapter = open_adapter(own, clock, database, account)
    assert isinstance(adapter, XChannel)
    assert isinstance(adapter._meter.purse, AccountPurse)


async def test_two_replies_at_once_do_not_both_find_the_last_room(
    platform: X, line: FaultProxy, clock: SetClock, database: Database
) -> None:
    one, other = in_two_processes(line, clock, database)
    reply = await asked(platform, one, False, clock)
    await one.send(reply)
    told = await asyncio.gather(
        *(
            channel.send(replace(reply, delivery_id=name, text=f"Antwoord {name}."))
            for channel in (one, other)
            for name in (f"a{id(channel)}", f"b{id(channel)}")
        ),
        return_exceptions=True,
    )
    assert platform.spent <= 0.05
    refused = [one for one in told if isinstance(one, Permanent)]
    assert {error.code for error in refused} == {"cost_cap"}
    for channel in (one, other):
        await channel.close()


async def test_what_x_refuses_is_given_back(
    platform: X, line: FaultProxy, clock: SetClock, database: Database
) -> None:
    one, other = in_two_processes(line, clock, database)
    reply = await asked(platform, one, False, clock)
    for _ in range(5):
        platform.refuses = Response(403, {"title": "Forbidden", "detail": "not allowed"})
        with pytest.raises(Permanent, match="not_invited"):
            await one.send(reply)
    await other.send(reply)
    for channel in (one, other):
        await channel.close()


async def test_a_purse_that_knows_nothing_begins_where_the_cursor_is(
    line: FaultProxy, clock: SetClock, database: Database, platform: X
) -> None:
    one, other = in_two_processes(line, clock, database)
    with pytest.raises(Permanent, match="cost_cap"):
        await one.fetch('x1 [0, 0, 0, "2026-11", 50000]')
    with pytest.raises(Permanent, match="cost_cap"):
        await other.check()
    for channel in (one, other):
        await channel.close()


async def test_spent_credits_are_said(platform: X, channel: XChannel, clock: SetClock) -> None:
    platform.refuses = Response(402, {"title": "CreditsDepleted", "detail": "no credits"})
    with pytest.raises(Temporary) as spent:
        await channel.fetch(None)
    assert (spent.value.code, spent.value.account_wide) == ("credits_spent", True)


# -- once and not twice -----------------------------------------------------------------


def writes(fault: str) -> Weather:
    """Strike what writes, and let the looking through."""

    def weather(asked: Asked) -> str:
        return fault if asked.method == "POST" else "none"

    return weather


@pytest.mark.parametrize("private", [False, True], ids=["post", "message"])
@pytest.mark.parametrize(
    "fault",
    ["lost", "cut_response", "error_after", "cut_request", "refuse", "error", "503", "portal"],
)
async def test_when_the_answer_is_lost_our_own_posts_tell(
    platform: X,
    channel: XChannel,
    line: FaultProxy,
    clock: SetClock,
    fault: str,
    private: bool,
) -> None:
    reply = await asked(platform, channel, private, clock)
    line.weather = writes(fault)
    with pytest.raises(Unconfirmed) as lost:
        await channel.send(reply)
    assert lost.value.code == "answer_lost"
    assert line.did[fault] == 1
    line.weather = calm
    found = await channel.find(reply)
    arrived = fault in {"lost", "cut_response", "error_after"}
    assert (found is not None) == arrived
    assert len(platform.told if private else platform.ours) == arrived
    if found is not None:
        newest = (platform.messages if private else platform.posts)[-1]["id"]
        assert found.external_id == (f"dm:{newest}" if private else newest)


async def test_the_same_words_twice_are_one_post(
    platform: X, channel: XChannel, line: FaultProxy, clock: SetClock
) -> None:
    reply = await asked(platform, channel, False, clock)
    line.weather = writes("lost")
    with pytest.raises(Unconfirmed):
        await channel.send(reply)
    line.weather = calm
    # Somebody sends it again by hand: X says that it is there, and so it is.
    again = await channel.send(reply)
    assert len(platform.ours) == 1
    assert again.external_id == platform.posts[-1]["id"]


async def test_the_same_words_to_somebody_else_are_no_proof(
    platform: X, channel: XChannel, clock: SetClock
) -> None:
    reply = await asked(platform, channel, False, clock)
    await channel.send(reply)
    platform.post("@GemNoord en de mijne?", HENK)
    other = answer((await messages(channel))[-1], channel, clock)
    assert await channel.find(other) is None
    with pytest.raises(Permanent) as refused:
        await channel.send(other)
    assert refused.value.code == "said_before"
    clock.forward(s=600)
    late = answer((await messages(channel))[0], channel, clock)
    assert await channel.find(late) is None  # that post is from before this reply was written


@pytest.mark.parametrize("private", [False, True], ids=["post", "message"])
async def test_what_an_earlier_reply_said_is_no_proof_of_the_next(
    platform: X, channel: XChannel, line: FaultProxy, clock: SetClock, private: bool
) -> None:
    first = await asked(platform, channel, private, clock)
    name = (await channel.send(first)).external_id
    assert await channel.find(first) is not None
    clock.forward(s=60)
    second = replace(
        first,
        delivery_id="a-second-reply",
        external_id="a-second-reply",
        created_at_ms=clock.now_ms(),
        references=(*first.references, name),
    )
    assert await channel.find(second) is None


@pytest.mark.parametrize("fault", ["delay", "slow"])
async def test_an_answer_that_is_late_is_an_answer(
    platform: X, channel: XChannel, line: FaultProxy, clock: SetClock, fault: str
) -> None:
    reply = await asked(platform, channel, False, clock)
    line.weather = writes(fault)
    await channel.send(reply)
    assert line.did[fault] == 1
    assert len(platform.ours) == 1


async def test_too_many_requests_says_when_to_come_back(
    platform: X, channel: XChannel, line: FaultProxy, clock: SetClock
) -> None:
    reply = await asked(platform, channel, False, clock)
    line.weather = writes("429")
    with pytest.raises(Temporary) as limited:
        await channel.send(reply)
    assert (limited.value.retry_after_s, limited.value.account_wide) == (7.0, True)
    line.weather = calm
    reset = {"x-rate-limit-reset": str(clock.now_ms() // 1000 + 420)}
    platform.refuses = Response(429, {"title": "Too Many Requests"}, reset)
    with pytest.raises(Temporary) as limited:
        await channel.send(reply)
    assert limited.value.retry_after_s == 420.0
    assert platform.ours == []


@pytest.mark.parametrize(
    ("status", "title", "error", "says"),
    [
        (403, "Forbidden", Permanent, "not_invited"),
        (400, "Invalid Request", Permanent, "platform_refused"),
        (500, "Internal Server Error", Unconfirmed, "answer_lost"),
    ],
)
async def test_each_refusal_is_what_it_is(
    platform: X,
    channel: XChannel,
    clock: SetClock,
    status: int,
    title: str,
    error: type[ChannelError],
    says: str,
) -> None:
    reply = await asked(platform, channel, False, clock)
    platform.refuses = Response(status, {"title": title, "detail": "words"})
    with pytest.raises(error) as refused:
        await channel.send(reply)
    assert refused.value.code == says
    assert platform.ours == []


async def test_a_token_that_ends_in_the_middle_is_said_and_nothing_was_sent(
    platform: X, channel: XChannel, clock: SetClock
) -> None:
    reply = await asked(platform, channel, False, clock)
    platform.signed_out = True
    for work in (channel.check(), channel.fetch(None), channel.send(reply), channel.find(reply)):
        with pytest.raises(SignedOut):
            await work
    assert platform.ours == []


async def test_a_question_that_changes_meanwhile_is_answered_once(
    platform: X, channel: XChannel, clock: SetClock
) -> None:
    reply = await asked(platform, channel, False, clock)
    platform.edit(platform.posts[-1]["id"], "@GemNoord laat maar")
    await channel.send(reply)
    assert len(platform.ours) == 1


# -- counting, links, signatures, settings ------------------------------------------------


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("", 0),
        ("Dag Fatma", 9),
        ("é", 1),
        ("e\u0301", 1),
        ("字", 2),
        ("‘’“”–", 5),
        ("€", 2),
        ("😀", 2),
        ("👩‍👩‍👧", 2),
        ("👍🏽", 2),
        ("🇳🇱", 2),
        ("❤️", 2),
        ("1#", 2),
        ("Zie https://groningen.nl/een/heel/lang/pad?met=vragen", 27),
    ],
)
def test_it_counts_as_x_does(text: str, counted: int) -> None:
    assert weight(text) == counted


def test_links_are_seen_and_people_are_not() -> None:
    assert has_link("zie https://x.com")
    assert has_link("zie groningen.nl")
    assert not has_link("mail anna@groningen.nl of kom om 9.30 uur")
    assert not has_link("Morgen. Groet, Anna")


def test_the_way_out_is_a_page_with_the_text_ready() -> None:
    link = intent_link("Dag & tot ziens?\n#1", "190")
    assert link == (
        "https://x.com/intent/post?text=Dag%20%26%20tot%20ziens%3F%0A%231&in_reply_to=190"
    )
    assert "in_reply_to" not in intent_link("Dag", "dm:1&evil=1")


def test_what_was_posted_is_known_as_what_was_written() -> None:
    assert same("@fatma Zie https://t.co/a &amp; bel", "Zie https://groningen.nl  &\nbel")
    assert same("Zie https://t.co/a", "Zie groningen.nl")
    assert not same("Morgen", "Morgen.")


def test_a_signature_is_the_one_of_the_published_example() -> None:
    # X, "Creating a signature": the example that its page works out step by step.
    keys = {
        "api_key": "xvz1evFS4wEEPTGEFPHBog",
        "api_secret": "kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw",
        "access_token": "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
        "access_secret": "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE",
    }
    query = {
        "status": "Hello Ladies + Gentlemen, a signed OAuth request!",
        "include_entities": "true",
    }
    header = sign(
        "POST",
        "https://api.twitter.com/1.1/statuses/update.json",
        query,
        keys,
        stamp="1318622958",
        nonce="kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
    )
    assert 'oauth_signature="hCtSmYh%2BiHYCEqBWrE7C7hYmtUk%3D"' in header


@pytest.mark.parametrize(
    "wrong",
    [
        {"monthly_cap": 0},
        {"monthly_cap": "veel"},
        {"monthly_cap": True},
        {"links": "soms"},
        {"messages": 3},
        {"since_ms": "gisteren"},
        {"api_url": "http://api.x.com"},
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(Permanent) as refused:
        settings_of(wrong, json.dumps(KEYS))
    assert refused.value.code == "bad_config"


@pytest.mark.parametrize("name", sorted(KEYS))
def test_every_key_is_needed_and_none_is_shown(name: str) -> None:
    assert KEYS[name] not in repr(settings_of({}, json.dumps(KEYS)))
    for value in ("", "  "):
        with pytest.raises(Permanent):
            settings_of({}, json.dumps(KEYS | {name: value}))


def test_a_token_that_names_no_account_is_refused() -> None:
    with pytest.raises(Permanent):
        settings_of({}, json.dumps(KEYS | {"access_token": "geen-token"}))
