"""A line between a browser and the server that fails as lines do, at a moment that the test picks.

It speaks enough HTTP/1.1 to fail in the middle of one request and not of another, and counts what
it did, so that a test cannot pass because the line was whole.

    refuse        the connection is cut before anything is passed on
    cut_request   half of the request reaches the server, then the line is cut
    cut_response  the server did it; half of the answer's body arrives, then the line is cut
    lost          the server did it; nothing of the answer arrives
    silent        nothing is passed on and nothing comes back, until the line is cut
    silent_after  the server did it; the answer never comes, until the line is cut
    twice         the request reaches the server twice, as when a browser sends it again by itself
    error         500 with a page of HTML; the server never hears of it
    error_after   the server did it; the answer is replaced by that 500
    503_after     the server did it; a gateway before it did not wait, and says 503
    portal        a captive portal: 200 and a page of HTML
    delay         the answer comes late
    slow          the answer comes in small pieces
    429, 503, …   this status with `Retry-After: 7`; the server never hears of it
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self

Weather = Callable[["Asked"], str]
"""Says for each request which fault strikes it, or `none`."""

FAULTS = (
    "refuse",
    "cut_request",
    "cut_response",
    "lost",
    "silent",
    "silent_after",
    "twice",
    "error",
    "error_after",
    "portal",
    "delay",
    "slow",
)

PORTAL = b"<!doctype html><title>Wi-Fi</title><p>Accepteer eerst de voorwaarden van dit netwerk."
BROKEN = b"<!doctype html><title>500</title><h1>Internal Server Error</h1>"
HEAD_END = b"\r\n\r\n"
MAX_HEAD_BYTES = 64 * 1024
PIECE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as far as a fault may look at it."""

    method: str
    path: str
    raw: bytes
    """The whole request, head and body."""


def calm(_asked: Asked) -> str:
    """Let everything through."""
    return "none"


def always(fault: str, path: str = "") -> Weather:
    """Strike every request whose path begins with `path`; let the rest through."""
    return lambda asked: fault if asked.path.startswith(path) else "none"


def once(fault: str, path: str = "", method: str = "") -> Weather:
    """Strike the first request of this kind and let everything else through."""
    struck = iter([fault])

    def weather(asked: Asked) -> str:
        meant = asked.path.startswith(path) and method in {"", asked.method}
        return next(struck, "none") if meant else "none"

    return weather


def flaky(chance: random.Random, calm_share: float = 0.45) -> Weather:
    """Strike more than half of all requests, each with a fault from the seed."""

    def weather(_asked: Asked) -> str:
        return "none" if chance.random() < calm_share else chance.choice(FAULTS)

    return weather


