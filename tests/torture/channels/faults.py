"""Faults planted in the worker and in the channels, to see that the simulation finds them.

Each is a change that somebody might make in good faith; the code that is shipped knows none of it.
The pattern is that of `tests/torture/faults.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import cache, wraps
from typing import Any

from app.channels import bluesky_chat, bluesky_send, bluesky_text, forum, mastodon_send, social_http
from app.channels.contract import Permanent, Temporary, Unconfirmed
from app.channels.forum_api import ForumApi
from app.channels.matrix import MatrixChannel
from app.channels.platform_http import PlatformApi
from app.channels.telegram import TelegramChannel
from app.channels.whatsapp import WhatsAppChannel
from app.channels.x import XChannel
from app.delivery import attempts, worker
from app.delivery.attempts import Outcome
from app.delivery.worker import Worker
from app.ids import uuid7
from tests.torture.channels import history, net, places
from tests.torture.faults import WORKER, Fault, put, tell_which_worker

PLANTED: dict[str, Fault] = {}


def plant(name: str) -> None:
    """Switch on one fault in this process; an empty name is the program as it is."""
    if name:
        PLANTED[name].plant()


def fault(name: str, engine: str = "sqlite") -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Give a function that plants a fault its name."""

    def keep(planter: Callable[[], None]) -> Callable[[], None]:
        PLANTED[name] = Fault(planter, engine)
        return planter

    return keep


def only(*kinds: str) -> None:
    """Play on these platforms only, where the fault is."""
    put(history, "KINDS", tuple(one for one in places.KINDS if (one.name or one.kind) in kinds))


@fault("what may be out is sent again without looking")
def _repeat() -> None:
    really = attempts.attempt

    async def attempt(adapter: Any, job: Any) -> Outcome:
        return await really(adapter, replace(job, tried=False))

    put(attempts, "attempt", attempt)


@fault("a time-out counts as a failure")
def _timeout_is_failure() -> None:
    really = attempts.attempt

    async def attempt(adapter: Any, job: Any) -> Outcome:
        if job.tried or adapter is None:
            return await really(adapter, job)
        try:
            return Outcome("sent", external_id=(await adapter.send(job.reply)).external_id)
        except Unconfirmed as error:
            return Outcome("failed", error=error.code)
        except Exception:  # noqa: BLE001  (as it would be without this)
            return Outcome("queued", error="platform_busy", retry_ms=30_000, spent=False)

    put(attempts, "attempt", attempt)


@fault("a reply is noted as sent before it is")
def _sent_first() -> None:
    really = attempts.attempt

    async def attempt(adapter: Any, job: Any) -> Outcome:
        if job.tried:
            return await really(adapter, job)
        outcome = Outcome("sent", external_id=job.reply.external_id)
        at_work = WORKER.get()
        await at_work._db.write(lambda session: at_work._settle(job, outcome, session))
        return await really(adapter, job)

    put(attempts, "attempt", attempt)
    tell_which_worker()


@fault("a server that is too busy is believed to have taken it")
def _busy_is_sent() -> None:
    really = attempts.attempt

    async def attempt(adapter: Any, job: Any) -> Outcome:
        outcome = await really(adapter, job)
        busy = outcome.error in {"platform_busy", "site_busy"}
        return Outcome("sent") if busy and outcome.state == "queued" else outcome

    put(attempts, "attempt", attempt)


@fault("Bluesky: each try has a record key of its own")
def _new_rkey() -> None:
    really = bluesky_text.tid_of
    only("bluesky")
    put(bluesky_send, "tid_of", lambda _delivery_id: really(uuid7()))


@fault("Matrix: each try has a transaction of its own, and what we said is not looked for")
def _new_transaction() -> None:
    async def find(_self: MatrixChannel, _reply: Any) -> None:
        return None

    really = MatrixChannel._put

    async def put_(self: MatrixChannel, room_id: str, path: str, *more: Any, **named: Any) -> Any:
        return await really(self, room_id, f"{path}{uuid7()}", *more, **named)

    only("matrix")
    put(MatrixChannel, "find", find)
    put(MatrixChannel, "_put", put_)


@fault("Mastodon: no idempotency key, and a lost answer is tried again at once")
def _no_key() -> None:
    really = social_http.Caller.publish

    async def publish(self: Any, method: str, path: str, **what: Any) -> Any:
        what["headers"] = {}
        try:
            return await really(self, method, path, **what)
        except Unconfirmed:
            return await really(self, method, path, **what)

    only("mastodon")
    put(social_http.Caller, "publish", publish)


@fault("Mastodon: only what others see is looked through, so a direct reply is never found")
def _blind() -> None:
    really = mastodon_send.Sending._matching

    async def matching(self: Any, rows: Any, reply: Any) -> Any:
        public = [row for row in rows if row.get("visibility") != "direct"]
        return await really(self, public, reply)

    only("mastodon")
    put(mastodon_send.Sending, "_matching", matching)


