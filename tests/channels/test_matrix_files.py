"""Files that come in by Matrix, each small enough, are together bounded too; one that goes out is
there before what it belongs to is said.

The server of the first is a fake of what the specification says of `/sync` and of the content
repository (Client-Server API v1.15); it knows one room of two and nothing of accounts.
"""

import asyncio
import json
from typing import Any

import pytest

from app.channels.contract import Batch, Incoming, Outgoing, OutgoingAttachment, Temporary
from app.channels.matrix import build
from app.channels.matrix_allowance import Allowance
from app.channels.matrix_rooms import Rooms
from app.channels.matrix_session import MatrixSession, settings_of
from app.channels.matrix_sync import Inbox
from tests.peers.api_server import ApiServer, Request, Response
from tests.peers.homeserver import US as GEMEENTE
from tests.peers.homeserver import Homeserver

US, FATMA, ROOM = "@noord:buurt.example", "@fatma:buurt.example", "!chat:buurt.example"


def photo(number: int, size: int) -> dict[str, Any]:
    return {
        "type": "m.room.message",
        "event_id": f"$photo{number}",
        "sender": FATMA,
        "origin_server_ts": number,
        "content": {
            "msgtype": "m.image",
            "body": f"{number}.jpg",
            "url": f"mxc://buurt.example/photo{number}",
            "info": {"size": size},
        },
    }


class Server:
    """A room with five photos of a thousand bytes; `slow` says which are never handed out."""

    def __init__(self, slow: tuple[int, ...] = (), told_bytes: int = 1_000) -> None:
        self.told_bytes = told_bytes
        self.slow = {f"photo{number}" for number in slow}

    async def answer(self, request: Request) -> Response:
        if request.path.endswith("/sync"):
            events = [photo(number, self.told_bytes) for number in range(1, 6)]
            timeline = {"events": events, "limited": False}
            joined = {ROOM: {"timeline": timeline}}
            return Response(body={"next_batch": "s1", "rooms": {"join": joined}})
        if "/media/download/" in request.path:
            if request.path.rpartition("/")[2] in self.slow:
                await asyncio.Event().wait()
            return Response(body=b"x" * 1_000)
        if request.path.endswith("/joined_members"):
            return Response(body={"joined": {US: {}, FATMA: {}}})
        return Response(404, {"errcode": "M_NOT_FOUND"})


async def fetch(server: ApiServer, allowance: Allowance) -> Batch:
    secret = json.dumps({"access_token": f"token of {server.url}"})
    settings = settings_of({"url": server.url, "user": US}, secret)
    session = MatrixSession(settings, lambda: 10)
    inbox = Inbox(settings, session, Rooms(session), lambda: 10, 1, lambda: allowance)
    try:
        return await inbox.fetch(None)
    finally:
        await session.close()


def came_along(batch: Batch) -> list[int]:
    """Return how many files each message has; one without says that something was left out."""
    items = [item for item in batch.items if isinstance(item, Incoming)]
    assert all(("attachments_dropped" in item.notices) != bool(item.attachments) for item in items)
    return [len(item.attachments) for item in items]


async def test_what_one_fetch_may_weigh_is_held_to_and_every_message_comes_in() -> None:
    async with ApiServer(Server().answer) as server:
        batch = await fetch(server, Allowance(max_bytes=3_500))
        assert came_along(batch) == [1, 1, 1, 0, 0]
        assert sum("/media/" in one.path for one in server.asked) == 3


async def test_a_file_that_says_it_is_smaller_than_it_is_is_cut_off_at_what_is_left() -> None:
    async with ApiServer(Server(told_bytes=10).answer) as server:
        batch = await fetch(server, Allowance(max_bytes=1_999))
    assert came_along(batch) == [1, 0, 0, 0, 0]


async def test_when_the_time_for_files_is_over_the_words_still_come_in() -> None:
    now_s = 0.0

    def clock() -> float:
        nonlocal now_s
        now_s += 1.0
        return now_s

    async with ApiServer(Server().answer) as server:
        # Read once to begin, once a file: after the third the time is over.
        batch = await fetch(server, Allowance(max_s=3.5, now_s=clock))
    assert came_along(batch) == [1, 1, 1, 0, 0]


async def test_a_file_that_never_comes_holds_up_no_message() -> None:
    async with ApiServer(Server(slow=(2,)).answer) as server:
        # Time stands still but for the one wait, which takes what is left: a fraction of a second.
        batch = await fetch(server, Allowance(max_s=0.3, now_s=lambda: 0.0))
    assert came_along(batch) == [1, 0, 1, 1, 1]


@pytest.mark.parametrize("status", [200, 404])
async def test_without_its_picture_a_reply_is_not_said_yet(status: int) -> None:
    matrix = Homeserver(lambda: 1_793_610_000_000)
    room = matrix.room(FATMA)
    asked = matrix.says(room, FATMA, "Kijk eens?")
    portal = [Response(status, b"<h1>Log in</h1>", {"content-type": "text/html"})]

    async def answer(request: Request) -> Response:
        if "/media/v3/upload" in request.path and portal:
            return portal.pop()
        return matrix.answer(request)

    reply = Outgoing(
        "d1", "d1", FATMA, "", "Gezien.", 1_793_610_000_000, in_reply_to=f"{room.id}/{asked}",
        attachments=(OutgoingAttachment("foto.jpg", "image/jpeg", b"foto"),),
    )  # fmt: skip
    async with ApiServer(answer) as server:
        secret = json.dumps({"password": matrix.password})
        channel = build({"url": server.url, "user": GEMEENTE}, secret, lambda: 1_793_610_000_000)
        with pytest.raises(Temporary):
            await channel.send(reply)
        assert len(room.events) == 1
        await channel.send(reply)
        await channel.close()
    (_, said) = room.events
    assert matrix.media[said["content"]["url"]] == b"foto"
