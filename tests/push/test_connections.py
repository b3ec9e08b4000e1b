"""Connections to push services: on the server's event loop, in TLS, through a proxy."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from app.push.connections import PER_ORIGIN, Answer, Connections, Unreachable
from tests.peers.certificates import make_certificate
from tests.peers.push_service import SILENCE, Forced, PushService, serving

LINES = "TTL: 60\r\n"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def two_in_a_row() -> tuple[list[Answer], int]:
    async with serving(PushService()) as vendor:
        vendor.always = Forced(503, {"Retry-After": "7"}, b"later")
        connections = Connections()
        answers = [await connections.post(vendor.url, "/wpush/x", LINES, b"x") for _ in range(2)]
        await connections.close()
        return answers, vendor.connections


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_it_runs_on_the_loop_of_the_tests_and_on_that_of_the_server(
    run: Callable[..., tuple[list[Answer], int]],
) -> None:
    answers, opened = run(two_in_a_row())
    assert answers == [Answer(503, "7")] * 2
    assert opened == 1


async def test_there_are_never_more_connections_than_agreed() -> None:
    async with serving(PushService()) as vendor:
        vendor.always = Forced(503)
        connections = Connections()
        posts = (
            connections.post(vendor.url, "/wpush/x", LINES, b"x") for _ in range(PER_ORIGIN * 4)
        )
        answers = await asyncio.gather(*posts)
        assert {answer.status for answer in answers} == {503}
        assert vendor.connections <= PER_ORIGIN
        await connections.close()


async def test_an_answer_that_never_comes_is_not_waited_for() -> None:
    async with serving(PushService()) as vendor:
        vendor.always = SILENCE
        with pytest.raises(Unreachable, match="timeout"):
            await Connections(timeout_s=0.05).post(vendor.url, "/wpush/x", LINES, b"x")


async def test_nobody_listening_and_nonsense_are_told_apart() -> None:
    with pytest.raises(Unreachable, match="unreachable"):
        await Connections().post("http://localhost:1", "/x", LINES, b"x")

    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()
        writer.close()

    async with listening(nonsense) as port:
        with pytest.raises(Unreachable, match="reset"):
            await Connections().post(f"http://127.0.0.1:{port}", "/x", LINES, b"x")


@contextlib.asynccontextmanager
async def listening(handle: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Let `handle` answer on a free port; afterwards nothing of it is left."""
    tasks: set[asyncio.Task[None]] = set()

    async def tidily(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handle(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(tidily, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Pass on what is said, both ways, until one side hangs up."""
    there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_copy(reader, there_writer))
            both.create_task(_copy(there_reader, writer))
    finally:
        there_writer.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65536):
        target.write(chunk)
    raise ConnectionResetError


@contextlib.asynccontextmanager
async def proxying(port: int, *, refuses: bool = False) -> AsyncIterator[tuple[str, list[str]]]:
    """Run a proxy that leads to one port, or refuses; yields its address and what it heard."""
    asked: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if refuses:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with contextlib.suppress(ExceptionGroup):
            await join(reader, writer, port)

    async with listening(handle) as listens:
        yield f"http://naam:geheim@127.0.0.1:{listens}", asked


@pytest.fixture
async def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """The port of a push service behind TLS, whose certificate the environment trusts."""
    certificate = make_certificate(tmp_path)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, tmp_path / "server.key")
    async with serving(PushService()) as vendor:
        vendor.always = Forced(503)
        inner = int(vendor.url.rsplit(":", 1)[1])

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ExceptionGroup):
                await join(reader, writer, inner)

        async with listening(pass_on, context) as port:
            yield port


async def test_tls_is_checked_against_what_the_environment_trusts(
    secure: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = Connections()
    answer = await connections.post(f"https://localhost:{secure}", "/wpush/x", LINES, b"x")
    assert answer.status == 503
    await connections.close()
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Unreachable, match="tls"):
        await Connections().post(f"https://localhost:{secure}", "/wpush/x", LINES, b"x")


async def test_the_way_out_can_lead_through_a_proxy_that_sees_no_more_than_the_host(
    secure: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = Connections()
    async with proxying(secure) as (proxy, heard):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        for _ in range(2):
            answer = await connections.post(f"https://localhost:{secure}", "/secret", LINES, b"x")
            assert answer.status == 503
        await connections.close()
    (asked,) = heard
    assert asked.startswith(f"CONNECT localhost:{secure} HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic bmFhbTpnZWhlaW0=" in asked
    assert "secret" not in asked


async def test_a_proxy_that_refuses_is_told_and_one_that_is_not_for_this_host_is_not_asked(
    secure: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = Connections()
    async with proxying(secure, refuses=True) as (proxy, heard):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(Unreachable, match="unreachable"):
            await connections.post(f"https://localhost:{secure}", "/x", LINES, b"x")
        monkeypatch.setenv("NO_PROXY", "localhost")
        answer = await connections.post(f"https://localhost:{secure}", "/x", LINES, b"x")
        assert (answer.status, len(heard)) == (503, 1)
    await connections.close()
