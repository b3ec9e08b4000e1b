"""Calls to a social platform in somebody's name, with what its refusals mean.

`platform_http` says whether a call can have taken effect; what is here adds what the platforms have
in common in their answers:

    429              Temporary("rate_limited"), with the platform's own time to wait
    401              SignedOut; the caller may have a token to renew first
    503              Temporary: the server did not handle the request (RFC 9110, 15.6.4)
    other 5xx, 3xx   Unconfirmed for what publishes, Temporary for all else
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from app.channels import safe_http
from app.channels.contract import (
    ChannelError,
    IncomingAttachment,
    SignedOut,
    Temporary,
    Unconfirmed,
)
from app.channels.platform_http import PlatformApi

TIMEOUT_S = 15.0
MAX_PICTURE_BYTES = 10_000_000
MAX_WAIT_S = 3600.0
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `status` is one of those that the caller must judge itself."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def value(self) -> Any:
        """Return the JSON in it, None when it is none: a portal's page, half an answer."""
        try:
            return _storable(json.loads(self.body))
        except (ValueError, RecursionError):
            return None

    def table(self) -> dict[str, Any]:
        """Return the JSON object in it. Raises Temporary when that is not what came."""
        value = self.value()
        if not self.ok or not isinstance(value, dict):
            raise Temporary("platform_unreachable", f"answered {self.status}", account_wide=True)
        return value

    def rows(self) -> list[dict[str, Any]]:
        """Return the JSON array of objects in it. Raises Temporary when that is not what came."""
        value = self.value()
        if not self.ok or not isinstance(value, list):
            raise Temporary("platform_unreachable", f"answered {self.status}", account_wide=True)
        return [row for row in value if isinstance(row, dict)]


class Caller:
    """Calls one server. Connections are made at the first call and closed with `close`."""

    def __init__(self, base: str, now_ms: Callable[[], int], timeout_s: float = TIMEOUT_S) -> None:
        self._base = base
        self._now_ms = now_ms
        self._timeout_s = timeout_s
        self._kept = PlatformApi(base, timeout_s=timeout_s)

    async def ask(
        self, method: str, path: str, *, token: str = "", accept_401: bool = False, **what: Any
    ) -> Answer:
        """Make a call that may be made twice without harm; `what` goes to httpx as it is.

        Raises Temporary or SignedOut.
        """
        found = await self._kept.ask(method, path, **_signed(token, what))
        answer = Answer(found.status, found.headers, found.content)
        self._judge(answer, accept_401)
        if answer.status >= 500 or 300 <= answer.status < 400:
            raise Temporary("platform_busy", f"answered {answer.status}", account_wide=True)
        return answer

    async def publish(
        self, method: str, path: str, *, token: str = "", accept_401: bool = False, **what: Any
    ) -> Answer:
        """Make the one call that people will see the effect of.

        On a connection of its own: one that was kept may have died, and would leave a doubt where
        there need be none. Raises Temporary or SignedOut (nothing happened) or Unconfirmed.
        """
        fresh = PlatformApi(self._base, timeout_s=self._timeout_s)
        try:
            found = await fresh.ask(method, path, changes=True, **_signed(token, what))
        finally:
            await fresh.close()
        answer = Answer(found.status, found.headers, found.content)
        self._judge(answer, accept_401)
        unclear = answer.status >= 500 or answer.status < 200 or 300 <= answer.status < 400
        if unclear or (answer.ok and not isinstance(answer.value(), dict)):
            raise Unconfirmed("answer_lost", f"answered {answer.status}")
        return answer

    async def close(self) -> None:
        await self._kept.close()

    def _judge(self, answer: Answer, accept_401: bool) -> None:
        if answer.status == 429:
            raise Temporary(
                "rate_limited",
                "answered 429",
                retry_after_s=wait_s(answer.headers, self._now_ms()),
                account_wide=True,
            )
        if answer.status == 503:
            raise Temporary(
                "platform_busy",
                "answered 503",
                retry_after_s=wait_s(answer.headers, self._now_ms(), 60.0),
                account_wide=True,
            )
        if answer.status == 401 and not accept_401:
            raise SignedOut("token_refused", "answered 401")


def _signed(token: str, what: dict[str, Any]) -> dict[str, Any]:
    headers = {"accept": "application/json", **what.get("headers", {})}
    if token:
        headers["authorization"] = f"Bearer {token}"
    return {**what, "headers": headers}


def _storable(value: Any) -> Any:
    """Return JSON with only text that a database keeps: no NUL, no half of a surrogate pair."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(one) for name, one in value.items()}
    return value


async def fetch_picture(url: str, private_hosts: Collection[str]) -> IncomingAttachment | None:
    """Fetch a picture from whatever host it lies on; None when that did not work.

    A picture that cannot be had now is left out with a notice: a host that is down must not keep
    the words of its people from coming in.
    """
    try:
        found = await safe_http.fetch(
            url, max_bytes=MAX_PICTURE_BYTES, accept="image/*", private_hosts=private_hosts
        )
    except ChannelError:
        return None
    media_type = found.headers.get("content-type", "").partition(";")[0].strip().lower()
    name = _UNSAFE.sub("_", urlsplit(found.url).path.rpartition("/")[2])[-80:]
    return IncomingAttachment(name or "foto", media_type or "application/octet-stream", found.body)


def wait_s(headers: Mapping[str, str], now_ms: int, otherwise_s: float = 300.0) -> float:
    """Return how long the platform asks to wait, between a second and an hour.

    `Retry-After` counts seconds or is a date; `X-RateLimit-Reset` is an instant in ISO 8601
    (Mastodon) and `RateLimit-Reset` one in seconds since 1970 (Bluesky).
    """
    wanted = otherwise_s
    after_s = safe_http.retry_after_s(headers.get("retry-after", ""), now_s=now_ms / 1000)
    reset = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset") or ""
    if after_s is not None:
        wanted = after_s
    elif reset.isascii() and reset.isdigit() and len(reset) < 12:
        wanted = int(reset) - now_ms / 1000
    else:
        at_ms = instant_ms(reset)
        wanted = (at_ms - now_ms) / 1000 if at_ms is not None else wanted
    return min(max(wanted, 1.0), MAX_WAIT_S)


def instant_ms(text: object) -> int | None:
    """Read an instant in ISO 8601 with a zone; None for anything else."""
    if not isinstance(text, str) or not text or len(text) > 40:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int(moment.timestamp() * 1000) if moment.tzinfo else None


def server_address(text: object) -> str:
    """Return `https://name` of what a person typed: a name, an address, with or without a page.

    "" for what cannot be one. Without encryption only a server on this machine is spoken to.
    """
    typed = str(text).strip().rstrip("/") if isinstance(text, str) else ""
    if "://" not in typed:
        typed = f"https://{typed.rpartition('@')[2]}"
    try:
        parts = urlsplit(typed)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(host))
    if not secure or not host or parts.username or any(sign in host for sign in " %\\<>\"'"):
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}"


def is_this_machine(host: str) -> bool:
    """Say whether a host is loopback."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
