"""Connections that only ever reach the public internet, whatever a name says.

Whoever types in the address of a feed, or a platform that names an avatar, chooses where our
server connects to, from inside the municipality's network. So a name is resolved here, each of its
addresses is judged, and the connection goes to the very address that was judged: a second answer of
the name server (DNS rebinding) is never asked for. Name and certificate are still checked against
the name, because only the address is replaced.

Imported inside functions: httpx and httpcore are memory that an idle server need not hold.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from functools import lru_cache
from typing import Any

import httpcore
import httpx

from app.channels.contract import Permanent, Temporary

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""(name, port) → its addresses, each in digits. Raises OSError when there are none."""

REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("192.0.0.0/24", "192.88.99.0/24"),  # protocol assignments (Oracle's metadata); 6to4
        "168.63.129.16/32",  # Azure's metadata and DNS, in the middle of the public range
        *("2001::/23", "2002::/16"),  # Teredo and other assignments; 6to4: an IPv4 address within
        *("2001:db8::/32", "3fff::/20"),  # documentation
    )
)
"""What `is_global` lets through in some version of Python, or what reaches a cloud's inside.

Source: IANA's special-purpose address registries; read November 2026.
"""

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""How an IPv6-only network reaches IPv4 (RFC 6052): judged by the address it carries."""

UNICAST = ipaddress.IPv6Network("2000::/3")

MAX_ADDRESSES = 4
"""Of one name, tried one after the other."""


def is_public(address: str) -> bool:
    """Say whether an address in digits is one of the public internet, for one host."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip not in UNICAST or ip.scope_id is not None:
            return False
    if any(ip in network for network in REFUSED if network.version == ip.version):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@lru_cache(maxsize=1)
def _default_tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class SafeTransport(httpx.AsyncBaseTransport):
    """For an `httpx.AsyncClient`. Raises Permanent("private_address") next to httpx's errors.

    `private_hosts` are names (`host` or `host:port`) that an administrator let through.
    """

    def __init__(
        self,
        *,
        private_hosts: Collection[str] = (),
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or _default_tls(),
            max_connections=20,
            max_keepalive_connections=5,
            keepalive_expiry=30.0,
            network_backend=_Pinned(frozenset(private_hosts), resolve),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request (httpx)."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        try:
            answer = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except _CORE_ERRORS as error:
            raise _as_httpx(error) from error
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close all connections (httpx)."""
        await self._pool.aclose()


class _Pinned(httpcore.AsyncNetworkBackend):
    def __init__(self, private_hosts: frozenset[str], resolve: Resolve) -> None:
        self._below = httpcore.AnyIOBackend()
        self._private_hosts = private_hosts
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore's own signature)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        error: Exception = httpcore.ConnectError("no address")
        for address in await self._checked(host, port):
            try:
                return await self._below.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error

    async def _checked(self, host: str, port: int) -> list[str]:
        """Return the addresses that may be connected to: all of them public, or none at all.

        A name with one address inside and one outside is refused whole: no honest site has it.
        """
        try:
            addresses = (await self._resolve(host, port))[:MAX_ADDRESSES]
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("the name is not known") from None
        allowed = host in self._private_hosts or f"{host}:{port}" in self._private_hosts
        if not allowed and not all(is_public(address) for address in addresses):
            raise Permanent("private_address")
        return addresses

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise Permanent("private_address")

    async def sleep(self, seconds: float) -> None:
        await self._below.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except _CORE_ERRORS as error:
            raise _as_httpx(error) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


_CORE_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


def _as_httpx(error: Exception) -> httpx.TransportError:
    """Return httpx's error of the same name: both libraries have the same tree."""
    kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__, httpx.TransportError)
    return kind(str(error))


def as_channel_error(error: httpx.HTTPError) -> Temporary:
    """Return what an error of the connection means: nothing came, and it may come later."""
    if "CERTIFICATE" in str(error).upper():
        return Temporary("site_certificate_wrong", type(error).__name__, 900.0, account_wide=True)
    code = "site_slow" if isinstance(error, httpx.TimeoutException) else "site_unreachable"
    return Temporary(code, type(error).__name__, account_wide=True)
