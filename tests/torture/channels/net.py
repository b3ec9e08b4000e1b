"""The network between the adapters and the peers, in memory: below httpx, above the bytes.

The adapters' own HTTP library runs whole; only its sockets are replaced. Each account has a line of
its own, and each request on it may be struck by what `tests/support/proxy.py` knows, and by more:

    refused        no connection comes about
    hangs_up       the connection is closed when the request arrives; the platform never hears of it
    half           half of the request arrives, then the connection is cut
    lost           the platform did it; nothing of the answer arrives
    torn           the platform did it; a part of the answer arrives
    silent         nothing is passed on and nothing comes back
    silent_after   the platform did it; the answer never comes
    late           nothing comes back, and the platform does it long after whoever asked gave up
    slow           it takes nearly as long as anybody waits
    error, 502, 503, 504   this status, with a page of HTML; the platform never hears of it
    error_after, 502_after, 503_after, 504_after   the platform did it; a gateway answers this
    429            a limit; the platform did nothing
    portal         200 and a page of HTML; the platform never hears of it
    portal_after   the platform did it; the answer is replaced by that page

A 429 and a 503 may name a time to wait: in seconds, none at all, as a date, a date that is over, or
one that nobody can mean.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpcore
import httpx

from tests.peers.api_server import Request, Response
from tests.torture.channels.world import outside, present
from tests.torture.faults import put

PAGE = b"<!doctype html><title>Even geduld</title><h1>Het ging niet.</h1>"

BEFORE = ("hangs_up", "half", "silent", "error", "502", "503", "504", "429", "portal")
AFTER = (
    "lost", "torn", "silent_after", "error_after", "502_after", "503_after", "504_after",
    "portal_after",
)  # fmt: skip
LATE = ("late", "slow")
WEATHER = (*BEFORE, *AFTER, *AFTER, *LATE)
ABSURD_S = 99_999_999

Answer = Callable[[Request], Awaitable[Response]]


@dataclass
class Line:
    """The way to one account's platform."""

    answer: Answer
    chance: random.Random
    now_ms: Callable[[], int]
    bad_share: float = 0.0
    """How much of what is asked is struck."""
    mode: str = ""
    """`down`: nobody gets through; `hung`: everybody waits."""
    did: Counter[str] = field(default_factory=Counter)
    struck: int = 0
    """How many requests were struck, ever."""
    heard: int = 0
    """How many requests were made, ever."""
    on_its_way: int = 0
    """Requests that the platform will carry out although nobody waits for them any more."""
    log: list[tuple[int, str]] = field(default_factory=list)
    """What was asked, when, and what struck it."""
    broke: list[str] = field(default_factory=list)
    """What the peer itself did not manage."""
    next: list[str] = field(default_factory=list)
    """What strikes the next requests that change something; for tests of the simulation."""

    @property
    def is_calm(self) -> bool:
        return not self.mode and not self.bad_share

    def heal(self) -> None:
        self.bad_share, self.mode = 0.0, ""

    def refuses(self) -> bool:
        """Say whether a connection is refused."""
        refused = self.mode == "down" or self.chance.random() < self.bad_share / 4
        if refused:
            self.did["refused"] += 1
            self.struck += 1
        return refused

    def fault(self, request: Request) -> str:
        """Say what strikes a request."""
        self.heard += 1
        # Most of what is asked only looks, and where looking fails nothing is written: struck all
        # alike, hardly anything that matters would ever be.
        share = self.bad_share * (0.2 if request.method == "GET" else 1.3)
        struck = self.chance.random() < share
        fault = self.chance.choice(WEATHER) if struck else "none"
        if self.mode == "hung":
            fault = "silent"
        if self.next and request.method != "GET":
            fault = self.next.pop(0)
        self.did[fault] += 1
        self.struck += fault != "none"
        struck_by = "" if fault == "none" else f" ({fault})"
        self.log.append((self.now_ms(), f"{request.method} {request.path}{struck_by}"))
        return fault


lines: dict[int, Line] = {}
"""By the port that leads to each."""


