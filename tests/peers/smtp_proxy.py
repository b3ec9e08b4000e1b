"""A line between the adapter and the mail server that fails at a chosen moment.

What is cut is really cut: each failure records that it happened (`struck`), so that a test cannot
pass because the line was whole.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

Failure = Literal[
    "none",
    "refuse",  # the connection is closed at once
    "cut_in_data",  # half of the mail, then nothing: the dot never leaves
    "swallow_dot",  # the whole mail but for the dot that ends it
    "cut_answer",  # the server takes the mail; its answer is lost
    "hold_answer",  # the server takes the mail; its answer never comes
    "late_answer",  # the server takes the mail; its answer comes after a while
    "answer",  # the dot gets another answer, and the server gets nothing
]
END = b"\r\n.\r\n"


class SmtpProxy:
    """Listens on a free port and passes on to `target_port` on this machine."""

    def __init__(self, target_port: int, failure: Failure = "none", answer: bytes = b"") -> None:
        self.failure: Failure = failure
        self.answer = answer
        self.struck = 0
        self.port = 0
        self.took_it = asyncio.Event()
        """Set when the server said 250 to a mail, whatever the adapter heard of it."""
        self.release = asyncio.Event()
        self._target_port = target_port
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.release.set()
        assert self._server is not None
        self._server.close()

    async def _serve(self, down: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        if self.failure == "refuse":
            self.struck += 1
            up.close()
            return
        server_down, server_up = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._talk(down, up, server_down, server_up)
        finally:
            for writer in (up, server_up):
                writer.close()

    async def _talk(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        """Pass on line by line: SMTP takes turns, so one task can hold both sides."""
        to_client.write(await _answer(server))
        while line := await client.readline():
            to_server.write(line)
            answer = await _answer(server)
            to_client.write(answer)
            if line.upper().startswith(b"DATA") and answer.startswith(b"354"):
                if not await self._data(client, to_client, server, to_server):
                    return
            elif line.upper().startswith(b"QUIT"):
                return

    async def _data(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> bool:
        """Pass on a mail as the failure wants it; False when the line is to be cut."""
        mail = b""
        if self.failure == "cut_in_data":
            mail = await client.read(200)
            to_server.write(mail)
            await to_server.drain()
            self.struck += 1
            return False
        while not (b"\r\n" + mail).endswith(END):
            piece = await client.read(65536)
            if not piece:
                return False
            mail += piece
        if self.failure == "swallow_dot":
            to_server.write(mail.removesuffix(b".\r\n"))
            await to_server.drain()
            self.struck += 1
            return False
        if self.failure == "answer":
            to_client.write(self.answer)
            await to_client.drain()
            self.struck += 1
            return False
        to_server.write(mail)
        answer = await _answer(server)
        if answer.startswith(b"250"):
            self.took_it.set()
        if self.failure in {"cut_answer", "hold_answer", "late_answer"}:
            self.struck += 1
        if self.failure == "cut_answer":
            return False
        if self.failure == "hold_answer":
            await self.release.wait()
            return False
        if self.failure == "late_answer":
            with suppress(TimeoutError):
                async with asyncio.timeout(0.4):
                    await self.release.wait()
        to_client.write(answer)
        return True


async def _answer(server: asyncio.StreamReader) -> bytes:
    """Read one answer, which may have several lines: `250-…` goes on, `250 …` ends it."""
    answer = b""
    while True:
        line = await server.readline()
        answer += line
        if len(line) < 4 or line[3:4] != b"-":
            return answer
