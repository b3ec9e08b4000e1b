"""Asking a forum's JSON interface, and saying honestly what became of what was asked.

What was read may be asked again; what was posted may have taken effect whenever the answer did not
arrive whole. Sources: docs.discourse.org, NodeBB's OpenAPI files; read November 2026.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.channels.contract import ChannelError, Permanent, SignedOut, Temporary, Unconfirmed
from app.channels.safe_http import USER_AGENT, checked_url, read_bounded, retry_after_s

if TYPE_CHECKING:
    from app.channels.safe_transport import SafeTransport

MAX_BYTES = 4_000_000
TIMEOUT_S = 20.0


class ForumApi:
    """One forum under one account's key. Nothing is kept between calls but connections."""

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        private_hosts: tuple[str, ...] = (),
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Raises Permanent("bad_config") for an address that cannot be fetched."""
        try:
            self._base = checked_url(base).rstrip("/")
        except Permanent:
            raise Permanent("bad_config", "url") from None
        self._headers = {"user-agent": USER_AGENT, "accept": "application/json", **headers}
        self._private_hosts = private_hosts
        self._timeout_s = timeout_s
        self._transport: SafeTransport | None = None

    def link(self, path: str) -> str:
        """Return an address on the forum for people, or "" when it is not https."""
        return f"{self._base}{path}" if self._base.startswith("https://") else ""

    async def get(self, path: str, **params: Any) -> Any:
        """Return what is there, None when nothing is (any more).

        Raises Temporary, SignedOut or Permanent.
        """
        status, headers, body = await self._ask("GET", path, params, None)
        if status in {404, 410}:
            return None
        _judge(status, headers, body)
        if status >= 400:
            raise Permanent("forum_refused", f"status {status}")
        try:
            return json.loads(body)
        except ValueError:
            raise Temporary("unreadable_there", "no JSON", account_wide=True) from None

    async def post(self, path: str, said: Mapping[str, Any]) -> Any:
        """Return the forum's answer to what was posted.

        Raises Temporary or SignedOut (nothing was posted), Permanent (it is refused), or
        Unconfirmed whenever it may stand there.
        """
        import httpx

        # Not on a kept connection: one that the forum closed just now would leave it in doubt.
        await self.close()
        try:
            status, headers, body = await self._ask("POST", path, {}, said)
        except Temporary as error:
            before = isinstance(
                error.__cause__, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
            )
            if before:
                raise
            raise Unconfirmed("answer_lost", error.detail) from None
        if status >= 500 and status != 503:
            # A proxy in front may say so of what the forum behind it did.
            raise Unconfirmed("answer_lost", f"status {status}")
        _judge(status, headers, body)
        if status in {404, 410}:
            raise Permanent("question_gone")
        if not 200 <= status < 300:
            raise Permanent("forum_refused", f"status {status}")
        try:
            return json.loads(body)
        except ValueError:
            raise Unconfirmed("answer_lost", "no JSON") from None

    async def _ask(
        self, method: str, path: str, params: Mapping[str, Any], said: Mapping[str, Any] | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        import httpx

        from app.channels import safe_transport

        if self._transport is None:
            self._transport = safe_transport.SafeTransport(private_hosts=self._private_hosts)
        request = httpx.Request(
            method, f"{self._base}{path}", params=dict(params), json=said, headers=self._headers
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._transport.handle_async_request(request)
                try:
                    body = await read_bounded(answer, MAX_BYTES)
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise Temporary("site_slow", "timeout", account_wide=True) from None
        except httpx.HTTPError as error:
            raise safe_transport.as_channel_error(error) from error
        except ChannelError as error:
            if method == "POST" and error.code != "private_address":
                raise Temporary(error.code, error.detail) from None  # the answer: it was posted
            raise
        return answer.status_code, answer.headers, body

    async def close(self) -> None:
        """Close connections; the next call opens new ones."""
        if self._transport is not None:
            await self._transport.aclose()
            self._transport = None


def _judge(status: int, headers: Mapping[str, str], body: bytes) -> None:
    if status == 429:
        wait_s = retry_after_s(headers.get("retry-after", "")) or _wait_in(body) or 60.0
        raise Temporary("rate_limited", "status 429", wait_s, account_wide=True)
    if status in {401, 403}:
        raise SignedOut("key_refused", f"status {status}")
    if status >= 500:
        wait_s = retry_after_s(headers.get("retry-after", "")) or 120.0
        raise Temporary("site_busy", f"status {status}", wait_s, account_wide=True)
    if 300 <= status < 400:
        raise Permanent("forum_moved", f"status {status}")


def _wait_in(body: bytes) -> float | None:
    """Return the seconds that Discourse names in the body of its 429."""
    try:
        return min(max(float(json.loads(body)["extras"]["wait_seconds"]), 1.0), 3_600.0)
    except (ValueError, KeyError, TypeError):
        return None
