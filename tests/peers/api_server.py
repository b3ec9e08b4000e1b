"""A platform's HTTP API for tests, on a real socket of this machine: the fakes' common ground.

It speaks as much HTTP/1.1 as a client needs and hands each request to one function.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    """Without the query, decoded."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The JSON object in the body; AssertionError when there is none."""
        read = json.loads(self.body)
        assert isinstance(read, dict)
        return read


@dataclass(frozen=True)
class Response:
    """What it is answered."""

    status: int = 200
    body: Any = None
    """Bytes are sent as they are, anything else as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiServer:
    """Listens on a free port; `asked` are all requests, oldest first."""

    def __init__(self, answer: Callable[[Request], Response | Awaitable[Response]]) -> None:
        self.asked: list[Request] = []
        self.port = 0
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._server is not None
        self._server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.current_task()
        assert line is not None
        self._lines.add(line)
        over = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        try:
            with contextlib.suppress(*over):
                while True:
                    response = await self._take(await _request(reader))
                    writer.write(_told(response))
                    await writer.drain()
        finally:
            self._lines.discard(line)
            writer.close()

    async def _take(self, request: Request) -> Response:
        self.asked.append(request)
        answer = self._answer(request)
        return await answer if inspect.isawaitable(answer) else answer


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    method, target, _ = first.split(" ", 2)
    parts = urlsplit(target)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(
        method,
        unquote(parts.path),
        dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers,
        body,
    )


def _told(response: Response) -> bytes:
    body = response.body if isinstance(response.body, bytes) else json.dumps(response.body).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = "".join(
        f"{name}: {value}\r\n" for name, value in (headers | {**response.headers}).items()
    )
    return f"HTTP/1.1 {response.status} Answer\r\n{lines}\r\n".encode() + body
