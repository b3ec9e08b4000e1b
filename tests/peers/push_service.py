"""A push service for tests: what a browser's vendor runs, written from the specifications.

    application server ──POST /wpush/<id>──▶ this ──▶ the test, which holds the browser's keys

It takes messages over real sockets (HTTP/1.1, plain) and judges every one of them as strictly as
the specifications allow, so that what passes here passes anywhere:

- RFC 8030: TTL is required (5.2), Urgency is one of four words (5.3), Topic is at most 32
  characters of base64url and replaces the waiting message of that topic (5.4), Location in the
  answer (5), bodies over 4,096 bytes are refused with 413 (7.2);
- RFC 8292: the `vapid` scheme with `t` and `k`, an ES256 signature by `k` over header and claims,
  `aud` is this service's origin, `exp` has not passed and lies within 24 hours, `sub` is a mailto:
  or https: address; a subscription made for one key is refused to any other (4.2);
- RFC 8188 and 8291: `aes128gcm`, one record, read as a browser does, see `push_reading.py`.

A test can force answers: any status, with headers, a body, or no answer at all (`SILENCE`), or the
connection broken before (`RESET`) or after (`RESET_AFTER`) the message was taken.

What it does not cover: delivery to a browser, receipts (RFC 8030, 5.1 and 6.3), expiry of stored
messages, HTTP/2, TLS, and the habits of the vendors' own services (rate limits, their own limits on
the length of a topic or a token's lifetime). `serve` in a process of its own is for measuring:

    python -m tests.peers.push_service          prints its address; GET /counted tells what it took
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tests.peers.push_reading import Browser, browser_of, decrypt, unpack

MAX_BODY_BYTES = 4096
DAY_S = 86_400
SILENCE = "silence"
RESET = "reset"
RESET_AFTER = "reset after"
URGENCIES = {"very-low", "low", "normal", "high"}
TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True)
class Forced:
    """An answer that a test wants, whatever the message is like."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Taken:
    """A message that was taken, as its browser reads it."""

    id: str
    ttl_s: int
    urgency: str
    topic: str | None
    body: bytes
    plaintext: bytes
    claims: Mapping[str, Any]
    at_s: float

    @property
    def json(self) -> dict[str, Any]:
        """The plaintext as the worker in the browser reads it."""
        said: dict[str, Any] = json.loads(self.plaintext)
        return said


