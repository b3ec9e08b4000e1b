"""A residents' meeting: five hundred phones on one board, and the three hundredth question."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast
from uuid import uuid4

import uvloop

from bench import processes, town
from bench.browser import phone
from bench.client import Connection, connect, request
from bench.figures import median, percentile
from bench.words import Writer
from bench.world import World

PHONES = 500
QUESTIONS = 20
CAUGHT = 300
EDGE = 30
"""So many at the beginning and at the end are compared."""

GOAL_MS = 1_000


def run(world: World) -> None:
    """Measure the board, then the tablet."""
    _board(world)
    _tablet(world)


def _op(kind: str, about: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {
        "op_id": str(uuid4()),
        "kind": kind,
        "conversation_id": about,
        "based_on": None,
        "payload": payload,
        "written_at_ms": int(time.time() * 1000),
        "v": 1,
    }


async def _push(pen: Connection, cookie: str, ops: list[dict[str, Any]]) -> None:
    body = {"v": 1, "ops": ops, "after": 2**50, "scope": "", "limit": 500}
    said = json.dumps(body, ensure_ascii=False).encode()
    asked = request("POST", "/api/v1/sync", said, content_type="application/json", cookie=cookie)
    reply = await pen.ask(asked)
    header = json.loads(reply.content.partition(b"\n")[0])
    wrong = [one for one in header["results"] if one["outcome"] != "applied"]
    if wrong:
        raise AssertionError(f"not applied: {wrong[0]}")


def _plan(meeting: str) -> list[dict[str, Any]]:
    planned = {
        "meeting": meeting,
        "title": "Bewonersavond",
        "area": town.AREA,
        "starts_at_ms": int(time.time() * 1000),
    }
    return [
        _op("meeting", meeting, planned),
        _op("meeting_state", meeting, {"meeting": meeting, "state": "open"}),
    ]


class Screen(asyncio.Protocol):
    """One open page of the hall; notes when each question arrives."""

    def __init__(self, asked: bytes, heard: Callable[[bytes, float], None]) -> None:
        self._asked = asked
        self._heard = heard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        cast(asyncio.Transport, transport).write(self._asked)

    def data_received(self, data: bytes) -> None:
        """Hand on what came."""
        self._heard(data, time.perf_counter())


def _board(world: World) -> None:
    home = world.fresh_town("hall")
    (secret,) = town.sign_in(home, home.people[:1])
    with processes.stoep(home) as server:
        uvloop.run(_watch(world, server, home, secret))


async def _watch(world: World, server: processes.Running, home: town.Town, secret: str) -> None:
    named = town.cookie(secret)
    cookie = f"{named['name']}={named['value']}"
    meeting = str(uuid4())
    pen = await connect(server.port)
    await _push(pen, cookie, _plan(meeting))
    code = _code(home, meeting)
    loop = asyncio.get_running_loop()
    before = server.memory_bytes()
    expected = b""
    heard: list[float] = []
    opened = 0
    everybody = asyncio.Event()

    def hear(data: bytes, at_s: float) -> None:
        nonlocal opened
        opened += data.startswith(b"HTTP/1.1 200")
        if expected and expected in data:
            heard.append(at_s)
        if len(heard) == PHONES or (not expected and opened == PHONES):
            everybody.set()

    asked = request("GET", f"/m/{code}/stream?after=0", accept="text/event-stream")
    lines = [
        await loop.create_connection(partial(Screen, asked, hear), "127.0.0.1", server.port)
        for _ in range(PHONES)
    ]
    await asyncio.wait_for(everybody.wait(), 60)
    late_ms: list[float] = []
    writer = Writer(700)
    for number in range(QUESTIONS):
        heard.clear()
        everybody.clear()
        op = _question(meeting, f"{number}: {writer.text(90)}", str(uuid4()))
        expected = op["op_id"].encode()
        began_s = time.perf_counter()
        await _push(pen, cookie, [op])
        await asyncio.wait_for(everybody.wait(), 30)
        late_ms += [(at_s - began_s) * 1000 for at_s in heard]
    p99_ms = percentile(late_ms, 99)
    world.report.figure(
        "meetings: a new question on 500 phones and boards, p99",
        p99_ms,
        "ms",
        goal="≤ 1000 ms",
        met=p99_ms <= GOAL_MS,
        says="from sending the tablet's operation, its commit included, until a page has its words",
        median_ms=median(late_ms),
        slowest_ms=max(late_ms),
        memory_mb=(server.memory_bytes() - before) / 1e6,
        questions=QUESTIONS,
    )
    for transport, _ in lines:
        transport.close()
    pen.close()


def _code(home: town.Town, meeting: str) -> str:
    connection = sqlite3.connect(home.file)
    ((code,),) = connection.execute("SELECT code FROM meeting WHERE id = ?", (meeting,)).fetchall()
    connection.close()
    return str(code)


def _question(meeting: str, text: str, about: str) -> dict[str, Any]:
    said = {"meeting": meeting, "text": text, "asked_at_ms": int(time.time() * 1000)}
    return _op("question", about, said)


CATCH = """async ({ count }) => {
  const field = document.querySelector('.catch textarea');
  const took = [];
  for (let i = 0; i < count; i += 1) {
    const text = `Vraag nummer ${i} van deze avond, over iets in de buurt`;
    const began = performance.now();
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
    while (field.value !== '') await new Promise((done) => requestAnimationFrame(done));
    took.push(performance.now() - began);
  }
  return took;
}"""


def _tablet(world: World) -> None:
    """A tablet without a network: what is typed is in the outbox and the field is empty again."""
    home = world.fresh_town("tablet")
    (secret,) = town.sign_in(home, home.people[:1])
    meeting = str(uuid4())
    named = town.cookie(secret)
    with processes.stoep(home) as server:
        cookie = f"{named['name']}={named['value']}"
        uvloop.run(_prepare(server.port, cookie, meeting))
        with phone(world.folder / "tablet-profile") as context:
            context.add_cookies([{**named, "url": server.url}])  # type: ignore[typeddict-item]
            page = context.pages[0]
            page.goto(f"{server.url}/meetings/{meeting}")
            page.locator(".catch textarea").wait_for()
            context.set_offline(True)
            took_ms: list[float] = page.evaluate(CATCH, {"count": CAUGHT})
    first, last = median(took_ms[:EDGE]), median(took_ms[-EDGE:])
    world.report.figure(
        "meetings: catching the 300th question",
        last,
        "ms",
        goal="as fast as the first",
        met=last <= 1.5 * first + 5,
        says="from Enter until it is in the outbox and the field is empty, without a network",
        first_ms=first,
        p99_ms=percentile(took_ms, 99),
        ratio_to_first=last / first,
        runs=CAUGHT,
    )


async def _prepare(port: int, cookie: str, meeting: str) -> None:
    pen = await connect(port)
    await _push(pen, cookie, _plan(meeting))
    pen.close()
