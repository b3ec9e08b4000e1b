"""An SMS gateway of our own: a small HTTP server on a real socket that can fail at every moment."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal, Self

Mood = Literal["accept", "status", "silent", "reset", "reset_after_accept", "cut_answer"]


@dataclass(frozen=True)
class Taken:
    """One message that the gateway took."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class SmsGateway:
    """Takes messages in whatever mood it is in; `status` answers with `code` and takes nothing."""

    mood: Mood = "accept"
    code: int = 202
    answer_headers: dict[str, str] = field(default_factory=dict)
    taken: list[Taken] = field(default_factory=list)
    asked: int = 0

    async def __aenter__(self) -> Self:
        """Listen on a free port of this machine."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._open: set[asyncio.StreamWriter] = set()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Stop listening."""
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Where messages are posted to."""
        return f"http://127.0.0.1:{self.port}/messages"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)
        self._open.discard(writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")[:-2]
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        self.asked += 1
        if self.mood == "reset":
            writer.transport.abort()
            return
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if self.mood != "status":
            self.taken.append(Taken(first.split()[1], headers, json.loads(body)))
        if self.mood == "reset_after_accept":
            writer.transport.abort()
            return
        if self.mood == "silent":
            await reader.read()
            return
        status = self.code if self.mood == "status" else 202
        more = "".join(f"{name}: {value}\r\n" for name, value in self.answer_headers.items())
        length = 50 if self.mood == "cut_answer" else 2
        answer = f"HTTP/1.1 {status} Answer\r\nContent-Length: {length}\r\n{more}\r\n{{}}"
        if self.mood == "cut_answer":
            answer = answer[:20]
        writer.write(answer.encode())
        await writer.drain()
