"""From a post on the forum to our answer under it, through intake, operations and delivery."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from sqlmodel import Session, select

from app.channels import registry
from app.channels.contract import Source
from app.channels.fetching import Fetching
from app.channels.models import Account
from app.clock import SetClock
from app.db import Database
from app.delivery.models import Delivery
from app.delivery.worker import LEASE_MS, Worker
from app.inbox.models import Conversation
from tests.peers.forums import DiscoursePeer, ForumPeer, NodebbPeer
from tests.support.proxy import FaultProxy, once
from tests.support.site import site
from tests.support.town import NOON_MS, PADDEPOEL, Town, build, op

ANSWER = "Wij kijken er donderdag naar."


@dataclass
class Square:
    """A town with a forum, and the line between them."""

    town: Town
    forum: ForumPeer
    line: FaultProxy
    clock: SetClock

    async def fetches(self) -> None:
        """Let what is new on the forum come in."""
        account = self.town.db.read_now(lambda session: session.get_one(Account, "forum"))
        adapter = registry.adapter_of(account, self.forum.secret, self.clock.now_ms)
        assert adapter is not None
        assert isinstance(adapter, Source)
        batch = await adapter.fetch(account.cursor)
        await adapter.close()
        fetching = Fetching(self.town.db, self.clock, lambda _one: None, max_bytes=1_000_000)
        await fetching.take("forum", batch)

    def conversations(self) -> list[Conversation]:
        found = self.town.db.read_now(lambda session: session.exec(select(Conversation)).all())
        return list(found)

    def answers(self, conversation: Conversation, text: str = ANSWER) -> None:
        self.town.now_ms += 1  # deliveries are in the order of their replies
        position = self.town.conversation(conversation.id).position
        (result,) = self.town.does(
            self.town.anna, op("reply", conversation.id, position, text=text)
        )
        assert result["outcome"] == "applied", result

    async def delivers(self) -> str:
        """Let the worker take what is due; return the state of the newest delivery."""
        worker = Worker(
            self.town.db,
            self.clock,
            lambda account: registry.adapter_of(account, self.forum.secret, self.clock.now_ms),
        )
        await worker.once()
        query = select(Delivery.state).order_by(Delivery.id.desc())  # type: ignore[attr-defined]
        return str(self.town.db.read_now(lambda session: session.exec(query).first()))


@pytest.fixture(params=[DiscoursePeer, NodebbPeer], ids=lambda kind: kind.name)
async def square(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Square]:
    forum: ForumPeer = request.param(now_ms=NOON_MS - 60_000)
    town = build(database)
    async with site(forum.answer) as here, FaultProxy(here.port) as line:
        config = {
            "url": f"http://127.0.0.1:{line.port}",
            "private_hosts": [f"127.0.0.1:{line.port}"],
            "words": ["Paddepoel"],
            **forum.config,
        }

        def add(session: Session) -> None:
            session.add(
                Account(
                    id="forum", kind=forum.name, name="Buurtforum", team_id="noord",
                    area=PADDEPOEL, config=config,
                )
            )  # fmt: skip

        town.db.write_now(add)
        yield Square(town, forum, line, SetClock(NOON_MS + 1_000))


async def test_a_question_is_answered_under_it_and_what_follows_joins_the_conversation(
    square: Square,
) -> None:
    first = square.forum.writes("jan", "Er ligt afval in Paddepoel.")
    await square.fetches()
    (conversation,) = square.conversations()
    assert (conversation.area, conversation.address) == (PADDEPOEL, "jan")
    square.answers(conversation)
    assert await square.delivers() == "sent"
    topic = square.forum.posts[first].topic
    ours = max(square.forum.posts.values(), key=lambda post: post.id)
    assert (ours.text, ours.topic) == (ANSWER, topic)
    place = ours.number if square.forum.name == "discourse" else ours.id
    square.forum.writes("els", "Bij mij ook.", topic=topic, reply_to=place)
    await square.fetches()
    assert [one.id for one in square.conversations()] == [conversation.id]
    said = [entry.text for entry in square.town.timeline(conversation.id)]
    assert said == ["Er ligt afval in Paddepoel.", ANSWER, "Bij mij ook."]


@pytest.mark.parametrize("fault", ["lost", "cut_response", "error_after"])
async def test_when_the_answer_is_lost_the_reply_is_sent_and_stands_there_once(
    square: Square, fault: str
) -> None:
    square.forum.writes("jan", "Er ligt afval in Paddepoel.")
    await square.fetches()
    square.forum.now_ms = NOON_MS
    square.answers(square.conversations()[0])
    square.line.weather = once(fault, method="POST")
    assert await square.delivers() == "sent"
    assert square.line.did[fault] == 1
    square.clock.forward(s=LEASE_MS // 1000 + 1)
    assert await square.delivers() == "sent"
    assert square.forum.ours() == [ANSWER]


@pytest.mark.parametrize("fault", ["refuse", "error", "portal"])
async def test_when_nobody_knows_a_person_decides_and_it_stands_there_once(
    square: Square, fault: str
) -> None:
    square.forum.writes("jan", "Er ligt afval in Paddepoel.")
    await square.fetches()
    square.forum.now_ms = NOON_MS
    (conversation,) = square.conversations()
    square.answers(conversation)
    square.line.weather = once(fault, method="POST")
    assert await square.delivers() == "uncertain"
    square.clock.forward(s=60)
    assert await square.delivers() == "uncertain"
    assert square.forum.ours() == []
    message = square.town.timeline(conversation.id)[-1].id
    square.town.does(
        square.town.anna, op("resolve", conversation.id, message=message, outcome="retry")
    )
    assert await square.delivers() == "sent"
    assert square.forum.ours() == [ANSWER]


async def test_two_replies_with_the_same_words_are_two(square: Square) -> None:
    square.forum.writes("jan", "Er ligt afval in Paddepoel.")
    await square.fetches()
    (conversation,) = square.conversations()
    square.forum.now_ms = NOON_MS
    square.answers(conversation)
    assert await square.delivers() == "sent"
    square.answers(conversation)
    square.line.weather = once("lost", method="POST")
    assert await square.delivers() == "sent"
    assert square.forum.ours() == [ANSWER, ANSWER]
    square.answers(conversation)
    square.line.weather = once("error", method="POST")
    assert await square.delivers() == "uncertain"
    assert square.forum.ours() == [ANSWER, ANSWER]


async def test_a_later_reply_with_the_same_words_is_not_taken_for_one_that_never_left(
    square: Square,
) -> None:
    square.forum.writes("jan", "Er ligt afval in Paddepoel.")
    await square.fetches()
    (conversation,) = square.conversations()
    square.forum.now_ms = NOON_MS
    square.answers(conversation)
    square.line.weather = once("error", method="POST")
    assert await square.delivers() == "uncertain"
    square.answers(conversation)
    assert await square.delivers() == "sent"
    square.clock.forward(s=60)
    await square.delivers()
    query = select(Delivery.state).order_by(Delivery.id)
    states = square.town.db.read_now(lambda session: session.exec(query).all())
    assert (list(states), square.forum.ours()) == (["uncertain", "sent"], [ANSWER])
