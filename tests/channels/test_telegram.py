"""Telegram against a platform written from the Bot API's documentation."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.channels.contract import (
    ChannelError,
    Incoming,
    Outgoing,
    OutgoingAttachment,
    Permanent,
    SignedOut,
    Source,
    Temporary,
    Unconfirmed,
    Waiting,
)
from app.channels.telegram import MAX_CHARS, TelegramChannel, build, settings_of
from app.channels.telegram_events import Bot, read
from app.clock import SetClock
from tests.channels.mails import fetch_all, reply_to
from tests.peers.telegram import BOT, DAY_S, FATMA, GROUP, HENK, TOKEN, Telegram
from tests.support.proxy import FaultProxy, always, calm


@pytest.fixture
async def platform(clock: SetClock) -> AsyncIterator[Telegram]:
    async with Telegram(lambda: clock.now_ms() // 1000) as platform:
        platform.started |= {FATMA, GROUP}
        yield platform


@pytest.fixture
async def line(platform: Telegram) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(platform.server.port) as line:
        yield line


@pytest.fixture
async def channel(line: FaultProxy, clock: SetClock) -> AsyncIterator[TelegramChannel]:
    channel = opened(line.port, clock)
    yield channel
    await channel.close()


def opened(port: int, clock: SetClock, token: str = TOKEN, **changes: Any) -> TelegramChannel:
    config = {"api_url": f"http://127.0.0.1:{port}"} | changes
    return build(config, json.dumps({"bot_token": token}), clock.now_ms)


async def messages(channel: TelegramChannel, cursor: str | None = None) -> list[Incoming]:
    batch = await fetch_all(channel, cursor)
    return [item for item in batch.items if isinstance(item, Incoming)]


def answer(channel: TelegramChannel, recipient: str = str(FATMA), **changes: Any) -> Outgoing:
    return reply_to(None, channel.new_external_id, recipient, **changes)


def later(clock: SetClock, seconds: int) -> None:
    clock.forward(s=seconds)


# -- what comes in -------------------------------------------------------------------


async def test_a_message_comes_in_and_is_answered_in_the_same_chat(
    platform: Telegram, channel: TelegramChannel, clock: SetClock
) -> None:
    assert isinstance(channel, Source)
    assert isinstance(channel, Waiting)
    await channel.check()
    number = platform.writes("De lantaarn is stuk")
    (item,) = await messages(channel)
    assert (item.text, item.sender_name, item.address) == (
        "De lantaarn is stuk",
        "Fatma Yıldız",
        str(FATMA),
    )
    assert item.external_id == f"{FATMA}:{number}"
    assert (item.public, item.link, item.sent_at_ms) == (False, "", clock.now_ms())
    reply = reply_to(item, channel.new_external_id, item.address)
    receipt = await channel.send(reply)
    (sent,) = platform.sent
    assert (sent["text"], sent["chat"]["id"]) == (reply.text, FATMA)
    assert sent["reply_parameters"]["message_id"] == number
    assert receipt.external_id == f"{FATMA}:{sent['message_id']}"


async def test_a_reply_to_ours_names_ours(platform: Telegram, channel: TelegramChannel) -> None:
    receipt = await channel.send(answer(channel))
    ours = {"message_id": platform.sent[0]["message_id"], "from": BOT}
    platform.writes("Welke donderdag?", reply_to_message=ours)
    (item,) = await messages(channel)
    assert item.in_reply_to == (receipt.external_id,)


async def test_an_edit_changes_the_same_message(
    platform: Telegram, channel: TelegramChannel
) -> None:
    number = platform.writes("Lantaarn 12")
    platform.edits(number, "Lantaarn 21")
    new, edit = await messages(channel)
    assert (edit.kind, edit.text, edit.external_id) == ("edit", "Lantaarn 21", new.external_id)


async def test_in_a_group_only_what_is_meant_for_us_is_taken(
    platform: Telegram, channel: TelegramChannel
) -> None:
    platform.privacy = False
    platform.writes("Lekker weer", HENK, GROUP)
    platform.public[GROUP] = "paddepoel"
    platform.writes("@Noord_Bot wanneer komt de markt?", HENK, GROUP)
    platform.public.clear()
    platform.writes("En de kermis?", HENK, GROUP, reply_to_message={"message_id": 1, "from": BOT})
    first, second = await messages(channel)
    assert (first.address, first.public) == (f"{HENK} {GROUP}", True)
    assert first.link == "https://t.me/paddepoel/2"
    # Closed, and yet others read along.
    assert (second.public, second.link) == (None, "")
    await channel.send(reply_to(first, channel.new_external_id, first.address))
    assert platform.sent[0]["chat"]["id"] == GROUP


@pytest.mark.parametrize(("groups", "count"), [("addressed", 1), ("all", 2), ("none", 0)])
async def test_how_much_of_a_group_is_taken_is_chosen(
    platform: Telegram, line: FaultProxy, clock: SetClock, groups: str, count: int
) -> None:
    platform.privacy = False
    platform.writes("Lekker weer", HENK, GROUP)
    platform.writes("@noord_bot wanneer komt de markt?", HENK, GROUP)
    channel = opened(line.port, clock, groups=groups)
    assert len(await messages(channel)) == count
    await channel.close()


async def test_a_hundred_files_are_not_held_all_at_once(
    platform: Telegram, channel: TelegramChannel
) -> None:
    for number in range(4):
        platform.writes(caption=f"foto {number}", photo=platform.photo(bytes(15_000_000)))
    first = await channel.fetch(None)
    assert len(first.items) == 3
    assert first.more
    rest = await channel.fetch(first.cursor)
    assert not rest.more
    found = [item for item in (*first.items, *rest.items) if isinstance(item, Incoming)]
    assert [item.text for item in found] == [f"foto {number}" for number in range(4)]
    assert all(item.attachments for item in found)


async def test_another_bot_does_not_go_on_where_the_one_before_was(
    platform: Telegram, channel: TelegramChannel, clock: SetClock
) -> None:
    async with Telegram(lambda: clock.now_ms() // 1000) as elsewhere:
        other_token = f"99{TOKEN}"
        elsewhere.tokens.add(other_token)
        elsewhere._next_update = platform._next_update + 1000
        other = opened(elsewhere.server.port, clock, other_token)
        for number in range(5):
            elsewhere.writes(f"bericht {number}")
        cursor = (await fetch_all(other)).cursor
        await other.close()
    platform.writes("Dit is de nieuwe bot")
    assert [item.text for item in await messages(channel, cursor)] == ["Dit is de nieuwe bot"]


async def test_a_photo_comes_in_its_largest_size(
    platform: Telegram, channel: TelegramChannel
) -> None:
    platform.writes(caption="Hier", photo=platform.photo(b"\xff\xd8 een foto"))
    platform.writes(photo=platform.photo(b"\xff\xd8 een foto", size=20_000_001))
    platform.writes(document={"file_id": "weg", "file_name": "brief.pdf"})
    there, huge, gone = await messages(channel)
    (file,) = there.attachments
    assert (there.text, file.media_type, file.content) == (
        "Hier",
        "image/jpeg",
        b"\xff\xd8 een foto",
    )
    assert huge.notices == gone.notices == ("attachments_dropped",)


@pytest.mark.parametrize(
    ("content", "text", "notices"),
    [
        ({"location": {"latitude": 53.2, "longitude": 6.5}}, "53.2, 6.5", ()),
        (
            {
                "venue": {"title": "Speeltuin", "address": "Eikenlaan"},
                "location": {"latitude": 1.5, "longitude": 2},
            },
            "Speeltuin\nEikenlaan\n1.5, 2",
            (),
        ),
        ({"contact": {"first_name": "Henk", "phone_number": "+316"}}, "Henk +316", ()),
        ({"sticker": {"emoji": "👍", "file_id": "x"}}, "👍", ()),
        ({"poll": {"question": "Ja?"}}, "", ("unsupported",)),
    ],
)
async def test_each_kind_is_shown_as_far_as_it_can_be(
    platform: Telegram,
    channel: TelegramChannel,
    content: Any,
    text: str,
    notices: tuple[str, ...],
) -> None:
    platform.writes("", FATMA, 0, **content)
    (item,) = await messages(channel)
    assert (item.text, item.notices) == (text, notices)


async def test_what_nobody_wrote_is_passed_over(
    platform: Telegram, channel: TelegramChannel
) -> None:
    platform.writes("/start")
    platform.writes(new_chat_members=[{"id": HENK}])
    platform.writes(pinned_message={"message_id": 1})
    batch = await channel.fetch(None)
    assert batch.items == ()
    platform.writes("Dag")
    (item,) = await messages(channel, batch.cursor)
    assert item.text == "Dag"


async def test_a_bot_is_known_as_one(platform: Telegram, channel: TelegramChannel) -> None:
    platform.writes("Piep", **{"from": {"id": 5, "is_bot": True, "first_name": "Robot"}})  # type: ignore[arg-type]
    (item,) = await messages(channel)
    assert item.automatic


async def test_more_than_a_page_comes_whole_and_in_order(
    platform: Telegram, channel: TelegramChannel
) -> None:
    said = [f"Bericht {number}" for number in range(230)]
    for text in said:
        platform.writes(text)
    assert [item.text for item in await messages(channel)] == said


async def test_what_was_not_stored_is_given_again(
    platform: Telegram, channel: TelegramChannel, line: FaultProxy, clock: SetClock
) -> None:
    platform.writes("Dag")
    await channel.fetch(None)
    restarted = opened(line.port, clock)
    (item,) = await messages(restarted)
    assert item.text == "Dag"
    await restarted.close()


async def test_waiting_ends_when_somebody_writes(
    platform: Telegram, channel: TelegramChannel
) -> None:
    batch = await channel.fetch(None)
    waiting = asyncio.create_task(channel.wait(20))
    await platform.polled.wait()
    platform.writes("Bent u daar?")
    assert await waiting is True
    (item,) = await messages(channel, batch.cursor)
    assert item.text == "Bent u daar?"
    assert await channel.wait(0) is False


async def test_after_more_than_a_day_there_may_be_a_gap(
    platform: Telegram, channel: TelegramChannel, clock: SetClock
) -> None:
    batch = await channel.fetch(None)
    stopped_ms = clock.now_ms()
    platform.writes("Te vroeg")
    later(clock, DAY_S + 60)
    platform.writes("Op tijd")
    after = await channel.fetch(batch.cursor)
    assert [item.text for item in after.items if isinstance(item, Incoming)] == ["Op tijd"]
    assert after.gap is not None
    assert (after.gap.from_ms, after.gap.to_ms) == (stopped_ms, stopped_ms + 60_000)
    later(clock, DAY_S)
    assert (await channel.fetch(after.cursor)).gap is None


async def test_after_a_week_of_silence_a_lower_number_is_still_seen(
    platform: Telegram, channel: TelegramChannel, clock: SetClock
) -> None:
    platform.writes("Dag")
    cursor = (await channel.fetch(None)).cursor
    for _ in range(8):
        later(clock, DAY_S)
        cursor = (await channel.fetch(cursor)).cursor
    platform.writes("Daar ben ik weer")
    (item,) = await messages(channel, cursor)
    assert item.text == "Daar ben ik weer"


async def test_what_was_written_before_the_account_was_added_is_left(
    platform: Telegram, line: FaultProxy, clock: SetClock
) -> None:
    platform.writes("Vroeger")
    channel = opened(line.port, clock, since_ms=clock.now_ms() + 1)
    assert await messages(channel) == []
    await channel.close()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["message", "edited_message", "chat", "id", "type", "from", "text", "photo",
                 "message_id", "date", "reply_to_message", "location", "document", "contact"]
            ),
            inner, max_size=6,
        )
    ),
    max_leaves=30,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(ANYTHING)
def test_whatever_comes_is_read_or_left_but_never_breaks(said: Any) -> None:
    bot = Bot(1, "noord_bot")
    read(said, bot, "all", 1000)
    chat = {"id": 5, "type": "private"}
    known = {"message_id": 1, "from": {"id": 5}, "chat": chat, "date": 10}
    item, _ = read({"message": known | {"text": said, "photo": said}}, bot, "all", 1000)
    assert item is None or item.sent_at_ms <= 1000


# -- what goes out -------------------------------------------------------------------


async def test_a_photo_goes_with_its_text(platform: Telegram, channel: TelegramChannel) -> None:
    photo = OutgoingAttachment("plan.jpg", "image/jpeg", b"\xff\xd8 plan", "Een kaart")
    number = platform.writes("Dag")
    (item,) = await messages(channel)
    await channel.send(reply_to(item, channel.new_external_id, item.address, attachments=(photo,)))
    pdf = OutgoingAttachment("brief.pdf", "application/pdf", b"%PDF")
    await channel.send(answer(channel, attachments=(pdf,), text=""))
    first, second = platform.sent
    assert first["photo"] == b"\xff\xd8 plan"
    assert first["caption"].startswith("Donderdag")
    assert first["caption"].endswith("\n\n[Een kaart]")
    assert json.loads(first["reply_parameters"])["message_id"] == number
    assert second["document"] == b"%PDF"
    for wrong, code in (
        ({"attachments": (photo, photo)}, "too_many_attachments"),
        ({"attachments": (photo,), "text": "x" * 1025}, "caption_too_long"),
        ({"text": "x" * (MAX_CHARS + 1)}, "too_long"),
        ({"recipient": "fatma"}, "undeliverable_there"),
    ):
        with pytest.raises(Permanent) as refused:
            await channel.send(answer(channel, **wrong))
        assert refused.value.code == code


async def test_who_blocked_the_bot_or_never_wrote_to_it_cannot_be_reached(
    platform: Telegram, channel: TelegramChannel
) -> None:
    platform.blocked.add(FATMA)
    with pytest.raises(Permanent) as refused:
        await channel.send(answer(channel))
    assert refused.value.code == "blocked_there"
    with pytest.raises(Permanent) as refused:
        await channel.send(answer(channel, recipient=str(HENK)))
    assert refused.value.code == "undeliverable_there"
    assert platform.sent == []


# -- once and not twice -----------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    ["lost", "cut_response", "error_after", "cut_request", "refuse", "error", "503", "portal"],
)
async def test_when_the_answer_is_lost_nobody_knows(
    platform: Telegram, channel: TelegramChannel, line: FaultProxy, fault: str
) -> None:
    line.weather = always(fault)
    reply = answer(channel)
    with pytest.raises(Unconfirmed) as lost:
        await channel.send(reply)
    assert lost.value.code == "answer_lost"
    assert line.did[fault] == 1
    line.weather = calm
    assert await channel.find(reply) is None
    assert len(platform.sent) == (fault in {"lost", "cut_response", "error_after"})


@pytest.mark.parametrize("fault", ["delay", "slow"])
async def test_an_answer_that_is_late_is_an_answer(
    platform: Telegram, channel: TelegramChannel, line: FaultProxy, fault: str
) -> None:
    line.weather = always(fault)
    await channel.send(answer(channel))
    assert line.did[fault] == 1
    assert len(platform.sent) == 1


@pytest.mark.parametrize(
    ("refusal", "error", "says"),
    [
        ((401, "Unauthorized", {}), SignedOut, "token_refused"),
        ((404, "Not Found", {}), SignedOut, "token_refused"),
        ((403, "Forbidden: user is deactivated", {}), Permanent, "blocked_there"),
        (
            (403, "Forbidden: bot was kicked from the supergroup chat", {}),
            Permanent,
            "undeliverable_there",
        ),
        (
            (400, "Bad Request: not enough rights to send text messages to the chat", {}),
            Permanent,
            "undeliverable_there",
        ),
        ((400, "Bad Request: message is too long", {}), Permanent, "too_long"),
        ((400, "Bad Request: MEDIA_CAPTION_TOO_LONG", {}), Permanent, "too_long"),
        ((400, "Bad Request: something new", {}), Permanent, "platform_refused"),
        ((429, "Too Many Requests", {"retry_after": 35}), Temporary, "rate_limited"),
        ((500, "Internal Server Error", {}), Unconfirmed, "answer_lost"),
        ((502, "Bad Gateway", {}), Unconfirmed, "answer_lost"),
    ],
)
async def test_each_refusal_is_what_it_is(
    platform: Telegram,
    channel: TelegramChannel,
    refusal: tuple[int, str, dict[str, Any]],
    error: type[ChannelError],
    says: str,
) -> None:
    platform.refuses = refusal
    with pytest.raises(error) as refused:
        await channel.send(answer(channel))
    assert refused.value.code == says
    assert refused.value.account_wide == (error is SignedOut)
    if isinstance(refused.value, Temporary):
        assert refused.value.retry_after_s == 35.0
    assert platform.sent == []
    await channel.send(answer(channel))
    assert len(platform.sent) == 1


async def test_too_many_questions_limit_the_account(
    channel: TelegramChannel, line: FaultProxy
) -> None:
    line.weather = always("429")
    with pytest.raises(Temporary) as limited:
        await channel.fetch(None)
    assert (limited.value.retry_after_s, limited.value.account_wide) == (7.0, True)


async def test_a_token_that_ends_in_the_middle_loses_nothing(
    platform: Telegram, channel: TelegramChannel
) -> None:
    cursor = (await channel.fetch(None)).cursor
    platform.writes("Dag")
    platform.tokens.clear()
    for ask in (channel.check(), channel.fetch(cursor), channel.send(answer(channel))):
        with pytest.raises(SignedOut):
            await ask
    assert platform.sent == []
    platform.tokens.add(TOKEN)
    (item,) = await messages(channel, cursor)
    assert item.text == "Dag"


async def test_two_readers_of_one_bot_are_said(
    platform: Telegram, channel: TelegramChannel
) -> None:
    platform.webhook = "https://elders.example/bot"
    with pytest.raises(Permanent) as refused:
        await channel.check()
    assert refused.value.code == "read_elsewhere"
    platform.webhook, platform.polled_elsewhere = "", True
    with pytest.raises(Temporary) as busy:
        await channel.fetch(None)
    assert busy.value.code == "read_elsewhere"


async def test_a_question_that_changes_meanwhile_is_answered_once(
    platform: Telegram, channel: TelegramChannel
) -> None:
    number = platform.writes("Lantaarn 12")
    (item,) = await messages(channel)
    platform.edits(number, "Laat maar")
    await channel.send(reply_to(item, channel.new_external_id, item.address))
    assert len(platform.sent) == 1
    assert platform.sent[0]["reply_parameters"]["allow_sending_without_reply"] is True


async def test_the_token_stands_in_no_log_and_no_error(
    platform: Telegram,
    channel: TelegramChannel,
    line: FaultProxy,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("httpx").setLevel(logging.NOTSET)
        platform.writes("Dag", photo=platform.photo(b"x"))
        await channel.fetch(None)
        await channel.send(answer(channel))
        line.weather = always("refuse")
        with pytest.raises(Temporary) as gone:
            await channel.fetch(None)
    secret = TOKEN.partition(":")[2]
    assert secret not in caplog.text
    assert secret not in f"{gone.value!r} {gone.value.__cause__} {gone.value.__context__}"


@pytest.mark.parametrize("token", ["", "geheim", "123:kort", "123456:a/b/../../getMe-xxxxx"])
def test_a_token_that_is_none_is_said(token: str) -> None:
    with pytest.raises(Permanent) as refused:
        settings_of({}, json.dumps({"bot_token": token}))
    assert refused.value.code == "bad_config"


def test_wrong_settings_are_named_and_the_token_is_not_shown() -> None:
    secret = json.dumps({"bot_token": TOKEN})
    assert TOKEN not in repr(settings_of({}, secret))
    for wrong in ({"groups": "some"}, {"since_ms": "x"}, {"api_url": "http://api.telegram.org"}):
        with pytest.raises(Permanent):
            settings_of(wrong, secret)
