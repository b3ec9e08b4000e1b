"""The user stream (SSE), read for one thing only: that there may be something to fetch.

Nothing is taken from the stream itself: what it says is fetched afterwards, where a lost line
costs a delay and not a message. Source: docs.joinmastodon.org, methods/streaming, read November
2026.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from app.channels.contract import ChannelError, SignedOut, Temporary

if TYPE_CHECKING:
    import httpx

SILENCE_S = 90.0
"""Servers send a sign of life every 15 s; after this long without one the line is dead."""

RETRY_S = 20.0
"""How long to wait with opening a stream again that ended or was refused."""

SETTLE_S = 2.0
"""Mastodon answers before it listens for us: what comes in between is looked for once more."""

MAX_LINE_BYTES = 2_000_000
_NEWS = {b"notification", b"conversation", b"notifications_merged"}
_CHANGES = {b"delete", b"status.update"}


class Stream:
    """Holds one stream open between waits; opened anew, it counts as news."""

    def __init__(self, base: str, token: str, timeout_s: float) -> None:
        self._base = base
        self._token = token
        self._timeout_s = timeout_s
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._error: ChannelError | None = None
        self.changed: set[str] = set()
        """Ids of posts that were edited or deleted since somebody looked here."""

    async def wait(self, timeout_s: float) -> bool:
        """Return True at the first news, False after `timeout_s`. Raises SignedOut."""
        if self._task is None:
            self._task = asyncio.create_task(self._listen())
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        told = self._news.is_set()
        self._news.clear()
        return told

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _listen(self) -> None:
        """Keep a stream open for ever; a server without one is looked at now and then instead."""
        while True:
            try:
                await self._follow()
            except SignedOut as error:
                self._error = error
            except Temporary:
                pass
            self._news.set()
            await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        import httpx

        timeout = httpx.Timeout(self._timeout_s, read=SILENCE_S)
        headers = {
            "authorization": f"Bearer {self._token}",
            "accept": "text/event-stream",
            # It is read as it comes: unpacked, one piece of it might be a thousand times as large.
            "accept-encoding": "identity",
        }
        try:
            async with (
                httpx.AsyncClient(base_url=self._base, timeout=timeout, trust_env=False) as client,
                client.stream("GET", "/api/v1/streaming/user", headers=headers) as response,
            ):
                if response.status_code == 401:
                    raise SignedOut("token_refused", "the stream answered 401")
                if response.status_code != 200:
                    raise Temporary("platform_unreachable", f"stream: {response.status_code}")
                # What came before is there to be fetched.
                self._news.set()
                again = asyncio.get_running_loop().call_later(SETTLE_S, self._news.set)
                try:
                    await self._read(response)
                finally:
                    again.cancel()
        except httpx.HTTPError as error:
            raise Temporary("platform_unreachable", type(error).__name__) from None

    async def _read(self, response: httpx.Response) -> None:
        event, buffer = b"", b""
        async for piece in response.aiter_raw():
            *lines, buffer = (buffer + piece).split(b"\n")
            if len(buffer) > MAX_LINE_BYTES:
                raise Temporary("platform_unreachable", "a line without end")
            for line in lines:
                event = self._take(line.rstrip(b"\r"), event)

    def _take(self, line: bytes, event: bytes) -> bytes:
        """Take one line in; return the name of the event that it belongs to."""
        if line.startswith(b"event:"):
            return line[6:].strip()
        if line.startswith(b"data:"):
            if event in _CHANGES:
                self.changed.add(_status_id(line[5:].strip()))
            if event in _NEWS | _CHANGES:
                self._news.set()
        return event if line else b""


def _status_id(data: bytes) -> str:
    """Return the id in the payload of a change: the bare id of a deletion, or a whole post."""
    if data.startswith(b"{"):
        with suppress(ValueError, RecursionError, AttributeError):
            return str(json.loads(data).get("id", ""))
    return data.strip(b'"')[:200].decode("utf-8", "replace")