@fault("Telegram, WhatsApp, X: a line that breaks means that nothing was sent")
def _always_temporary() -> None:
    really = PlatformApi.ask

    async def ask(self: PlatformApi, *given: Any, **named: Any) -> Any:
        try:
            return await really(self, *given, **named)
        except Unconfirmed as error:
            raise Temporary(error.code, error.detail) from None

    only("telegram", "whatsapp", "x", "x-messages")
    put(PlatformApi, "ask", ask)


@fault("forums: a page of HTML means that nothing was posted")
def _forum_html() -> None:
    really = ForumApi.post

    async def post(self: ForumApi, *given: Any) -> Any:
        try:
            return await really(self, *given)
        except Unconfirmed as error:
            raise Permanent("forum_refused", error.detail) from None

    only("discourse", "nodebb")
    put(ForumApi, "post", post)


@fault("forums: any post with these words is taken for the reply")
def _any_post() -> None:
    really = forum.Forum.find

    async def find(self: forum.Forum, reply: Any) -> Any:
        return await really(self, replace(reply, references=(), others=()))

    only("discourse", "nodebb")
    put(history, "STOCK_SHARE", 0.8)
    put(forum.Forum, "find", find)
    put(worker, "_is_anothers", lambda *_given: False)


@fault("forums: a 503 is believed whoever says it")
def _gateway_believed() -> None:
    async def after_all(_self: forum.Forum, _reply: Any) -> None:
        return None

    only("discourse", "nodebb")
    put(forum.Forum, "_after_all", after_all)


@fault("Bluesky: nobody looks in a chat before writing there again")
def _unseen_chat() -> None:
    async def look(_self: bluesky_chat.Chat, _chat: str, _reply: Any) -> None:
        return None

    only("bluesky-chat")
    put(bluesky_chat.Chat, "_look", look)


@fault("X: only posts are looked through, so a direct message is never found")
def _unseen_message() -> None:
    really = XChannel.find

    async def find(self: XChannel, reply: Any) -> Any:
        found = await really(self, reply)
        return None if " " in reply.recipient else found

    only("x-messages")
    put(XChannel, "find", find)


@fault("Mastodon, Bluesky: a reply goes without its picture when that is not taken")
def _without_picture() -> None:
    def bare(sending: Any) -> None:
        really = sending._prepare

        async def prepare(self: Any, reply: Any) -> Any:
            try:
                return await really(self, reply)
            except Temporary:
                return await really(self, replace(reply, attachments=()))

        put(sending, "_prepare", prepare)

    only("mastodon", "bluesky")
    bare(mastodon_send.Sending)
    bare(bluesky_send.Sending)


@fault("Telegram: a photo whose answer is lost is sent again")
def _photo_again() -> None:
    really = TelegramChannel.send

    async def send(self: TelegramChannel, reply: Any) -> Any:
        try:
            return await really(self, reply)
        except Unconfirmed:
            if not reply.attachments:
                raise
            return await really(self, reply)

    only("telegram")
    put(TelegramChannel, "send", send)


@fault("a platform that wants to be left alone for years is obeyed")
def _obeyed() -> None:
    # Also when its writer should long have heard that it came too late.
    only("telegram", "whatsapp", "x", "x-messages", "matrix")
    put(net, "WEATHER", ("429",))
    put(attempts, "MAX_LIMIT_MS", 10**15)
    put(worker, "max", lambda *_given: 10**15)


@fault("what cannot be looked up counts as sent")
def _look_says_sent() -> None:
    really = attempts.look

    async def look(adapter: Any, job: Any) -> Outcome:
        if isinstance(adapter, (TelegramChannel, WhatsAppChannel)):
            return Outcome("sent", external_id=job.reply.external_id)
        return await really(adapter, job)

    only("telegram", "whatsapp")
    put(attempts, "look", look)


@fault("a token that was refused is believed to have been taken")
def _refused_is_sent() -> None:
    really = attempts.attempt

    async def attempt(adapter: Any, job: Any) -> Outcome:
        outcome = await really(adapter, job)
        return Outcome("sent") if outcome.health == "signed_out" and not job.tried else outcome

    put(attempts, "attempt", attempt)


@fault("one account after the other is worked for")
def _one_by_one() -> None:
    really = Worker._work_for

    @wraps(really)
    async def work_for(self: Worker, job: Any) -> None:
        async with vars(self).setdefault("_turn", asyncio.Lock()):
            await really(self, job)

    put(Worker, "_work_for", work_for)


@fault("a reply does not wait for the one before it")
def _no_order() -> None:
    really = worker._due

    @cache
    def due(*, of_one: bool) -> Any:
        query = really(of_one=of_one)._generate()
        # The second of its conditions is the one on the replies before.
        query._where_criteria = (query._where_criteria[0], *query._where_criteria[2:])
        return query

    put(worker, "_due", due)


@fault("two workers may take one row", "postgresql")
def _no_lock() -> None:
    really = worker._due

    @cache
    def due(*, of_one: bool) -> Any:
        query = really(of_one=of_one)._generate()
        query._for_update_arg = None
        return query

    put(worker, "_due", due)


@fault("a lease is shorter than sending may take")
def _short_lease() -> None:
    put(worker, "LEASE_MS", 10_000)
