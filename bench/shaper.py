"""A TCP proxy that is a bad mobile network: delay, a narrow link each way, cuts, and byte counts.

    python -m bench.shaper TARGET_PORT

Prints its port, then takes one command a line and answers each with one line:

    shape RTT_MS DOWN_KBIT UP_KBIT     0 for a width means unlimited
    cut | heal                         no connection gets through, the open ones are broken
    count                              {"up": bytes, "down": bytes, "connections": n} since `reset`
    reset

All connections share the two links, as they do on a phone. A new connection first waits one round
trip, for the handshake that loopback does not have. Not imitated: slow start, loss, the headers
of TCP and IP.
"""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import uvloop

PIECE_BYTES = 4096
"""Small enough that connections share the link fairly."""


class Link:
    """One direction: pieces leave one after another at its width and arrive after its delay."""

    def __init__(self) -> None:
        self.bytes_per_s = 0.0
        self.delay_s = 0.0
        self.carried_bytes = 0
        self._free_at_s = 0.0
        self._queue: asyncio.Queue[tuple[float, asyncio.StreamWriter, bytes]] = asyncio.Queue()
        self._under_way = 0

    def send(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        """Take a piece; an empty one ends the connection after all before it."""
        self.carried_bytes += len(piece)
        now_s = asyncio.get_running_loop().time()
        if not self.delay_s and not self.bytes_per_s and not self._under_way:
            _hand_over(writer, piece)
            return
        self._under_way += 1
        self._queue.put_nowait((now_s, writer, piece))

    async def run(self) -> None:
        """Deliver, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            sent_s, writer, piece = await self._queue.get()
            # What a phone asked for that is gone takes no room from the next one's.
            if not writer.is_closing():
                took_s = len(piece) / self.bytes_per_s if self.bytes_per_s else 0.0
                self._free_at_s = max(self._free_at_s, sent_s) + took_s
                await asyncio.sleep(self._free_at_s - loop.time())
            at_s = max(self._free_at_s, sent_s) + self.delay_s
            loop.call_at(at_s, self._arrive, writer, piece)

    def _arrive(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        self._under_way -= 1
        _hand_over(writer, piece)


def _hand_over(writer: asyncio.StreamWriter, piece: bytes) -> None:
    if writer.is_closing():
        return
    if piece:
        writer.write(piece)
    else:
        writer.close()


class Shaper:
    """The proxy."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._up, self._down = Link(), Link()
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections = 0
        self._is_cut = False

    async def run(self) -> None:
        """Serve until the commands end."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=PIECE_BYTES)
        tasks = [asyncio.create_task(link.run()) for link in (self._up, self._down)]
        print(server.sockets[0].getsockname()[1], flush=True)
        commands = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
        )
        while line := await commands.readline():
            print(json.dumps(self._obey(line.decode().split())), flush=True)
        for task in tasks:
            task.cancel()

    def _obey(self, words: list[str]) -> dict[str, int]:
        name, numbers = words[0], [float(word) for word in words[1:]]
        if name == "shape":
            rtt_ms, down_kbit, up_kbit = numbers
            for link, kbit in ((self._down, down_kbit), (self._up, up_kbit)):
                link.delay_s = rtt_ms / 2000
                link.bytes_per_s = kbit * 1000 / 8
        elif name == "cut":
            self._is_cut = True
            for writer in self._writers:
                writer.transport.abort()
        elif name == "heal":
            self._is_cut = False
        elif name == "reset":
            self._up.carried_bytes = self._down.carried_bytes = self._connections = 0
        elif name != "count":
            raise ValueError(name)
        return {
            "up": self._up.carried_bytes,
            "down": self._down.carried_bytes,
            "connections": self._connections,
        }

    async def _accept(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        if self._is_cut:
            near.transport.abort()
            return
        far_reader, far = await asyncio.open_connection(
            "127.0.0.1", self._target_port, limit=PIECE_BYTES
        )
        self._connections += 1
        self._writers |= {near, far}
        handshake_s = 2 * self._up.delay_s

        async def upward() -> None:
            await _carry(near_reader, far, self._up, handshake_s)
            # A browser never closes one way only: it is gone.
            near.transport.abort()

        ways: list[Coroutine[Any, Any, None]] = [
            upward(),
            _carry(far_reader, near, self._down, 0),
        ]
        # Cancelled when the commands end; whatever is on its way then concerns nobody.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*ways)
        self._writers -= {near, far}


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link, first_delay_s: float
) -> None:
    if first_delay_s:
        # Before anything is read, so that the other connections keep the link.
        await asyncio.sleep(first_delay_s)
    try:
        while piece := await reader.read(PIECE_BYTES):
            link.send(writer, piece)
    except OSError:
        pass
    link.send(writer, b"")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends when its commands do
    uvloop.run(Shaper(int(sys.argv[1])).run())
