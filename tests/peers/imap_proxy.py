"""A line to the IMAP server that lets news and the start of IDLE arrive in one packet.

When the client asks for IDLE, what the server says is held back until it has told of new mail too,
and then passed on at once: in the server's order, or with the news before the "+".
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self


class ImapProxy:
    """Listens on a free port and passes on to `target_port` on this machine."""

    def __init__(self, target_port: int, *, news_first: bool) -> None:
        self.port = 0
        self.idles = asyncio.Event()
        """Set when the client has asked for IDLE."""
        self.struck = 0
        self._news_first = news_first
        self._target_port = target_port
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._target_port)
        asking = asyncio.create_task(self._ask(client, to_server))
        try:
            with suppress(ConnectionError):
                await self._answer(server, to_client)
        finally:
            asking.cancel()
            for writer in (to_client, to_server):
                writer.close()

    async def _ask(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        while line := await client.readline():
            if line.upper().rstrip().endswith(b" IDLE"):
                self.idles.set()
            to_server.write(line)

    async def _answer(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        held: list[bytes] = []
        while line := await server.readline():
            if self.idles.is_set() and not self.struck:
                held.append(line)
                if b" EXISTS" not in line:
                    continue
                if self._news_first:
                    held.sort(key=lambda one: one.startswith(b"+"))
                line = b"".join(held)
                self.struck += 1
            to_client.write(line)
