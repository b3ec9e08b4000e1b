"""A small HTTP/1.1 client on bare asyncio: the load must not cost more than the server.

It knows only what these servers send: a Content-Length or chunks, connections that stay open.
"""

import asyncio
import zlib
from dataclasses import dataclass
from typing import cast


class Connection(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Reply] | None = None
        self._length: int | None = None
        self._body_at = 0
        self.received_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        """Gather until the whole answer is here."""
        self.received_bytes += len(data)
        self._buffer += data
        if self._length is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            at = head.find(b"content-length:")
            if at < 0:
                self._fail(ValueError("an answer without a length"))
                return
            self._length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            self._body_at = end + 4
        total = self._body_at + self._length
        if len(self._buffer) < total:
            return
        reply = Reply(bytes(self._buffer[: self._body_at]), bytes(self._buffer[self._body_at :]))
        self._buffer.clear()
        self._length = None
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits."""
        self._fail(error or ConnectionResetError("the server hung up"))

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    async def ask(self, request: bytes) -> "Reply":
        """Send a whole request and wait for its whole answer. Raises OSError or ValueError."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, with its head and body as they came."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        """The status code."""
        return int(self.head[9:12])

    @property
    def content(self) -> bytes:
        """The body, inflated when it was gzip."""
        packed = b"content-encoding: gzip" in self.head.lower()
        return zlib.decompress(self.body, 31) if packed else self.body


async def connect(port: int) -> Connection:
    """Open a connection to loopback."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
    return connection


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return a request as it travels; underscores in header names stand for hyphens."""
    given = {"host": "127.0.0.1", "accept-encoding": "gzip"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    if method != "GET":
        given |= {"content-length": str(len(body)), "sec-fetch-site": "same-origin"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode() + body
