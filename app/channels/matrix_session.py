"""A Matrix account: its settings, its sign-in, and requests that carry its token.

The device is the same at every sign-in, because a server tells a repeated message by the device
that sent it: the same transaction id of the same device is the same message.

Source: Matrix specification v1.15, Client-Server API, "Login", "Soft logout" and "Transaction
identifiers" (read 2026-11).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from app.channels.contract import ChannelError, Permanent, SignedOut, Temporary, Unconfirmed
from app.channels.platform_http import (
    MAX_BYTES,
    Answer,
    PlatformApi,
    base_of,
    dig_int,
    dig_text,
    secrets_of,
)

CLIENT = "/_matrix/client/v3"
_USER = re.compile(r"@[^\s:/]{1,200}:[^\s/]{1,230}")

_tokens: dict[tuple[str, ...], str] = {}
"""The tokens of this process, by server, account, device and password: whoever fetches and whoever
sends share one sign-in. A server may end a device's older token when a newer one is made."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, ...], asyncio.Lock]] = (
    WeakKeyDictionary()
)
"""Who signs in, by account: one at a time."""


@dataclass(frozen=True, slots=True)
class MatrixSettings:
    """One account. Everything but the password and the token stands readable in its config."""

    url: str
    user: str
    device_id: str
    invite_servers: frozenset[str] = frozenset()
    """From whose servers an invitation is accepted; `*` is everybody's."""
    since_ms: int = 0
    """The floor: what was written earlier is never taken in."""
    password: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)


def settings_of(config: Mapping[str, Any], secret: str) -> MatrixSettings:
    """Read an account's config and opened secret. Raises Permanent("bad_config")."""
    opened = secrets_of(secret)
    user = str(config.get("user", "")).strip()
    if not _USER.fullmatch(user):
        raise Permanent("bad_config", "user must look like @name:server")
    if not opened.get("password") and not opened.get("access_token"):
        raise Permanent("bad_config", "a password or an access token is needed")
    servers = config.get("invite_servers", [])
    since_ms = config.get("since_ms", 0)
    if not isinstance(servers, list) or not isinstance(since_ms, int):
        raise Permanent("bad_config", "invite_servers or since_ms has the wrong type")
    return MatrixSettings(
        url=base_of(config.get("url")),
        user=user,
        device_id=str(config.get("device_id") or own_device(user)),
        invite_servers=frozenset(
            str(name).strip().lower() for name in servers if str(name).strip()
        ),
        since_ms=since_ms,
        password=opened.get("password", ""),
        access_token=opened.get("access_token", ""),
    )


def own_device(user: str) -> str:
    """Return the one device that this account signs in with, for ever."""
    return "STOEP" + hashlib.sha256(user.encode()).hexdigest()[:8].upper()


class MatrixSession:
    """Asks as the account, and signs in again once when the server has forgotten the token."""

    def __init__(self, settings: MatrixSettings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._api = PlatformApi(settings.url)
        secret = f"{settings.password}\0{settings.access_token}".encode()
        self._key = (
            settings.url,
            settings.user,
            settings.device_id,
            hashlib.sha256(secret).hexdigest(),
        )

    async def ask(
        self,
        method: str,
        path: str,
        *,
        changes: bool = False,
        sign_in_again: bool = True,
        timeout_s: float | None = None,
        max_bytes: int = MAX_BYTES,
        **request: Any,
    ) -> Answer:
        """Ask with the account's token; the answer is fine, or something that is not there (404).

        Raises Temporary, Permanent, SignedOut, and Unconfirmed for what `changes` something.
        """
        token = _tokens.get(self._key) or await self._sign_in("")
        more = request.pop("headers", {})
        for again in (sign_in_again, False):
            answer = await self._api.ask(
                method,
                path,
                changes=changes,
                timeout_s=timeout_s,
                max_bytes=max_bytes,
                headers={"Authorization": f"Bearer {token}"} | more,
                **request,
            )
            if answer.status != 401:
                break
            if not again:
                raise SignedOut("token_refused", dig_text(answer.body, "errcode"))
            token = await self._sign_in(token)
        if answer.fine or answer.status == 404:
            return answer
        raise refusal(answer, self._now_ms(), changes=changes)

    async def who(self) -> str:
        """Return whose token this is."""
        return dig_text((await self.ask("GET", f"{CLIENT}/account/whoami")).body, "user_id")

    async def close(self) -> None:
        await self._api.close()

    async def _sign_in(self, refused: str) -> str:
        """Return a token that is not the refused one. Raises SignedOut or Temporary."""
        turns = _turns.setdefault(asyncio.get_running_loop(), {})
        # Requests side by side that each signed in would end each other's tokens.
        async with turns.setdefault(self._key, asyncio.Lock()):
            return await self._signed_in(refused)

    async def _signed_in(self, refused: str) -> str:
        known = _tokens.get(self._key, "")
        if known and known != refused:
            return known  # somebody else in this process has signed in meanwhile
        settings = self._settings
        if settings.access_token and settings.access_token != refused and not known:
            _tokens[self._key] = settings.access_token
            return settings.access_token
        if not settings.password:
            raise SignedOut("token_refused", "the access token has ended")
        answer = await self._api.ask(
            "POST",
            f"{CLIENT}/login",
            json={
                "type": "m.login.password",
                "identifier": {"type": "m.id.user", "user": settings.user},
                "password": settings.password,
                "device_id": settings.device_id,
                "initial_device_display_name": "Stoep",
            },
        )
        token = dig_text(answer.body, "access_token")
        if answer.status in {400, 401, 403, 404}:
            raise SignedOut("token_refused", dig_text(answer.body, "errcode"))
        if not answer.fine or not token:
            raise refusal(answer, self._now_ms(), changes=False)
        _tokens[self._key] = token
        return token


def refusal(answer: Answer, now_ms: int, *, changes: bool) -> ChannelError:
    """Return what an answer that is not fine means."""
    code = dig_text(answer.body, "errcode")
    detail = f"{answer.status} {code}".strip()
    if answer.status == 429 or code == "M_LIMIT_EXCEEDED":
        wait_s = answer.retry_after_s(now_ms, dig_int(answer.body, "retry_after_ms") / 1000 or 30.0)
        return Temporary("rate_limited", detail, retry_after_s=wait_s, account_wide=True)
    if code in {"M_USER_DEACTIVATED", "M_USER_LOCKED", "M_USER_SUSPENDED"}:
        return SignedOut("token_refused", detail)
    if answer.status == 413 or code == "M_TOO_LARGE":
        return Permanent("file_too_large", detail)
    if answer.status == 403:
        return Permanent("not_in_room", detail)
    if 400 <= answer.status < 500:
        return Permanent("platform_refused", detail)
    if changes and answer.status != 503:
        # A proxy that gave up waiting says 502 or 504 while the server goes on.
        return Unconfirmed("answer_lost", detail)
    wait_s = answer.retry_after_s(now_ms, 30.0)
    return Temporary("platform_busy", detail, retry_after_s=wait_s, account_wide=True)
