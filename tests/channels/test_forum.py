"""Two kinds of forum: what is asked of us there comes in, and our answer stands there once."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from app.channels import forum_discourse, forum_nodebb
from app.channels.contract import (
    Batch,
    InboundRequest,
    Incoming,
    Outgoing,
    Permanent,
    Receipt,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.forum import MAX_KNOWN, Forum
from app.ids import uuid7
from tests.peers.forums import ME, START_MS, DiscoursePeer, ForumPeer, NodebbPeer
from tests.support.proxy import FaultProxy, once
from tests.support.site import Site, site

BUILD: dict[str, Callable[..., Forum]] = {
    "discourse": forum_discourse.build,
    "nodebb": forum_nodebb.build,
}


@dataclass
class Town:
    """A forum, a bad line to it, and our account there."""

    peer: Any
    site: Site
    line: FaultProxy
    account: Forum
    open: Callable[..., Forum]


@pytest.fixture(params=[DiscoursePeer, NodebbPeer], ids=lambda kind: kind.name)
async def town(request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    peer: ForumPeer = request.param()
    async with site(peer.answer) as here, FaultProxy(here.port) as line:
        opened: list[Forum] = []

        def connect(**changes: Any) -> Forum:
            config = {
                "url": f"http://127.0.0.1:{line.port}",
                "words": ["Paddepoel"],
                "private_hosts": [f"127.0.0.1:{line.port}"],
                **peer.config,
                **changes,
            }
            secret = peer.secret
            opened.append(BUILD[request.param.name](config, secret, lambda: peer.now_ms))
            return opened[-1]

        yield Town(peer, here, line, connect(), connect)
        for one in opened:
            await one.close()


async def news(town: Town, cursor: str | None = None) -> tuple[list[Incoming], str | None, Batch]:
    batch = await town.account.fetch(cursor)
    return [one for one in batch.items if isinstance(one, Incoming)], batch.cursor, batch


def reply(question: int, text: str = "Wij kijken er donderdag naar.", **given: Any) -> Outgoing:
    said: dict[str, Any] = {
        "delivery_id": uuid7(),
        "external_id": "",
        "recipient": "jan",
        "subject": "Over de buurt",
        "text": text,
        "created_at_ms": START_MS,
        "in_reply_to": str(question),
        "references": (str(question),),
        **given,
    }
    return Outgoing(**said)


async def test_what_names_the_neighbourhood_or_us_comes_in_and_other_talk_does_not(
    town: Town,
) -> None:
    town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    town.peer.writes("piet", "Mooi weer vandaag.")
    town.peer.writes("fatma", f"@{ME} wanneer komt de glasbak?")
    town.peer.writes("els", f"mail naar els@{ME}.example of Paddepoelerweg")
    town.peer.writes("ali", "Wie weet het?", title="Feest in Paddepoel")
    found, _, _ = await news(town)
    assert [item.address for item in found] == ["jan", "fatma", "ali"]
    assert (found[0].text, found[0].public) == ("Er ligt afval in Paddepoel.", True)
    assert found[0].sender_name == "Jan"
    assert found[0].sent_at_ms == START_MS + 1_000


async def test_what_the_asker_adds_and_what_answers_us_belong_to_the_same_conversation(
    town: Town,
) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    _, cursor, _ = await news(town)
    topic = town.peer.posts[first].topic
    receipt = await town.account.send(reply(first))
    _, cursor, batch = await news(town, cursor)
    assert batch.echoes == (receipt.external_id,)
    ours = town.peer.posts[int(receipt.external_id)]
    town.peer.writes("jan", "Dank u!", topic=topic)
    place = ours.number if town.peer.name == "discourse" else ours.id
    town.peer.writes("els", "Bij mij ook.", topic=topic, reply_to=place)
    town.peer.writes("piet", "Ik vind van niet.", topic=topic)
    found, _, _ = await news(town, cursor)
    assert [item.address for item in found] == ["jan", "els"]
    assert str(first) in found[0].in_reply_to
    assert found[1].in_reply_to[0] == receipt.external_id


async def test_a_reply_stands_under_its_question_wherever_that_was_moved(town: Town) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    elsewhere = town.peer.posts[town.peer.writes("piet", "Afval", title="Afval")].topic
    town.peer.change(first, topic=elsewhere, number=9)
    receipt = await town.account.send(reply(first))
    ours = town.peer.posts[int(receipt.external_id)]
    assert (ours.topic, ours.text) == (elsewhere, "Wij kijken er donderdag naar.")
    assert ours.reply_to == (9 if town.peer.name == "discourse" else first)


async def test_an_edit_a_deletion_and_a_move_of_what_came_in_are_noticed(town: Town) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    second = town.peer.writes("fatma", "Paddepoel is mooi.")
    third = town.peer.writes("els", "Lamp stuk in Paddepoel.")
    _, cursor, _ = await news(town)
    found, cursor, _ = await news(town, cursor)
    assert found == []
    town.peer.change(first, text="Er ligt veel afval in Paddepoel.")
    town.peer.change(second, deleted=True)
    town.peer.change(third, topic=town.peer.posts[first].topic, number=4)
    found, cursor, _ = await news(town, cursor)
    assert {(one.kind, one.external_id) for one in found} == {
        ("edit", str(first)),
        ("delete", str(second)),
    }
    assert next(one.text for one in found if one.kind == "edit") == (
        "Er ligt veel afval in Paddepoel."
    )
    assert (await news(town, cursor))[0] == []


async def test_a_question_that_was_deleted_while_its_answer_waited_is_not_answered(
    town: Town,
) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    town.peer.change(first, deleted=True)
    with pytest.raises(Permanent, match="question_gone"):
        await town.account.send(reply(first))
    assert town.peer.ours() == []


async def settles(town: Town, said: Outgoing) -> str:
    """Do what the worker does with one reply until it rests: sent, uncertain, or failed."""
    for _ in range(3):
        try:
            await town.account.send(said)
        except Temporary:
            continue
        except Unconfirmed:
            found = await town.account.find(said)
            return "sent" if found else "uncertain"
        except Permanent:
            return "failed"
        else:
            return "sent"
    return "queued"


@pytest.mark.parametrize(
    "fault", ["lost", "cut_response", "error_after", "silent_after", "slow", "delay"]
)
async def test_when_the_answer_is_lost_the_reply_is_found_and_stands_there_once(
    town: Town, fault: str
) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    town.account._dialect._api._timeout_s = 1.0  # type: ignore[attr-defined]
    town.line.weather = once(fault, method="POST")
    assert await settles(town, reply(first)) == "sent"
    assert town.line.did[fault] == 1
    assert town.peer.ours() == ["Wij kijken er donderdag naar."]


@pytest.mark.parametrize("fault", ["refuse", "cut_request", "silent", "error", "portal"])
async def test_when_the_forum_never_heard_it_nobody_says_that_it_did(
    town: Town, fault: str
) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    town.account._dialect._api._timeout_s = 1.0  # type: ignore[attr-defined]
    town.line.weather = once(fault, method="POST")
    assert await settles(town, reply(first)) == "uncertain"
    assert town.line.did[fault] == 1
    assert town.peer.ours() == []


async def test_a_forum_that_is_not_there_got_nothing_and_may_be_tried_again(town: Town) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    nowhere = town.open(url="http://127.0.0.1:9", private_hosts=["127.0.0.1"])
    with pytest.raises(Temporary, match="site_unreachable"):
        await nowhere.send(reply(first))


@pytest.mark.parametrize(
    ("status", "headers", "body", "wait_s"),
    [
        ("429 Too Many Requests", {"Retry-After": "30"}, b"{}", 30),
        ("429 Too Many Requests", {}, b'{"extras":{"wait_seconds":42}}', 42),
        ("503 Service Unavailable", {"Retry-After": "9"}, b"", 9),
    ],
)
async def test_a_forum_that_asks_to_wait_got_nothing_and_gets_it_once_later(
    town: Town, status: str, headers: dict[str, str], body: bytes, wait_s: float
) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    town.peer.refusals.append((status, headers, body))
    with pytest.raises(Temporary) as caught:
        await town.account.send(reply(first))
    assert caught.value.retry_after_s == wait_s
    assert town.peer.ours() == []
    await town.account.send(reply(first))
    assert len(town.peer.ours()) == 1


async def test_a_gateway_that_says_503_of_what_the_forum_did_makes_no_second_post(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    take = town.peer.take

    def late(path: str, said: dict[str, object]) -> tuple[str, object]:
        take(path, said)
        return "503 Service Unavailable", {}

    monkeypatch.setattr(town.peer, "take", late)
    receipt = await town.account.send(reply(first))
    assert town.peer.ours() == ["Wij kijken er donderdag naar."]
    assert town.peer.posts[int(receipt.external_id)].author == ME


async def test_after_a_503_nobody_who_cannot_look_says_that_nothing_was_posted(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")

    def busy(_path: str, _said: dict[str, object]) -> tuple[str, object]:
        monkeypatch.setattr(town.peer, "give", lambda *_asked: ("503 Service Unavailable", {}))
        return "503 Service Unavailable", {}

    monkeypatch.setattr(town.peer, "take", busy)
    with pytest.raises(Unconfirmed):
        await town.account.send(reply(first))


@pytest.mark.parametrize("status", ["422 Unprocessable Content", "400 Bad Request"])
async def test_what_the_forum_will_not_have_is_said_so(town: Town, status: str) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    town.peer.refusals.append((status, {}, b'{"errors":["Body is too short"]}'))
    with pytest.raises(Permanent, match="forum_refused"):
        await town.account.send(reply(first))


async def test_a_closed_topic_is_no_refused_key(town: Town) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    town.peer.refusals.append(("403 Forbidden", {}, b"{}"))
    with pytest.raises(Permanent, match="forum_refused"):
        await town.account.send(reply(first))


async def test_a_key_that_is_withdrawn_in_the_middle_is_told_and_nothing_is_sent(
    town: Town,
) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    await town.account.check()
    town.peer.key = "een andere"
    for action in (town.account.send(reply(first)), town.account.fetch(None)):
        with pytest.raises(SignedOut, match="key_refused"):
            await action
    with pytest.raises(SignedOut):
        await town.open().check()
    assert town.peer.ours() == []


async def test_a_reply_that_waits_for_a_moderator_is_neither_sent_nor_failed(town: Town) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    town.peer.moderated = True
    assert await settles(town, reply(first)) == "uncertain"
    town.peer.writes(ME, "Wij kijken er donderdag naar.", topic=town.peer.posts[first].topic)
    found = await town.account.find(reply(first))
    assert isinstance(found, Receipt)


async def test_an_earlier_reply_with_the_same_words_is_not_taken_for_this_one(town: Town) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    before = await town.account.send(reply(first, "Dank u, wij kijken ernaar."))
    again = reply(first, "Dank u, wij kijken ernaar.", references=(str(first), before.external_id))
    assert await town.account.find(again) is None
    other = town.peer.writes("els", "Ook hier, in Paddepoel.")
    assert await town.account.find(reply(other, "Dank u, wij kijken ernaar.")) is None
    later = reply(first, "Dank u, wij kijken ernaar.", created_at_ms=START_MS + 3_600_000)
    assert await town.account.find(later) is None


async def test_when_the_question_is_gone_the_same_words_to_somebody_else_prove_nothing(
    town: Town,
) -> None:
    first = town.peer.writes("jan", "Er ligt afval in Paddepoel.")
    other = town.peer.writes("els", "Ook hier, in Paddepoel.")
    await town.account.send(reply(other))
    town.peer.change(first, deleted=True)
    assert await town.account.find(reply(first)) is None


async def test_after_a_long_absence_it_says_between_when_posts_may_be_missed(town: Town) -> None:
    town.peer.writes("jan", "Paddepoel!")
    _, cursor, batch = await news(town)
    before_ms = town.peer.now_ms
    assert batch.gap is None
    for number in range(450):
        town.peer.writes("jan", f"Paddepoel {number}")
    found, cursor, batch = await news(town, cursor)
    assert batch.gap is not None
    assert (batch.gap.from_ms, batch.gap.to_ms) == (before_ms, town.peer.now_ms)
    assert found[-1].text == "Paddepoel 449"
    assert cursor is not None
    assert len(json.loads(cursor)["known"]) <= MAX_KNOWN
    assert (await news(town, cursor))[2].gap is None


async def test_a_search_finds_what_was_said_to_nobody_and_goes_on_from_there(town: Town) -> None:
    town.peer.writes("jan", "De glasbak is vol.")
    town.peer.writes(ME, "Wij legen de glasbak.")
    batch = await town.account.search("glasbak", None)
    assert [one.address for one in batch.items if isinstance(one, Incoming)] == ["jan"]
    assert (await town.account.search("glasbak", batch.cursor)).items == ()
    town.peer.writes("els", "Weer een volle glasbak.")
    (found,) = (await town.account.search("glasbak", batch.cursor)).items
    assert isinstance(found, Incoming)
    assert found.text == "Weer een volle glasbak."


@pytest.mark.parametrize(
    "cursor", ["", "x", "[]", '{"last":1}', '{"last":1,"at":0,"turn":0,"known":{"a":[1]}}', "1:2"]
)
async def test_a_cursor_that_nobody_knows_starts_over(town: Town, cursor: str) -> None:
    town.peer.writes("jan", "Paddepoel!")
    assert len((await news(town, cursor))[0]) == 1


@pytest.mark.parametrize(
    "said",
    [7, "x", [1], [None], {"latest_posts": 3}, {"latest_posts": [{"id": "x"}]}, [{"pid": 1}]],
)
async def test_an_answer_of_another_shape_is_called_unreadable(town: Town, said: object) -> None:
    own = town.peer.give

    def give(path: str, query: dict[str, str]) -> tuple[str, object]:
        is_list = path in {"/posts.json", "/api/recent/posts/month"}
        return ("200 OK", said) if is_list else own(path, query)

    town.peer.give = give
    with pytest.raises(Temporary, match="unreadable_there"):
        await town.account.fetch(None)


@pytest.mark.parametrize("secret", ["", "{}", "[]", "null", '{"key":"a\\nb","token":"a\\nb"}'])
def test_settings_that_make_no_sense_are_refused(secret: str) -> None:
    for build in BUILD.values():
        with pytest.raises(Permanent, match="bad_config"):
            build({"url": "https://forum.example", "username": ME}, secret, lambda: START_MS)


def discourse() -> tuple[DiscoursePeer, forum_discourse.Discourse]:
    peer = DiscoursePeer()
    config = {"url": "https://forum.example", **peer.config}
    return peer, forum_discourse.build(config, peer.secret, lambda: START_MS)


def test_a_webhook_tells_at_once_of_an_edit_and_a_deletion() -> None:
    peer, account = discourse()
    post = peer.writes("jan", "Er ligt afval in Paddepoel.")
    headers, body = peer.webhook("post_edited", post)
    (edit,) = account.parse(InboundRequest("POST", headers, body))
    assert isinstance(edit, Incoming)
    assert (edit.kind, edit.external_id, edit.text) == ("edit", str(post), peer.posts[post].text)
    headers, body = peer.webhook("post_destroyed", post)
    (gone,) = account.parse(InboundRequest("POST", headers, body))
    assert isinstance(gone, Incoming)
    assert (gone.kind, gone.external_id) == ("delete", str(post))
    headers, body = peer.webhook("post_created", post)
    assert account.parse(InboundRequest("POST", headers, body)) == []


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=00", "sha256=é"])
def test_a_webhook_that_the_forum_did_not_sign_is_refused(signature: str) -> None:
    peer, account = discourse()
    headers, body = peer.webhook("post_edited", peer.writes("jan", "Paddepoel"))
    forged = headers | {"x-discourse-event-signature": signature}
    with pytest.raises(Permanent, match="bad_signature"):
        account.parse(InboundRequest("POST", forged, body))
    with pytest.raises(Permanent, match="bad_signature"):
        account.parse(InboundRequest("POST", headers, body + b" "))


def test_without_a_secret_no_webhook_is_believed() -> None:
    peer, _ = discourse()
    config = {"url": "https://forum.example", **peer.config}
    account = forum_discourse.build(config, json.dumps({"key": "x"}), lambda: START_MS)
    headers, body = peer.webhook("post_edited", peer.writes("jan", "Paddepoel"))
    with pytest.raises(Permanent, match="bad_signature"):
        account.parse(InboundRequest("POST", headers, body))