class FaultProxy:
    """Listens on a free port of this machine and passes on to `target_port`."""

    def __init__(self, target_port: int, *, chance: random.Random | None = None) -> None:
        self.target_port = target_port
        self.weather: Weather = calm
        self.did: Counter[str] = Counter()
        """How often each fault struck, and `none` for what went through whole."""
        self.port = 0
        self._chance = chance or random.Random(0)
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, limit=MAX_HEAD_BYTES
        )
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_failure: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._lines, return_exceptions=True)

    def cut(self) -> int:
        """Cut every line that is open now, idle or in the middle of something; say how many."""
        lines = [line for line in self._lines if not line.done()]
        for line in lines:
            line.cancel()
        self.did["cut"] += len(lines)
        return len(lines)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.current_task()
        assert line is not None
        self._lines.add(line)
        upstream = Upstream(self.target_port)
        try:
            while (asked := await _read_request(reader)) is not None:
                await self._pass_on(asked, upstream, writer)
        except (OSError, EOFError, asyncio.IncompleteReadError, Cut):
            pass
        except asyncio.CancelledError:
            pass  # `cut` ended this line; the loop's own end closes it as well
        finally:
            self._lines.discard(line)
            _abort(writer)
            upstream.close()

    async def _pass_on(
        self, asked: Asked, upstream: "Upstream", writer: asyncio.StreamWriter
    ) -> None:
        fault = self.weather(asked)
        self.did[fault] += 1
        match fault:
            case "refuse":
                raise Cut
            case "cut_request":
                await upstream.say(asked.raw[: max(1, len(asked.raw) // 2)])
                raise Cut
            case "silent":
                await asyncio.Event().wait()
            case "silent_after":
                await _whole(upstream.ask(asked))
                await asyncio.Event().wait()
            case "portal":
                writer.write(_page(200, PORTAL))
            case "error":
                writer.write(_page(500, BROKEN))
            case "error_after":
                await _whole(upstream.ask(asked))
                writer.write(_page(500, BROKEN))
            case "503_after":
                await _whole(upstream.ask(asked))
                writer.write(_page(503, BROKEN, "retry-after: 7\r\n"))
            case status if status.isdecimal():
                writer.write(_page(int(status), BROKEN, "retry-after: 7\r\n"))
            case "lost":
                await _whole(upstream.ask(asked))
                raise Cut
            case "cut_response":
                answer = await _whole(upstream.ask(asked))
                body = answer.index(HEAD_END) + len(HEAD_END)
                keep = body + (len(answer) - body) * self._chance.randrange(100) // 100
                writer.write(answer[:keep])
                await writer.drain()
                # An orderly end, so that what was written arrives and only the rest is missing.
                writer.close()
                raise Cut
            case "twice":
                answers = [await _whole(upstream.ask(asked)) for _ in range(2)]
                writer.write(self._chance.choice(answers))
            case "slow":
                answer = await _whole(upstream.ask(asked))
                for at in range(0, len(answer), 1 + len(answer) // 8):
                    writer.write(answer[at : at + 1 + len(answer) // 8])
                    await asyncio.sleep(self._chance.random() * 0.01)
            case _:
                if fault == "delay":
                    await asyncio.sleep(0.02 + self._chance.random() * 0.2)
                async for piece in upstream.ask(asked):
                    writer.write(piece)
                    await writer.drain()
        await writer.drain()


class Cut(Exception):
    """The line is to be cut here."""


class Upstream:
    """The proxy's side towards the server: one connection that is kept while it lasts."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def say(self, raw: bytes) -> None:
        """Send some bytes and wait for nothing."""
        _, writer = await self._open()
        writer.write(raw)
        await writer.drain()

    async def ask(self, asked: Asked) -> AsyncIterator[bytes]:
        """Pass on one request and yield the answer in pieces as they come, its head first."""
        reader, writer = await self._open()
        try:
            writer.write(asked.raw)
            await writer.drain()
            head = await reader.readuntil(HEAD_END)
        except (OSError, EOFError):
            # The server may have closed an idle connection just now: only a fresh one tells.
            self.close()
            reader, writer = await self._open()
            writer.write(asked.raw)
            head = await reader.readuntil(HEAD_END)
        yield head
        status = int(head.split(b" ", 2)[1])
        fields = _fields(head)
        if asked.method == "HEAD" or status in {204, 304}:
            return
        if "content-length" in fields:
            left = int(fields["content-length"])
            while left:
                piece = await reader.read(min(left, PIECE_BYTES))
                if not piece:
                    raise Cut
                left -= len(piece)
                yield piece
            return
        if "chunked" in fields.get("transfer-encoding", ""):
            async for piece in _chunks(reader):
                yield piece
            return
        while piece := await reader.read(PIECE_BYTES):
            yield piece
        self.close()
        raise Cut

    def close(self) -> None:
        """Let go of the connection."""
        if self._ends is not None:
            self._ends[1].close()
            self._ends = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._ends is None or self._ends[0].at_eof():
            self._ends = await asyncio.open_connection(
                "127.0.0.1", self._port, limit=MAX_HEAD_BYTES
            )
        return self._ends


async def _read_request(reader: asyncio.StreamReader) -> Asked | None:
    """Read one request; None when the browser has closed the line."""
    try:
        head = await reader.readuntil(HEAD_END)
    except asyncio.IncompleteReadError:
        return None
    method, path, _ = head.split(b" ", 2)
    fields = _fields(head)
    body = b""
    if "chunked" in fields.get("transfer-encoding", ""):
        body = b"".join([piece async for piece in _chunks(reader)])
    elif "content-length" in fields:
        body = await reader.readexactly(int(fields["content-length"]))
    return Asked(method.decode(), path.decode(), head + body)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield a chunked body as it is, sizes and all."""
    while True:
        size = await reader.readline()
        if not size.endswith(b"\r\n"):
            raise Cut
        count = int(size.split(b";")[0], 16)
        yield size + await reader.readexactly(count + 2)
        if count == 0:
            return


async def _whole(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


def _fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _page(status: int, body: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{more}content-type: text/html\r\n"
    head += f"content-length: {len(body)}"
    return head.encode() + HEAD_END + body


def _abort(writer: asyncio.StreamWriter) -> None:
    """Reset the connection, unless it was closed in order."""
    if writer.is_closing():
        return
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            # To linger for no time at all is a reset, which is what a dead line looks like.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Line:
    """A `FaultProxy` on a thread of its own, for tests that are not asynchronous."""

    def __init__(self, target_port: int) -> None:
        self.proxy = FaultProxy(target_port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.proxy.__aenter__(), self._loop).result()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.proxy.__aexit__(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """The address that the browser is given."""
        return f"http://localhost:{self.proxy.port}"

    @property
    def did(self) -> Counter[str]:
        """How often each fault struck."""
        return self.proxy.did

    def becomes(self, weather: Weather) -> None:
        """Change the weather; a line in the middle of something ends that first."""
        self.proxy.weather = weather

    def goes_down(self) -> None:
        """Cut the network: what is open now and whatever is tried later."""
        self.proxy.weather = always("refuse")
        self._in_loop(self.proxy.cut)

    def comes_back(self) -> None:
        """Heal the network; what still hung is cut."""
        self.proxy.weather = calm
        self._in_loop(self.proxy.cut)

    def leads_to(self, port: int) -> None:
        """Pass on to another server from now on."""
        self.proxy.target_port = port
        self._in_loop(self.proxy.cut)

    def _in_loop(self, work: Callable[[], object]) -> None:
        async def run() -> None:
            work()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result()
