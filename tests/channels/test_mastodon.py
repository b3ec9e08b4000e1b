"""Mastodon and its relatives: what comes in, how it reads, and who sees the answer."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.channels.contract import (
    Incoming,
    OutgoingAttachment,
    Permanent,
    SignedOut,
    SigningIn,
    Temporary,
    Waiting,
)
from app.channels.mastodon import MastodonChannel, build
from app.channels.mastodon_settings import read_instance, settings_of
from app.channels.mastodon_stream import RETRY_S
from app.channels.mastodon_text import length, plain_text, same_words
from app.clock import SetClock, SystemClock
from tests.channels.mails import fetch_all, reply_to
from tests.channels.mastodons import TEAM, messages, open_account, running
from tests.peers.mastodon import Mastodon

OpenAccount = Callable[..., MastodonChannel]

PECULIAR: list[dict[str, Any]] = [
    {},
    {"opaque_ids": True, "link_header": False},
    {"since_id": False, "link_header": False, "opaque_ids": True},
    {"default_limit": 1, "max_limit": 1, "since_id": False},
    {"instance_v2": False, "idempotency": False, "streaming": False},
    {"instance_v2": False, "instance_v1": False, "media_v2": False, "media_later": 0},
]


@pytest.fixture
def server() -> Iterator[Mastodon]:
    with running() as server:
        yield server


@pytest.fixture(params=PECULIAR, ids=lambda habits: "-".join(habits) or "mastodon")
def any_server(request: pytest.FixtureRequest) -> Iterator[Mastodon]:
    with running(**request.param) as server:
        yield server


@pytest.fixture
async def opened() -> AsyncIterator[OpenAccount]:
    channels: list[MastodonChannel] = []

    def open_it(server: Mastodon, **more: Any) -> MastodonChannel:
        channels.append(open_account(server, **more))
        return channels[-1]

    yield open_it
    for channel in channels:
        await channel.close()


async def test_mentions_and_direct_messages_come_in_once_and_in_order(
    any_server: Mastodon, opened: OpenAccount
) -> None:
    channel = opened(any_server)
    any_server.post("fatma", "@stadsdeel Wanneer komt de lamp?")
    any_server.post("jan@elders.example", "@stadsdeel@stad.example Mag dit ook zo?", "direct")
    any_server.post("fatma", "Niet voor jullie.")
    batch = await fetch_all(channel)
    first, second = batch.items
    assert isinstance(first, Incoming)
    assert isinstance(second, Incoming)
    assert (first.address.partition("@")[0], second.address) == ("fatma", "jan@elders.example")
    assert (first.text, first.public) == ("@stadsdeel Wanneer komt de lamp?", True)
    assert (second.text, second.public) == ("@stadsdeel Mag dit ook zo?", False)
    assert first.link.startswith("https://stad.example/@fatma/")
    assert (await fetch_all(channel, batch.cursor)).items == ()
    any_server.post("fatma", "@stadsdeel Nog iets.")
    (third,) = await messages(channel, batch.cursor)
    assert third.text == "@stadsdeel Nog iets."


async def test_an_account_has_one_name_by_whichever_address_and_token(opened: OpenAccount) -> None:
    with running() as server:
        one = opened(server)
        other = opened(server, host="localhost")
        assert await one.known_as() == await other.known_as() == "https://stad.example/@stadsdeel"
        assert await opened(server, token=server.token("fatma")).known_as() != await one.known_as()


async def test_a_long_absence_is_caught_up_with_in_bounded_pieces(
    any_server: Mastodon, opened: OpenAccount
) -> None:
    channel = opened(any_server)
    any_server.post("fatma", "@stadsdeel nummer 0")
    cursor = (await fetch_all(channel)).cursor
    for number in range(1, 56):
        any_server.post("fatma", f"@stadsdeel nummer {number}")
    first = await channel.fetch(cursor)
    assert len(first.items) == 40
    assert first.more
    assert first.gap is None
    texts = [item.text for item in await messages(channel, cursor)]
    assert texts == [f"@stadsdeel nummer {number}" for number in range(1, 56)]


async def test_what_one_walk_cannot_reach_is_said_to_be_a_gap(opened: OpenAccount) -> None:
    with running(max_limit=1) as server:
        channel = opened(server)
        server.post("fatma", "@stadsdeel de eerste", ago_s=900)
        cursor = (await fetch_all(channel)).cursor
        for number in range(70):
            server.post("fatma", f"@stadsdeel nummer {number}", ago_s=800 - number)
        batch = await channel.fetch(cursor)
        assert batch.gap is not None
        assert batch.gap.from_ms < batch.gap.to_ms
        oldest = batch.items[0]
        assert isinstance(oldest, Incoming)
        assert oldest.text == "@stadsdeel nummer 10"
        later = await channel.fetch(batch.cursor)
        assert later.gap is None


async def test_a_mark_that_was_deleted_there_starts_nothing_over(
    any_server: Mastodon, opened: OpenAccount
) -> None:
    channel = opened(any_server)
    any_server.post("fatma", "@stadsdeel een", ago_s=60)
    last = any_server.post("fatma", "@stadsdeel twee", ago_s=30)
    cursor = (await fetch_all(channel)).cursor
    any_server.delete(last)
    any_server.post("fatma", "@stadsdeel drie")
    items = await messages(channel, cursor)
    assert [item.text for item in items if item.kind == "new"] == ["@stadsdeel drie"]


async def test_what_is_older_than_the_account_here_is_left_alone(
    server: Mastodon, opened: OpenAccount
) -> None:
    server.post("fatma", "@stadsdeel oud", ago_s=3600)
    server.post("fatma", "@stadsdeel nieuw")
    channel = opened(server, since_ms=SystemClock().now_ms() - 600_000)
    assert [item.text for item in await messages(channel)] == ["@stadsdeel nieuw"]


async def test_hashtags_come_in_beside_mentions_and_never_twice(
    any_server: Mastodon, opened: OpenAccount
) -> None:
    channel = opened(any_server, hashtags=["#Paddepoel"])
    any_server.post("fatma", "Mooi hier in #paddepoel")
    any_server.post("fatma", "@stadsdeel lamp stuk in #paddepoel")
    any_server.post(TEAM, "Wij zijn in #paddepoel")
    any_server.post("fatma", "Stil #paddepoel", "private")
    batch = await fetch_all(channel)
    said = {item.text: item for item in batch.items if isinstance(item, Incoming)}
    assert sorted(said) == ["@stadsdeel lamp stuk in #paddepoel", "Mooi hier in #paddepoel"]
    assert len(batch.items) == 2
    assert said["Mooi hier in #paddepoel"].subject == "#paddepoel"
    assert (await fetch_all(channel, batch.cursor)).items == ()


async def test_an_answer_names_all_that_it_answers_nearest_first(
    server: Mastodon, opened: OpenAccount
) -> None:
    channel = opened(server)
    question = server.post("fatma", "@stadsdeel Vraag")
    answer = server.post(TEAM, "@fatma Antwoord", answers=question.id)
    server.post("fatma", "@stadsdeel Dank", answers=answer.id)
    _, thanks = await messages(channel)
    assert thanks.in_reply_to == (answer.id, question.id)


async def test_edits_and_deletions_are_followed(any_server: Mastodon, opened: OpenAccount) -> None:
    clock = SetClock(SystemClock().now_ms())
    channel = build(
        {"server": any_server.url},
        json.dumps({"access_token": any_server.token(TEAM)}),
        clock.now_ms,
    )
    one = any_server.post("fatma", "@stadsdeel Lamp in de Kerkstraat")
    two = any_server.post("fatma", "@stadsdeel Vergissing")
    cursor = (await fetch_all(channel)).cursor
    any_server.edit(one, "@stadsdeel Lamp in de Kerklaan")
    any_server.delete(two)
    assert (await channel.fetch(cursor)).items == ()
    clock.forward(s=601)
    changes = await messages(channel, cursor)
    assert [(item.external_id, item.kind, item.text) for item in changes] == [
        (one.id, "edit", "@stadsdeel Lamp in de Kerklaan"),
        (two.id, "delete", ""),
    ]
    cursor = (await fetch_all(channel, cursor)).cursor
    clock.forward(s=601)
    assert (await channel.fetch(cursor)).items == ()
    await channel.close()


async def test_a_server_in_trouble_deletes_no_question(
    server: Mastodon, opened: OpenAccount
) -> None:
    clock = SetClock(SystemClock().now_ms())
    secret = json.dumps({"access_token": server.token(TEAM)})
    channel = build({"server": server.url}, secret, clock.now_ms)
    server.post("fatma", "@stadsdeel Blijft staan")
    cursor = (await fetch_all(channel)).cursor
    clock.forward(s=601)
    server.down = 404
    with pytest.raises(Temporary):
        await channel.fetch(cursor)
    server.down = None
    assert (await channel.fetch(cursor)).items == ()
    await channel.close()


async def test_the_stream_wakes_for_news_and_for_a_change(
    server: Mastodon, opened: OpenAccount
) -> None:
    channel = opened(server)
    assert isinstance(channel, Waiting)
    assert await channel.wait(5)  # opened anew: there may be something
    assert await channel.wait(5)  # and once more, for what came before the server listened
    assert not await channel.wait(0.05)
    post = server.post("fatma", "@stadsdeel Hallo")
    assert await channel.wait(5)
    cursor = (await fetch_all(channel)).cursor
    server.delete(post)
    assert await channel.wait(5)
    (gone,) = await messages(channel, cursor)
    assert (gone.kind, gone.external_id) == ("delete", post.id)
    assert server.listeners() == 1


async def test_a_stream_that_ends_is_news_too(server: Mastodon, opened: OpenAccount) -> None:
    channel = opened(server)
    await channel.wait(5)
    server.drop_streams()
    async with asyncio.timeout(RETRY_S / 2):
        assert await channel.wait(RETRY_S)


async def test_a_stream_that_refuses_the_token_is_a_sign_out(
    server: Mastodon, opened: OpenAccount
) -> None:
    channel = opened(server)
    await channel.check()
    server.tokens.clear()
    with pytest.raises(SignedOut):
        await channel.wait(5)


async def test_a_stream_said_to_be_on_somebody_elses_host_is_not_followed_there(
    opened: OpenAccount,
) -> None:
    with running() as other, running(streaming_at=f"ws://localhost:{other.port}") as server:
        channel = opened(server)
        assert await channel.wait(5)
        assert (other.asked, server.listeners()) == ([], 1)


@pytest.mark.parametrize(
    ("said", "followed"),
    [
        ("wss://streaming.social.example", "https://streaming.social.example"),
        ("wss://stad.example", "https://stad.example"),
        ("wss://10.0.0.5", "https://social.example"),
        ("wss://anderssocial.example", "https://social.example"),
        ("", "https://social.example"),
    ],
)
def test_only_a_place_of_the_servers_own_has_its_stream(said: str, followed: str) -> None:
    urls = {"configuration": {"urls": {"streaming": said}}, "domain": "stad.example"}
    assert read_instance(urls, "https://social.example").streaming == followed


async def test_a_server_without_a_stream_is_looked_at_now_and_then(opened: OpenAccount) -> None:
    with running(streaming=False) as server:
        channel = opened(server)
        assert await channel.wait(5)
        assert not await channel.wait(0.05)


async def test_a_post_reads_as_its_author_wrote_it(server: Mastodon, opened: OpenAccount) -> None:
    server.person(
        "sanne",
        display_name="Sanne :cat_wave: van Dijk\u202e",
        emojis=[{"shortcode": "cat_wave"}],
        bot=True,
    )
    server.post(
        "sanne",
        "@stadsdeel Zie https://www.gemeente.example/een/heel/lang/adres/van/een/pagina & meer\n"
        "tweede regel\n\n<b>alinea</b>",
        spoiler_text="afval",
        media=[{"id": "1", "type": "video", "description": "Een container die brandt"}],
    )
    (item,) = await messages(opened(server))
    assert item.text == (
        "⚠ afval\n\n"
        "@stadsdeel Zie https://www.gemeente.example/een/heel/lang/adres/van/een/pagina & meer\n"
        "tweede regel\n\n<b>alinea</b>\n\n"
        "[Een container die brandt]"
    )
    assert item.sender_name == "Sanne van Dijk"
    assert item.automatic
    assert item.notices == ("attachments_dropped",)
    assert json.loads(item.raw)["spoiler_text"] == "afval"


async def test_a_picture_at_a_name_that_is_none_does_not_keep_the_words_from_coming_in(
    server: Mastodon, opened: OpenAccount
) -> None:
    one = {"id": "1", "type": "image", "url": "https://xn--ls8h.la/a.png"}
    server.post("fatma", "@stadsdeel Kijk", media=[one])
    (item,) = await messages(opened(server))
    assert (item.text, item.notices) == ("@stadsdeel Kijk", ("attachments_dropped",))


async def test_a_heap_of_pictures_is_not_held_all_at_once(
    server: Mastodon, opened: OpenAccount
) -> None:
    server.pictures["groot.png"] = bytes(9_000_000)
    one = {"id": "1", "type": "image", "url": f"{server.url}/media/groot.png"}
    channel = opened(server, private_hosts=[server.url.removeprefix("http://")])
    for number in range(3):
        server.post("fatma", f"@stadsdeel foto {number}", media=[one] * 4)
    first = await channel.fetch(None)
    assert len(first.items) == 2
    assert first.more
    rest = await channel.fetch(first.cursor)
    found = [item for item in (*first.items, *rest.items) if isinstance(item, Incoming)]
    assert [item.text for item in found] == [f"@stadsdeel foto {number}" for number in range(3)]
    assert [len(item.attachments) for item in found] == [4, 4, 4]


async def test_pictures_come_along_with_what_they_show(
    server: Mastodon, opened: OpenAccount
) -> None:
    server.pictures["lamp.png"] = b"\x89PNG een lamp"
    here = {
        "id": "1",
        "type": "image",
        "url": f"{server.url}/media/lamp.png",
        "description": "Lamp",
    }
    elsewhere = {"id": "2", "type": "image", "url": None, "remote_url": here["url"]}
    gone = {"id": "3", "type": "image", "url": f"{server.url}/media/weg.png"}
    server.post("fatma", "@stadsdeel Kijk", media=[here, elsewhere])
    server.post("fatma", "@stadsdeel Nog een", media=[here, gone])
    both, one = await messages(opened(server, private_hosts=["127.0.0.1"]))
    assert both.text.endswith("\n\n[Lamp]")
    assert [(file.name, file.media_type) for file in both.attachments] == [
        ("lamp.png", "image/png")
    ] * 2
    assert both.attachments[0].content == server.pictures["lamp.png"]
    assert both.notices == ()
    assert (len(one.attachments), one.notices) == (1, ("attachments_dropped",))


async def test_a_picture_in_the_towns_own_network_is_not_fetched(
    server: Mastodon, opened: OpenAccount
) -> None:
    server.pictures["geheim.png"] = b"\x89PNG"
    inside = {"id": "1", "type": "image", "url": f"{server.url}/media/geheim.png"}
    server.post("fatma", "@stadsdeel Kijk", media=[inside])
    (item,) = await messages(opened(server))
    assert (item.attachments, item.notices) == ((), ("attachments_dropped",))
    assert ("GET", "/media/geheim.png") not in server.asked


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
async def test_a_reply_is_as_visible_as_its_question(
    any_server: Mastodon, opened: OpenAccount, visibility: str
) -> None:
    channel = opened(any_server)
    asked = any_server.post("fatma", "@stadsdeel Vraag", visibility, spoiler_text="lampen")
    (item,) = await messages(channel)
    # Our answer to what followers read is read by all of ours: never called private.
    assert (
        item.public
        == {"public": True, "unlisted": True, "private": None, "direct": False}[visibility]
    )
    receipt = await channel.send(reply_to(item, channel.new_external_id, item.address))
    (post,) = any_server.by(TEAM)
    assert receipt.external_id == post.id
    assert (post.visibility, post.in_reply_to, post.spoiler_text) == (visibility, asked, "lampen")
    assert post.mentioned == [any_server.person("fatma")] or not any_server.habits.instance_v1


async def test_a_visibility_that_nobody_knows_is_answered_in_private(
    server: Mastodon, opened: OpenAccount
) -> None:
    server.post("fatma", "@stadsdeel Vraag", "local")
    server.posts[0].visibility = "direct"
    channel = opened(server)
    (item,) = await messages(channel)
    server.posts[0].visibility = "local"
    server.posts[0].author = server.person(TEAM)  # so that it may be read at all
    await channel.send(reply_to(item, channel.new_external_id, "fatma@stad.example"))
    assert server.posts[-1].visibility == "direct"


async def test_a_private_answer_goes_to_whoever_asked_and_to_nobody_else(
    server: Mastodon, opened: OpenAccount
) -> None:
    channel = opened(server)
    server.post("jan@elders.example", "@stadsdeel @fatma Wat vinden jullie?", "direct")
    (item,) = await messages(channel)
    await channel.send(reply_to(item, channel.new_external_id, "fatma@stad.example"))
    (post,) = server.by(TEAM)
    assert post.mentioned == [server.person("jan@elders.example")]


async def test_a_reply_in_public_also_names_who_began(
    server: Mastodon, opened: OpenAccount
) -> None:
    channel = opened(server)
    server.post("jan@elders.example", "@stadsdeel Dat wil ik ook weten")
    (item,) = await messages(channel)
    await channel.send(reply_to(item, channel.new_external_id, "fatma@stad.example"))
    (post,) = server.by(TEAM)
    assert {person.username for person in post.mentioned} == {"jan", "fatma"}


@pytest.mark.parametrize(
    "habits", [{}, {"media_later": 2}, {"media_v2": False}], ids=["now", "later", "v1"]
)
async def test_pictures_go_along(opened: OpenAccount, habits: dict[str, Any]) -> None:
    with running(**habits) as server:
        channel = opened(server)
        server.post("fatma", "@stadsdeel Vraag")
        (item,) = await messages(channel)
        files = (
            OutgoingAttachment("foto.jpg", "image/jpeg", b"\xff\xd8 een foto", "Een lamp 💡"),
            OutgoingAttachment("foto.jpg", "image/jpeg", b"\xff\xd8 zonder"),
        )
        reply = reply_to(item, channel.new_external_id, item.address, attachments=files)
        await channel.send(reply)
        (post,) = server.by(TEAM)
        assert [media["_bytes"] for media in post.media] == [11, 9]
        assert [media["description"] for media in post.media] == ["Een lamp 💡", None]
        assert (await channel.find(reply)).external_id == post.id


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": "x" * 461}, "too_long"),
        ({"attachments": (OutgoingAttachment("f", "image/png", b""),) * 5}, "too_many_attachments"),
        (
            {"attachments": (OutgoingAttachment("f", "image/png", bytes(16_000_001)),)},
            "picture_refused",
        ),
        ({"attachments": (OutgoingAttachment("f", "text/plain", b"x"),)}, "picture_refused"),
    ],
)
async def test_what_no_server_takes_is_refused_with_a_reason(
    server: Mastodon, opened: OpenAccount, changes: dict[str, Any], code: str
) -> None:
    channel = opened(server)
    server.post("fatma", "@stadsdeel Vraag")
    (item,) = await messages(channel)
    with pytest.raises(Permanent) as refused:
        await channel.send(reply_to(item, channel.new_external_id, item.address, **changes))
    assert refused.value.code == code
    assert server.by(TEAM) == []


async def test_length_is_counted_as_mastodon_counts_it(
    server: Mastodon, opened: OpenAccount
) -> None:
    channel = opened(server)
    server.post("fatma", "@stadsdeel Vraag")
    (item,) = await messages(channel)
    text = "https://www.gemeente.example/" + "x" * 300 + " " + "é" * 436
    await channel.send(reply_to(item, channel.new_external_id, item.address, text=text))
    assert server.by(TEAM)[0].text.endswith(text)


async def test_a_server_with_less_room_says_so_before_anything_is_sent(
    opened: OpenAccount,
) -> None:
    with running(max_chars=100) as server:
        channel = opened(server)
        server.post("fatma", "@stadsdeel Vraag")
        (item,) = await messages(channel)
        with pytest.raises(Permanent) as refused:
            await channel.send(reply_to(item, channel.new_external_id, item.address, text="x" * 99))
        assert refused.value.code == "too_long"
        server.post("fatma", "@stadsdeel Vraag", spoiler_text="w" * 60)
        (warned,) = (await messages(channel))[1:]
        with pytest.raises(Permanent) as refused:
            await channel.send(
                reply_to(warned, channel.new_external_id, warned.address, text="x" * 50)
            )
        assert refused.value.code == "too_long"
        assert server.by(TEAM) == []


async def test_a_token_that_may_not_write_is_a_sign_out(
    server: Mastodon, opened: OpenAccount
) -> None:
    channel = opened(server)
    server.forbids_writing = True
    with pytest.raises(SignedOut) as refused:
        await channel.send(reply_to(None, channel.new_external_id, "fatma@stad.example"))
    assert refused.value.code == "not_allowed_there"


async def test_signing_in_on_the_servers_own_page(server: Mastodon) -> None:
    back = "https://stoep.example/kanalen/terug"
    channel = build({"server": server.url}, "", SystemClock().now_ms)
    assert isinstance(channel, SigningIn)
    page, kept = await channel.begin(back, "staat")
    query = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}
    assert page.startswith(f"{server.url}/oauth/authorize?")
    assert query["state"] == "staat"
    code = server.consents(TEAM, query)
    secret = await channel.finish(kept, back, code)
    await channel.close()
    signed_in = build({"server": server.url}, secret, SystemClock().now_ms)
    await signed_in.check()
    await signed_in.close()


async def test_a_code_that_is_not_ours_opens_nothing(server: Mastodon) -> None:
    back = "https://stoep.example/kanalen/terug"
    channel = build({"server": server.url}, "", SystemClock().now_ms)
    page, kept = await channel.begin(back, "staat")
    query = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}
    code = server.consents(TEAM, query)
    forged = json.dumps({**json.loads(kept), "verifier": "geraden"})
    for bad_kept, bad_code in ((kept, "geraden"), (forged, code)):
        with pytest.raises(SignedOut) as refused:
            await channel.finish(bad_kept, back, bad_code)
        assert refused.value.code == "consent_refused"
    with pytest.raises(Permanent):
        await channel.finish("onzin", back, code)
    await channel.close()


async def test_an_account_without_a_good_token_is_signed_out(
    server: Mastodon, opened: OpenAccount
) -> None:
    for token in ("verlopen", ""):
        channel = build(
            {"server": server.url}, json.dumps({"access_token": token}), SystemClock().now_ms
        )
        with pytest.raises(SignedOut) as refused:
            await channel.check()
        assert refused.value.code == "token_refused"
        await channel.close()


async def test_an_address_without_such_a_server_is_said_to_be_that(
    server: Mastodon, opened: OpenAccount
) -> None:
    server.down = 404
    with pytest.raises(SignedOut) as refused:
        await opened(server).check()
    assert refused.value.code == "no_such_server"


async def test_words_that_no_database_keeps_are_replaced(
    server: Mastodon, opened: OpenAccount
) -> None:
    server.post("fatma", "@stadsdeel half \ud83d en niets \0 erachter")
    (item,) = await messages(opened(server))
    assert item.text == "@stadsdeel half ? en niets erachter"
    assert item.raw.decode()


@pytest.mark.parametrize("piece", ["<", "<a ", "<b x='", "<!--", "</", "&#", "<p>", "<a href=x>"])
def test_broken_html_takes_no_time_to_speak_of(piece: str) -> None:
    began_s = time.monotonic()
    plain_text(piece * 50_000)
    assert time.monotonic() - began_s < 10


@pytest.mark.parametrize("piece", ["a", "a.", "-", "@a", "a@b", "@"])
def test_a_strangers_warning_is_counted_in_no_time_to_speak_of(piece: str) -> None:
    began_s = time.monotonic()
    warning = "@" + piece * 50_000
    length(warning)
    same_words(warning, "iets anders")
    assert time.monotonic() - began_s < 10


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("@fatma@stad.example", 6),
        ("@fatma.y-z@stad.example:8080 dag", 14),
        ("@fatma.@stad.example", 20),
        ("@fatma", 6),
        ("een@stad.example", 16),
    ],
)
def test_a_name_counts_without_its_server(text: str, counted: int) -> None:
    assert length(text) == counted


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>een</p><p>twee<br/>drie</p>", "een\n\ntwee\ndrie"),
        ("1 < 2 & 3 &amp; 4 &lt;b&gt;", "1 < 2 & 3 & 4 <b>"),
        ("<script>weg</script>blijft<style>weg", "blijft"),
        ("<ul><li>een</li><li>twee</li></ul>", "- een\n- twee"),
        (
            '<a href="https://x.example/a?b=1&amp;c=2">hier</a>',
            "hier (https://x.example/a?b=1&c=2)",
        ),
        ('<a href="javascript:alert(1)">hier</a>', "hier"),
        ('<a href="https://s.example/@jan" class="u-url mention">@jan</a>', "@jan"),
        ('<img alt="een hond" src="x" onerror="y">', "een hond"),
        ("<!-- weg -->blijft", "blijft"),
        ("<p", "<p"),
    ],
)
def test_only_the_words_of_html_are_taken(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    ("typed", "server"),
    [
        ("social.example", "https://social.example"),
        ("https://social.example/", "https://social.example"),
        ("@gemeente@social.example", "https://social.example"),
        ("https://social.example:8443/@gemeente", "https://social.example:8443"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
    ],
)
def test_an_address_is_understood_as_people_type_it(typed: str, server: str) -> None:
    assert settings_of({"server": typed}, "").server == server


@pytest.mark.parametrize(
    ("config", "secret"),
    [
        ({}, ""),
        ({"server": ""}, ""),
        ({"server": "http://social.example"}, ""),
        ({"server": "file:///etc/passwd"}, ""),
        ({"server": "https://user:pw@social.example"}, ""),
        ({"server": "https://so cial.example"}, ""),
        ({"server": ["x"]}, ""),
        ({"server": "social.example", "hashtags": ["twee woorden"]}, ""),
        ({"server": "social.example", "hashtags": ["../../x"]}, ""),
        ({"server": "social.example", "hashtags": "paddepoel"}, ""),
        ({"server": "social.example", "hashtags": [str(n) for n in range(11)]}, ""),
        ({"server": "social.example", "since_ms": "gisteren"}, ""),
        ({"server": "social.example"}, "geen json"),
        ({"server": "social.example"}, '{"access_token": "a\\nb"}'),
    ],
)
def test_settings_that_cannot_work_are_refused(config: dict[str, Any], secret: str) -> None:
    with pytest.raises(Permanent) as refused:
        settings_of(config, secret)
    assert refused.value.code == "bad_config"
