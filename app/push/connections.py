"""Connections to push services: HTTP/1.1 kept open, one request at a time on each, nothing else.

A fan-out is thousands of small requests to two or three servers. A general client spends more on
each of them than the encryption does; this one knows only what a push service answers (RFC 8030):
a status and Retry-After. It follows no redirect, keeps no cookie, reads no more than a little of a
body, and gives up when connecting (with TLS) or answering takes longer than `TIMEOUT_S`.
"""

import asyncio
import base64
import ssl
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import cast
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httptools

TIMEOUT_S = 10.0
PER_ORIGIN = 16
"""Connections to one push service at most."""

IDLE_S = 30.0
"""Servers close what is idle; a connection that rested longer is not trusted."""

MAX_BODY_BYTES = 16_384
MAX_TUNNEL_BYTES = 8_192


class Unreachable(Exception):
    """No answer: `code` says why. Whether the push was taken is not known."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Answer:
    """What a push service said."""

    status: int
    retry_after: str | None = None


class Connections:
    """Kept connections, by origin."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._idle: dict[str, list[Connection]] = defaultdict(list)
        self._room: dict[str, asyncio.Semaphore] = {}

    async def post(self, origin: str, path: str, headers: str, body: bytes) -> Answer:
        """Post to a push service and return its answer. Raises Unreachable when there is none.

        `headers` are whole lines, each with its end; nothing unchecked may stand in them. A kept
        connection can have been closed at the other end just now; then it is tried once more on a
        fresh one. That may repeat a push that was taken: see `PushWorker`.
        """
        room = self._room.get(origin)
        if room is None:
            room = self._room[origin] = asyncio.Semaphore(PER_ORIGIN)
        request = _request(origin, path, headers, body)
        async with room:
            with _as_unreachable():
                return await self._exchange(origin, request)

    async def reach(self, origin: str) -> None:
        """Connect and hang up, to see whether there is a way. Raises Unreachable."""
        with _as_unreachable():
            async with asyncio.timeout(self._timeout_s):
                connection = await self._open(origin)
            connection.close()

    async def _exchange(self, origin: str, request: bytes) -> Answer:
        connection = self._take(origin)
        if connection is not None:
            try:
                return await self._ask(origin, connection, request)
            except ConnectionError:
                if connection.answered_bytes:
                    raise
        async with asyncio.timeout(self._timeout_s):
            connection = await self._open(origin)
        return await self._ask(origin, connection, request)

    async def _ask(self, origin: str, connection: "Connection", request: bytes) -> Answer:
        try:
            answer = await connection.ask(request, self._timeout_s)
        except BaseException:
            connection.close()
            raise
        if connection.is_open:
            connection.rested_since = asyncio.get_running_loop().time()
            self._idle[origin].append(connection)
        return answer

    def _take(self, origin: str) -> "Connection | None":
        """Return the connection that was used last: the least likely to have been closed."""
        idle = self._idle[origin]
        freshest = asyncio.get_running_loop().time() - IDLE_S
        while idle:
            connection = idle.pop()
            if connection.is_open and connection.rested_since > freshest:
                return connection
            connection.close()
        return None

    async def _open(self, origin: str) -> "Connection":
        parts = urlsplit(origin)
        assert parts.hostname is not None
        loop = asyncio.get_running_loop()
        if parts.scheme == "http":
            _, plain = await loop.create_connection(Connection, parts.hostname, parts.port or 80)
            return plain
        proxy = _proxy_for(parts.hostname)
        port = parts.port or 443
        if proxy is None:
            _, secure = await loop.create_connection(
                Connection, parts.hostname, port, ssl=self._tls
            )
            return secure
        return await self._through(proxy, parts.hostname, port)

    async def _through(self, proxy: SplitResult, host: str, port: int) -> "Connection":
        """Open a tunnel through the proxy that the environment names (RFC 9110, section 9.3.6)."""
        loop = asyncio.get_running_loop()
        transport, tunnel = await loop.create_connection(
            Tunnel, proxy.hostname or "", proxy.port or 8080
        )
        try:
            await tunnel.open(host, port, proxy)
            connection = Connection()
            secure = await loop.start_tls(transport, connection, self._tls, server_hostname=host)
        except BaseException:
            transport.close()
            raise
        assert secure is not None
        connection.connection_made(secure)
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        import httpx

        context = httpx.create_ssl_context()
        context.set_alpn_protocols(["http/1.1"])
        return context

    async def close(self) -> None:
        """Close all connections that rest."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()


class Connection(asyncio.Protocol):
    """One connection, on which requests follow one another."""

    def __init__(self) -> None:
        self.rested_since = 0.0
        self.answered_bytes = 0
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._retry_after: str | None = None
        self._body_bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes, timeout_s: float) -> Answer:
        """Send a request and wait for its answer.

        Raises ConnectionError when the line breaks, TimeoutError when nothing comes.
        """
        if self._transport is None:
            raise ConnectionResetError
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._retry_after, self._body_bytes, self.answered_bytes = None, 0, 0
        # Much cheaper than asyncio.timeout, of which there would be one for each push.
        timer = loop.call_later(timeout_s, self._fail, TimeoutError())
        self._transport.write(request)
        try:
            return await self._waiting
        finally:
            timer.cancel()
            self._waiting = None

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the line (asyncio)."""
        # Not asserted: those of uvloop, under which we run, are no asyncio.Transport by descent.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear that the line broke (asyncio)."""
        self._transport = None
        self._fail(ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        """Read of an answer (asyncio)."""
        if self._waiting is None:
            self.close()  # nobody asked for anything
            return
        self.answered_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()
            self._fail(ConnectionAbortedError())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Remember when to come back (httptools)."""
        if name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Throw away what an answer says besides its status; end one that says too much."""
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            self._answer()
            self.close()

    def on_message_complete(self) -> None:
        """Give the answer to whoever asked (httptools)."""
        if self._parser.get_status_code() < 200:
            return  # an interim answer: the real one follows
        if not self._parser.should_keep_alive():
            self.close()
        self._answer()

    def _answer(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(self._parser.get_status_code(), self._retry_after))

    def _fail(self, error: OSError) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)


