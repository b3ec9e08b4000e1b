"""Matrix against Synapse."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from app.channels.contract import (
    Batch,
    DeliveryReport,
    Incoming,
    Outgoing,
    OutgoingAttachment,
    Permanent,
    SignedOut,
    Temporary,
)
from app.channels.matrix import MAX_CHARS, MatrixChannel, build
from app.channels.matrix_session import own_device, settings_of
from app.clock import SystemClock
from tests.channels.mails import fetch_all, reply_to
from tests.peers.synapse import PASSWORD, SERVER, Person, Synapse

Open = Callable[..., MatrixChannel]


@pytest.fixture
def team(synapse: Synapse) -> Person:
    """The municipality's account."""
    return synapse.person("Stadsdeel Noord")


@pytest.fixture
def fatma(synapse: Synapse) -> Person:
    """A resident."""
    return synapse.person()


@pytest.fixture
async def open_channel(synapse: Synapse, team: Person) -> AsyncIterator[Open]:
    """Open the account: `open_channel(url=…, password=…)`."""
    opened: list[MatrixChannel] = []

    def open_it(*, password: str = PASSWORD, **changes: Any) -> MatrixChannel:
        config = {"url": synapse.url, "user": team.user, "invite_servers": [SERVER]} | changes
        channel = build(config, json.dumps({"password": password}), SystemClock().now_ms)
        opened.append(channel)
        return channel

    yield open_it
    for channel in opened:
        await channel.close()


@pytest.fixture
def channel(open_channel: Open) -> MatrixChannel:
    """The account, which takes invitations from its own server."""
    return open_channel()


async def chat(fatma: Person, team: Person, channel: MatrixChannel) -> tuple[str, str | None]:
    """Let a resident start a chat with the team; return its room and the cursor behind that."""
    room = fatma.chat_with(team.user)
    batch = await fetch_all(channel)
    return room, batch.cursor


async def messages(channel: MatrixChannel, cursor: str | None = None) -> list[Incoming]:
    batch = await fetch_all(channel, cursor)
    return [item for item in batch.items if isinstance(item, Incoming)]


def answer(item: Incoming, channel: MatrixChannel, **changes: object) -> Outgoing:
    return reply_to(item, channel.new_external_id, item.address, **changes)


def photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "JPEG")
    return out.getvalue()


# -- signing in ----------------------------------------------------------------------


async def test_every_sign_in_is_the_same_device(
    synapse: Synapse, team: Person, open_channel: Open
) -> None:
    await open_channel().check()
    synapse.sign_out(team.user)
    await open_channel().check()
    assert synapse.devices(team.user) == [own_device(team.user)]


async def test_a_wrong_password_is_said_and_leaves_nothing(
    synapse: Synapse, team: Person, open_channel: Open
) -> None:
    with pytest.raises(SignedOut) as refused:
        await open_channel(password="fout").check()
    assert refused.value.code == "token_refused"
    assert synapse.devices(team.user) == []


async def test_a_token_alone_is_enough_until_it_ends(synapse: Synapse, team: Person) -> None:
    config = {"url": synapse.url, "user": team.user}
    channel = build(config, json.dumps({"access_token": team.token}), SystemClock().now_ms)
    await channel.check()
    team.ask("POST", "/_matrix/client/v3/logout", json={})
    with pytest.raises(SignedOut):
        await channel.check()
    with pytest.raises(SignedOut):
        await channel.fetch(None)
    await channel.close()


async def test_a_token_of_somebody_else_is_refused(
    synapse: Synapse, team: Person, fatma: Person
) -> None:
    config = {"url": synapse.url, "user": team.user}
    channel = build(config, json.dumps({"access_token": fatma.token}), SystemClock().now_ms)
    with pytest.raises(SignedOut):
        await channel.check()
    await channel.close()


async def test_signed_out_in_the_middle_it_signs_in_again_and_sends_once(
    synapse: Synapse, team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    fatma.says(room, "Hallo")
    (item,) = await messages(channel, cursor)
    synapse.sign_out(team.user)
    await channel.send(answer(item, channel))
    assert len(fatma.sees(room, team.user)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://matrix.example.nl"},
        {"url": "ftp://localhost"},
        {"url": "https://"},
        {"url": "https://a b"},
        {"url": "https://[::1"},
        {"user": "noord"},
        {"user": "@noord"},
        {"user": 7},
        {"invite_servers": "*"},
        {"since_ms": "gisteren"},
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object]) -> None:
    config = {"url": "https://matrix.example.nl", "user": "@noord:example.nl"}
    settings_of(config, '{"password": "x"}')
    with pytest.raises(Permanent) as refused:
        settings_of(config | wrong, '{"password": "x"}')
    assert refused.value.code == "bad_config"


