"""A web site at the other end, byte for byte what a test wants it to say."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Answerer = Callable[["Visit", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request as it came in; header names are lower case."""

    path: str
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""


@dataclass
class Site:
    """Where it listens and who came."""

    port: int
    visits: list[Visit] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """Return an address on this site."""
        return f"http://{host}:{self.port}{path}"


def says(body: bytes = b"", status: str = "200 OK", **headers: str) -> Answerer:
    """Return an answerer that says this once; `content_type` is the header Content-Type."""

    async def answer(_visit: Visit, out: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        out.write("\r\n".join([*lines, "", ""]).encode() + body)
        await out.drain()

    return answer


@contextlib.asynccontextmanager
async def site(answer: Answerer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    """Listen on a free port until the block ends; each connection gets one answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if ": " in line)
            fields = {name.lower(): value for name, value in headers.items()}
            body = await reader.readexactly(int(fields.get("content-length", "0")))
            method, path, _ = head[0].split(" ")
            visit = Visit(path, fields, method, body)
            here.visits.append(visit)
            await answer(visit, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    here = Site(server.sockets[0].getsockname()[1])
    try:
        yield here
    finally:
        server.close()
