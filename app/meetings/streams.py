"""The hall's streams: what changes on a meeting's board goes to every open page, once made.

Unlike the coordinators' stream this one carries data, for all of it is public: five hundred phones
that each came back to ask would be a storm. Each change is read and serialised once; the streams
send the same bytes.
"""

import asyncio
import json
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.db import Database
from app.errors import Unavailable
from app.meetings import queries
from app.meetings.queries import Shown

log = logging.getLogger(__name__)

RETRY_S = 1.0
PING_S = 25
"""Proxies close what is silent for half a minute."""

MOST_STREAMS = 3_000
"""Of this process; a hall that is larger reloads by hand."""

MOST_PENDING = 50
"""A page that takes no more is let go; it comes back and says how far it was."""

GATHER_S = 0.2
"""After a change the next ones are gathered so long: eighty people who tap at once are one."""


@dataclass(eq=False, slots=True)
class Page:
    """One open page."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    pending: list[bytes] = field(default_factory=list)
    closed: bool = False

    def give(self, line: bytes) -> None:
        """Have it send this."""
        self.pending.append(line)
        if len(self.pending) > MOST_PENDING:
            self.closed = True
        self.wake.set()


@dataclass(eq=False, slots=True)
class Room:
    """The open pages of one meeting, and how far they were told."""

    told: int
    pages: set[Page] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    teller: "asyncio.Task[None] | None" = None


class Halls:
    """All open pages of this process, by meeting."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._rooms: dict[str, Room] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Remember the loop the streams live on, so that a writing thread can reach it."""
        self._loop = loop

    def committed(self, news: dict[str, Any]) -> None:
        """Hear of a commit, on whatever thread it happened."""
        halls = news.get("halls")
        if halls and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, list(halls))

    def poke(self, _seq: int) -> None:
        """Something was committed in another process: look in every room."""
        self._wake(list(self._rooms))

    def _wake(self, meetings: Collection[str]) -> None:
        for meeting_id in meetings:
            room = self._rooms.get(meeting_id)
            if room is not None:
                room.news.set()

    def close(self) -> None:
        """End every stream: the server stops."""
        self._closed = True
        for room in self._rooms.values():
            for page in room.pages:
                page.closed = True
                page.wake.set()

    @property
    def open(self) -> int:
        """How many streams are open."""
        return sum(len(room.pages) for room in self._rooms.values())

    async def serve(self, meeting_id: str, after: int, receive: Receive, send: Send) -> None:
        """Speak to one page, from what it knows (`after`), until it goes away."""
        room = self._rooms.get(meeting_id)
        if room is None:
            room = self._rooms[meeting_id] = Room(after)
            room.teller = asyncio.create_task(self._tell(meeting_id, room))
        page = Page()
        room.pages.add(page)
        gone = asyncio.ensure_future(_disconnected(receive, page))
        try:
            await send(_START)
            if after != room.told:
                # What the others were told before it came; repeated, it says the same.
                page.give(await self._since(meeting_id, after))
            # Whoever wrote between the page's making and this stream is found now.
            room.news.set()
            await _speak(page, send)
        finally:
            gone.cancel()
            room.pages.discard(page)
            if not room.pages and self._rooms.get(meeting_id) is room:
                del self._rooms[meeting_id]
                if room.teller is not None:
                    room.teller.cancel()

    async def _tell(self, meeting_id: str, room: Room) -> None:
        while not self._closed:
            await room.news.wait()
            room.news.clear()
            look = partial(queries.changes, meeting_id=meeting_id, after=room.told)
            try:
                seq, shown, state = await self._db.read(look)
            except (SQLAlchemyError, OSError) as error:
                log.warning("a board was not read: %s", type(error).__name__)
                await asyncio.sleep(RETRY_S)
                room.news.set()
                continue
            if seq > room.told:
                room.told = seq
                line = event(seq, shown, state)
                for page in list(room.pages):
                    page.give(line)
                await asyncio.sleep(GATHER_S)

    async def _since(self, meeting_id: str, after: int) -> bytes:
        seq, shown, state = await self._db.read(
            lambda session: queries.changes(session, meeting_id, after)
        )
        return event(seq, shown, state)


def event(seq: int, shown: Collection[Shown], state: str) -> bytes:
    """Return a change as the line of a stream; its id is from where a page goes on."""
    said = {"seq": seq, "state": state, "questions": [one.state() for one in shown]}
    data = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return f"id: {seq}\nevent: board\ndata: {data}\n\n".encode()


async def _speak(page: Page, send: Send) -> None:
    while not page.closed:
        try:
            async with asyncio.timeout(PING_S):
                await page.wake.wait()
            page.wake.clear()
            lines, page.pending = page.pending, []
            body = b"".join(lines)
        except TimeoutError:
            body = b": ping\n\n"
        if body:
            await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive, page: Page) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    page.closed = True
    page.wake.set()


_START: dict[str, Any] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        (b"x-robots-tag", b"noindex, nofollow"),
    ],
}


class HallStream(Response):
    """Hands the connection to the halls. A Response by type only."""

    def __init__(self, halls: Halls, meeting_id: str, after: int) -> None:
        if halls.open >= MOST_STREAMS:
            raise Unavailable("Too many pages are open.")
        self._halls = halls
        self._meeting_id = meeting_id
        self._after = after
        self.background = None

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream."""
        await self._halls.serve(self._meeting_id, self._after, receive, send)