@pytest.mark.parametrize("secret", ["", "{}", "[]", "geheim"])
def test_without_password_or_token_there_is_no_account(secret: str) -> None:
    config = {"url": "https://matrix.example.nl", "user": "@noord:example.nl"}
    with pytest.raises(Permanent):
        settings_of(config, secret)


def test_the_password_is_not_shown_with_the_settings() -> None:
    config = {"url": "https://matrix.example.nl", "user": "@noord:example.nl"}
    settings = settings_of(config, '{"password": "geheim1", "access_token": "geheim2"}')
    assert "geheim" not in repr(settings)


# -- what comes in -------------------------------------------------------------------


async def test_a_chat_is_joined_and_what_was_said_before_is_there(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room = fatma.chat_with(team.user)
    event = fatma.says(room, "De lantaarn is stuk")
    (item,) = await messages(channel)
    assert (item.text, item.sender_name, item.address) == (
        "De lantaarn is stuk",
        "Fatma Yıldız",
        fatma.user,
    )
    assert item.external_id == f"{room}/{event}"
    assert (item.public, item.link, item.kind) == (False, "", "new")
    assert abs(item.sent_at_ms - SystemClock().now_ms()) < 60_000
    assert json.loads(item.raw)["event_id"] == event


async def test_an_invitation_from_elsewhere_is_left_alone(
    team: Person, fatma: Person, open_channel: Open
) -> None:
    room = fatma.chat_with(team.user)
    fatma.says(room, "Hallo")
    for servers in ([], ["elders.example"]):
        assert await messages(open_channel(invite_servers=servers)) == []
    (item,) = await messages(open_channel(invite_servers=["*"]))
    assert item.text == "Hallo"


async def test_a_space_is_not_joined(team: Person, fatma: Person, channel: MatrixChannel) -> None:
    fatma.chat_with(team.user, creation_content={"type": "m.space"})
    assert (await channel.fetch(None)).more is False
    assert team.ask("GET", "/_matrix/client/v3/joined_rooms")["joined_rooms"] == []


async def test_a_closed_room_in_which_others_read_along_is_not_called_private(
    synapse: Synapse, team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room = fatma.chat_with(team.user)
    await messages(channel)
    henk = synapse.person("Henk")
    fatma.ask("POST", f"/_matrix/client/v3/rooms/{room}/invite", json={"user_id": henk.user})
    henk.join(room)
    fatma.says(room, "Hij mag meelezen")
    item = (await messages(channel))[-1]
    assert (item.address, item.public) == (f"{fatma.user} {room}", None)


async def test_in_a_room_each_resident_is_answered_in_that_room(
    synapse: Synapse, team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room = fatma.chat_with(team.user, preset="public_chat")
    await messages(channel)
    henk = synapse.person("Henk")
    henk.join(room)
    event = henk.says(room, "Wanneer komt de markt terug?")
    (item,) = await messages(channel)
    assert item.address == f"{henk.user} {room}"
    assert item.public
    assert item.link == f"https://matrix.to/#/{room}/{event}"
    await channel.send(answer(item, channel))
    (sent,) = henk.sees(room, team.user)
    assert sent["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == event
    assert sent["content"]["m.mentions"] == {"user_ids": [henk.user]}


async def test_a_reply_to_ours_names_ours(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    fatma.says(room, "Hallo")
    (item,) = await messages(channel, cursor)
    receipt = await channel.send(answer(item, channel))
    event = receipt.external_id.partition("/")[2]
    fatma.says(
        room,
        {
            "msgtype": "m.text",
            "body": f"> <{team.user}> Donderdag komt er iemand\n> langs.\n\nWelke donderdag?",
            "m.relates_to": {"m.in_reply_to": {"event_id": event}},
        },
    )
    newest = (await messages(channel))[-1]
    assert newest.in_reply_to == (receipt.external_id,)
    assert newest.text == "Welke donderdag?"
    assert newest.quoted == f"<{team.user}> Donderdag komt er iemand\nlangs."


async def test_edits_and_deletions_follow(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    event = fatma.says(room, "Lantaarn 12")
    batch = await fetch_all(channel, cursor)
    fatma.edits(room, event, "Lantaarn 21")
    fatma.takes_back(room, event)
    edit, delete = await messages(channel, batch.cursor)
    assert (edit.kind, edit.text, edit.external_id) == ("edit", "Lantaarn 21", f"{room}/{event}")
    assert (delete.kind, delete.text, delete.external_id) == ("delete", "", edit.external_id)


async def test_nobody_edits_what_somebody_else_wrote(
    synapse: Synapse, team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, _ = await chat(fatma, team, channel)
    mallory = synapse.person("Mallory")
    fatma.invite(room, mallory.user)
    mallory.join(room)
    event = fatma.says(room, "Alles goed")
    mallory.edits(room, event, "Ik haat de gemeente")
    assert [item.text for item in await messages(channel)] == ["Alles goed"]


async def test_a_photo_comes_along(team: Person, fatma: Person, channel: MatrixChannel) -> None:
    room, cursor = await chat(fatma, team, channel)
    url = fatma.uploads(photo(), "image/jpeg")
    content = {
        "msgtype": "m.image",
        "body": "Hier",
        "filename": "put.jpg",
        "url": url,
        "info": {"mimetype": "image/jpeg"},
    }
    fatma.says(room, content)
    fatma.says(room, content | {"url": f"mxc://{SERVER}/weg", "body": "put.jpg"})
    fatma.says(room, content | {"info": {"size": 10_000_001}})
    there, gone, huge = await messages(channel, cursor)
    (file,) = there.attachments
    assert (file.name, file.media_type, file.content) == ("put.jpg", "image/jpeg", photo())
    assert there.text == "Hier"
    assert (gone.text, gone.attachments, gone.notices) == ("", (), ("attachments_dropped",))
    assert huge.notices == ("attachments_dropped",)


async def test_an_encrypted_message_says_that_it_cannot_be_read_or_answered(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    fatma.sets(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    envelope = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgA", "session_id": "x"}
    fatma.says(room, envelope, "m.room.encrypted")
    (item,) = await messages(channel, cursor)
    assert (item.text, item.notices) == ("", ("encrypted",))
    with pytest.raises(Permanent) as refused:
        await channel.send(answer(item, channel))
    assert refused.value.code == "room_encrypted"
    assert fatma.sees(room, team.user) == []


async def test_a_bot_is_known_as_one(team: Person, fatma: Person, channel: MatrixChannel) -> None:
    room, cursor = await chat(fatma, team, channel)
    fatma.says(room, {"msgtype": "m.notice", "body": "Het regent"})
    (item,) = await messages(channel, cursor)
    assert item.automatic


async def test_waiting_ends_when_somebody_writes(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    assert await channel.wait(0.05) is False
    waiting = asyncio.create_task(channel.wait(20))
    await asyncio.to_thread(fatma.says, room, "Bent u daar?")
    assert await waiting is True
    (item,) = await messages(channel, cursor)
    assert item.text == "Bent u daar?"
    # What the wait brought is given out once and not kept for another cursor.
    assert [one.text for one in await messages(channel, cursor)] == ["Bent u daar?"]


async def test_what_was_said_during_a_long_absence_comes_whole(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    said = [f"Bericht {number}" for number in range(170)]
    for text in said:
        fatma.says(room, text)
    batch = await fetch_all(channel, cursor)
    assert [item.text for item in batch.items if isinstance(item, Incoming)] == said
    assert batch.gap is None


async def test_more_than_is_read_back_is_a_gap(
    synapse: Synapse, team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    before_ms = SystemClock().now_ms()
    for number in range(170):
        fatma.says(room, f"Bericht {number}")
    config = {"url": synapse.url, "user": team.user}
    settings = settings_of(config, json.dumps({"password": PASSWORD}))
    hasty = MatrixChannel(settings, SystemClock().now_ms, max_pages=1)
    batch: Batch = await hasty.fetch(cursor)
    texts = [item.text for item in batch.items if isinstance(item, Incoming)]
    assert texts == [f"Bericht {number}" for number in range(20, 170)]
    assert batch.gap is not None
    assert batch.gap.from_ms <= before_ms < batch.gap.to_ms
    await hasty.close()


async def test_what_was_written_before_the_account_was_added_is_left(
    team: Person, fatma: Person, channel: MatrixChannel, open_channel: Open
) -> None:
    room, _ = await chat(fatma, team, channel)
    fatma.says(room, "Vroeger")
    later = open_channel(since_ms=SystemClock().now_ms() + 60_000)
    assert await messages(later) == []


async def test_what_the_resident_has_read_is_delivered(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    fatma.says(room, "Hallo")
    batch = await fetch_all(channel, cursor)
    (item,) = (item for item in batch.items if isinstance(item, Incoming))
    receipt = await channel.send(answer(item, channel))
    fatma.reads(room, receipt.external_id.partition("/")[2])
    after = await fetch_all(channel, batch.cursor)
    (report,) = (item for item in after.items if isinstance(item, DeliveryReport))
    assert (report.external_id, report.state) == (receipt.external_id, "delivered")


async def test_our_own_message_is_an_echo_of_its_delivery(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    fatma.says(room, "Hallo")
    (item,) = await messages(channel, cursor)
    reply = answer(item, channel)
    await channel.send(reply)
    assert (await fetch_all(channel, cursor)).echoes == (reply.external_id,)


# -- what goes out -------------------------------------------------------------------


async def test_a_photo_goes_along_in_one_message(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    fatma.says(room, "Hallo")
    (item,) = await messages(channel, cursor)
    file = OutgoingAttachment("plan.jpg", "image/jpeg", photo())
    await channel.send(answer(item, channel, attachments=(file,)))
    (sent,) = fatma.sees(room, team.user)
    assert sent["content"]["body"].startswith("Donderdag")
    assert (sent["content"]["msgtype"], sent["content"]["filename"]) == ("m.image", "plan.jpg")
    assert fatma.downloads(sent["content"]["url"]) == photo()
    described = OutgoingAttachment("plan.jpg", "image/jpeg", photo(), "Een kaart van het plein")
    again = answer(item, channel, attachments=(described,))
    await channel.send(again)
    told = fatma.sees(room, team.user)[-1]["content"]
    assert told["body"] == f"{again.text}\n\n[Een kaart van het plein]"
    assert told["filename"] == "plan.jpg"
    with pytest.raises(Permanent) as refused:
        await channel.send(answer(item, channel, attachments=(file, file)))
    assert refused.value.code == "too_many_attachments"


async def test_the_longest_reply_fits_in_an_event(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    fatma.says(room, "Hallo")
    (item,) = await messages(channel, cursor)
    await channel.send(answer(item, channel, text="😀" * MAX_CHARS))
    (sent,) = fatma.sees(room, team.user)
    assert sent["content"]["body"] == "😀" * MAX_CHARS


async def test_a_private_answer_is_not_given_in_front_of_others(
    synapse: Synapse, team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    fatma.says(room, "Onder ons")
    (item,) = await messages(channel, cursor)
    buurman = synapse.person("Buurman")
    fatma.invite(room, buurman.user)
    buurman.join(room)
    with pytest.raises(Permanent) as refused:
        await channel.send(answer(item, channel))
    assert refused.value.code == "room_not_private"
    buurman.leave(room)
    await channel.send(answer(item, channel))
    fatma.leave(room)
    with pytest.raises(Permanent) as refused:
        await channel.send(answer(item, channel))
    assert refused.value.code == "resident_left"


async def test_where_we_were_sent_away_nothing_is_said(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    fatma.says(room, "Hallo")
    (item,) = await messages(channel, cursor)
    fatma.ask("POST", f"/_matrix/client/v3/rooms/{room}/kick", json={"user_id": team.user})
    for lost in (item, replace(item, external_id="onzin"), replace(item, external_id="")):
        with pytest.raises(Permanent) as refused:
            await channel.send(answer(lost, channel))
        assert refused.value.code in {"not_in_room", "no_room"}
        assert fatma.sees(room, team.user) == []


async def test_a_question_that_changed_or_went_meanwhile_is_answered_once(
    team: Person, fatma: Person, channel: MatrixChannel
) -> None:
    room, cursor = await chat(fatma, team, channel)
    event = fatma.says(room, "Lantaarn 12")
    (item,) = await messages(channel, cursor)
    fatma.edits(room, event, "Lantaarn 21")
    await channel.send(answer(item, channel))
    fatma.takes_back(room, event)
    await channel.send(answer(item, channel, text="Graag gedaan"))
    texts = [one["content"]["body"] for one in fatma.sees(room, team.user)]
    assert texts == ["Donderdag komt er iemand langs. Groet, Anna", "Graag gedaan"]


async def test_a_server_that_is_not_there_is_said(open_channel: Open) -> None:
    channel = open_channel(url="http://127.0.0.1:9")
    with pytest.raises(Temporary) as gone:
        await channel.check()
    assert gone.value.code == "platform_unreachable"
    assert gone.value.account_wide
