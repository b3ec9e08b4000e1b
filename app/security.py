"""What holds for every request, before and after the routes: a plain ASGI middleware.

It refuses what comes from another site (Sec-Fetch-Site, Origin), a Host that is not ours and bodies
that are too large; it adds the headers that tell a browser what our pages may do; and it answers
what nobody expected, without a word of content in the log. Every request passes here, so it does
little.
"""

import ipaddress
import logging
import socket
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import problems
from app.accounts import cookies
from app.config import Settings
from app.errors import NotAllowed, Problem, TooLarge

log = logging.getLogger(__name__)

API_VERSION = "1.0.0"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types lit-html stoep",
    )
)

KIB = 1024
DEFAULT_BODY_BYTES = 256 * KIB
MAX_KNOWN_HOSTS = 256

Header = tuple[bytes, bytes]

_NOSNIFF: Header = (b"x-content-type-options", b"nosniff")
_ANY_HEADERS: list[Header] = [_NOSNIFF]
# An answer that says "nothing new" must fit in 300 bytes with its headers: add none lightly.
_API_HEADERS: list[Header] = [
    (b"api-version", API_VERSION.encode()),
    (b"cache-control", b"no-store"),
    _NOSNIFF,
]
_HTML_HEADERS: list[Header] = [
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    # With "no-referrer" a browser would send our own forms with "Origin: null".
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    _NOSNIFF,
]
_TWO_YEARS: Header = (b"strict-transport-security", b"max-age=63072000")


def install(app: FastAPI) -> None:
    """Put the middleware around all routes of this application."""
    app.add_middleware(Security, settings=app.state.settings)


class Misdirected(Problem):
    """The request names a host that this server is not."""

    status, type, title = 421, "/problems/misdirected", "This server is not known by this name"


class CrossOrigin(NotAllowed):
    """A page of another site sent this."""

    type: ClassVar[str] = "/problems/cross-origin"
    title: ClassVar[str] = "Sent by another site"


class Security:
    """The middleware; outermost of those that an application adds."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        own = urlsplit(settings.origin)
        self._origin = settings.origin.encode()
        self._scheme = f"{own.scheme}://".encode()
        self._cookie = cookies.name(settings).encode()
        self._names = LOOPBACK_NAMES | {own.hostname or "", socket.gethostname().lower()}
        self._known_hosts: set[bytes] = set()
        self._html_headers = [*_HTML_HEADERS]
        if own.scheme == "https":
            self._html_headers.append(_TWO_YEARS)
        form_bytes = 4 * settings.max_photo_bytes + 1024 * KIB
        self._body_bounds = (
            ("/api/v1/sync", 4096 * KIB),
            ("/api/v1/uploads/", 128 * KIB),
            # WhatsApp's calls are up to 3 MB (Cloud API, Webhooks, read 2026-11); none are larger.
            ("/hooks/", 3 * 1024 * KIB),
            ("/w/", form_bytes),
            ("/v/", form_bytes),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge one request, pass it on, and complete its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._complete(message["headers"], path)
            await send(message)

        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            refusal = self._refusal(scope, headers)
            if refusal is not None:
                await problems.answer(refusal, scope)(scope, receive, send_on)
            elif b"transfer-encoding" in headers and b"content-length" not in headers:
                await self._pass_counted(scope, receive, send_on)
            else:
                await self._app(scope, receive, send_on)
        except ClientDisconnect:
            log.info("the client went away during %s %s", scope["method"], _route(scope))
        except Exception as error:  # noqa: BLE001 - this is where everything unexpected ends
            _report(scope, error)
            if not started:
                await problems.answer(Problem(), scope)(scope, receive, send_on)

    def _refusal(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Problem | None:
        host = headers.get(b"host", b"")
        if host not in self._known_hosts and not self._is_ours(host):
            return Misdirected()
        if scope["method"] in SAFE_METHODS:
            return None
        # A platform's call has no session and is believed for its signature alone.
        called = scope["path"].startswith("/hooks/")
        if not called and not self._is_same_origin(host, headers, scope):
            return CrossOrigin()
        length = headers.get(b"content-length", b"0")
        if len(length) > 15 or not length.isdigit() or int(length) > self._bound(scope["path"]):
            return TooLarge()
        return None

    def _is_ours(self, host: bytes) -> bool:
        """Say whether this Host is ours; by rebinding DNS another site can point its name at us.

        An address in digits is nobody's name, so it cannot be rebound.
        """
        name = host_name(host)
        if name not in self._names and not is_address(name):
            return False
        if len(self._known_hosts) < MAX_KNOWN_HOSTS:
            self._known_hosts.add(host)
        return True

    def _is_same_origin(self, host: bytes, headers: Mapping[bytes, bytes], scope: Scope) -> bool:
        """Say whether a page of ours, or no page at all, sent this request that changes something.

        Source: Fetch Metadata Request Headers and the Fetch standard's Origin header, read 2026-11.
        """
        site = headers.get(b"sec-fetch-site")
        if site is not None:
            return site in {b"same-origin", b"none"}
        origin = headers.get(b"origin", b"null")
        # "null" is what a page that keeps its address to itself says, ours or another's.
        if origin != b"null":
            return origin in {self._origin, self._scheme + host}
        # Nobody says where this comes from: then it has no business with a session.
        return cookies.find(scope["headers"], self._cookie) is None

    def _bound(self, path: str) -> int:
        for prefix, bound_bytes in self._body_bounds:
            if path.startswith(prefix):
                return bound_bytes
        return DEFAULT_BODY_BYTES

    async def _pass_counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request whose length nobody told, and stop it when it grows too large."""
        bound_bytes = self._bound(scope["path"])
        read_bytes = 0
        started = False

        async def receive_counted() -> Message:
            nonlocal read_bytes
            message = await receive()
            read_bytes += len(message.get("body", b""))
            if read_bytes > bound_bytes:
                raise TooLarge
            return message

        async def send_unless_over(message: Message) -> None:
            # A framework may tell our exception as its own: "error parsing the body".
            nonlocal started
            if started or read_bytes <= bound_bytes:
                started = True
                await send(message)

        try:
            await self._app(scope, receive_counted, send_unless_over)
        except TooLarge:
            if read_bytes <= bound_bytes:
                raise
        if read_bytes > bound_bytes and not started:
            await problems.answer(TooLarge(), scope)(scope, receive, send)

    def _complete(self, headers: list[Header], path: str) -> None:
        present = dict(headers)
        if path.startswith("/api/"):
            wanted = _API_HEADERS
        elif present.get(b"content-type", b"").startswith(b"text/html"):
            wanted = self._html_headers
        else:
            wanted = _ANY_HEADERS
        headers.extend(header for header in wanted if header[0] not in present)


def host_name(host: bytes) -> str:
    """Return the name in a Host header, without its port; empty when it is no host."""
    try:
        return urlsplit(b"//" + host).hostname.decode("ascii")  # type: ignore[union-attr]
    except (ValueError, AttributeError):
        return ""


def is_address(name: str) -> bool:
    """Say whether a host is an IP address in digits."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _report(scope: Scope, error: Exception) -> None:
    """Log where it went wrong, without the message: a database's quotes the row."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(
        f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)
    )
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    log.error("unexpected %s during %s %s at %s", kind, scope["method"], _route(scope), places)


def _route(scope: Scope) -> str:
    """The path as it was declared: the real one can hold a secret."""
    return str(getattr(scope.get("route"), "path", "(no route)"))
