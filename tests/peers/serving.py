"""Applications on real sockets of this machine, all on one thread that lasts as long as the tests.

Starting and stopping a server the ordinary way takes half a second, which is long for a peer that
every test has one of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

PATIENCE_S = 20.0
App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


@cache
def loop() -> asyncio.AbstractEventLoop:
    """Return the loop on which all servers of this process run."""
    running = asyncio.new_event_loop()
    threading.Thread(target=running.run_forever, daemon=True).start()
    return running


class Serving:
    """One application on a free port, from the moment that this is made until `close`."""

    def __init__(self, app: App) -> None:
        self._config = Config(app, log_level="critical", lifespan="off")
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server = self._in_loop(self._open())
        self.port: int = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        self._in_loop(self._shut())

    async def _open(self) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(self._protocol, "127.0.0.1", 0)

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self._config.http_protocol_class(  # type: ignore[call-arg, operator, assignment, unused-ignore]
            config=self._config, server_state=self._state, app_state={}
        )
        return protocol

    async def _shut(self) -> None:
        self._server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        # What was being answered hears that nobody listens any more, and ends.
        tasks = list(self._state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE_S)

    def _in_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop()).result(PATIENCE_S)