class Refusal(Exception):
    """What is wrong with a message, and the status it gets."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class PushService:
    """One push service with its subscriptions; `url` is its origin.

    `taken` is every message in the order of arrival, `waiting` what a browser that wakes up now
    would get: of each topic the last. `refused` tells why others were not taken. To measure it
    may count all and judge only every so many (`check_every`).
    """

    def __init__(self, now_s: Callable[[], float] = time.time, check_every: int = 1) -> None:
        self.now_s = now_s
        self._check_every = check_every
        self.url = ""
        self.browsers: dict[str, Browser] = {}
        self.taken: list[Taken] = []
        self.refused: list[Refusal] = []
        self.posts = 0
        self.connections = 0
        self.forced: dict[str, list[Forced | str | None]] = {}
        self.always: Forced | str | None = None
        self.arrived = asyncio.Event()
        self._transports: set[asyncio.Transport] = set()

    def subscribe(self, name: str, browser: Browser) -> str:
        """Return the endpoint of a new subscription."""
        self.browsers[name] = browser
        return f"{self.url}/wpush/{name}"

    def force(self, name: str, *answers: Forced | str | int | None) -> None:
        """Answer the next messages to a subscription so; None is an honest answer."""
        self.forced.setdefault(name, []).extend(
            Forced(answer) if isinstance(answer, int) else answer for answer in answers
        )

    def waiting(self, name: str) -> list[Taken]:
        """Return what lies ready for a browser: a later message of a topic replaced the earlier."""
        kept: dict[object, Taken] = {}
        for message in self.taken:
            if message.id == name:
                key: object = message.topic if message.topic is not None else id(message)
                kept.pop(key, None)
                kept[key] = message
        return list(kept.values())

    def hang_up(self) -> None:
        """Close every connection, as a server does with one that rests."""
        for transport in list(self._transports):
            transport.close()

    def judge(self, path: str, headers: Mapping[str, str], body: bytes) -> Taken:
        """Take a message. Raises Refusal."""
        browser = self.browsers.get(path.removeprefix("/wpush/"))
        if not path.startswith("/wpush/") or browser is None:
            raise Refusal(404, "no such subscription")
        if len(body) > MAX_BODY_BYTES:
            raise Refusal(413, f"{len(body)} bytes")
        ttl = headers.get("ttl", "")
        if not re.fullmatch(r"[0-9]{1,10}", ttl):
            raise Refusal(400, "TTL is missing or no number of seconds")
        urgency = headers.get("urgency", "normal")
        if urgency not in URGENCIES:
            raise Refusal(400, "no such urgency")
        topic = headers.get("topic")
        if topic is not None and not TOPIC.fullmatch(topic):
            raise Refusal(400, "no such topic")
        if headers.get("content-encoding") != "aes128gcm":
            raise Refusal(415, "only aes128gcm")
        claims = self.check_vapid(headers.get("authorization", ""), browser)
        try:
            plaintext = decrypt(body, browser.private, browser.auth)
        except ValueError as error:
            # A real service cannot look inside; a test wants to know.
            raise Refusal(400, f"the browser cannot read it: {error}") from error
        name = path.removeprefix("/wpush/")
        return Taken(name, int(ttl), urgency, topic, body, plaintext, claims, time.time())

    def check_vapid(self, authorization: str, browser: Browser) -> Mapping[str, Any]:
        """Return the claims of a token. Raises Refusal: 401 for none, 403 for one that is wrong."""
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() != "vapid":
            raise Refusal(401, "no vapid token")
        parts = dict(part.strip().partition("=")[::2] for part in rest.split(",") if "=" in part)
        try:
            key, token = parts["k"], parts["t"]
            signed, _, signature = token.rpartition(".")
            header, _, payload = signed.partition(".")
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unpack(key))
            raw = unpack(signature)
            if json.loads(unpack(header)).get("alg") != "ES256" or len(raw) != 64:
                raise Refusal(403, "not signed with ES256")
            point.verify(
                encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:])),
                signed.encode(),
                ec.ECDSA(SHA256()),
            )
            claims: dict[str, Any] = json.loads(unpack(payload))
        except InvalidSignature:
            raise Refusal(403, "the signature is not by this key") from None
        except (KeyError, ValueError) as error:
            raise Refusal(403, f"no readable token: {error}") from error
        now_s = self.now_s()
        if claims.get("aud") != self.url:
            raise Refusal(403, f"signed for {claims.get('aud')}")
        if not isinstance(claims.get("exp"), int) or not now_s < claims["exp"] <= now_s + DAY_S:
            raise Refusal(403, "exp has passed or lies more than a day ahead")
        if not re.match(r"mailto:[^@]+@.|https://.", str(claims.get("sub", ""))):
            raise Refusal(403, "nobody to write to")
        if browser.server_key not in {None, key}:
            raise Refusal(403, "another key than the subscription was made with")
        return claims

    def _answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> bytes | None:
        """Return the bytes of an answer; None is a connection that breaks, b"" is silence."""
        if method == "GET" and path == "/counted":
            told = {
                "posts": self.posts,
                "taken": [[message.json.get("c"), message.at_s] for message in self.taken],
                "refused": [refusal.why for refusal in self.refused],
            }
            return response(200, {"Content-Type": "application/json"}, json.dumps(told).encode())
        if method != "POST":
            return response(405, {}, b"")
        self.posts += 1
        if self.posts % self._check_every:
            return response(201, {}, b"")
        name = path.removeprefix("/wpush/")
        waiting = self.forced.get(name)
        forced = waiting.pop(0) if waiting else self.always
        if forced in (SILENCE, RESET):
            return b"" if forced == SILENCE else None
        if isinstance(forced, Forced) and not 200 <= forced.status < 300:
            return response(forced.status, forced.headers, forced.body)
        try:
            message = self.judge(path, headers, body)
        except Refusal as refusal:
            self.refused.append(refusal)
            return response(refusal.status, {}, refusal.why.encode())
        self.taken.append(message)
        self.arrived.set()
        if forced == RESET_AFTER:
            return None
        if isinstance(forced, Forced):
            return response(forced.status, forced.headers, forced.body)
        return response(
            201, {"Location": f"{self.url}/m/{len(self.taken)}", "TTL": str(message.ttl_s)}, b""
        )


class _Line(asyncio.Protocol):
    """One connection from an application server."""

    def __init__(self, service: PushService) -> None:
        self._service = service
        self._heard = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop has its own kind
        self._service.connections += 1
        self._service._transports.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._service._transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while self._transport is not None and not self._transport.is_closing():
            head, ended, rest = self._heard.partition(b"\r\n\r\n")
            if not ended:
                return
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            length = int(headers.get("content-length", "0"))
            if len(rest) < length:
                return
            body, self._heard = rest[:length], rest[length:]
            method, path, _ = first.split(" ", 2)
            answer = self._service._answer(method, path, headers, body)
            if answer is None:
                self._transport.abort()
            elif answer:
                self._transport.write(answer)


def response(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return an HTTP/1.1 answer."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} \r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextlib.asynccontextmanager
async def serving(service: PushService, port: int = 0) -> AsyncIterator[PushService]:
    """Run a push service on a free port of this machine, in this event loop."""
    server = await asyncio.get_running_loop().create_server(
        lambda: _Line(service), "127.0.0.1", port
    )
    service.url = f"http://localhost:{server.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        server.close()
        for transport in list(service._transports):
            transport.abort()


async def _measuring() -> None:
    """Be a push service whose browsers are known by their names; see `browser_of`."""
    parser = argparse.ArgumentParser(description="a push service to measure with")
    parser.add_argument("--browsers", type=int, default=0, help="how many: b0, b1, …")
    parser.add_argument("--check-every", type=int, default=1, help="judge every so many")
    args = parser.parse_args()
    service = PushService(check_every=args.check_every)
    for number in range(args.browsers):
        service.browsers[f"b{number}"] = browser_of(f"b{number}")
    async with serving(service):
        print(service.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_measuring())
