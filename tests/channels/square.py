"""A channel for tests: the Square, where people shout and the municipality may shout back.

It has every role of the contract that can be played without a network: signing in with a token or
on a page, being fetched, calling us with a signature, asking whether an address is ours. What it
does not cover: anything about connections, which the adapters' own tests do.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from app.channels.contract import (
    Batch,
    Capabilities,
    ChannelError,
    DeliveryReport,
    InboundRequest,
    Incoming,
    Outgoing,
    Permanent,
    Receipt,
    Setup,
    SetupField,
    SignedOut,
)
from app.channels.registry import KINDS, Kind, NowMs

TOKEN = "a-good-token"
HOUR_MS = 3_600_000
CAN = Capabilities(max_chars=200, public=True, undo=True, reply_window_s=24 * 3600)


@dataclass
class Square:
    """The platform's own side: what it says, and what was shouted to it."""

    name: str = ""
    """What it calls whoever signs in from now on; "" is nothing."""

    trouble: ChannelError | None = None
    said: list[Incoming] = field(default_factory=list)
    shouted: list[Outgoing] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody wants to finish signing in."""
    answers: asyncio.Event | None = None
    """When the Square says what it thinks of that; None is at once."""


class SquareAdapter:
    """Adapter, Receiver, Challenging, Known, SigningIn and Sender."""

    capabilities = CAN

    def __init__(self, square: Square, secret: str, now_ms: NowMs) -> None:
        self._square = square
        self._secret = json.loads(secret) if secret else {}
        self._now_ms = now_ms

    def new_external_id(self, delivery_id: str) -> str:
        return delivery_id

    async def check(self) -> None:
        if self._square.trouble:
            raise self._square.trouble
        if self._secret.get("token") != TOKEN:
            raise SignedOut("password_refused", "the square does not know this token")

    async def known_as(self) -> str:
        return self._square.name

    async def close(self) -> None:
        """Nothing is open."""

    def parse(self, request: InboundRequest) -> list[Incoming | DeliveryReport]:
        wanted = sign(request.body, self._secret["token"])
        if not hmac.compare_digest(request.headers.get("x-square", ""), wanted):
            raise Permanent("bad_signature")
        try:
            return [_item(one) for one in json.loads(request.body)]
        except (ValueError, TypeError, KeyError):
            raise Permanent("bad_config", "not what the square says") from None

    def challenge(self, request: InboundRequest) -> str | None:
        if request.query.get("token") != self._secret["token"]:
            return None
        return request.query.get("challenge")

    async def begin(self, redirect_uri: str, state: str) -> tuple[str, str]:
        return f"https://square.example/consent?to={redirect_uri}&state={state}", "kept"

    async def finish(self, kept: str, redirect_uri: str, code: str) -> str:
        assert (kept, redirect_uri) == ("kept", "http://localhost:8000/channels/signed-in")
        self._square.asked.set()
        if self._square.answers is not None:
            await self._square.answers.wait()
        if code != "yes":
            raise SignedOut("sign_in_refused")
        # A consent is a new secret each time.
        return json.dumps({"token": TOKEN, "made": self._now_ms()})

    async def send(self, reply: Outgoing) -> Receipt:
        if self._square.trouble:
            raise self._square.trouble
        self._square.shouted.append(reply)
        return Receipt(reply.external_id, "sent", self._now_ms())

    async def find(self, reply: Outgoing) -> Receipt | None:
        known = any(one.delivery_id == reply.delivery_id for one in self._square.shouted)
        return Receipt(reply.external_id, "sent", self._now_ms()) if known else None


class FetchedSquare(SquareAdapter):
    """The same where it has to be asked: also a Source."""

    async def fetch(self, cursor: str | None) -> Batch:
        await self.check()
        return Batch(tuple(self._square.said), str(len(self._square.said)))


def sign(body: bytes, token: str = TOKEN) -> str:
    """Return the Square's signature over a raw body."""
    return hmac.new(token.encode(), body, hashlib.sha256).hexdigest()


def _item(said: dict[str, Any]) -> Incoming | DeliveryReport:
    if "state" in said:
        return DeliveryReport(said["id"], None, said["state"], "", said["at_ms"])
    return Incoming(
        external_id=said["id"],
        address=said["by"],
        sender_name=said["by"].title(),
        text=said.get("text", ""),
        sent_at_ms=said["at_ms"],
        kind=said.get("kind", "new"),
        public=said.get("public"),
        link=said.get("link", ""),
        raw=json.dumps(said).encode(),
    )


_FIELDS = (
    SetupField("server", ("Server", "Server"), "url"),
    SetupField("token", ("Sleutel", "Token"), "secret"),
    SetupField("words", ("Woorden", "Words"), "lines", required=False),
    SetupField("every", ("Om de", "Every"), "number", required=False),
    SetupField(
        "who", ("Wie", "Who"), "choice", required=False,
        choices=(("all", ("Iedereen", "Everybody")), ("us", ("Ons", "Us"))),
    ),
)  # fmt: skip


@contextmanager
def opened() -> Iterator[Square]:
    """Put the Square among the kinds for as long as a test lasts."""
    square = Square()
    kinds = cast("dict[str, Kind]", KINDS)

    def own_id(_config: Mapping[str, Any], delivery_id: str) -> str:
        return delivery_id

    def build(_config: Mapping[str, Any], secret: str, now_ms: NowMs) -> SquareAdapter:
        return SquareAdapter(square, secret, now_ms)

    def build_fetched(_config: Mapping[str, Any], secret: str, now_ms: NowMs) -> SquareAdapter:
        return FetchedSquare(square, secret, now_ms)

    title = ("Plein", "Square")
    intro = ("Op het plein staat een bord.", "There is a sign on the square.")
    page = Setup(intro, tuple(one for one in _FIELDS if one.name == "server"), sign_in=True)
    kinds["square"] = Kind(CAN, own_id, build, title=title, setup=Setup(intro, _FIELDS))
    kinds["square_page"] = Kind(CAN, own_id, build, title=title, setup=page)
    kinds["square_fetched"] = Kind(
        CAN, own_id, build_fetched, title=title, setup=Setup(intro, _FIELDS)
    )
    try:
        yield square
    finally:
        for name in ("square", "square_page", "square_fetched"):
            del kinds[name]
