"""Mozilla's push service as a stock Firefox knows it, in small.

    browser ◀──WebSocket: hello, register, notification, ack──▶ this ◀──POST /wpush/…── server

A browser says hello and keeps the line open; what is posted to one of its channels goes down that
line still encrypted, and the browser says when it could read it. What comes while the line is down
waits.

Source: Mozilla, autopush, "HTTP and WebSocket endpoints", and Firefox, `PushServiceWebSocket`
(read 2026-11); RFC 6455 for the frames, of which this takes text without extensions.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.peers.push_reading import Browser, pack
from tests.peers.push_service import PushService, Refusal, response

WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
LOOPBACK = "127.0.0.1"


@dataclass
class Channel:
    """One subscription of a browser: the key that it was made for, and what waits for it."""

    id: str
    uaid: str
    server_key: str


@dataclass(frozen=True)
class Posted:
    """A message that a server posted and this service took."""

    channel: str
    version: str
    headers: Mapping[str, str]
    body: bytes


class Autopush:
    """The service on a thread of its own: servers post to `origin`, Firefox calls `socket`.

    `posted` are the messages taken, `refused` why others were not, `acknowledged` what a browser
    said of each by its version: 100 when it decrypted the message and a worker took it.
    """

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}
        self.posted: list[Posted] = []
        self.refused: list[Refusal] = []
        self.acknowledged: dict[str, int] = {}
        self.port = 0
        self._forgetful = False
        self._judge = PushService()
        self._lines: dict[str, asyncio.StreamWriter] = {}
        self._waiting: list[Posted] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def origin(self) -> str:
        """Where an application server posts."""
        return f"http://localhost:{self.port}"

    @property
    def socket(self) -> str:
        """The value of `dom.push.serverURL`."""
        return f"ws://localhost:{self.port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._judge.url = self.origin

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        await asyncio.gather(*self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            # A line that breaks is the other side's business.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while (request := await _request(reader)) is not None:
                    method, path, headers, body = request
                    if headers.get("upgrade", "").lower() == "websocket":
                        await self._websocket(headers, reader, writer)
                        return
                    writer.write(self._posted(method, path, headers, body))
                    await writer.drain()
        finally:
            self._writers.discard(writer)
            writer.close()

    def drops(self, channel: str) -> None:
        """Forget a subscription without telling its browser: servers get 404 from now on."""
        del self.channels[channel]

    def forgets_browsers(self) -> None:
        """Greet every browser as a new one from now on, as after a loss of data here."""

        async def hang_up() -> None:
            self._forgetful = True
            for line in self._lines.values():
                line.close()

        asyncio.run_coroutine_threadsafe(hang_up(), self._loop).result()

    # -- from the server ------------------------------------------------------------

    def _posted(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        try:
            channel = self._judged(method, self.channels.get(path.removeprefix("/wpush/")), headers)
        except Refusal as refusal:
            self.refused.append(refusal)
            return response(refusal.status, {}, refusal.why.encode())
        message = Posted(channel.id, uuid.uuid4().hex, dict(headers), body)
        self.posted.append(message)
        self._waiting.append(message)
        self._pass_on(channel.uaid)
        return response(201, {"Location": f"{self.origin}/m/{message.version}", "TTL": "60"}, b"")

    def _judged(self, method: str, channel: Channel | None, headers: Mapping[str, str]) -> Channel:
        """Return where a message goes. Raises Refusal."""
        if method != "POST" or channel is None:
            raise Refusal(404, "no such subscription")
        if headers.get("content-encoding") != "aes128gcm" or not headers.get("ttl"):
            raise Refusal(400, "not an encrypted message with a TTL")
        self._judge.check_vapid(
            headers.get("authorization", ""), Browser(server_key=channel.server_key)
        )
        return channel

    def _pass_on(self, uaid: str) -> None:
        line = self._lines.get(uaid)
        for message in [one for one in self._waiting if self.channels[one.channel].uaid == uaid]:
            if line is None or line.is_closing():
                return
            self._waiting.remove(message)
            said = {
                "messageType": "notification",
                "channelID": message.channel,
                "version": message.version,
                "data": pack(message.body),
                "headers": {"encoding": "aes128gcm"},
            }
            line.write(_frame(TEXT, json.dumps(said).encode()))

    # -- with the browser ------------------------------------------------------------

    async def _websocket(
        self,
        headers: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        digest = hashlib.sha1((headers["sec-websocket-key"] + WEBSOCKET_GUID).encode()).digest()
        answer = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": base64.b64encode(digest).decode(),
        }
        if "sec-websocket-protocol" in headers:
            answer["Sec-WebSocket-Protocol"] = headers["sec-websocket-protocol"]
        lines = "".join(f"{name}: {value}\r\n" for name, value in answer.items())
        writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode())
        uaid = ""
        while True:
            opcode, content = await _read_frame(reader)
            if opcode == CLOSE:
                writer.write(_frame(CLOSE, content))
                await writer.drain()
                return
            if opcode == PING:
                writer.write(_frame(PONG, content))
            elif opcode == TEXT:
                said = json.loads(content)
                if said.get("messageType") == "hello":
                    known = said.get("uaid")
                    uaid = known if known and not self._forgetful else uuid.uuid4().hex
                    self._forgetful = False
                    self._lines[uaid] = writer
                for answer_to in self._hears(uaid, said):
                    writer.write(_frame(TEXT, json.dumps(answer_to).encode()))
                self._pass_on(uaid)
            await writer.drain()

    def _hears(self, uaid: str, said: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what a browser is answered."""
        kind = said.get("messageType")
        if kind is None:
            return [{}]  # a ping of its own kind: an empty object, answered by one
        if kind == "hello":
            return [
                {
                    "messageType": "hello",
                    "uaid": uaid,
                    "status": 200,
                    "use_webpush": True,
                    "broadcasts": {},
                }
            ]
        channel = said.get("channelID", "")
        if kind == "register":
            self.channels[channel] = Channel(channel, uaid, said.get("key", "").rstrip("="))
            return [
                {
                    "messageType": "register",
                    "channelID": channel,
                    "status": 200,
                    "pushEndpoint": f"{self.origin}/wpush/{channel}",
                }
            ]
        if kind == "unregister":
            self.channels.pop(channel, None)
            self._waiting = [one for one in self._waiting if one.channel != channel]
            return [{"messageType": "unregister", "channelID": channel, "status": 200}]
        if kind == "ack":
            for update in said.get("updates", []):
                self.acknowledged[update["version"]] = update.get("code", 0)
        return []


async def _request(
    reader: asyncio.StreamReader,
) -> tuple[str, str, dict[str, str], bytes] | None:
    """Return method, path, headers and body; None when the other side has nothing more to say."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    method, path, _ = first.split(" ", 2)
    return method, path, headers, await reader.readexactly(int(headers.get("content-length", "0")))


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return opcode and content of one message, put together (RFC 6455, section 5)."""
    opcode, content = 0, b""
    while True:
        first, second = await reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            length = int.from_bytes(await reader.readexactly(2))
        elif length == 127:
            length = int.from_bytes(await reader.readexactly(8))
        mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
        masked = await reader.readexactly(length)
        content += bytes(byte ^ mask[place % 4] for place, byte in enumerate(masked))
        opcode = first & 0x0F or opcode
        if first & 0x80:
            return opcode, content


def _frame(opcode: int, content: bytes) -> bytes:
    """Return an unmasked frame, as a server sends it."""
    length = len(content)
    if length < 126:
        size = bytes([length])
    elif length < 65_536:
        size = bytes([126]) + length.to_bytes(2)
    else:
        size = bytes([127]) + length.to_bytes(8)
    return bytes([0x80 | opcode]) + size + content
