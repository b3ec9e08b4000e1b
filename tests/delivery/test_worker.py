"""A reply leaves once, whatever the channel does and whenever the worker dies."""

import asyncio
from collections.abc import Callable

import pytest
from sqlmodel import Session, select

from app.channels.contract import (
    Adapter,
    Capabilities,
    ChannelError,
    Outgoing,
    Permanent,
    Receipt,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.models import Account
from app.clock import SetClock
from app.delivery import service
from app.delivery.attempts import LOOK_AGAIN_MS, Job, Outcome
from app.delivery.models import Delivery
from app.delivery.worker import BATCH, LEASE_MS, Worker
from tests.support.town import HELPMAN, NOON_MS, Town, op


class Post:
    """A channel in memory, from the contract: takes replies, loses answers, goes down on demand.

    It does not cover what a real protocol does between the first byte and the last; the channels'
    own tests do that against real servers.
    """

    capabilities = Capabilities(max_chars=5000)

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self.before: list[BaseException | None] = []
        self.after: list[BaseException | None] = []
        self.refuses: dict[str, BaseException] = {}
        self.looked = 0
        self.hides = False

    def new_external_id(self, delivery_id: str) -> str:
        return delivery_id

    async def check(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, reply: Outgoing) -> Receipt:
        if self.before and (error := self.before.pop(0)):
            raise error
        if reply.text in self.refuses:
            raise self.refuses.pop(reply.text)
        self.arrived.append(reply.text)
        if self.after and (error := self.after.pop(0)):
            raise error
        return Receipt(reply.external_id, "sent", NOON_MS)

    async def find(self, reply: Outgoing) -> Receipt | None:
        self.looked += 1
        if self.hides or reply.text not in self.arrived:
            return None
        return Receipt(reply.external_id, "sent", NOON_MS)


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def worker(town: Town, post: Post, clock: SetClock) -> Worker:
    return new_worker(town, post, clock)


def new_worker(town: Town, post: Post, clock: SetClock) -> Worker:
    clock.forward(ms=max(0, NOON_MS - clock.now_ms()))
    opener: Callable[[Account], Adapter | None] = lambda _account: post  # noqa: E731
    return Worker(town.db, clock, opener)


def states(town: Town) -> list[tuple[str, str | None]]:
    query = select(Delivery).order_by(Delivery.id)
    found = town.db.read_now(lambda session: session.exec(query).all())
    return [(delivery.state, delivery.error) for delivery in found]


def reply(town: Town, text: str = "Wij komen kijken.", lamp: str | None = None) -> str:
    lamp = lamp or town.resident_writes()
    position = town.conversation(lamp).position
    (result,) = town.does(town.anna, op("reply", lamp, position, text=text))
    assert result["outcome"] == "applied"
    return lamp


async def run_dry(worker: Worker) -> None:
    while await worker.once():
        pass


async def test_a_reply_is_sent_and_the_phones_hear_of_it(
    town: Town, worker: Worker, post: Post
) -> None:
    reply(town)
    cursor = max(seq for _, seq in town.sees(town.anna))
    await run_dry(worker)
    assert post.arrived == ["Wij komen kijken."]
    assert states(town) == [("sent", None)]
    assert any(key.startswith("m:") for key, _ in town.sees(town.anna, cursor))
    await run_dry(worker)
    assert len(post.arrived) == 1


async def test_an_answer_lost_after_the_effect_is_looked_up_not_repeated(
    town: Town, worker: Worker, post: Post
) -> None:
    reply(town)
    post.after = [Unconfirmed("no_answer")]
    await run_dry(worker)
    assert (post.arrived, states(town)) == (["Wij komen kijken."], [("sent", None)])


async def test_what_cannot_be_found_stays_uncertain_and_is_never_sent_again(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    reply(town)
    post.before = [Unconfirmed("no_answer")]
    await run_dry(worker)
    assert states(town) == [("uncertain", "unconfirmed")]
    for wait_ms in LOOK_AGAIN_MS:
        clock.forward(ms=wait_ms + LEASE_MS)
        await run_dry(worker)
    looked = post.looked
    clock.forward(s=86_400)
    await run_dry(worker)
    assert post.looked == looked
    assert (post.arrived, states(town)) == ([], [("uncertain", "unconfirmed")])


@pytest.mark.parametrize("down", [Temporary("no_answer"), SignedOut("wrong_password")])
async def test_a_look_that_could_not_be_made_does_not_count(
    town: Town, worker: Worker, post: Post, clock: SetClock, down: ChannelError
) -> None:
    class Down(Post):
        async def find(self, reply: Outgoing) -> Receipt | None:
            raise down

    reply(town)
    post.after, post.hides = [Unconfirmed("no_answer")], True
    await run_dry(worker)
    worker._open = lambda _account: Down()
    for _ in range(2 * len(LOOK_AGAIN_MS)):
        clock.forward(ms=max(LOOK_AGAIN_MS))
        await run_dry(worker)
    account = town.db.read_now(lambda session: session.get_one(Account, "web-noord"))
    signed_out = isinstance(down, SignedOut)
    # A look belongs to sending: that the account can be read is not denied by it.
    assert (account.health == "cannot_send") == signed_out
    assert (account.health_detail == "wrong_password") == signed_out
    # The channel is back after hours: only now can it say.
    post.hides = False
    worker._open = lambda _account: post
    clock.forward(ms=max(LOOK_AGAIN_MS))
    await run_dry(worker)
    assert (len(post.arrived), states(town)) == (1, [("sent", None)])


async def test_a_look_that_can_never_be_made_ends_with_a_person(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    class Down(Post):
        async def find(self, reply: Outgoing) -> Receipt | None:
            self.looked += 1
            raise Temporary("no_answer")

    reply(town)
    post.after, post.hides = [Unconfirmed("no_answer")], True
    await run_dry(worker)
    gone = Down()
    worker._open = lambda _account: gone
    clock.forward(ms=service.VALID_MS)
    for _ in range(3 * len(LOOK_AGAIN_MS)):
        clock.forward(ms=max(LOOK_AGAIN_MS))
        await run_dry(worker)
    assert gone.looked <= len(LOOK_AGAIN_MS)
    assert states(town) == [("uncertain", "unconfirmed")]


async def test_what_was_found_is_never_taken_for_two_replies(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    class Alike(Post):
        """A channel that knows a reply by its words, and numbers what it takes."""

        async def send(self, reply: Outgoing) -> Receipt:
            await super().send(reply)
            return Receipt(f"n{len(self.arrived)}", "sent", NOON_MS)

        async def find(self, reply: Outgoing) -> Receipt | None:
            said = await super().find(reply)
            return Receipt("n1", "sent", NOON_MS) if said else None

    alike = Alike()
    worker._open = lambda _account: alike
    alike.before = [Unconfirmed("no_answer")]
    lamp = reply(town)
    await run_dry(worker)
    reply(town, lamp=lamp)
    await run_dry(worker)
    clock.forward(ms=LOOK_AGAIN_MS[0])
    await run_dry(worker)
    assert len(alike.arrived) == 1
    assert sorted(states(town)) == [("sent", None), ("uncertain", "unconfirmed")]


async def test_an_uncertain_reply_that_turns_up_later_was_sent(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    reply(town)
    post.after, post.hides = [Unconfirmed("no_answer")], True
    await run_dry(worker)
    assert states(town)[0][0] == "uncertain"
    post.hides = False
    clock.forward(ms=LOOK_AGAIN_MS[0])
    await run_dry(worker)
    assert (len(post.arrived), states(town)) == (1, [("sent", None)])


@pytest.mark.parametrize("point", ["before the first byte", "after the effect"])
async def test_a_worker_that_dies_is_followed_by_one_that_looks_first(
    town: Town, post: Post, clock: SetClock, point: str
) -> None:
    reply(town)
    dying = new_worker(town, post, clock)
    jobs = await town.db.write(dying._lease)
    if point == "after the effect":
        await post.send(jobs[0].reply)
    heir = new_worker(town, post, clock)
    await run_dry(heir)
    assert states(town)[0][0] == "sending", "the lease still holds"
    clock.forward(ms=LEASE_MS + 1)
    await run_dry(heir)
    if point == "after the effect":
        assert (len(post.arrived), states(town)) == (1, [("sent", None)])
    else:
        assert (len(post.arrived), states(town)) == (0, [("uncertain", "unconfirmed")])


async def test_two_workers_never_take_the_same_reply(
    town: Town, post: Post, clock: SetClock
) -> None:
    for number in range(8):
        reply(town, f"Antwoord {number}")
    one, two = new_worker(town, post, clock), new_worker(town, post, clock)
    taken: list[Job] = []
    while turn := [*await town.db.write(one._lease), *await town.db.write(two._lease)]:
        taken += turn
    assert len({job.delivery_id for job in taken}) == len(taken) == 8


async def test_a_worker_whose_lease_lapsed_no_longer_decides(
    town: Town, post: Post, clock: SetClock
) -> None:
    reply(town)
    slow, heir = new_worker(town, post, clock), new_worker(town, post, clock)
    (job,) = await town.db.write(slow._lease)
    await post.send(job.reply)
    clock.forward(ms=LEASE_MS + 1)
    await run_dry(heir)
    assert states(town) == [("sent", None)]
    await town.db.write(lambda session: slow._settle(job, Outcome("failed", error="x"), session))
    assert states(town) == [("sent", None)]


async def test_a_slow_channel_does_not_let_the_queues_leases_lapse(
    town: Town, post: Post, clock: SetClock
) -> None:
    for turn in range(3):
        reply(town, f"Antwoord {turn}")
    slow, other = new_worker(town, post, clock), new_worker(town, post, clock)
    taken_by_other: list[int] = []

    class Slow(Post):
        async def send(self, reply: Outgoing) -> Receipt:
            clock.forward(ms=LEASE_MS - 1)
            taken_by_other.append(len(await town.db.write(other._lease)))
            return await post.send(reply)

    slow._open = lambda _account: Slow()
    await slow.once()
    # What lapsed in the queue went to the other worker, and this one left it alone.
    assert sum(taken_by_other) + len(post.arrived) == 3
    assert len(set(post.arrived)) == len(post.arrived)


async def test_a_platform_that_hangs_holds_up_no_other_account(
    town: Town, post: Post, clock: SetClock
) -> None:
    waiting, there = asyncio.Event(), asyncio.Event()

    class Hanging(Post):
        async def send(self, reply: Outgoing) -> Receipt:
            waiting.set()
            await asyncio.Event().wait()
            raise AssertionError

    class Healthy(Post):
        async def send(self, reply: Outgoing) -> Receipt:
            there.set()
            return await super().send(reply)

    worker, hanging, healthy = new_worker(town, post, clock), Hanging(), Healthy()
    worker._open = lambda account: hanging if account.id == "web-noord" else healthy
    for turn in range(BATCH + 1):
        reply(town, f"Antwoord {turn}")
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(20):
            await waiting.wait()
            elsewhere = town.resident_writes(area=HELPMAN, account="web-zuid")
            position = town.conversation(elsewhere).position
            town.does(town.chaima, op("reply", elsewhere, position, text="Elders"))
            worker.wake()
            await there.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_death_leaves_only_what_was_being_sent_in_doubt(
    town: Town, post: Post, clock: SetClock
) -> None:
    for turn in range(3):
        reply(town, f"Antwoord {turn}")
    dying = new_worker(town, post, clock)
    assert len(await town.db.write(dying._lease)) == 1
    clock.forward(ms=LEASE_MS + 1)
    await run_dry(new_worker(town, post, clock))
    assert sorted(states(town)) == [("sent", None), ("sent", None), ("uncertain", "unconfirmed")]
    assert len(post.arrived) == 2


async def test_a_rate_limit_is_waited_out(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    reply(town)
    post.before = [Temporary("rate_limited", retry_after_s=120, account_wide=True)]
    await run_dry(worker)
    assert states(town) == [("queued", "rate_limited")]
    clock.forward(s=119)
    await run_dry(worker)
    assert post.arrived == []
    clock.forward(s=60)
    await run_dry(worker)
    assert (post.arrived, states(town)) == (["Wij komen kijken."], [("sent", None)])


async def test_a_platform_that_says_at_once_is_left_alone_longer_each_time(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    reply(town)
    post.before = [Temporary("platform_busy", retry_after_s=0.0) for _ in range(3)]
    for wait_ms in (1_000, 2_000, 4_000):
        await run_dry(worker)
        clock.forward(ms=wait_ms - 1)
        assert (await worker.once(), post.arrived) == (0, [])
        clock.forward(ms=wait_ms)
    await run_dry(worker)
    assert states(town) == [("sent", None)]


async def test_a_platform_that_wants_to_be_left_alone_for_years_is_asked_again_the_next_day(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    reply(town)
    post.before = [Temporary("rate_limited", retry_after_s=1e8, account_wide=True)]
    await run_dry(worker)
    clock.forward(s=31 * 3600)
    await run_dry(worker)
    assert (post.arrived, states(town)) == (["Wij komen kijken."], [("sent", None)])


async def test_a_reply_that_expires_while_it_waits_is_told_of_at_once(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    reply(town)
    post.before = [Temporary("rate_limited", retry_after_s=20 * 3600) for _ in range(9)]
    await run_dry(worker)
    clock.forward(s=30 * 3600)
    await run_dry(worker)
    assert states(town) == [("queued", "rate_limited")]
    clock.forward(s=18 * 3600 + 1)
    await run_dry(worker)
    assert (post.arrived, states(town)) == ([], [("failed", "expired")])


async def test_a_refusal_is_final_and_says_why(town: Town, worker: Worker, post: Post) -> None:
    reply(town)
    post.before = [Permanent("mailbox_unknown")]
    await run_dry(worker)
    assert states(town) == [("failed", "mailbox_unknown")]


async def test_signed_out_shows_on_the_account_and_is_never_called_sent(
    town: Town, worker: Worker, post: Post
) -> None:
    reply(town)
    post.before = [SignedOut("wrong_password")]
    await run_dry(worker)
    assert states(town) == [("queued", "wrong_password")]
    account = town.db.read_now(lambda session: session.get_one(Account, "web-noord"))
    # Of reading nothing is known here, and what could be read can still be.
    assert (account.health, account.health_detail) == ("cannot_send", "wrong_password")


async def test_a_reply_that_is_taken_shows_that_the_account_may_send(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    def ill(session: Session) -> None:
        session.get_one(Account, "web-noord").health = "cannot_send"

    town.db.write_now(ill)
    reply(town)
    await run_dry(worker)
    account = town.db.read_now(lambda session: session.get_one(Account, "web-noord"))
    assert (states(town), account.health) == ([("sent", None)], "working")


async def test_replies_in_one_conversation_keep_their_order(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    lamp = reply(town, "Een")
    reply(town, "Twee", lamp)
    other = reply(town, "Elders")
    assert other != lamp
    post.refuses = {"Een": Temporary("down", retry_after_s=30)}
    await run_dry(worker)
    assert post.arrived == ["Elders"]
    clock.forward(s=60)
    await run_dry(worker)
    assert post.arrived == ["Elders", "Een", "Twee"]


async def test_a_reply_that_could_not_leave_in_two_days_has_failed(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    reply(town)
    clock.forward(s=3 * 86_400)
    await run_dry(worker)
    assert (post.arrived, states(town)) == ([], [("failed", "expired")])


async def test_a_fault_in_an_adapter_is_looked_into_and_not_repeated(
    town: Town, worker: Worker, post: Post, clock: SetClock
) -> None:
    reply(town)
    post.after = [RuntimeError("adapter broke")]
    await run_dry(worker)
    assert states(town) == [("uncertain", "internal")]
    clock.forward(ms=LOOK_AGAIN_MS[0])
    await run_dry(worker)
    assert (len(post.arrived), states(town)) == (1, [("sent", None)])


async def test_what_may_be_out_is_not_queued_again_when_the_account_cannot_be_opened(
    town: Town, post: Post, clock: SetClock
) -> None:
    reply(town)
    dying = new_worker(town, post, clock)
    await town.db.write(dying._lease)
    clock.forward(ms=LEASE_MS + 1)

    def locked(_account: Account) -> Adapter | None:
        raise Permanent("bad_config")

    await run_dry(Worker(town.db, clock, locked))
    assert states(town) == [("uncertain", "bad_config")]
    assert post.arrived == []


def test_a_persons_retry_starts_anew(town: Town) -> None:
    lamp = reply(town)

    def lose(session: Session) -> None:
        delivery = session.exec(select(Delivery)).one()
        delivery.state, delivery.tried, delivery.attempts = "uncertain", True, 5

    town.db.write_now(lose)
    message = town.timeline(lamp)[-1].id
    town.does(town.anna, op("resolve", lamp, message=message, outcome="retry"))
    delivery = town.db.read_now(lambda session: session.exec(select(Delivery)).one())
    assert (delivery.state, delivery.tried, delivery.attempts) == ("queued", False, 0)


@pytest.mark.parametrize("answer", [None, Unconfirmed("no_answer"), Temporary("no_answer")])
async def test_what_the_channel_says_while_we_wait_for_its_answer_is_proof(
    town: Town, post: Post, clock: SetClock, answer: BaseException | None
) -> None:
    class Quick(Post):
        """Calls us with what it took before it answers, as a webhook may."""

        async def send(self, reply: Outgoing) -> Receipt:
            self.arrived.append(reply.text)
            town.db.write_now(
                lambda session: service.seen_at_channel(
                    session, account_id(session), reply.external_id, now_ms=NOON_MS
                )
            )
            if answer is not None:
                raise answer
            return Receipt("named-there", "sent", NOON_MS)

    quick = Quick()
    quick.hides = True
    reply(town)
    await run_dry(new_worker(town, quick, clock))
    clock.forward(s=3600)
    await run_dry(new_worker(town, quick, clock))
    assert (len(quick.arrived), states(town)) == (1, [("sent", None)])
    name = town.db.read_now(lambda session: session.exec(select(Delivery.external_id)).one())
    assert (name == "named-there") == (answer is None)


def account_id(session: Session) -> str:
    return session.exec(select(Delivery.account_id)).one()
