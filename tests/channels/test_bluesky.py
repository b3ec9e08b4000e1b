"""Bluesky against its makers' own servers: what comes in, how it reads, and what an answer is."""

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from app.channels.bluesky import settings_of
from app.channels.contract import Batch, Incoming, OutgoingAttachment, Permanent, SignedOut
from app.clock import SetClock, SystemClock
from tests.channels.blueskies import Team, arrived
from tests.channels.mails import fetch_all, reply_to
from tests.peers.bluesky import Bluesky


@pytest.fixture
async def team(bluesky: Bluesky) -> AsyncIterator[Team]:
    channels: list = []
    yield Team(bluesky, channels)
    for channel in channels:
        await channel.close()


def picture() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(written, "PNG")
    return written.getvalue()


async def test_mentions_replies_and_quotes_come_in_once_and_in_order(team: Team) -> None:
    channel = team.opens()
    first = team.asked("Wanneer komt de lamp?", ago_s=30)
    ours = team.server.post(team.us, "Donderdag.", answers=first, ago_s=20)
    thanks = team.server.post(team.fatma, "Dank!", answers=ours, root=first, ago_s=10)
    quote = team.server.post(team.fatma, "Kijk, ze doen het", quotes=ours)
    team.server.post(team.fatma, "Niet voor jullie.")
    found = await arrived(channel, first, thanks, quote)
    assert list(found) == [first.uri, thanks.uri, quote.uri]
    asked, thanked, quoted = found.values()
    assert asked.text == f"@{team.us.handle} Wanneer komt de lamp?"
    assert (asked.address, asked.public, asked.sender_name) == (
        team.fatma.did,
        True,
        f"@{team.fatma.handle}",
    )
    assert asked.link == f"https://bsky.app/profile/{team.fatma.did}/post/{first.uri[-13:]}"
    # Of our own post the key, by which its delivery knows it.
    assert thanked.in_reply_to == (ours.uri[-13:], first.uri)
    assert (quoted.text, quoted.quoted, quoted.in_reply_to) == (
        "Kijk, ze doen het",
        "Donderdag.",
        (),
    )
    cursor = (await fetch_all(channel)).cursor
    assert (await fetch_all(channel, cursor)).items == ()


async def test_an_account_has_one_name_by_handle_and_by_did(team: Team) -> None:
    for typed in (team.us.handle, team.us.did):
        channel = team.opens(identifier=typed)
        await channel.check()
        assert await channel.known_as() == team.us.did


async def test_a_post_from_a_slow_phone_is_not_missed(team: Team) -> None:
    channel = team.opens()
    quick = team.asked("snel", ago_s=5)
    await arrived(channel, quick)
    cursor = (await fetch_all(channel)).cursor
    slow = team.asked("traag", ago_s=600)
    assert list(await arrived(channel, slow, cursor=cursor)) == [slow.uri]


async def test_a_long_absence_is_caught_up_with_in_bounded_pieces(team: Team) -> None:
    channel = team.opens()
    posts = [team.asked(f"nummer {number}", ago_s=60 - number) for number in range(27)]
    await arrived(channel, *posts)
    first = await channel.fetch(None)
    assert len(first.items) == 25
    assert first.more
    rest = await channel.fetch(first.cursor)
    assert [item.external_id for item in (*first.items, *rest.items)] == [p.uri for p in posts]
    assert not rest.more


async def test_what_is_older_than_the_account_here_is_left_alone(team: Team) -> None:
    channel = team.opens(since_ms=SystemClock().now_ms() - 600_000)
    old, new = team.asked("oud", ago_s=3600), team.asked("nieuw")
    found = await arrived(channel, new)
    assert old.uri not in found


async def test_edits_and_deletions_are_followed(team: Team) -> None:
    clock = SetClock(SystemClock().now_ms() + 5_000)
    channel = team.opens(now_ms=clock.now_ms)
    one, two = team.asked("Lamp in de Kerkstraat", ago_s=2), team.asked("Vergissing")
    await arrived(channel, one, two)
    cursor = (await fetch_all(channel)).cursor
    team.server.rewrite(team.fatma, one, f"@{team.us.handle} Lamp in de Kerklaan")
    team.server.delete(team.fatma, two)
    clock.forward(s=121)
    batch = await channel.fetch(cursor)
    assert [(item.external_id, item.kind, item.text) for item in _messages(batch)] == [
        (one.uri, "edit", f"@{team.us.handle} Lamp in de Kerklaan")
    ]
    # Missed once may be the app view's fault, twice is not.
    clock.forward(s=121)
    batch = await channel.fetch(batch.cursor)
    assert [(item.external_id, item.kind, item.text) for item in _messages(batch)] == [
        (two.uri, "delete", "")
    ]
    clock.forward(s=121)
    assert (await channel.fetch(batch.cursor)).items == ()


