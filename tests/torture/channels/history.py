"""One random history: residents ask, coordinators answer, and everything in between goes wrong.

All of it follows from the seed. When it is over the world heals, and `judge` looks at what stands
at the platforms and what the coordinators were told.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text as sql
from sqlmodel import Session, col, select

from app import ids
from app.channels import bluesky_session, intake, matrix_session, registry, x_meter
from app.channels.contract import Adapter, DeliveryReport, Incoming, Receipt
from app.channels.models import Account
from app.clock import Clock
from app.delivery import service, worker
from app.delivery.attempts import LOOK_AGAIN_MS
from app.delivery.models import Delivery
from app.delivery.worker import Worker
from app.inbox.models import Attachment, AttachmentData, Conversation, Message
from app.sync import operations
from tests.support.town import PADDEPOEL, Town, op
from tests.torture.channels import net, world
from tests.torture.channels.net import Line
from tests.torture.channels.places import KINDS, URLS, Place, picture, shown
from tests.torture.channels.world import Process, WorldClock, WorldDatabase
from tests.torture.faults import put

IDLE_S = 3600.0
"""How often a worker looks by itself. It is woken for all that is new and for all that is due, and
does not have to look every second of days that pass at once."""

OVERDUE_S = 15.0
"""How often workers are woken for what is due and was not taken yet: nobody may be alive."""

SETTLED_S = 6 * 24 * 3600
"""Longer than a reply is worth sending: what is on its way after that never arrives."""

PROMPT_MS = 3_000
"""Within this a reply stands at the platform when nothing there or here is in its way."""

GAPS_S = (0.0, 0.01, 0.1, 0.4, 2.0, 8.0, 30.0, 90.0, 240.0, 900.0)
STOCK = ("Dank u wel, wij kijken ernaar.", "De ploeg is onderweg.")
"""What coordinators say more than once."""

STOCK_SHARE = 0.2
"""How many of the replies say what others said before."""

PHOTO_SHARE = 0.3
"""How many of the replies that may carry a photo do."""

DEEDS = {
    "reply": 13,
    "ask": 3,
    "go_on": 2,
    "edit": 1.5,
    "delete": 1.5,
    "weather": 4,
    "calm": 1,
    "expire": 1,
    "renew": 1,
    "kill": 1.5,
    "read": 3,
    "resolve": 2,
    "replace": 1.5,
    "wait": 0.1,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a delivery along the table of states."""

    delivery_id: str
    before: str
    after: str
    at_ms: int
    what: str


@dataclass(frozen=True, slots=True)
class Effect:
    """Something of ours that appeared at a platform, and when."""

    account_id: str
    key: str
    to: str
    text: str
    at_ms: int


@dataclass
class Diary:
    """What was seen in the course of a history."""

    steps: list[Step] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    looks: Counter[str] = field(default_factory=Counter)
    """How often each delivery was looked for."""
    wrong: list[str] = field(default_factory=list)
    """What broke a promise at the moment when it happened."""
    deeds: list[str] = field(default_factory=list)


@dataclass
class Lane:
    """A database of one kind with a town in it, for one history after another."""

    db: WorldDatabase
    town: Town
    workers: int = 1