class Stream(httpcore.AsyncNetworkStream):
    """One connection."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._process = present()
        self._said = b""
        self._come: asyncio.Queue[bytes] = asyncio.Queue()
        self._left = b""
        self._ended = False

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._check()
        self._said += buffer
        while (request := self._whole()) is not None:
            outside(self._serve(request))

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> bytes:
        self._check()
        if not self._left and not self._ended:
            try:
                async with asyncio.timeout(timeout):
                    self._left = await self._come.get()
            except TimeoutError:
                raise httpcore.ReadTimeout from None
            self._ended = not self._left
        piece, self._left = self._left[:max_bytes], self._left[max_bytes:]
        return piece

    async def aclose(self) -> None:
        self._ended = True

    def get_extra_info(self, info: str) -> Any:
        # The pool asks whether a connection that lies idle was closed by the other side.
        return (self._ended or not self._come.empty()) if info == "is_readable" else None

    def _check(self) -> None:
        if self._process.dead:
            raise httpcore.ReadError("this process is dead")

    def _whole(self) -> Request | None:
        head, found, rest = self._said.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *fields = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in fields)
        }
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return None
        self._said = rest[length:]
        method, target, _ = first.split(" ", 2)
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return Request(method, unquote(parts.path), query, headers, rest[:length])

    async def _serve(self, request: Request) -> None:
        try:
            await self._carry_out(request)
        except Exception as error:  # noqa: BLE001  (the simulation's own fault, and is said)
            self._line.broke.append(f"{request.method} {request.path}: {error!r}")
            self._close()

    async def _carry_out(self, request: Request) -> None:
        line = self._line
        fault = line.fault(request)
        await asyncio.sleep(0.002 + line.chance.random() * 0.15)
        does = line.answer
        match fault:
            case "hangs_up" | "half":
                self._close()
            case "silent":
                return
            case "late":
                line.on_its_way += 1
                await asyncio.sleep(5 + line.chance.random() * 120)
                await does(request)
                line.on_its_way -= 1
                return
            case "slow":
                wait_s = line.chance.random() * 18
                line.on_its_way += 1
                await asyncio.sleep(wait_s * line.chance.random())
                answer = await does(request)
                line.on_its_way -= 1
                await asyncio.sleep(wait_s / 2)
                self._say(_told(answer))
            case "lost":
                await does(request)
                self._close()
            case "torn":
                told = _told(await does(request))
                self._say(told[: line.chance.randrange(1, len(told))])
                self._close()
            case "silent_after":
                await does(request)
            case "portal" | "portal_after":
                if fault == "portal_after":
                    await does(request)
                self._say(_page(200))
            case "429":
                self._say(self._limited())
            case "none":
                answer = await does(request)
                await asyncio.sleep(0.002 + line.chance.random() * 0.15)
                self._say(_told(answer))
            case _:
                status, _, after = fault.partition("_")
                if after or status == "error_after":
                    await does(request)
                number = 500 if status == "error" else int(status)
                wait = f"retry-after: {self._wait()}\r\n" if number == 503 else ""
                self._say(_page(number, wait))

    def _wait(self) -> str:
        """Return what stands behind `Retry-After`."""
        chance, now_s = self._line.chance, self._line.now_ms() / 1000
        return chance.choice(
            [
                *("1", "7", "40", "300"),
                "0",
                str(ABSURD_S),
                formatdate(now_s + chance.choice([5, 600]), usegmt=True),
                formatdate(now_s - 3600, usegmt=True),
                chance.choice(["9" * 40, "-1", "straks"]),
            ]
        )

    def _limited(self) -> bytes:
        wait = self._wait()
        # Telegram says it in its own words, which are a number.
        wait_s = int(wait) if wait.isdecimal() and len(wait) < 10 else 5
        body = {"ok": False, "error_code": 429, "description": "Too Many Requests: retry later"}
        body["parameters"] = {"retry_after": wait_s}
        return _told(Response(429, body, {"retry-after": wait}))

    def _say(self, raw: bytes) -> None:
        self._come.put_nowait(raw)

    def _close(self) -> None:
        self._come.put_nowait(b"")


def _told(response: Response) -> bytes:
    body = response.body if isinstance(response.body, bytes) else json.dumps(response.body).encode()
    headers = {"content-type": "application/json", **response.headers}
    headers["content-length"] = str(len(body))
    lines_ = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {response.status} Answer\r\n{lines_}\r\n".encode() + body


def _page(status: int, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Answer\r\n{more}content-type: text/html\r\n"
    return f"{head}content-length: {len(PAGE)}\r\n\r\n".encode() + PAGE


class Backend(httpcore.AsyncNetworkBackend):
    """What httpcore opens connections with."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        line = lines[port]
        await asyncio.sleep(0.001)
        if present().dead or line.refuses():
            raise httpcore.ConnectError("refused")
        return Stream(line)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def use() -> None:
    """Have httpx and httpcore in this process use this network."""
    import httpcore._async.connection_pool as pool
    import httpx._transports.default as transports

    # A context for TLS takes longer to make than ten requests without.
    made = httpx.create_ssl_context()
    put(transports, "create_ssl_context", lambda *_given, **_named: made)
    put(pool, "AutoBackend", Backend)
    put(httpcore, "AnyIOBackend", Backend)


async def ask_app(app: Any, request: Request) -> Response:
    """Ask an ASGI application as a server would."""
    query = "&".join(f"{name}={_quoted(value)}" for name, value in request.query.items())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": query.encode(),
        "headers": [(n.encode(), v.encode("latin-1")) for n, v in request.headers.items()],
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await app(scope, receive, send)
    headers = {n.decode(): v.decode("latin-1") for n, v in said[0]["headers"]}
    body = b"".join(one.get("body", b"") for one in said[1:])
    return Response(said[0]["status"], body, headers)


def _quoted(text: str) -> str:
    return re.sub(r"[^\w.~-]", lambda sign: "".join(f"%{b:02X}" for b in sign[0].encode()), text)
