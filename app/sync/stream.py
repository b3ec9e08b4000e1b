"""Server-sent events: a poke says that there is something to pull. The data never travels here.

A thousand open phones are a thousand entries in a set, each a queue of at most a few lines; what a
slow phone cannot take is dropped, because the next poke says the same.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.accounts.policy import Principal
from app.errors import Problem

log = logging.getLogger(__name__)

Asking = Callable[[], Awaitable[Principal]]
"""Asks again who this is; raises a Problem when she no longer has access."""

PING_S = 25
"""Proxies close what is silent for half a minute. Busy or not, so often it is asked who this is."""


@dataclass(eq=False, slots=True)
class Phone:
    """One open stream."""

    who: Principal
    wake: asyncio.Event
    seq: int
    told_seq: int = -1
    writing: list[bytes] = field(default_factory=list)
    closed: bool = False


class Hub:
    """All open streams of this process."""

    def __init__(self, *, ping_s: float = PING_S) -> None:
        self._ping_s = ping_s
        self._phones: set[Phone] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Remember the loop the streams live on, so that a writing thread can reach it."""
        self._loop = loop

    def committed(self, news: dict[str, Any]) -> None:
        """Hear of a commit, on whatever thread it happened."""
        head = news.get("head")
        if head and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.poke, head)

    def poke(self, seq: int) -> None:
        """Tell every open stream that the feed has come to `seq`."""
        for phone in self._phones:
            phone.seq = seq
            phone.wake.set()

    def writing(self, who: Principal, conversation_id: str, area: str) -> None:
        """Tell colleagues who see this area that somebody is writing."""
        said = {"conversation_id": conversation_id, "person_id": who.person_id}
        line = b"event: writing\ndata: " + json.dumps(said).encode() + b"\n\n"
        for phone in self._phones:
            if phone.who.person_id != who.person_id and phone.who.sees(area):
                phone.writing = [*phone.writing[-4:], line]
                phone.wake.set()

    def drop(self, device_id: str) -> None:
        """End the streams of a device that was revoked or signed out."""
        for phone in self._phones:
            if phone.who.device_id == device_id:
                phone.closed = True
                phone.wake.set()

    def close(self) -> None:
        """End every stream: the server stops."""
        for phone in self._phones:
            phone.closed = True
            phone.wake.set()

    @property
    def open(self) -> int:
        """How many streams are open."""
        return len(self._phones)

    async def serve(
        self, who: Principal, seq: int, receive: Receive, send: Send, ask_again: Asking
    ) -> None:
        """Speak to one phone until it goes away, its access ends or the server stops.

        Access that ended or changed in another process (a command line) is noticed within the time
        of a ping, also when there is so much news that no ping is ever needed.
        """
        phone = Phone(who, asyncio.Event(), seq)
        phone.wake.set()
        self._phones.add(phone)
        gone = asyncio.ensure_future(_disconnected(receive, phone))
        time = asyncio.get_running_loop().time
        ask_at_s = time() + self._ping_s
        try:
            await send(_START)
            while not phone.closed:
                try:
                    async with asyncio.timeout(max(0.0, ask_at_s - time())):
                        await phone.wake.wait()
                except TimeoutError:
                    pass
                if time() >= ask_at_s:
                    try:
                        phone.who = await ask_again()
                    except Problem:
                        break
                    ask_at_s = time() + self._ping_s
                    body = _lines(phone) or b": ping\n\n"
                else:
                    body = _lines(phone)
                if body:
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._phones.discard(phone)
            gone.cancel()


def _lines(phone: Phone) -> bytes:
    phone.wake.clear()
    said, phone.writing = phone.writing, []
    if phone.told_seq != phone.seq:
        phone.told_seq = phone.seq
        said = [*said, b'event: poke\ndata: {"seq":%d}\n\n' % phone.seq]
    return b"".join(said)


async def _disconnected(receive: Receive, phone: Phone) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    phone.closed = True
    phone.wake.set()


_START: dict[str, Any] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ],
}


class StreamResponse(Response):
    """Hands the connection to the hub: leaner than a generator and its tasks.

    It is a Response by type only: FastAPI would serialise anything else.
    """

    def __init__(self, hub: Hub, who: Principal, seq: int, ask_again: Asking) -> None:
        self._hub = hub
        self._ask_again = ask_again
        self._who = who
        self._seq = seq
        self.background = None

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream."""
        await self._hub.serve(self._who, self._seq, receive, send, self._ask_again)