class History:
    """Plays one seed."""

    def __init__(self, lane: Lane, seed: int, clock: Clock, *, deeds: int = 0) -> None:
        self.chance = random.Random(seed)
        self._seed = seed
        self.clock = clock
        self.diary = Diary()
        self.places: dict[str, Place] = {}
        self.lines: dict[str, Line] = {}
        self._lane = lane
        self._db = lane.db
        self._deeds = deeds or self.chance.randint(12, 26)
        self._processes: list[Process] = []
        self._workers: list[Worker] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._watching: list[asyncio.Task[None]] = []
        self._expired: set[str] = set()
        self._touched: set[str] = set()
        """The accounts at which a question was deleted or moved away."""
        self._known: dict[str, set[str]] = {}
        self._texts = 0
        self._pictures = 0
        self._last: dict[str, str] = {}
        self._over = False
        self.deaths = 0
        self._news = asyncio.Event()
        self.crash_share = self.chance.choice([0.0, 0.01, 0.03])

    def tell(self) -> list[str]:
        """Return all that happened, in lines."""
        lines = [(int(deed.split()[0]), deed) for deed in self.diary.deeds]
        for step in self.diary.steps:
            at_ms = step.at_ms - world.START_MS
            said = f"{at_ms:>9}   {step.delivery_id[-6:]} {step.before} -> {step.after}"
            lines.append((at_ms, f"{said} {step.what}"))
        for one in self.diary.effects:
            at_ms = one.at_ms - world.START_MS
            lines.append((at_ms, f"{at_ms:>9}     {one.account_id} shows {one.text!r} to {one.to}"))
        for name, line in self.lines.items():
            lines += [
                (at_ms - world.START_MS, f"{at_ms - world.START_MS:>9}       {name} {what}")
                for at_ms, what in line.log
            ]
        return [said for _, said in sorted(lines, key=lambda one: one[0])]

    @property
    def database(self) -> WorldDatabase:
        return self._db

    # -- the course of it ----------------------------------------------------------------

    async def play(self) -> None:
        """Play it to the end, and heal."""
        self._open_accounts()
        for place in list(self.places):
            self._take(place, self.places[place].asks(self._words("Vraag"), None))
        self._keepers = [
            asyncio.create_task(self._keep(number)) for number in range(self._lane.workers)
        ]
        waking = asyncio.create_task(self._wake_in_time())
        await asyncio.sleep(0.01)
        for line in self.lines.values():
            line.bad_share = self.chance.choice([0.0, 0.0, 0.3])
        names, weights = list(DEEDS), list(DEEDS.values())
        for _ in range(self._deeds):
            await asyncio.sleep(self.chance.choice(GAPS_S) * self.chance.random())
            deed = self.chance.choices(names, weights)[0]
            self.diary.deeds.append(f"{self.clock.now_ms() - world.START_MS:>9} {deed}")
            await getattr(self, f"_{deed}")()
        await self._heal()
        waking.cancel()

    async def _wake_in_time(self) -> None:
        """Wake the workers whenever something has become due."""
        while True:
            next_ms = self._db.read_now(self._next_ms)
            now_ms = self.clock.now_ms()
            self._news.clear()
            wait_s = OVERDUE_S if next_ms <= now_ms else (next_ms - now_ms) / 1000 + 0.01
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                for sender in self._workers:
                    sender.wake()
                await asyncio.sleep(0.05)

    def _next_ms(self, session: Session) -> int:
        """Return when a worker has something to do again."""
        query = (
            select(Delivery, Message.conversation_id)
            .join(Message, col(Message.id) == col(Delivery.message_id))
            .where(
                col(Delivery.account_id).in_(list(self.places)),
                col(Delivery.state).in_(["queued", "sending"])
                | ((Delivery.state == "uncertain") & (Delivery.attempts <= len(LOOK_AGAIN_MS))),
            )
            .order_by(col(Message.position))
        )
        first_ms: dict[str, int] = {}
        for delivery, conversation_id in session.exec(query).all():
            at_ms = max(delivery.due_at_ms, delivery.leased_until_ms or 0) + 1
            if delivery.state == "uncertain":
                first_ms[delivery.id] = at_ms  # holds nobody up
            else:
                first_ms.setdefault(conversation_id, at_ms)
        return min(first_ms.values(), default=self.clock.now_ms() + 24 * 3600 * 1000)

    async def _heal(self) -> None:
        self.crash_share = 0.0
        for process in self._processes:
            process.crash_share = 0.0
        for line in self.lines.values():
            line.heal()
        for account_id in sorted(self._expired):
            self.places[account_id].renew()
        await self._read_all()
        end_s = asyncio.get_running_loop().time() + SETTLED_S
        while left := self._db.read_now(self._unsettled):
            if asyncio.get_running_loop().time() > end_s:
                self.diary.wrong.append(f"never settled: {left}")
                break
            # To what is due next, and no further than an hour: something may still be on its way.
            due_s = (self._db.read_now(self._next_ms) - self.clock.now_ms()) / 1000
            await asyncio.sleep(min(max(60, due_s), 3600))
        await asyncio.sleep(300)  # what still was on its way to a platform
        await self._read_all()
        self._over = True
        for process in self._processes:
            process.kill()
        await asyncio.gather(*self._keepers)

    def _unsettled(self, session: Session) -> list[tuple[str, str]]:
        query = select(Delivery.account_id, Delivery.state).where(
            col(Delivery.account_id).in_(list(self.places)),
            col(Delivery.state).in_(["queued", "sending"])
            | ((Delivery.state == "uncertain") & (Delivery.attempts <= len(LOOK_AGAIN_MS))),
        )
        return [(str(account), str(state)) for account, state in session.exec(query).all()]

    def _open_accounts(self) -> None:
        kinds = self.chance.sample(KINDS, min(len(KINDS), self.chance.randint(2, 4)))
        net.lines.clear()

        def add(session: Session) -> None:
            for at, kind in enumerate(kinds):
                place = kind(self.clock.now_ms, self.chance)
                account_id = f"{place.name or place.kind}-{self._seed}"
                port = 1_000 + at
                line = Line(self._answering(account_id, place), self.chance, self.clock.now_ms)
                self.places[account_id], self.lines[account_id] = place, line
                self._known[account_id] = set()
                net.lines[port] = line
                url = f"http://127.0.0.1:{port}" + ("/v23.0" if place.kind == "whatsapp" else "")
                hosts = {"private_hosts": [f"127.0.0.1:{port}"]}
                config = place.config | {URLS[place.kind]: url} | hosts
                session.add(
                    Account(
                        id=account_id, kind=place.kind, name=place.kind, team_id="noord",
                        area=PADDEPOEL, config=config,
                    )
                )  # fmt: skip

        self._db.write_now(add)

    def _answering(self, account_id: str, place: Place) -> net.Answer:
        async def answer(request: Any) -> Any:
            response = await place.answer(request)
            self._note_effects(account_id)
            return response

        return answer

    def _note_effects(self, account_id: str) -> None:
        known = self._known[account_id]
        for one in self.places[account_id].said():
            if one.key not in known:
                known.add(one.key)
                at_ms = self.clock.now_ms()
                self.diary.effects.append(Effect(account_id, one.key, one.to, one.text, at_ms))

    # -- the workers ---------------------------------------------------------------------

    async def _keep(self, number: int) -> None:
        """Keep one worker process running: a new one a while after the old one died."""
        while not self._over:
            process = Process(self.chance)
            process.crash_share = self.crash_share
            sender = Worker(self._db, self.clock, self._open)
            self._processes[number : number + 1] = [process]
            self._workers[number : number + 1] = [sender]
            await asyncio.wait([process.start(sender.run())])
            await process.gone()
            if not self._over:
                self.deaths += 1
                self.diary.deeds.append(
                    f"{self.clock.now_ms() - world.START_MS:>9} worker {process.died_of}"
                )
                await asyncio.sleep(self.chance.expovariate(1 / 40))

    def _open(self, account: Account) -> Adapter | None:
        place, line = self.places[account.id], self.lines[account.id]
        adapter: Any = registry.adapter_of(account, place.secret, self.clock.now_ms)
        send, find = adapter.send, adapter.find

        async def watched_send(reply: Any) -> Receipt:
            began_ms = self.clock.now_ms()
            try:
                receipt: Receipt = await send(reply)
                return receipt
            finally:
                took_ms = self.clock.now_ms() - began_ms
                if took_ms > worker.LEASE_MS and not world.present().dead:
                    self.diary.wrong.append(
                        f"{account.kind}: sending took {took_ms} ms, longer than the lease"
                    )

        async def watched_find(reply: Any) -> Receipt | None:
            struck, waiting = line.struck, line.on_its_way
            pictures = tuple(shown(file.content) for file in reply.attachments)
            there = self._stands(account.id, reply.recipient, reply.text, pictures)
            asked = line.heard
            found: Receipt | None = await find(reply)
            self.diary.looks[reply.delivery_id] += 1
            whole = line.struck == struck and not waiting and line.heard > asked
            alive = any(q.external_id == reply.in_reply_to for q in place.questions)
            can_see = place.looks and alive and account.id not in self._touched
            if there and found is None and whole and can_see and reply.text not in STOCK:
                self.diary.wrong.append(
                    f"{account.kind}: a look on a whole line did not see {reply.text!r}"
                )
            return found

        adapter.send, adapter.find = watched_send, watched_find
        opened: Adapter = adapter
        return opened

    def _stands(self, account_id: str, to: str, text: str, pictures: tuple[str, ...]) -> int:
        said = self.places[account_id].said()
        return sum((one.to, one.text, one.pictures) == (to, text, pictures) for one in said)

    def moved(self, session: Session, delivery: Delivery, before: str) -> None:
        """Hear of a step that a delivery takes; at `sent` it has to stand there."""
        place = self.places.get(delivery.account_id)
        if place is None:
            return
        now_ms = self.clock.now_ms()
        message = session.get_one(Message, delivery.message_id)
        what = f"{delivery.account_id} {message.text!r} {delivery.error or ''}"
        self.diary.steps.append(Step(delivery.id, before, delivery.state, now_ms, what))
        self._news.set()
        if delivery.state not in {"sent", "delivered"}:
            return
        pictures = pictures_of(session, message.id)
        stands = self._stands(delivery.account_id, delivery.recipient, message.text, pictures)
        if not stands and not self._window_over(session, message):
            self.diary.wrong.append(
                f"{place.kind}: {message.text!r} was called sent and does not stand there"
            )

    def _window_over(self, session: Session, message: Message) -> bool:
        """Say whether WhatsApp took it and will say later that it could not be delivered."""
        conversation = session.get_one(Conversation, message.conversation_id)
        until_ms = conversation.answer_by_ms
        return until_ms is not None and until_ms < self.clock.now_ms() + 60_000

    # -- what happens --------------------------------------------------------------------

    def _words(self, what: str) -> str:
        self._texts += 1
        return f"{what} {self._texts} uit de buurt."

    def _one(self) -> str:
        return self.chance.choice(list(self.places))

    def _one_waiting(self) -> str:
        """Return an account in which a reply waits, mostly, if there is one."""
        query = (
            select(Delivery.account_id)
            .where(
                col(Delivery.account_id).in_(list(self.places)),
                col(Delivery.state).in_(["queued", "sending"]),
            )
            .order_by(col(Delivery.id))
        )
        waiting = self._db.read_now(lambda session: session.exec(query).all())
        return (
            self.chance.choice(waiting) if waiting and self.chance.random() < 0.7 else self._one()
        )

    def _take(self, account_id: str, items: list[Incoming | DeliveryReport]) -> None:
        self._db.write_now(lambda session: self._take_in(session, account_id, items))

    def _take_in(
        self, session: Session, account_id: str, items: list[Incoming | DeliveryReport]
    ) -> None:
        account = session.get_one(Account, account_id)
        ready = intake.prepare_all(items, max_bytes=1_000_000)
        intake.take_all(session, account, ready, now_ms=self.clock.now_ms())

    async def _ask(self) -> None:
        account_id = self._one()
        items = self.places[account_id].asks(self._words("Vraag"), None)
        await self._db.write(lambda session: self._take_in(session, account_id, items))

    async def _go_on(self) -> None:
        account_id = self._one()
        place = self.places[account_id]
        after = self.chance.choice(place.questions)
        items = place.asks(self._words("En nog iets"), after)
        await self._db.write(lambda session: self._take_in(session, account_id, items))

    async def _edit(self) -> None:
        account_id = self._one_waiting()
        place = self.places[account_id]
        items = place.edits(self.chance.choice(place.questions), self._words("Anders"))
        await self._db.write(lambda session: self._take_in(session, account_id, items))

    async def _delete(self) -> None:
        account_id = self._one_waiting()
        place = self.places[account_id]
        if len(place.questions) < 2:
            return
        question = place.questions.pop(self.chance.randrange(len(place.questions)))
        self._touched.add(account_id)
        items = place.deletes(question)
        await self._db.write(lambda session: self._take_in(session, account_id, items))

    async def _reply(self) -> None:
        found = self._db.read_now(self._conversations)
        for conversation_id, account_id, position, room in self.chance.sample(
            found, min(len(found), self.chance.choice([1, 1, 1, 2, 3]))
        ):
            text = self._words("Antwoord")
            if self.chance.random() < STOCK_SHARE:
                text = self.chance.choice(STOCK)
            photos = self._photos(room)
            reply = op("reply", conversation_id, position, text=text, **photos)
            prompt = self._expects(account_id)
            (result,) = await self._does(reply)
            if result["outcome"] == "applied":
                self._last[reply.op_id] = conversation_id
                if prompt and text not in STOCK and not photos:
                    self._watching.append(asyncio.create_task(self._prompt(account_id, text)))

    def _photos(self, room: int) -> dict[str, Any]:
        """Take photos for a reply, perhaps, where there is room for them."""
        if not room or self.chance.random() > PHOTO_SHARE:
            return {}
        ids_ = [ids.uuid7() for _ in range(self.chance.randint(1, min(2, room)))]

        def keep(session: Session) -> None:
            for one in ids_:
                self._pictures += 1
                content = picture(self._pictures)
                session.add(
                    Attachment(
                        id=one, uploader_id=self._lane.town.anna.person_id, media_type="image/jpeg",
                        name="foto.jpg", size_bytes=len(content), have_bytes=len(content),
                        width=1, height=1, created_at_ms=self.clock.now_ms(),
                    )
                )  # fmt: skip
                session.flush()
                session.add(AttachmentData(attachment_id=one, part="full", content=content))

        self._db.write_now(keep)
        seen = self.chance.random() < 0.5
        return (
            {"attachments": ids_, "alts": {ids_[0]: "Een kuil"}} if seen else {"attachments": ids_}
        )

    def _conversations(self, session: Session) -> list[tuple[str, str, int, int]]:
        """Return id, account, position and how many photos a reply there may carry."""
        query = (
            select(Conversation)
            .where(col(Conversation.account_id).in_(list(self.places)))
            .order_by(col(Conversation.created_at_ms), col(Conversation.id))
        )
        return [
            (one.id, one.account_id, one.position, self._room(one))
            for one in session.exec(query).all()
        ]

    def _room(self, conversation: Conversation) -> int:
        kind = self.places[conversation.account_id].kind
        return registry.capabilities_of(kind, public=conversation.public).attachments

    def _expects(self, account_id: str) -> bool:
        """Say whether nothing stands in the way of what is sent by this account now."""
        busy = self._db.read_now(
            lambda session: session.exec(
                select(Delivery.id).where(
                    Delivery.account_id == account_id,
                    col(Delivery.state).in_(["queued", "sending", "uncertain"]),
                )
            ).first()
        )
        calm = self.lines[account_id].is_calm and account_id not in self._expired
        return busy is None and calm and account_id not in self._touched

    async def _prompt(self, account_id: str, text: str) -> None:
        """See that a reply that nothing is in the way of arrives at once, whatever others do."""
        line = self.lines[account_id]
        struck = line.struck
        alive = [process for process in self._processes if not process.dead]
        await asyncio.sleep(PROMPT_MS / 1000)
        whole = line.struck == struck and line.is_calm and account_id not in self._expired
        still = [process for process in self._processes if not process.dead]
        if not whole or not alive or still != alive or account_id in self._touched:
            return
        if not any(one.text == text for one in self.places[account_id].said()):
            state = self._db.read_now(lambda session: self._state_of(session, text))
            if state in {"queued", "sending"}:
                self.diary.wrong.append(
                    f"{account_id}: {text!r} was {state} for {PROMPT_MS} ms with nothing in its way"
                )

    def _state_of(self, session: Session, text: str) -> str | None:
        query = select(Delivery.state).join(Message, col(Message.id) == col(Delivery.message_id))
        mine = col(Delivery.account_id).in_(list(self.places))
        return session.exec(query.where(Message.text == text, mine)).first()

    async def _does(self, *ops: Any) -> list[dict[str, Any]]:
        town = self._lane.town
        results = await self._db.write(
            lambda session: operations.apply(session, town.anna, ops, now_ms=self.clock.now_ms())
        )
        self._news.set()
        for sender in self._workers:
            sender.wake()
        return results

    async def _replace(self) -> None:
        """Withdraw a reply, or put a new version in its place."""
        if not self._last:
            return
        earlier = self.chance.choice(list(self._last))
        conversation_id = self._last.pop(earlier)
        if self.chance.random() < 0.5:
            await self._does(op("withdraw", conversation_id, op_ids=[earlier]))
            return
        conversation = self._lane.town.conversation(conversation_id)
        position, photos = conversation.position, self._photos(self._room(conversation))
        text = self._words("Beter antwoord")
        new = op("reply", conversation_id, position, text=text, supersedes=[earlier], **photos)
        await self._does(new)

    async def _resolve(self) -> None:
        """Let a person decide about what is uncertain or failed, after she looked there."""
        found = self._db.read_now(self._open_ends)
        if not found:
            return
        message_id, conversation_id, account_id, to, text, state = self.chance.choice(found)
        if self.lines[account_id].on_its_way:
            return
        pictures = self._db.read_now(lambda session: pictures_of(session, message_id))
        stands = self._stands(account_id, to, text, pictures) > self._db.read_now(
            lambda session: self._called_sent(session, account_id, to, text, pictures)
        )
        if state == "uncertain":
            outcome = "sent" if stands else self.chance.choice(["retry", "failed"])
        else:
            outcome = "retry"
        await self._does(op("resolve", conversation_id, message=message_id, outcome=outcome))

    def _open_ends(self, session: Session) -> list[tuple[str, str, str, str, str, str]]:
        query = (
            select(Delivery, Message)
            .join(Message, col(Message.id) == col(Delivery.message_id))
            .where(
                col(Delivery.account_id).in_(list(self.places)),
                col(Delivery.state).in_(["uncertain", "failed"]),
                # Who is looking at this moment is let to.
                col(Delivery.leased_until_ms).is_(None),
            )
            .order_by(col(Delivery.id))
        )
        return [
            (m.id, m.conversation_id, d.account_id, d.recipient, m.text, d.state)
            for d, m in session.exec(query).all()
        ]

    def _called_sent(
        self, session: Session, account_id: str, to: str, text: str, pictures: tuple[str, ...]
    ) -> int:
        query = (
            select(Message.id)
            .join(Delivery, col(Message.id) == col(Delivery.message_id))
            .where(
                Delivery.account_id == account_id,
                Delivery.recipient == to,
                Message.text == text,
                col(Delivery.state).in_(["sent", "delivered", "sending"]),
            )
        )
        found = session.exec(query).all()
        return sum(pictures_of(session, message_id) == pictures for message_id in found)

    async def _weather(self) -> None:
        line = self.lines[self._one()]
        line.mode = self.chance.choice(["", "", "", "", "down", "hung"])
        line.bad_share = self.chance.choice([0.2, 0.4, 0.7])

    async def _calm(self) -> None:
        self.lines[self._one()].heal()

    async def _expire(self) -> None:
        account_id = self._one()
        self._expired.add(account_id)
        self.places[account_id].expire()

    async def _renew(self) -> None:
        if self._expired:
            account_id = self.chance.choice(sorted(self._expired))
            self._expired.discard(account_id)
            self.places[account_id].renew()

    async def _kill(self) -> None:
        self.chance.choice(self._processes).kill()

    async def _wait(self) -> None:
        await asyncio.sleep(self.chance.choice([2, 20, 50]) * 3600)

    async def _read(self) -> None:
        """Take in what the platform tells of our own posts, by reading there or by its calls."""
        await self._read_at(self._one())

    async def _read_all(self) -> None:
        for account_id in self.places:
            await self._read_at(account_id)

    async def _read_at(self, account_id: str) -> None:
        place = self.places[account_id]
        items, echoes = place.calls(), place.tells()

        def take(session: Session) -> None:
            self._take_in(session, account_id, items)
            now_ms = self.clock.now_ms()
            for external_id in echoes:
                service.seen_at_channel(session, account_id, external_id, now_ms=now_ms)

        await self._db.write(take)