async def test_a_post_that_the_app_view_left_out_once_is_not_deleted(team: Team) -> None:
    clock = SetClock(SystemClock().now_ms() + 5_000)
    channel = team.opens(now_ms=clock.now_ms)
    one = team.asked("Blijft staan")
    await arrived(channel, one)
    state = json.loads((await fetch_all(channel)).cursor or "")
    state["watched"] = {uri: f"?{cid}" for uri, cid in state["watched"].items()}
    clock.forward(s=121)
    batch = await channel.fetch(json.dumps(state))
    assert batch.items == ()
    assert json.loads(batch.cursor or "")["watched"] == {one.uri: one.cid}


def _messages(batch: Batch) -> list[Incoming]:
    return [item for item in batch.items if isinstance(item, Incoming)]


async def test_a_post_reads_as_its_author_wrote_it(team: Team) -> None:
    channel = team.opens()
    team.server.names_herself(team.fatma, "Fatma Yıldız 🌷")
    text = f"é @{team.us.handle} zie gemeente.example/een/la…"
    start = len(text[: text.index("gemeente")].encode())
    link = {
        "index": {"byteStart": start, "byteEnd": len(text.encode())},
        "features": [
            {
                "$type": "app.bsky.richtext.facet#link",
                "uri": "https://gemeente.example/een/lang/adres",
            }
        ],
    }
    labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "graphic-media"}]}
    post = team.server.post(
        team.fatma,
        text,
        names=(team.us,),
        facets=[link],
        labels=labels,
        images=((picture(), "Een kapotte lamp"),),
    )
    item = (await arrived(channel, post))[post.uri]
    assert item.text == (
        "⚠ graphic-media\n\n"
        f"é @{team.us.handle} zie https://gemeente.example/een/lang/adres\n\n"
        "[Een kapotte lamp]"
    )
    assert item.sender_name == f"Fatma Yıldız 🌷 (@{team.fatma.handle})"


async def test_pictures_come_along_unless_they_lie_inside(team: Team) -> None:
    post = team.asked("kijk", images=((picture(), ""), (picture(), "")))
    inside = (await arrived(team.opens(), post))[post.uri]
    assert (inside.attachments, inside.notices) == ((), ("attachments_dropped",))
    item = (await arrived(team.opens(private_hosts=["localhost"]), post))[post.uri]
    assert item.notices == ()
    assert len(item.attachments) == 2
    # The app view shows them in its own size.
    assert Image.open(io.BytesIO(item.attachments[0].content)).size == (1000, 1000)