class Tunnel(asyncio.Protocol):
    """The first words with a proxy, until it lets us through."""

    def __init__(self) -> None:
        self._heard = b""
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self, host: str, port: int, proxy: SplitResult) -> None:
        """Ask for a way to host and port. Raises ConnectionError when the proxy refuses."""
        lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}"]
        if proxy.username:
            pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
        assert self._transport is not None
        self._transport.write("\r\n".join([*lines, "", ""]).encode())
        await self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the line (asyncio)."""
        # Not asserted: those of uvloop, under which we run, are no asyncio.Transport by descent.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear that the line broke (asyncio)."""
        self._refuse()

    def data_received(self, data: bytes) -> None:
        """Read the proxy's answer (asyncio)."""
        self._heard += data
        head, ended, _rest = self._heard.partition(b"\r\n\r\n")
        if ended and not self._waiting.done() and head.split(b" ", 2)[1:2] == [b"200"]:
            self._waiting.set_result(None)
        elif ended or len(self._heard) > MAX_TUNNEL_BYTES:
            self._refuse()

    def _refuse(self) -> None:
        if not self._waiting.done():
            self._waiting.set_exception(ConnectionRefusedError())


def _request(origin: str, path: str, headers: str, body: bytes) -> bytes:
    host = origin.partition("://")[2]
    length = f"Content-Length: {len(body)}\r\n\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}".encode("ascii") + body


@contextmanager
def _as_unreachable() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise Unreachable("timeout") from None
    except ssl.SSLError:
        raise Unreachable("tls") from None
    except OSError as error:
        raise Unreachable("reset" if _was_open(error) else "unreachable") from None


def _was_open(error: OSError) -> bool:
    return isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)


def _proxy_for(host: str) -> SplitResult | None:
    """Return the proxy that HTTPS_PROXY names for this host, unless NO_PROXY says otherwise."""
    proxies = getproxies()
    address = proxies.get("https") or proxies.get("all")
    if not address or proxy_bypass(host, proxies):
        return None
    return urlsplit(address if "://" in address else f"http://{address}")
