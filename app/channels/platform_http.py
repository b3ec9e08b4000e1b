"""One request to a platform's API, and what can be said of it when it fails.

What matters is not why a request failed but whether it can have taken effect. A line that was never
opened carried nothing; after that nobody knows, and a request that `changes` something there is
Unconfirmed. Redirects are not followed, and an answer has a size and a time.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from app.channels import safe_http
from app.channels.contract import ChannelError, Permanent, Temporary, Unconfirmed

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 20.0
"""For one request with its answer; two of them fit well within a delivery's lease."""

MAX_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes

    @property
    def fine(self) -> bool:
        return 200 <= self.status < 300

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object that came back; empty when it was anything else."""
        try:
            read = json.loads(self.content)
        except (ValueError, RecursionError):
            return {}
        return read if isinstance(read, dict) else {}

    def retry_after_s(self, now_ms: int, otherwise: float = 60.0) -> float:
        """Return how long to stay away (RFC 9110, 10.2.3: seconds or a date)."""
        value = self.headers.get("retry-after", "")
        if value.isascii() and value.isdecimal() and len(value) < 9:
            return float(value)
        try:
            return max(1.0, parsedate_to_datetime(value).timestamp() - now_ms / 1000)
        except (TypeError, ValueError, OverflowError):
            return otherwise


class PlatformApi:
    """A connection to one platform, opened when it is first used."""

    def __init__(self, base_url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None

    async def ask(
        self,
        method: str,
        path: str,
        *,
        changes: bool = False,
        timeout_s: float | None = None,
        max_bytes: int = MAX_BYTES,
        url: str = "",
        **request: Any,
    ) -> Answer:
        """Ask, and return the answer with any status; `url` is a whole address instead of a path.

        Raises Temporary("platform_unreachable") when nothing can have come of it, else
        Unconfirmed("answer_lost") if it `changes` something. Raises Permanent("answer_too_large")
        for an answer over `max_bytes`, when that changes nothing, and Permanent("bad_config") when
        the address or a token holds a sign that no request can carry.
        """
        import httpx  # four megabytes that wait until an account is there

        client = self._opened()
        opened = False
        limit_s = timeout_s or self._timeout_s
        try:
            async with asyncio.timeout(limit_s):
                built = client.build_request(
                    method,
                    url or self._base_url + path,
                    timeout=httpx.Timeout(limit_s, connect=min(limit_s, 10.0)),
                    **request,
                )
                opened = True
                answer = await client.send(built, stream=True)
                try:
                    content = await safe_http.read_bounded(answer, max_bytes)
                finally:
                    await answer.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _unreachable(error) from None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            if changes and opened:
                raise Unconfirmed("answer_lost", type(error).__name__) from None
            raise _unreachable(error) from None
        except UnicodeError:
            if changes and opened:
                raise Unconfirmed("answer_lost", "an address that cannot be one") from None
            raise Permanent("bad_config", "a sign in it that no request can carry") from None
        except ChannelError as error:
            # The platform did answer: with too much, or packed so that nobody can read it.
            if changes:
                raise Unconfirmed("answer_lost", error.code) from None
            if error.code == "site_too_large":
                raise Permanent("answer_too_large", f"over {max_bytes} bytes") from None
            raise _unreachable(error) from None
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, headers, content)

    async def close(self) -> None:
        """Let go of the connection; it opens again when it is used again."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        import httpx

        if self._client is None:
            # It writes every address at INFO, and some platforms want a secret in there.
            for name in ("httpx", "httpcore"):
                logging.getLogger(name).setLevel(logging.WARNING)
            # Only what can be unpacked up to a limit (`safe_http`) is asked for.
            headers = {"User-Agent": "Stoep", "Accept-Encoding": "gzip, deflate"}
            self._client = httpx.AsyncClient(headers=headers)
        return self._client


def _unreachable(error: Exception) -> Temporary:
    return Temporary(
        "platform_unreachable", type(error).__name__, retry_after_s=30.0, account_wide=True
    )


def base_of(url: object) -> str:
    """Return the address that paths are put behind; https, or this machine for tests.

    Raises Permanent("bad_config").
    """
    text = str(url or "").strip().rstrip("/")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Permanent("bad_config", "the address of the server is not right") from None
    if not host or parts.query or parts.fragment or parts.username or any(c <= " " for c in text):
        raise Permanent("bad_config", "the address of the server is not right")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise Permanent("bad_config", "the address of the server must start with https://")
    return text


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def secrets_of(secret: str) -> dict[str, str]:
    """Read an opened secret: one JSON object. Raises Permanent("bad_config")."""
    try:
        opened = json.loads(secret) if secret else {}
        return {str(name): str(value) for name, value in opened.items()}
    except (ValueError, AttributeError):
        raise Permanent("bad_config", "the secret is unreadable") from None


def dig(value: Any, *names: str | int) -> Any:
    """Follow keys and indexes into what a stranger sent; None where the way ends."""
    for name in names:
        if isinstance(name, int):
            if not isinstance(value, list) or not -len(value) <= name < len(value):
                return None
        elif not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def dig_dict(value: Any, *names: str | int) -> dict[str, Any]:
    """Like `dig`; an empty object where there is none."""
    found = dig(value, *names)
    return found if isinstance(found, dict) else {}


def dig_list(value: Any, *names: str | int) -> list[Any]:
    """Like `dig`; an empty list where there is none."""
    found = dig(value, *names)
    return found if isinstance(found, list) else []


def dig_text(value: Any, *names: str | int) -> str:
    """Like `dig`; a text that can be stored, "" where there is none."""
    found = dig(value, *names)
    if isinstance(found, bool) or not isinstance(found, str | int):
        return ""
    # JSON can spell half a surrogate pair and a NUL; no database keeps either.
    return str(found).replace("\0", "").encode("utf-8", "replace").decode()


def dig_int(value: Any, *names: str | int) -> int:
    """Like `dig`; 0 where there is no whole number, also not one written as text."""
    found = dig(value, *names)
    if isinstance(found, str) and found.isascii() and found.isdecimal() and len(found) < 20:
        return int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0