def pictures_of(session: Session, message_id: str) -> tuple[str, ...]:
    """Return the pictures of a reply, in their order."""
    query = (
        select(AttachmentData.content)
        .join(Attachment, col(Attachment.id) == col(AttachmentData.attachment_id))
        .where(Attachment.message_id == message_id, AttachmentData.part == "full")
        .order_by(col(Attachment.id))
    )
    return tuple(shown(content) for content in session.exec(query).all())


playing: list[History] = []
"""The history that is played now, if any."""

errors: list[str] = []
"""What the program itself logged as an error."""


class _Listening(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        errors.append(record.getMessage() + (f" {record.exc_info[1]!r}" if record.exc_info else ""))


def prepare() -> None:
    """Put what the simulation replaces in this process: the network, what a process remembers."""
    net.use()
    put(worker, "IDLE_S", IDLE_S)
    put(matrix_session, "_tokens", world.PerProcess("matrix"))
    put(bluesky_session, "_SESSIONS", world.PerProcess("bluesky"))
    put(x_meter, "_meters", world.PerProcess("x"))
    logging.getLogger("app").addHandler(_Listening(logging.ERROR))
    really = service.move

    def move(session: Session, delivery: Delivery, state: str, **more: Any) -> None:
        before = delivery.state
        really(session, delivery, state, **more)
        if playing:
            playing[0].moved(session, delivery, before)

    put(service, "move", move)


def play(lane: Lane, seed: int, judge: Callable[[History], list[str]]) -> tuple[History, list[str]]:
    """Play one history; return it and what was broken."""
    errors.clear()
    world.forget()
    chance = random.Random(seed)
    random.seed(seed)
    with asyncio.Runner(loop_factory=world.WarpingLoop) as runner:
        loop = runner.get_loop()
        clock = WorldClock(loop)
        put(ids, "os", SimpleNamespace(urandom=chance.randbytes))
        put(ids, "time", SimpleNamespace(time_ns=lambda: clock.now_ms() * 1_000_000))
        lane.db.chance = chance
        lane.db.abreast = 0.15 if lane.workers > 1 else 0.0
        history = History(lane, seed, clock)
        playing[:] = [history]
        try:
            runner.run(history.play())
        except Exception as error:  # noqa: BLE001  (whatever it was, this seed is played again)
            history.diary.wrong.append(f"the history broke off: {error!r}")
        finally:
            playing.clear()
    return history, judge(history)


def told(lane: Lane, history: History) -> Counter[str]:
    """Return how many replies ended in which state."""
    query = select(Delivery.state).where(col(Delivery.account_id).in_(list(history.places)))
    return Counter(lane.db.read_now(lambda session: list(session.exec(query).all())))


def clear(lane: Lane) -> None:
    """Leave nothing of what was played: what comes next must not depend on what came before."""

    def work(session: Session) -> None:
        for table in ("attachment", "delivery", "conversation", "resident"):
            session.execute(sql(f"DELETE FROM {table}"))

    lane.db.write_now(work)