async def test_a_reply_hangs_in_the_thread_with_its_links_names_and_tags(team: Team) -> None:
    channel = team.opens()
    begin = team.server.post(team.fatma, "Mijn straat", ago_s=10)
    asked = team.server.post(
        team.fatma, f"@{team.us.handle} zien jullie dit?", names=(team.us,), answers=begin
    )
    item = (await arrived(channel, asked))[asked.uri]
    text = (
        f"Ja! ☀️ Zie https://gemeente.example/werk (of vraag @{team.fatma.handle}), "
        "#paddepoel #2026 @niemand.test."
    )
    receipt = await channel.send(team.reply(item, text=text))
    (record,) = team.posts
    value = record["value"]
    assert record["uri"].endswith(f"/{receipt.external_id}")
    assert value["text"] == text
    assert value["reply"]["parent"]["uri"] == asked.uri
    assert value["reply"]["root"]["uri"] == begin.uri
    raw = text.encode()
    marked = {
        raw[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(): facet["features"][0]
        for facet in value["facets"]
    }
    assert {shown: feature["$type"].rpartition("#")[2] for shown, feature in marked.items()} == {
        "https://gemeente.example/werk": "link",
        f"@{team.fatma.handle}": "mention",
        "#paddepoel": "tag",
    }
    assert marked[f"@{team.fatma.handle}"]["did"] == team.fatma.did


async def test_pictures_go_along(team: Team) -> None:
    channel = team.opens()
    item = await team.asks(channel)
    files = (
        OutgoingAttachment("foto.png", "image/png", picture(), "Een kapotte lamp"),
        OutgoingAttachment("foto.png", "image/png", picture()),
    )
    await channel.send(team.reply(item, attachments=files))
    (record,) = team.posts
    images = record["value"]["embed"]["images"]
    assert [image["image"]["size"] for image in images] == [len(picture())] * 2
    assert [image["alt"] for image in images] == ["Een kapotte lamp", ""]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": "x" * 301}, "too_long"),
        ({"text": "👩‍👩‍👧‍👦" * 121}, "too_long"),
        (
            {"attachments": (OutgoingAttachment("f", "image/png", b"x"),) * 5},
            "too_many_attachments",
        ),
        ({"attachments": (OutgoingAttachment("f", "video/mp4", b"x"),)}, "picture_refused"),
        (
            {"attachments": (OutgoingAttachment("f", "image/png", bytes(2_000_001)),)},
            "picture_refused",
        ),
    ],
)
async def test_what_no_server_takes_is_refused_with_a_reason(
    team: Team, changes: dict[str, Any], code: str
) -> None:
    channel = team.opens()
    with pytest.raises(Permanent) as refused:
        await channel.send(reply_to(None, channel.new_external_id, "did:plc:x", **changes))
    assert refused.value.code == code


@pytest.mark.parametrize("text", ["é" * 300, "👩‍👩‍👧‍👦" * 120, "x" * 300])
async def test_as_much_as_the_platform_takes_is_sent(team: Team, text: str) -> None:
    channel = team.opens()
    item = await team.asks(channel)
    await channel.send(team.reply(item, text=text))
    assert [record["value"]["text"] for record in team.posts] == [text]


async def test_where_there_is_nothing_to_answer_nothing_is_begun(team: Team) -> None:
    channel = team.opens()
    with pytest.raises(Permanent) as refused:
        await channel.send(reply_to(None, channel.new_external_id, team.fatma.did))
    assert refused.value.code == "only_replies"


async def test_a_thread_that_takes_no_replies_gets_none(team: Team) -> None:
    channel = team.opens()
    item = await team.asks(channel)
    # Whom the root of a thread lets in decides, so Jan's is closed to us.
    jan = team.server.person("jan")
    root = team.server.post(jan, "Alleen voor mij")
    team.server.takes_no_replies(jan, root)
    closed = team.server.post(team.fatma, "Hm", answers=root)
    with pytest.raises(Permanent) as refused:
        await channel.send(team.reply(item, in_reply_to=closed.uri))
    assert refused.value.code in {"replies_closed", "question_gone"}
    with pytest.raises(Permanent) as refused:
        await channel.send(team.reply(item, in_reply_to=root.uri))
    assert refused.value.code == "replies_closed"
    assert team.posts == []


async def test_a_wrong_password_is_a_sign_out(team: Team) -> None:
    channel = team.opens(app_password="aaaa-bbbb-cccc-dddd")
    with pytest.raises(SignedOut) as refused:
        await channel.check()
    assert refused.value.code == "token_refused"


async def test_the_right_one_signs_in(team: Team) -> None:
    await team.opens().check()


@pytest.mark.parametrize(
    ("config", "secret"),
    [
        ({}, ""),
        ({"identifier": "geen naam"}, ""),
        ({"identifier": "@stadsdeel"}, ""),
        ({"identifier": "x.bsky.social", "service": "http://elders.example"}, ""),
        ({"identifier": "x.bsky.social", "since_ms": "gisteren"}, ""),
        ({"identifier": "x.bsky.social", "timeout_s": 0}, ""),
        ({"identifier": "x.bsky.social"}, "geen json"),
    ],
)
def test_settings_that_cannot_work_are_refused(config: dict[str, Any], secret: str) -> None:
    with pytest.raises(Permanent) as refused:
        settings_of(config, secret)
    assert refused.value.code == "bad_config"


@pytest.mark.parametrize("typed", ["@Stadsdeel.bsky.social", " stadsdeel.bsky.social "])
def test_a_name_is_understood_as_people_type_it(typed: str) -> None:
    settings = settings_of({"identifier": typed}, "")
    assert (settings.identifier, settings.service) == (
        "stadsdeel.bsky.social",
        "https://bsky.social",
    )
